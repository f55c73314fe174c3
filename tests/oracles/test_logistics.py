"""Discretized mixtures of logistics: they sum to one, and are what the formula says."""

import math

import numpy as np
import pytest
import torch
from scipy.special import expit

from untwine.distributions import DiscretizedLogistics, LogisticMixture
from untwine.functional import bits_per_dimension

F64 = torch.float64
GRID = torch.arange(256, dtype=F64) / 255


def mixture(channels, components=3, pixels=4, seed=0):
    random = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(pixels, components, *shape, generator=random, dtype=F64)

    slopes = draw(channels * (channels - 1) // 2).tanh() if channels > 1 else None
    return LogisticMixture(draw(), draw(channels) / 2, draw(channels) - 2, slopes)


def test_one_channel_sums_to_one_over_the_values():
    p = mixture(1)
    total = p.log_prob(GRID[:, None, None].expand(256, 4, 1)).exp().sum(0)
    torch.testing.assert_close(total, torch.ones(4, dtype=F64), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("log_scale", [-7.0, -3.0, 0.0, 7.0])
@pytest.mark.parametrize("loc", [-30.0, -1.0, 0.3, 1.0, 30.0])
def test_it_sums_to_one_wherever_the_mean_is(loc, log_scale):
    p = LogisticMixture(
        torch.zeros(1, 1, dtype=F64),
        torch.full((1, 1, 1), loc, dtype=F64),
        torch.full((1, 1, 1), log_scale, dtype=F64),
    )
    logs = p.log_prob(GRID[:, None, None])
    assert torch.isfinite(logs).all()
    assert logs.exp().sum().item() == pytest.approx(1, abs=1e-12)


def test_colors_sum_to_one_over_all_triples():
    values = 8
    p = mixture(3, pixels=2)
    p = LogisticMixture(p.logits, p.loc, p.log_scale, p.slopes, values)
    grid = torch.arange(values, dtype=F64) / (values - 1)
    triples = torch.cartesian_prod(grid, grid, grid)[:, None].expand(-1, 2, -1)
    total = p.log_prob(triples).exp().sum(0)
    torch.testing.assert_close(total, torch.ones(2, dtype=F64), rtol=1e-12, atol=1e-12)


def test_against_the_formula_written_out():
    """Equations 1 to 3 with differences of sigmoids, in double precision."""
    p = mixture(3)
    x = GRID[torch.randint(256, (4, 3), generator=torch.Generator().manual_seed(5))]
    x[0, 0], x[1, 1] = 0.0, 1.0
    v = 2 * x.numpy() - 1
    pi = torch.softmax(p.logits, -1).numpy()
    m, s, g = p.loc.numpy(), p.log_scale.exp().numpy(), p.slopes.numpy()
    for i in range(4):
        total = 0.0
        for k in range(3):
            r, green, _ = v[i]
            means = (
                m[i, k, 0],
                m[i, k, 1] + g[i, k, 0] * r,
                m[i, k, 2] + g[i, k, 1] * r + g[i, k, 2] * green,
            )
            each = 1.0
            for c in range(3):
                high = expit((v[i, c] + 1 / 255 - means[c]) / s[i, k, c])
                low = expit((v[i, c] - 1 / 255 - means[c]) / s[i, k, c])
                each *= (1.0 if x[i, c] == 1 else high) - (0.0 if x[i, c] == 0 else low)
            total += pi[i, k] * each
        assert p.log_prob(x)[i].item() == pytest.approx(math.log(total), rel=1e-9)


def test_the_mean_is_that_of_the_values_to_half_a_step():
    p = mixture(1)
    weights = p.log_prob(GRID[:, None, None].expand(256, 4, 1)).exp()
    exact = (weights * GRID[:, None]).sum(0)
    assert (p.mean[:, 0] - exact).abs().max().item() < 0.5 / 255


def test_samples_have_the_probabilities():
    torch.manual_seed(0)
    p = mixture(3, pixels=1)
    p = LogisticMixture(p.logits, p.loc, p.log_scale, p.slopes, 4)
    drawn = (p.sample((40_000,))[:, 0] * 3).round().long()
    counts = torch.bincount(drawn @ torch.tensor([16, 4, 1]), minlength=64) / 40_000
    grid = torch.arange(4, dtype=F64) / 3
    exact = p.log_prob(torch.cartesian_prod(grid, grid, grid)[:, None]).exp()[:, 0]
    assert (counts - exact).abs().max().item() < 0.01


def test_an_image_is_the_sum_of_its_pixels_and_a_vector_that_of_its_entries():
    head = DiscretizedLogistics(mixtures=2)
    h = torch.randn(5, *head.features((3, 4, 6)), dtype=F64)
    x = GRID[torch.randint(256, (5, 3, 4, 6))]
    p = head(h)
    single = sum(
        head(h[:, :, i : i + 1, j : j + 1]).log_prob(x[:, :, i : i + 1, j : j + 1])
        for i in range(4)
        for j in range(6)
    )
    torch.testing.assert_close(p.log_prob(x), single)
    assert p.mean.shape == p.sample().shape == (5, 3, 4, 6)
    drawn = p.sample((2,)) * 255
    assert drawn.shape == (2, 5, 3, 4, 6)
    assert (drawn - drawn.round()).abs().max().item() < 1e-3
    h = torch.randn(5, *head.features((7,)), dtype=F64)
    assert head(h).log_prob(GRID[:7].expand(5, 7)).shape == (5,)
    assert head(h).mean.shape == (5, 7)


def test_equal_probabilities_cost_eight_bits():
    flat = LogisticMixture(
        *(
            torch.full(s, v, dtype=F64)
            for s, v in (((1, 1), 0.0), ((1, 1, 1), 0.0), ((1, 1, 1), 7.0))
        )
    )
    middle = flat.log_prob(GRID[100:101, None])
    assert bits_per_dimension(-middle, (1,)).item() > 8  # tails hold the rest
    uniform = torch.tensor(12 * math.log(256))
    assert bits_per_dimension(uniform, (3, 2, 2)).item() == pytest.approx(8)


def test_what_is_no_value_is_refused_with_what_to_do():
    head = DiscretizedLogistics()
    head.check(torch.from_numpy(np.arange(256) / 255).float()[None])
    with pytest.raises(ValueError, match=r"x holds 0.5, but pixels have 256 values.*round"):
        head.check(torch.tensor([[0.5]]))
    with pytest.raises(ValueError, match=r"x holds 255.*divide bytes by 255"):
        head.check(torch.tensor([[255.0]]))
    with pytest.raises(ValueError, match="mixtures is 0"):
        DiscretizedLogistics(0)
    with pytest.raises(ValueError, match=r"shape \(2, 2\); expected images"):
        head.features((2, 2))
