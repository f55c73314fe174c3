"""Differentiable augmentation: what each kind does, gradients, seeds, and both sides of a GAN."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

import untwine.methods as m
from untwine.data import FactorDataset
from untwine.functional import r1_penalty
from untwine.methods import Context
from untwine.nets import DiffAugment, GaussianNoise, RandomAffine
from untwine.spec import describe, instantiate

from ..laws.test_methods import NoSync

CTX = Context(torch.tensor(0), 64)


@pytest.fixture(autouse=True)
def kornia():
    return pytest.importorskip("kornia")


@pytest.fixture
def x():
    return torch.rand(32, 1, 16, 16, generator=torch.Generator().manual_seed(0))


def test_translation_moves_by_up_to_an_eighth(x):
    image = torch.zeros(200, 1, 16, 16)
    image[:, :, 8, 8] = 1
    torch.manual_seed(0)
    moved = DiffAugment(["translation"])(image)
    mass = moved.sum((1, 2, 3))
    places = torch.arange(16.0)
    down = (moved.sum((1, 3)) @ places) / mass - 8
    across = (moved.sum((1, 2)) @ places) / mass - 8
    for shift in (down, across):
        assert shift.abs().max() <= 2.01
        assert shift.min() < -1
        assert shift.max() > 1


def test_cutout_sets_a_square_of_half_the_sides_to_0(x):
    torch.manual_seed(0)
    cut = DiffAugment(["cutout"])(x + 1)
    holes = cut == 0
    assert holes.sum((1, 2, 3)).float().mean() == pytest.approx(64, rel=0.15)
    torch.testing.assert_close(cut[~holes], (x + 1)[~holes])


def test_color_is_affine_for_each_image(x):
    torch.manual_seed(0)
    y = DiffAugment(["color"])(x)
    for before, after in zip(x.flatten(1), y.flatten(1), strict=True):
        slope, shift = np.polyfit(before.numpy(), after.numpy(), 1)
        np.testing.assert_allclose(after, slope * before + shift, atol=1e-4)
        assert 0.5 - 1e-3 < slope < 1.5 + 1e-3
        assert abs(shift) < 0.5 * 1.5 + 1e-3
    colored = DiffAugment(["color"])(x.expand(-1, 3, -1, -1))
    assert colored.shape == (32, 3, 16, 16)


def test_gradients_seeds_and_specs(x):
    augment = DiffAugment()
    x.requires_grad_()
    torch.manual_seed(0)
    with NoSync():
        y = augment(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    assert slope.isfinite().all()
    assert slope.abs().sum() > 0
    torch.manual_seed(0)
    assert torch.equal(augment(x), y)
    for module in (DiffAugment(["cutout"]), RandomAffine(5.0), GaussianNoise(0.1)):
        again = instantiate(describe(module))
        assert type(again) is type(module)
        assert again.arguments == module.arguments
    for kinds in ([], ["hue"]):
        with pytest.raises(ValueError, match="expected some of 'color'"):
            DiffAugment(kinds)


class Negative(nn.Module):
    def forward(self, x):
        return 1 - x


@pytest.mark.parametrize("name", ["InfoGAN", "ElasticInfoGAN"])
def test_real_and_generated_images_are_augmented_alike(name, x):
    data = FactorDataset.from_arrays(x.numpy())
    method = getattr(m, name).build(data, latent_dim=2, classes=3, augment=Negative(), seed=0)
    method.eval()
    batch = data.batch(range(8))
    c, noise = method.draw(8).detach(), method.noise(8)
    (loss,) = method.judge(batch.tensor, c, noise).values()
    logits = [
        method.head(method.trunk(1 - image))[:, 0]
        for image in (batch.tensor, method.generate(c, noise))
    ]
    torch.testing.assert_close(loss["real"], softplus(-logits[0]))
    torch.testing.assert_close(loss["fake"], softplus(logits[1]))
    torch.testing.assert_close(method.fooling(c, noise)["fool"], softplus(-logits[1]))
    assert "r1" not in loss
    method.r1 = 5.0
    (loss,) = method.judge(batch.tensor, c, noise).values()
    weight, value = loss["r1"]
    assert weight == 2.5
    torch.testing.assert_close(
        value, r1_penalty(lambda image: method.head(method.trunk(1 - image)), batch.tensor)
    )
    # codes are read off images as they are
    torch.testing.assert_close(
        method.represent(batch).mean, method.read(method.trunk(batch.tensor)).mean
    )
    method = getattr(m, name).build(data, latent_dim=2, augment=DiffAugment(["cutout"]), seed=0)
    assert describe(method)["init_args"]["augment"]["init_args"] == {"kinds": ["cutout"]}
    for move in method.moves(batch, CTX):
        assert all(loss.total.isfinite() for loss in move.values())
