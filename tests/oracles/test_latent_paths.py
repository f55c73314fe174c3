"""Perceptual path length, linear separability and projection, against closed forms."""

import math

import numpy as np
import pytest
import torch

from untwine.data import FactorDataset
from untwine.diagnostics import linear_separability, perceptual_path_length
from untwine.methods import StyleGAN
from untwine.nets import MultiScale


def test_the_path_length_of_a_linear_map_is_that_of_its_chord():
    torch.manual_seed(0)
    matrix = torch.randn(12, 3, dtype=torch.float64)
    one, two = torch.randn(2, 50, 3, dtype=torch.float64)

    def paint(w):
        return (w @ matrix.T).reshape(-1, 3, 2, 2)

    expected = ((two - one) @ matrix.T).square().sum(1)
    for ends in (True, False):
        found = perceptual_path_length(paint, one, two, ends=ends, batch_size=7)
        assert found.value == pytest.approx(expected.mean().item())
        assert found.stderr == pytest.approx(expected.std().item() / math.sqrt(50))


def test_great_circles_are_walked_at_one_speed():
    one, two = torch.eye(4, dtype=torch.float64)[:2].repeat_interleave(20, 0).chunk(2)
    found = perceptual_path_length(lambda z: z, one, 3 * two, spherical=True, epsilon=1e-3)
    assert found.value == pytest.approx((math.pi / 2) ** 2, rel=1e-5)
    assert found.stderr < 1e-6


def test_features_are_compared_at_unit_length():
    """Twice as bright is the same to them; what turns from one channel to the other is not."""
    one, two = torch.zeros(8, 1, dtype=torch.float64), torch.ones(8, 1, dtype=torch.float64)

    def brighter(t):
        return (1 + t)[:, :, None, None] * torch.ones(1, 2, 4, 4, dtype=torch.float64)

    def turning(t):
        x = torch.cat([t.cos(), t.sin()], 1)
        return x[:, :, None, None].expand(-1, -1, 4, 4)

    class Whole(MultiScale):
        def forward(self, x):
            return [x]

    assert perceptual_path_length(brighter, one, two, features=Whole()).value < 1e-6
    found = perceptual_path_length(turning, one, two, features=Whole(), epsilon=1e-3)
    assert found.value == pytest.approx(1, rel=1e-4)


def test_what_a_plane_tells_of_attributes():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(4000, 3))
    told = 1 / (1 + np.exp(-5 * codes[:, 0]))
    by_chance = rng.integers(0, 2, 4000) * 0.5 + 0.25
    assert linear_separability(codes, told[:, None]).value == pytest.approx(1, abs=0.02)
    assert linear_separability(codes, by_chance[:, None]).value == pytest.approx(2, abs=0.02)
    both = linear_separability(codes, np.stack([told, by_chance], 1))
    assert both.value == pytest.approx(math.exp(sum(both.entropies)))
    flipped = np.where(rng.random(4000) < 0.1, 1 - told, told)  # one in ten is wrong
    noisy = linear_separability(codes, flipped[:, None])
    wrong = 1 - noisy.accuracy[0]
    expected = -wrong * math.log(wrong) - (1 - wrong) * math.log(1 - wrong)
    assert noisy.entropies[0] == pytest.approx(expected, abs=0.01)
    assert wrong == pytest.approx(0.1, abs=0.03)


def test_what_cannot_be_separated_is_refused():
    codes = np.zeros((10, 2))
    with pytest.raises(ValueError, match="agree in attribute 0"):
        linear_separability(codes, np.full((10, 1), 0.9))
    with pytest.raises(ValueError, match=r"expected \(N, D\) and \(N, K\)"):
        linear_separability(codes, np.zeros(10))
    with pytest.raises(ValueError, match="share is 0"):
        linear_separability(codes, np.zeros((10, 1)), share=0)


def test_a_projection_finds_the_code_of_a_generated_image():
    torch.manual_seed(0)
    data = FactorDataset.from_arrays(torch.rand(8, 3, 8, 8).numpy())
    method = StyleGAN.build(data, latent_dim=3, width=8, widest=8, depth=2, seed=0)
    w = method.codes(2)
    x = method.paint(w).detach()
    found = method.project(x, 80)
    assert found.shape == w.shape

    def error(code):
        return method.reconstruction(x, method.paint(code)).total.item()

    assert error(found) < 0.05 * error(method.w_mean.expand(2, -1))
    assert torch.equal(method.project(x, 0, start=w), w)
    by_layer = method.project(x, 3, start=found, layers=True, lr=1e-3)
    assert by_layer.shape == (2, method.count, 3)
    assert all(p.grad is None for p in method.parameters())
