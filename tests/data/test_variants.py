"""Color, noise and backgrounds: definitions, and randomness that is a pure function."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from untwine.data import (
    IID,
    ColorDSprites,
    Colored,
    DSprites,
    FactorDataset,
    Loader,
    Noisy,
    NoisyDSprites,
    OnBackground,
    ScreamDSprites,
    swirl,
)
from untwine.spec import describe, instantiate

INDEX = np.random.default_rng(0).integers(0, 737_280, 200)
VARIANTS = [ColorDSprites, NoisyDSprites, ScreamDSprites]


@pytest.fixture(scope="module")
def plain():
    return DSprites().observations(INDEX)


@pytest.mark.parametrize("cls", VARIANTS)
def test_randomness_is_a_pure_function_of_seed_index_and_draw(cls):
    data, rows = cls(), INDEX[:4]
    x = data.observations(rows)
    assert (x.shape, x.dtype) == ((4, 3, 64, 64), torch.float32)
    assert 0 <= x.min() <= x.max() <= 1
    assert torch.equal(x, cls().observations(rows))
    assert torch.equal(x[[2, 0]], data.observations(rows[[2, 0]]))
    assert torch.equal(data.observations(rows, 7), data.observations(rows, 7))
    for other in (data.observations(rows, 7), cls(seed=1).observations(rows)):
        assert all(not torch.equal(a, b) for a, b in zip(x, other, strict=True))
    assert data.observations([]).shape == (0, 3, 64, 64)


@pytest.mark.parametrize("cls", VARIANTS)
def test_factors_stay_and_the_spec_makes_it_again(cls):
    data = cls(seed=3)
    assert data.space == DSprites.space
    assert (len(data), data.shape) == (737_280, (3, 64, 64))
    again = instantiate(describe(data), FactorDataset)
    assert torch.equal(again.observations([5]), data.observations([5]))


@pytest.mark.parametrize("cls", VARIANTS)
def test_a_loader_draws_anew_at_each_step(cls):
    one = FactorDataset.subset(cls(), [1000])
    loader = Loader(one, IID(), batch_size=1, seed=2)
    fixed = one.observations([0])
    first, second = loader(0).x, loader(1).x
    assert torch.equal(first, loader(0).x)
    assert not torch.equal(first, second)
    assert not torch.equal(first, fixed)


def test_color_is_uniform_and_the_same_all_over_the_sprite(plain):
    x = ColorDSprites().observations(INDEX)
    assert (x[(plain == 0).expand_as(x)] == 0).all()
    colors = x.amax((2, 3))
    assert torch.equal(x, plain * colors[:, :, None, None])
    assert colors.min() >= 0.5
    # The mean of 600 uniform numbers in [0.5, 1] has a standard deviation of 0.0059.
    assert colors.mean().item() == pytest.approx(0.75, abs=0.03)
    assert np.corrcoef(colors.T)[0, 1] == pytest.approx(0, abs=0.35)


def test_noise_leaves_the_sprite_white(plain):
    x = NoisyDSprites().observations(INDEX)
    white = (plain == 1).expand_as(x)
    assert (x[white] == 1).all()
    noise = x[~white]
    assert noise.mean().item() == pytest.approx(0.5, abs=0.002)
    assert noise.var().item() == pytest.approx(1 / 12, abs=0.001)


def test_the_sprite_is_the_negative_of_its_background(tmp_path, plain):
    # A picture whose red is the row and whose green is the column tells where a crop was made.
    rows, columns = np.meshgrid(np.arange(200), np.arange(220), indexing="ij")
    picture = np.stack([rows, columns, 0 * rows], axis=-1).astype(np.uint8)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    data = ScreamDSprites(image=tmp_path / "picture.png")
    x = data.observations(INDEX).double()
    mask = (plain == 1).expand_as(x)
    background = torch.where(mask, 1 - x, x) * 2  # crop plus tint
    across = (background[:, 1, :, 1:] - background[:, 1, :, :-1]) * 255
    down = (background[:, 0, 1:] - background[:, 0, :-1]) * 255
    torch.testing.assert_close(across, torch.ones_like(across), atol=1e-3, rtol=0)
    torch.testing.assert_close(down, torch.ones_like(down), atol=1e-3, rtol=0)
    blue = background[:, 2]  # the tint alone
    assert (blue.amax((1, 2)) - blue.amin((1, 2))).max() < 1e-6
    assert blue.mean().item() == pytest.approx(0.5, abs=0.11)
    start = background[:, 0, 0, 0] * 255 - 127.5
    assert start.std() > 50  # crops begin all over the picture, and tints differ


def test_a_large_picture_is_scaled_down_and_a_small_one_refused(tmp_path):
    Image.fromarray(np.zeros((548, 1400, 3), np.uint8)).save(tmp_path / "large.png")
    assert ScreamDSprites(image=tmp_path / "large.png").picture.shape == (3, 137, 350)
    Image.fromarray(np.zeros((60, 100, 3), np.uint8)).save(tmp_path / "small.png")
    with pytest.raises(ValueError, match=r"small.png has 60 x 100 pixels .*: too small for"):
        ScreamDSprites(image=tmp_path / "small.png").observations([0])
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(ValueError, match=r"text.png cannot be read as an image"):
        ScreamDSprites(image=tmp_path / "text.png").observations([0])
    with pytest.raises(FileNotFoundError):
        ScreamDSprites(image=tmp_path / "none.png")


def test_the_built_in_picture_is_colorful():
    picture = swirl()
    assert picture.shape == (3, 274, 350)
    assert 0 <= picture.min() < 0.2
    assert 0.9 < picture.max() <= 1
    assert (picture.std(axis=(1, 2)) > 0.1).all()
    assert np.abs(picture[0] - picture[2]).mean() > 0.1


def test_any_grey_data_can_be_changed_and_no_other():
    grey = FactorDataset.from_arrays(np.full((4, 10, 12), 0.25), np.arange(4), ["a"])
    for cls in (Colored, Noisy, OnBackground):
        data = cls(grey)
        assert data.observations([1, 2]).shape == (2, 3, 10, 12)
        assert data.space.names == ("a",)
    noisy = Noisy(grey).observations([0])
    assert noisy.min() >= 0.25
    with pytest.raises(ValueError, match=r"have the shape \(3, 10, 12\); .* changes grey images"):
        Noisy(Noisy(grey))
    with pytest.raises(ValueError, match=r"low is 0.8 and high 0.5"):
        Colored(grey, low=0.8, high=0.5)
    with pytest.raises(ValueError, match="seed is -1"):
        Noisy(grey, seed=-1)
