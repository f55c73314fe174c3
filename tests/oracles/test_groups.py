"""Pooled posteriors, the Laplace transition, and the F distribution, against closed forms."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

import untwine.methods as m
from untwine.data.batches import Groups
from untwine.distributions import FullCovariance, diagonal_normal
from untwine.functional import (
    average,
    geometric,
    laplace_transition,
    log_betainc,
    log_f_cdf,
    pool,
    product,
)
from untwine.methods import Context

from ..laws.conftest import make_data

CTX = Context(torch.tensor(0), 60)


def posteriors(groups=5, size=6, dim=3, seed=0):
    torch.manual_seed(seed)
    loc = torch.randn(groups, size, dim).double()
    return diagonal_normal(loc, torch.rand(groups, size, dim).double() + 0.2)


PRESENT = torch.arange(6) < torch.tensor([6, 1, 3, 2, 5])[:, None]


@pytest.mark.parametrize("present", [None, PRESENT])
def test_product_of_many_is_the_normalized_product_of_densities(present):
    q = posteriors()
    found = pool(q, present)
    grid = torch.linspace(-12, 12, 6001, dtype=torch.float64)
    for g, j in itertools.product(range(5), range(3)):
        log_density = torch.zeros_like(grid)
        for i in range(6):
            if present is None or present[g, i]:
                one = torch.distributions.Normal(q.mean[g, i, j], q.stddev[g, i, j])
                log_density += one.log_prob(grid)
        density = (log_density - log_density.max()).exp()
        density /= torch.trapezoid(density, grid)
        mean = torch.trapezoid(density * grid, grid)
        variance = torch.trapezoid(density * (grid - mean) ** 2, grid)
        assert found.mean[g, j].item() == pytest.approx(mean.item(), abs=1e-8)
        assert found.variance[g, j].item() == pytest.approx(variance.item(), rel=1e-6)


@pytest.mark.parametrize("present", [None, PRESENT])
def test_average_of_many_averages_means_and_variances(present):
    q = posteriors()
    found = pool(q, present, "average")
    for g in range(5):
        there = range(6) if present is None else [i for i in range(6) if present[g, i]]
        mean = torch.stack([q.mean[g, i] for i in there]).mean(0)
        variance = torch.stack([q.variance[g, i] for i in there]).mean(0)
        torch.testing.assert_close(found.mean[g], mean)
        torch.testing.assert_close(found.variance[g], variance)


def test_pooling_two_is_what_pairs_do():
    q = posteriors(size=2)
    a = diagonal_normal(q.mean[:, 0], q.stddev[:, 0])
    b = diagonal_normal(q.mean[:, 1], q.stddev[:, 1])
    for how, pair in (("product", product), ("average", average)):
        torch.testing.assert_close(pool(q, how=how).mean, pair(a, b).mean)
        torch.testing.assert_close(pool(q, how=how).stddev, pair(a, b).stddev)
    torch.testing.assert_close(geometric(a, b).mean, product(a, b).mean)
    torch.testing.assert_close(geometric(a, b).variance, 2 * product(a, b).variance)
    torch.testing.assert_close(geometric(a, a).stddev, a.stddev)


def test_what_stands_in_the_place_of_missing_members_does_not_matter():
    q = posteriors()
    loc, scale = q.mean.clone(), q.stddev.clone()
    loc[~PRESENT], scale[~PRESENT] = 1e6, 1e-6
    other = diagonal_normal(loc, scale)
    for how in ("product", "average"):
        torch.testing.assert_close(pool(other, PRESENT, how).mean, pool(q, PRESENT, how).mean)


def test_pooling_refuses_what_it_cannot_pool():
    with pytest.raises(ValueError, match="how is 'sum'"):
        pool(posteriors(), how="sum")
    with pytest.raises(TypeError, match="is a MultivariateNormal; expected a diagonal Gaussian"):
        pool(FullCovariance()(torch.zeros(4, 5)))


def test_surer_with_every_observation_of_a_group():
    data = make_data()
    method = m.MLVAE.build(data, latent_dim=4, label="size", seed=0).double()
    x = data.observations(range(10)).double()[None]
    product_of = [method.accumulate(x[:, :n]).stddev.squeeze() for n in (1, 2, 5, 10)]
    for less, more in itertools.pairwise(product_of):
        assert (more < less).all()
    averaged = m.GVAE(method.model, 2)
    single = method.split(method.represent(x[0]))[0]
    torch.testing.assert_close(averaged.accumulate(x).variance.squeeze(), single.variance.mean(0))


def transition_by_quadrature(m0, s0, m1, s1, rate):
    """E over the other code of KL(q || Laplace around it), by two nested integrals."""

    def inner(before):
        def integrand(z):
            q = stats.norm.logpdf(z, m1, s1)
            return np.exp(q) * (q - stats.laplace.logpdf(z, before, 1 / rate))

        breaks = sorted({m1 - 12 * s1, min(max(before, m1 - 12 * s1), m1 + 12 * s1), m1 + 12 * s1})
        return sum(integrate.quad(integrand, a, b)[0] for a, b in itertools.pairwise(breaks))

    nodes, weights = special.roots_hermitenorm(60)
    return sum(w * inner(m0 + s0 * t) for t, w in zip(nodes, weights, strict=True)) / math.sqrt(
        2 * math.pi
    )


@pytest.mark.parametrize(
    ("m0", "s0", "m1", "s1", "rate"),
    [(0.0, 0.5, 0.0, 0.5, 1.0), (0.3, 0.7, -1.0, 0.4, 6.0), (2.0, 0.2, -2.0, 1.5, 0.5)],
)
def test_laplace_transition_by_quadrature(m0, s0, m1, s1, rate):
    def q(mean, scale):
        return diagonal_normal(torch.tensor([[mean]]).double(), torch.tensor([[scale]]).double())

    found = laplace_transition(q(m0, s0), q(m1, s1), rate)
    expected = transition_by_quadrature(m0, s0, m1, s1, rate)
    assert found.item() == pytest.approx(expected, rel=3e-3)


def test_the_released_slow_vae_has_twice_the_cross_entropy_for_the_same_entropy():
    """Its transition of a pair, E|z| of a folded normal around the other's mean, beside ours."""
    means, scales, rate = np.array([0.3, -1.0]), np.array([0.7, 0.4]), 6.0
    cross = [
        -np.log(rate / 2) + rate * stats.foldnorm.mean(abs(means[i] - means[1 - i]) / s, scale=s)
        for i, s in enumerate(scales)
    ]
    entropy = stats.norm.entropy(scale=scales)
    released = sum(cross) - entropy.mean()

    def q(i, scale):
        return diagonal_normal(torch.tensor([[means[i]]]), torch.tensor([[scale]]).double())

    ours = sum(laplace_transition(q(1 - i, 1e-9), q(i, scales[i]), rate).item() for i in (0, 1)) / 2
    assert ours == pytest.approx(np.mean(cross) - entropy.mean(), rel=1e-6)
    assert released == pytest.approx(2 * ours + entropy.mean(), rel=1e-6)


