"""Axes in W and Z of a StyleGAN, against its Jacobian by reverse mode and the chain rule."""

import pytest
import torch
from torch.autograd.functional import jacobian

from untwine import diagnostics as d
from untwine.data import FactorDataset
from untwine.methods import StyleGAN


@pytest.fixture(scope="module")
def method():
    data = FactorDataset.from_arrays(torch.rand(8, 3, 8, 8, generator=torch.Generator()))
    return StyleGAN.build(data, latent_dim=5, width=4, widest=8, depth=2, seed=0).double().eval()


@pytest.fixture(scope="module")
def z():
    return torch.randn(6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def in_w(method, w):
    """Of each code, the derivative of its image, ``(N, P, D)``."""
    return torch.stack([jacobian(lambda v: image(method, v), one) for one in w])


def image(method, w):
    return method.decode(w[None]).mean.flatten()


def of_mapping(method, z):
    return torch.stack([jacobian(lambda v: method.averaged.mapping(v[None])[0], one) for one in z])


def test_local_axes_in_w_are_singular_directions_of_its_jacobian(method, z):
    w = method.averaged.mapping(z).detach()
    found = d.local_axes(method, w[0])
    _, values, directions = torch.linalg.svd(in_w(method, w[:1])[0], full_matrices=False)
    torch.testing.assert_close(found.strength, values)
    cosines = (found.directions * directions.T).sum(0).abs()
    torch.testing.assert_close(cosines, torch.ones_like(cosines))


def test_global_axes_in_w_are_of_the_average(method, z):
    w = method.averaged.mapping(z).detach()
    jacobians = in_w(method, w)
    average = (jacobians.mT @ jacobians).mean(0)
    found = d.global_axes(method, w, k=3)
    v = found.directions
    torch.testing.assert_close(average @ v, v * found.strength.square())


def test_axes_in_z_follow_by_the_chain_rule(method, z):
    def generator(z):
        return method.decode(method.averaged.mapping(z)).mean

    w = method.averaged.mapping(z).detach()
    both = in_w(method, w) @ of_mapping(method, z)
    local = d.local_axes(generator, z[0])
    # lengths of z are left out by the mapping: one direction does nothing
    torch.testing.assert_close(local.strength, torch.linalg.svdvals(both[0]), atol=1e-7, rtol=1e-6)
    along = local.directions[:, -1] @ z[0] / z[0].norm()
    torch.testing.assert_close(along.abs(), torch.ones_like(along))
    average = (both.mT @ both).mean(0)
    found = d.global_axes(generator, z)
    v = found.directions
    torch.testing.assert_close(average @ v, v * found.strength.square())


def test_directions_of_a_region_in_w_have_the_largest_ratio(method, z):
    w = method.averaged.mapping(z).detach()
    mask = torch.zeros(8, 8, dtype=torch.bool)
    mask[:4] = True
    found = d.region_axes(method, w, mask, k=1)
    jacobians = in_w(method, w).unflatten(1, (3, 8, 8))

    def change(v, part):
        return (jacobians[:, :, part] @ v).square().sum().item() / len(w)

    v = found.directions[:, 0]
    assert found.strength[0].item() ** 2 == pytest.approx(change(v, mask))
    assert found.outside[0].item() ** 2 == pytest.approx(change(v, ~mask))
    best = change(v, mask) / change(v, ~mask)
    others = torch.randn(200, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    ratios = [change(u, mask) / change(u, ~mask) for u in [*others, *torch.eye(5).double()]]
    assert max(ratios) < best * 1.02  # within what the tolerance adds to the outside


def test_walks_along_axes_are_decoded_codes(method, z):
    w = method.averaged.mapping(z).detach()
    axes = d.global_axes(method, w, k=2)
    images = d.walk(method, w[0], axes, k=2, span=0.5, steps=3)
    steps = torch.tensor([-0.5, 0.0, 0.5], dtype=torch.float64)
    for k in range(2):
        codes = w[0] + steps[:, None] * axes.directions[:, k]
        torch.testing.assert_close(images[k], method.decode(codes).mean)
