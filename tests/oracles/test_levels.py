"""What each level holds, on hierarchies whose levels are known."""

import numpy as np
import pytest
import torch

import untwine as ut
from untwine.data import FactorDataset, Images
from untwine.diagnostics import (
    NoDensity,
    level_cuts,
    level_rates,
    level_table,
    level_traversal,
)
from untwine.encoding import Codes
from untwine.functional import kl
from untwine.methods import VAE, LadderVAE, VeryDeepVAE

from ..laws.conftest import make_data
from .test_hierarchies import THREE, model

F64 = torch.float64


class Chained:
    """The linear-Gaussian chain as something that represents, decodes and has a prior."""

    def __init__(self, chain):
        self.model = model(chain)

    def represent(self, x):
        return self.model.represent(x.double())

    def decode(self, z, *, c=None, y=None):
        return self.model.decode(z.double())

    def prior(self):
        return self.model.prior()


@pytest.fixture(scope="module")
def chained():
    return Chained(THREE)


@pytest.fixture(scope="module")
def points():
    torch.manual_seed(0)
    return FactorDataset.from_arrays(THREE.sample(6000).float())


def test_rates_are_those_of_the_closed_form(chained, points):
    """E KL(q(z_l | z_{l+1}, x) || p(z_l | z_{l+1})) = I(z_l; x | z_{l+1}) for exact posteriors."""
    rates = level_rates(chained, points, n=6000)
    joint = THREE.covariance()

    def log_det(rows):
        return torch.logdet(joint[rows][:, rows]).item() if rows else 0.0

    for place, level in enumerate((3, 2, 1)):
        above = [level + 1] if level < 3 else []
        expected = 0.5 * (
            log_det([level, *above])
            + log_det([0, *above])
            - log_det([0, level, *above])
            - log_det(above)
        )
        assert rates.nats[place] == pytest.approx(expected, abs=4 * rates.errors[place] + 1e-3)
    assert rates.names == ("z_3", "z_2", "z_1")
    assert rates.share.sum() == pytest.approx(1)
    assert "of 3 levels carry more" in str(rates)


def test_cuts_at_the_ends_are_samples_and_reconstructions(chained, points):
    x = points.observations(range(5))
    images = level_cuts(chained, x)
    assert images.shape == (4, 5, 1)
    torch.testing.assert_close(images[3], chained.decode(chained.represent(x).mean).mean)
    assert torch.equal(images[0], level_cuts(chained, x.flip(0), cuts=[0])[0])
    by_means = level_cuts(chained, x, rest="mean")
    assert not by_means[0].any()  # the prior's means are zero all the way down
    top = chained.represent(x).mean[:, :1]
    slope = np.prod(THREE.slopes[:3])
    torch.testing.assert_close(by_means[1], slope * top)
    with pytest.raises(ValueError, match="cuts has 4; expected numbers from 0 to 3"):
        level_cuts(chained, x, cuts=[4])


def test_a_traversal_moves_one_level_and_those_below_follow(chained, points):
    x = points.observations(range(2))
    moved, dims = level_traversal(chained, x, "z_2", steps=5, span=2.0)
    assert dims == [0]
    assert moved.shape == (2, 1, 5, 1)
    q = chained.represent(x).mean
    place = THREE.slopes[2] * q[:, :1] + THREE.noises[2] * torch.linspace(-2, 2, 5, dtype=F64)
    torch.testing.assert_close(moved[:, 0, :, 0], THREE.slopes[0] * THREE.slopes[1] * place)
    follows, _ = level_traversal(chained, x, "z_2", steps=5, below="posterior")
    assert (follows - moved).abs().max() > 0.1
    with pytest.raises(ValueError, match="level is 'z_9'; expected one of z_3, z_2, z_1"):
        level_traversal(chained, x, "z_9")
    with pytest.raises(ValueError, match=r"dims is \[3\]; expected dimensions from 0 to 0"):
        level_traversal(chained, x, "z_2", dims=[3])