def test_laplace_transition_by_sampling_sums_over_dimensions():
    torch.manual_seed(0)
    a = diagonal_normal(torch.randn(1, 4).double(), torch.rand(1, 4).double() + 0.1)
    b = diagonal_normal(torch.randn(1, 4).double(), torch.rand(1, 4).double() + 0.1)
    before, after = a.sample((400_000,)), b.sample((400_000,))
    step = torch.distributions.Laplace(before, 1 / 3.0)
    sampled = b.log_prob(after) - step.log_prob(after).sum(-1)
    error = sampled.std() / sampled.numel() ** 0.5
    assert abs(laplace_transition(a, b, 3.0) - sampled.mean()) < 4 * error


FREEDOM = [(1, 1), (1, 2), (1, 8), (1, 38), (2, 3), (5, 60), (30, 4), (1, 500)]


@pytest.mark.parametrize(("d1", "d2"), FREEDOM)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-3)])
def test_the_f_distribution_against_scipy(d1, d2, dtype, tolerance):
    s = np.logspace(-8, 6, 300)
    between = torch.tensor(s * d1, dtype=dtype)
    found = log_f_cdf(
        between, torch.full_like(between, d2), torch.tensor(float(d1)), torch.tensor(float(d2))
    )
    assert torch.isfinite(found).all()
    relative = np.expm1(found.double().numpy() - stats.f.logcdf(s, d1, d2))
    assert np.abs(relative).max() < tolerance
    if dtype == torch.float64:  # the other tail: 1 - CDF, to its own precision, down to 1e-15
        tail = stats.f.sf(s, d1, d2)
        seen = tail > 1e-15
        assert -np.expm1(found.numpy())[seen] == pytest.approx(tail[seen], rel=1e-9, abs=1e-17)


