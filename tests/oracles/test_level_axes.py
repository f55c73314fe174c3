"""Axes of levels, of W, and of regions, against linear generators whose directions are known."""

import pytest
import torch
from torch import nn

from untwine import diagnostics as d
from untwine.data import FactorDataset
from untwine.methods import VAE, VLAE, LadderVAE, VeryDeepVAE

from ..laws.conftest import make_data

F64 = torch.float64


def orthogonal(size, seed=0):
    rows = torch.randn(size, size, dtype=F64, generator=torch.Generator().manual_seed(seed))
    return torch.linalg.qr(rows)[0]


@pytest.fixture
def blocks():
    """An image of 2 x 6 x 6 whose left half is made of three directions, its right of two."""
    turn = orthogonal(5)
    weight = torch.zeros(2, 6, 6, 5, dtype=F64)
    rng = torch.Generator().manual_seed(1)
    weight[:, :, :3, :3] = torch.randn(2, 6, 3, 3, dtype=F64, generator=rng)
    weight[:, :, 3:, 3:] = torch.randn(2, 6, 3, 2, dtype=F64, generator=rng)
    mask = torch.zeros(6, 6, dtype=torch.bool)
    mask[:, :3] = True
    turned = torch.einsum("chwd,ed->chwe", weight, turn)  # x = W turn^T z
    return (lambda z: torch.einsum("chwe,be->bchw", turned, z)), turn, mask, weight


@pytest.mark.parametrize("outside", ["ratio", "null"])
def test_directions_of_a_region_move_its_pixels_alone(blocks, outside):
    generator, turn, mask, weight = blocks
    z = torch.zeros(5, dtype=F64)
    found = d.region_axes(generator, z, mask, k=3, outside=outside, tolerance=1e-9)
    assert found.directions.shape == (5, 3)
    own = turn[:, :3]  # what moves the left half
    torch.testing.assert_close(own @ (own.T @ found.directions), found.directions)
    assert found.leak.max() < 1e-9
    change = d.walk(generator, z, found, k=3, steps=3)
    change = (change[:, 2] - change[:, 1]).abs()
    assert change[..., mask].amax() > 0.1
    assert change[..., ~mask].amax() < 1e-9
    values = torch.linalg.svdvals(weight[:, :, :3, :3].flatten(0, 2))
    if outside == "null":  # the region's own singular directions
        torch.testing.assert_close(found.strength, values)
        assert len(d.region_axes(generator, z, mask, outside="null", tolerance=1e-9)) == 3
    other = d.region_axes(generator, z, ~mask, k=2, outside=outside, tolerance=1e-9)
    assert (other.directions.T @ found.directions).abs().max() < 1e-9


def test_the_ratio_is_the_largest_there_is(blocks):
    generator, _, mask, _ = blocks
    noisy = torch.randn(72, 5, dtype=F64, generator=torch.Generator().manual_seed(3))

    def both(z):
        return generator(z) + (z @ noisy.T).reshape(-1, 2, 6, 6)

    z = torch.zeros(4, 5, dtype=F64)
    found = d.region_axes(both, z, mask, tolerance=1e-9)
    jacobian = torch.func.jacfwd(lambda v: both(v[None])[0])(z[0])
    a, b = jacobian[:, mask].flatten(0, 1), jacobian[:, ~mask].flatten(0, 1)
    ratios = (found.strength / found.outside).square()
    expected = torch.linalg.eigvals(torch.linalg.solve(b.T @ b, a.T @ a)).real
    torch.testing.assert_close(ratios, expected.sort(descending=True).values, rtol=1e-5, atol=0)
    torch.testing.assert_close(found.leak, 1 / (1 + ratios), rtol=1e-6, atol=0)
    assert "lie outside" in str(found)