def test_factors_are_found_at_their_levels_and_chance_stands_beside():
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, 4, 900), rng.integers(0, 3, 900)], 1)
    space = ut.data.FactorSpace(("tone", "pose"), (4, 3))
    top = 0.05 * rng.normal(size=(900, 4))
    top[:, 1] += factors[:, 0]
    low = np.eye(3)[factors[:, 1]] @ rng.normal(size=(3, 60)) + 0.3 * rng.normal(size=(900, 60))
    noise = rng.normal(size=(900, 2))
    blocks = {"z_3": slice(0, 4), "z_2": slice(4, 64), "z_1": slice(64, 66)}
    codes = Codes(np.concatenate([top, low, noise], 1), None, factors, space, blocks)
    table = level_table(codes, metrics=["mig", "dci"], chance=3, widest=10)
    assert table.best == {"tone": "z_3", "pose": "z_2"}
    assert table.columns == (4, 10, 2)
    assert table.readout[0, 0] > 0.95
    assert table.readout[1, 1] > 0.95
    np.testing.assert_allclose(table.readout[2], table.chance, atol=0.1)
    value, chance = table.scores["z_3"]["mig"]
    assert value > chance + 0.05
    frame = table.to_frame()
    assert list(frame.index) == ["z_3", "z_2", "z_1", "chance"]
    assert {"tone", "pose", "mig", "mig, chance", "dci"} <= set(frame.columns)
    assert "chance" in str(table)


def test_samples_of_a_level_that_lets_nothing_through_tell_nothing():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 4, (800, 1))
    space = ut.data.FactorSpace(("tone",), (4,))
    z = np.concatenate([np.eye(4)[factors[:, 0]], 1e-3 * np.eye(4)[factors[:, 0]]], 1)
    spread = np.concatenate([np.full((800, 4), 0.05), np.ones((800, 4))], 1)
    codes = Codes(z, spread, factors, space, {"z_2": slice(0, 4), "z_1": slice(4, 8)})
    means, samples = (level_table(codes, metrics=(), sampled=s) for s in (False, True))
    assert means.readout.min() > 0.95
    assert samples.readout[0, 0] > 0.95
    assert samples.readout[1, 0] < samples.chance[0] + 0.1
    with pytest.raises(ValueError, match="codes have no standard deviations"):
        level_table(Codes(z, None, factors, space, codes.blocks), sampled=True)


def test_what_has_no_levels_is_refused():
    data = make_data()
    flat = VAE.build(data, latent_dim=2, seed=0)
    with pytest.raises(NoDensity, match=r"p\(z\) is a Independent, which has no levels"):
        level_rates(flat, data, n=10)
    with pytest.raises(ValueError, match="codes has no blocks"):
        level_table(ut.encode(flat, data))


@pytest.mark.parametrize("cls", [LadderVAE, VeryDeepVAE, ut.methods.VLAE])
def test_every_hierarchy_has_them_with_covariates_too(cls):
    data = make_data()
    c = np.eye(2, dtype=np.float32)[np.arange(60) % 2]
    data = FactorDataset.from_arrays(
        data.observations(range(60)), data.factors, data.space.names, covariates=c
    )
    method = cls.build(data, latent_dim=3, seed=0).eval()
    batch = data.batch(range(4))
    levels = len(method.represent(batch).names)
    assert level_cuts(method, batch).shape == (levels + 1, 4, 1, 16, 16)
    moved, dims = level_traversal(method, batch, method.represent(batch).names[-1], dims=2, steps=3)
    assert moved.shape == (4, len(dims), 3, 1, 16, 16)
    assert len(level_rates(method, data, n=30).nats) == levels
    table = level_table(ut.encode(method, data), metrics=())
    assert table.readout.shape == (levels, 3)


def test_the_bound_by_diagnostics_is_that_of_the_hierarchy():
    """Not that of independent levels at the means: the same number as training's own."""
    from untwine.diagnostics import elbo_parts

    data = make_data()
    method = LadderVAE.build(data, latent_dim=3, seed=0).double()
    with torch.no_grad():
        for p in method.model.top_down.nets.parameters():
            p += 0.05 * torch.randn(p.shape, generator=torch.Generator().manual_seed(0), dtype=F64)
    method.eval()
    x = data.observations(range(60)).double()
    values = []
    torch.manual_seed(0)
    with torch.no_grad():
        for _ in range(200):
            t = method.trace(Images(x))
            values.append((t.p.log_prob(t.x) - kl(t.q, t.prior, t.z)).mean().item())
    found = elbo_parts(method, x, samples=50)
    assert found.elbo.value == pytest.approx(np.mean(values), abs=0.1)
