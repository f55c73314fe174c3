"""Factorized support: closed forms on grids and lines, and the scale term over both axes."""

import pytest
import torch

import untwine as ut
from untwine.methods import KL, VAE, FactorizedSupport
from untwine.methods.factorized_support import hausdorff_factorization, lacking_spread


def test_a_full_grid_is_factorized_whatever_its_weights():
    grid = torch.cartesian_prod(torch.arange(4.0), torch.arange(5.0)).double()
    often = torch.cat([grid, grid[:3].repeat(20, 1)])  # correlated, and of the same support
    assert hausdorff_factorization(often) == 0
    assert hausdorff_factorization(often, points=200) == 0


def test_a_line_misses_its_corners():
    line = torch.linspace(-1, 1, 21, dtype=torch.float64)
    z = torch.stack([line, line], 1)
    assert hausdorff_factorization(z) == pytest.approx(2)  # from a corner to the middle, squared
    three = torch.stack([line, line, line], 1)
    assert hausdorff_factorization(three) == pytest.approx(6)
    drawn = hausdorff_factorization(z, points=50)
    assert 0 < drawn <= 2


def test_the_scale_term_is_of_dimensions_over_the_batch():
    z = torch.randn(4000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    wide = z * torch.tensor([3.0, 2.0, 0.5])
    assert lacking_spread(wide) == pytest.approx(0.5, abs=0.02)
    # over dimensions, what shrinks is not seen: a dimension of no spread far from the others hides
    shifted = torch.stack([torch.full((100,), -9.0), torch.full((100,), 9.0)], 1)
    assert lacking_spread(shifted, 1) == 0
    assert lacking_spread(shifted, 0) == pytest.approx(2, abs=0.01)


def test_it_is_a_penalty_like_the_others():
    data = ut.FactorDataset.from_arrays(torch.rand(60, 7))
    penalty = KL() + FactorizedSupport(10.0, points=None, scale="released")
    run = ut.fit(VAE.build(data, 3, seed=0, penalty=penalty), data, steps=3, progress=False)
    assert {"vae/factorized_support", "vae/spread", "vae/kl"} <= set(run.log.columns)
    with pytest.raises(ValueError, match="scale is 'over'"):
        FactorizedSupport(scale="over")