def test_regions_that_are_none_are_refused(blocks):
    generator, _, mask, _ = blocks
    z = torch.zeros(5, dtype=F64)
    with pytest.raises(ValueError, match=r"mask has shape \(3, 3\); expected the observation's"):
        d.region_axes(generator, z, mask[:3, :3])
    with pytest.raises(ValueError, match="mask has none of the values"):
        d.region_axes(generator, z, torch.zeros_like(mask))
    with pytest.raises(ValueError, match="mask has all of the values"):
        d.region_axes(generator, z, torch.ones_like(mask))
    everywhere = torch.randn(9, 2, dtype=F64)
    with pytest.raises(ValueError, match="raise tolerance"):
        d.region_axes(lambda z: z @ everywhere.T, z[:2], torch.arange(9) < 3, outside="null")
    with pytest.raises(ValueError, match="expected 'ratio' or 'null'"):
        d.region_axes(generator, z, mask, outside="none")
    with pytest.raises(ValueError, match="mask is given without sigma"):
        d.metric_at(generator, z[None], mask=mask.expand(2, 6, 6))


def test_axes_in_z_and_in_w():
    """x = B w with w = A z: axes of W are those of B, axes of Z those of BA."""
    rng = torch.Generator().manual_seed(0)
    mapping, synthesis = nn.Linear(4, 6).double(), nn.Linear(6, 20).double()
    with torch.no_grad():
        mapping.weight.copy_(torch.randn(6, 4, dtype=F64, generator=rng))
        synthesis.weight.copy_(torch.randn(20, 6, dtype=F64, generator=rng))
    z = torch.randn(7, 4, dtype=F64, generator=rng)
    in_w = d.global_axes(synthesis, mapping(z))
    torch.testing.assert_close(in_w.strength, torch.linalg.svdvals(synthesis.weight))
    in_z = d.global_axes(lambda z: synthesis(mapping(z)), z)
    both = synthesis.weight @ mapping.weight
    torch.testing.assert_close(in_z.strength, torch.linalg.svdvals(both))
    mask = torch.arange(20) < 8
    found = d.region_axes(lambda w: synthesis(w), mapping(z), mask, k=1)
    step = synthesis.weight @ found.directions[:, 0]
    torch.testing.assert_close(found.strength[0], step[mask].norm())
    torch.testing.assert_close(found.outside[0], step[~mask].norm())


# Levels


def whole_jacobian(method, decoder):
    """Of the means, by differences of what the method itself decodes."""
    eye = torch.eye(len(decoder.start), dtype=decoder.start.dtype)
    with torch.no_grad():
        ends = [
            method.decode(decoder.codes(decoder.start + s * 1e-4 * eye)).mean for s in (1.0, -1.0)
        ]
    return ((ends[0] - ends[1]) / 2e-4).flatten(1).T