@pytest.mark.parametrize(("d1", "d2"), FREEDOM)
def test_the_slope_of_the_f_distribution_against_scipy(d1, d2):
    """d log F(s) / ds = f(s) / F(s)."""
    s = torch.tensor(np.logspace(-6, 4, 200), requires_grad=True)
    value = log_f_cdf(s * d1, torch.full_like(s, d2), torch.tensor(d1), torch.tensor(d2))
    (slope,) = torch.autograd.grad(value.sum(), s)
    at = s.detach().numpy()
    expected = np.exp(stats.f.logpdf(at, d1, d2) - stats.f.logcdf(at, d1, d2))
    assert slope.numpy() == pytest.approx(expected, rel=1e-9, abs=1e-300)


def test_the_incomplete_beta_function_by_finite_differences_and_broadcasting():
    odds = torch.linspace(-6, 6, 12, dtype=torch.float64, requires_grad=True)
    a, b = torch.tensor([[0.5], [2.0]]).double(), torch.tensor([[4.0], [0.7]]).double()
    assert torch.autograd.gradcheck(lambda o: log_betainc(a, b, o), (odds,))
    x = torch.sigmoid(odds.detach()).numpy()
    expected = np.log(special.betainc(a.numpy(), b.numpy(), x))
    assert log_betainc(a, b, odds).detach().numpy() == pytest.approx(expected, rel=1e-9)


def test_no_spread_and_no_difference_give_finite_values_and_gradients():
    between = torch.tensor([0.0, 0.0, 1.0, 1e-30], requires_grad=True)
    within = torch.tensor([0.0, 1.0, 0.0, 1.0], requires_grad=True)
    value = log_f_cdf(between, within, torch.tensor(1.0), torch.tensor(8.0))
    value.sum().backward()
    for found in (value, between.grad, within.grad):
        assert torch.isfinite(found).all()


def test_the_loss_of_all_pairs_of_classes_written_out():
    torch.manual_seed(0)
    method = m.FStatistic.build(make_data(), latent_dim=4, dimensions=2, seed=0)
    codes = torch.randn(5, 6, 4).double()
    shared = torch.tensor([[True, False]] * 4 + [[False, True]])
    label = torch.tensor([0, 1, 0, 2, 0])
    present = torch.arange(6) < torch.tensor([6, 4, 3, 2, 6])[:, None]
    batch = Groups(codes, shared, present, label)
    separation, compared = method.separation(codes, batch)
    pairs = list(itertools.combinations(range(5), 2))
    for (i, j), loss, used in zip(pairs, separation, compared, strict=True):
        assert bool(used) == (i < 4 and j < 4 and label[i] != label[j])
        a, b = codes[i][present[i]].numpy(), codes[j][present[j]].numpy()
        s = stats.f_oneway(a, b, axis=0).statistic
        log_p = np.sort(stats.f.logcdf(s, 1, len(a) + len(b) - 2))
        assert loss.item() == pytest.approx(-log_p[-2:].sum(), rel=1e-9)
    method.encoder = torch.nn.Identity()
    total = next(iter(method.moves(Groups(codes, shared, present, label), CTX)))["embedding"].total
    mean = sum(x for x, used in zip(separation, compared, strict=True) if used) / compared.sum()
    assert total.item() == pytest.approx(mean.item(), rel=1e-12)


def test_groups_of_one_are_compared_with_larger_ones_only():
    method = m.FStatistic.build(make_data(), latent_dim=4, seed=0)
    codes, shared = torch.randn(3, 4, 4), torch.ones(3, 1, dtype=torch.bool)
    present = torch.arange(4) < torch.tensor([1, 1, 3])[:, None]
    separation, compared = method.separation(codes, Groups(codes, shared, present, torch.arange(3)))
    assert compared.tolist() == [0, 1, 1]
    assert torch.isfinite(separation).all()