@pytest.mark.parametrize("cls", [LadderVAE, VLAE, VeryDeepVAE])
@pytest.mark.parametrize("below", ["prior", "posterior"])
def test_axes_of_a_level_are_those_of_its_jacobian(cls, below):
    data = make_data((1, 8, 8)) if cls is VeryDeepVAE else make_data((7,))
    settings = {"width": 8, "blocks": (2, 1)} if cls is VeryDeepVAE else {"levels": (2, 3)}
    method = cls.build(data, latent_dim=2, seed=0, **settings).double().eval()
    with torch.no_grad():  # the last layers of a new hierarchy are zero: nothing would follow
        for p in method.parameters():
            p += 0.1 * torch.randn(p.shape, dtype=F64, generator=torch.Generator().manual_seed(1))
    x = data.observations(range(2)).double()
    level = method.levels[0]
    both = torch.zeros((), dtype=F64)
    for i in range(2):
        decoder = d.LevelDecoder(method, x[i : i + 1], level, below=below)
        q = method.represent(x[i : i + 1])
        torch.testing.assert_close(decoder.codes(decoder.start[None])[:, : len(decoder.start)],
                                   q.mean[:, : len(decoder.start)])  # fmt: skip
        if below == "posterior":
            torch.testing.assert_close(decoder.codes(decoder.start[None]), q.mean)
        jacobian = whole_jacobian(method, decoder)
        found = d.local_axes(decoder, decoder.start)
        torch.testing.assert_close(
            found.strength, torch.linalg.svdvals(jacobian), rtol=1e-4, atol=1e-6
        )
        both = both + jacobian.T @ jacobian
    together = d.level_axes(method, x, level, below=below, k=1)
    expected = torch.linalg.eigvalsh(both / 2)[-1].sqrt()
    torch.testing.assert_close(together.strength[0], expected, rtol=1e-4, atol=1e-6)
    size = x[0].numel()
    mask = (torch.arange(size) < size // 3).reshape(x[0].shape)
    region = d.level_axes(method, x, level, below=below, mask=mask, tolerance=1e-6)
    assert isinstance(region, d.RegionAxes)
    v = region.directions[:, 0]
    torch.testing.assert_close(
        region.strength[0].square() + region.outside[0].square(), v @ (both / 2) @ v,
        rtol=1e-4, atol=1e-8,
    )  # fmt: skip


def test_a_level_walks_within_its_prior():
    x = torch.rand(40, 7)
    method = LadderVAE.build(FactorDataset.from_arrays(x), levels=(2, 3), seed=0).eval()
    decoder = d.LevelDecoder(method, x[:1], "z_1")
    z = method.represent(x[:1]).mean
    expected = method.prior().given(z)["z_1"]
    codes = decoder.codes(torch.tensor([[0.0] * 3, [1.0] * 3]))
    torch.testing.assert_close(codes[0, 2:], expected.mean[0])
    torch.testing.assert_close(codes[1, 2:], (expected.mean + expected.stddev)[0])
    torch.testing.assert_close(codes[:, :2], z[:, :2].expand(2, -1))
    axes = d.level_axes(method, x[:3], "z_1", k=2)
    assert d.walk(decoder, decoder.start, axes, k=2, steps=3).shape == (2, 3, 7)


def test_levels_that_are_none_are_refused():
    x = torch.rand(20, 7)
    data = FactorDataset.from_arrays(x)
    method = LadderVAE.build(data, levels=(2, 3), seed=0)
    with pytest.raises(ValueError, match="level is 'z_9'; expected one of z_2, z_1"):
        d.level_axes(method, x[:2], "z_9")
    with pytest.raises(ValueError, match="batch has 2 observations; expected one"):
        d.LevelDecoder(method, x[:2], "z_1")
    with pytest.raises(ValueError, match="below is 'mean'"):
        d.LevelDecoder(method, x[:1], "z_1", below="mean")
    with pytest.raises(d.NoDensity, match="no levels"):
        d.LevelDecoder(VAE.build(data, seed=0), x[:1], "z_1")
    with pytest.raises(TypeError, match="enters the network after others"):
        d.sefa_axes(d.LevelDecoder(method, x[:1], "z_1"))


def test_covariates_go_with_their_codes():
    plain = make_data((7,))
    c = torch.arange(2).repeat(30)[:, None].float()
    data = FactorDataset.from_arrays(plain.observations(range(60)), covariates=c.numpy())
    method = LadderVAE.build(data, levels=(2, 3), seed=0).double().eval()
    batch = data.batch(range(1)).to(torch.device("cpu"), dtype=F64)
    decoder = d.LevelDecoder(method, batch, "z_1")
    z = decoder.codes(decoder.start[None])
    torch.testing.assert_close(
        decoder.decode(decoder.start[None]).mean, method.decode(z, c=batch.c).mean
    )
    assert len(d.level_axes(method, batch, "z_1", k=1)) == 1
    flat = VAE.build(data, latent_dim=3, seed=0).double().eval()
    code, given = torch.zeros(3, dtype=F64), batch.c[0]
    mask = torch.arange(7) < 3
    found = d.region_axes(flat, code, mask, c=given, k=2)
    whole = d.local_axes(flat, code, c=given)
    v = found.directions[:, 0]
    torch.testing.assert_close(
        found.strength[0].square() + found.outside[0].square(),
        ((whole.directions.T @ v) * whole.strength).square().sum(),
    )
    assert d.walk(flat, code, found, c=given, k=2, steps=3).shape == (2, 3, 7)
