"""dSprites: rendered images against check values, real images, and an independent renderer."""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from untwine.data import DSprites, FactorDataset
from untwine.data.sprites import SPACE, Sprites, unpack
from untwine.spec import describe, instantiate

CHECK = "faaf9cf5fa6256819224cb831e7fe802f7e166a63fda58f12c5f1c6eec3f5ea0"


@pytest.fixture(scope="module")
def drawn():
    sprites = Sprites()
    sprites.draw_all()
    return sprites


def test_all_images_match_the_check_values(drawn):
    digest, on = hashlib.sha256(), 0
    for start in range(0, len(SPACE), 20_480):
        rows = drawn.rows(np.arange(start, start + 20_480))
        digest.update(rows.astype("<u8").tobytes())
        on += int(unpack(rows).sum())
    assert digest.hexdigest() == CHECK
    assert on == 128_328_864


def test_the_first_image_is_the_square_of_the_recipe(drawn):
    expected = np.zeros(64, np.uint64)
    expected[11:21] = 0x1FF800
    assert (drawn.rows(np.array([0]))[0] == expected).all()


def test_real_images(drawn, shared):
    with np.load(shared / "data" / "dsprites_real_samples.npz") as real:
        images = np.unpackbits(real["imgs_packed"], axis=1).reshape(-1, 64, 64)
        index, source, classes = real["index"].astype(np.int64), real["source"], real["classes"]
    assert (SPACE.index(classes) == index).all()
    wrong = (unpack(drawn.rows(index)) != images).sum(axis=(1, 2))
    labelled = source == 0
    assert (len(images), labelled.sum()) == (65_101, 64_834)
    assert (wrong[labelled] > 0).sum() == 9
    assert wrong[labelled].max() == 1
    assert (wrong[~labelled] == 0).all()


def test_one_at_a_time_is_the_same_as_all_at_once(drawn):
    index = np.random.default_rng(0).integers(0, len(SPACE), 2_000)
    single = Sprites()
    assert (single.rows(index) == drawn.rows(index)).all()
    assert (single.rows(index[::-1]) == drawn.rows(index[::-1])).all()


def is_inside(x, y, polygon):
    """Whether a ray from (x, y) to the left crosses the polygon an odd number of times, exactly."""
    inside = False
    for (xa, ya), (xb, yb) in zip(polygon, polygon[1:] + polygon[:1], strict=True):
        if min(ya, yb) < y <= max(ya, yb):
            inside ^= xa + Fraction((y - ya) * (xb - xa), yb - ya) <= x
    return inside


@pytest.mark.parametrize("factors", [(0, 3, 7, 4, 31), (1, 0, 20, 31, 0), (2, 5, 33, 11, 17)])
def test_a_slow_exact_renderer_agrees(factors):
    shape, scale, orientation, across, down = factors
    if shape == 0:
        outline = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    elif shape == 1:
        angles = [2 * math.pi * m / 100 for m in range(100)]
        outline = [(1.33 * math.cos(t), math.sin(t) / 1.33) for t in angles]
    else:
        angles = [2 * math.pi * m / 150 for m in range(150)]
        outline = [
            (
                math.sin(t) ** 3,
                (13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t))
                * 2
                / 29
                + 0.15,
            )
            for t in angles
        ]
    theta, size = 2 * math.pi * orientation / 39, 9.6 * (0.5 + 0.1 * scale)
    polygon = []
    for u, v in outline:
        x = size * (u * math.cos(theta) - v * math.sin(theta))
        y = size * (u * math.sin(theta) + v * math.cos(theta))
        x, y = 16 + 32 * across / 31 + x, 16 + 32 * down / 31 - y
        polygon.append((round(256 * x), round(256 * y)))
    expected = [
        [is_inside(256 * k + 128, 256 * r + 128, polygon) for k in range(64)] for r in range(64)
    ]
    image = DSprites().observations([SPACE.index(factors)])[0, 0]
    assert image.bool().tolist() == expected


def test_nothing_is_drawn_before_it_is_needed():
    sprites = Sprites()
    assert not sprites._drawn.any()
    sprites.rows(np.array([5, 5, 70_000]))
    assert sprites._drawn.sum() == 2


def test_all_images_take_less_than_a_hundred_megabytes(drawn):
    assert drawn.nbytes < 100e6


def test_observations_and_factors():
    data = DSprites()
    assert (len(data), data.shape) == (737_280, (1, 64, 64))
    assert data.space.names == ("shape", "scale", "orientation", "posX", "posY")
    assert data.space.sizes == (3, 6, 40, 32, 32)
    x = data.observations(torch.tensor([0, 737_279]))
    assert (x.shape, x.dtype) == ((2, 1, 64, 64), torch.float32)
    assert set(x.unique().tolist()) == {0.0, 1.0}
    assert x.flatten(1).sum(1).tolist() == [100.0, 222.0]
    assert data.factors.shape == (737_280, 5)
    assert data.factors[-1].tolist() == [2, 5, 39, 31, 31]
    assert data.factors is data.factors
    # x grows to the right with posX, y downwards with posY
    corner = data.observations([data.space.index([0, 0, 0, 31, 0])])[0, 0].nonzero().float().mean(0)
    assert corner[0] < 17
    assert corner[1] > 46


class Trap:
    def __reduce__(self):
        return pytest.fail, ("the metadata were unpickled",)


def published(path, index, **changes):
    """A file like the published one, with fewer rows."""
    metadata = np.empty((), object)
    metadata[()] = Trap()
    images = unpack(Sprites().rows(index))
    images[0, 0, 63] = 1  # a pixel that no rendered image has: the file's images are the truth
    classes = np.concatenate([np.zeros((len(index), 1), int), SPACE.factors(index)], axis=1)
    arrays = {"metadata": metadata, "imgs": images, "latents_classes": classes}
    np.savez_compressed(path, **(arrays | changes))
    return images


def test_the_published_file_is_read_without_unpickling(tmp_path):
    index = np.random.default_rng(0).permutation(len(SPACE))[:5_000]
    images = published(tmp_path / "dsprites.npz", index)
    data = DSprites(tmp_path / "dsprites.npz")
    assert len(data) == 5_000
    assert (data.factors == SPACE.factors(index)).all()
    rows = [4_999, 0, 4_096, 4_095]
    assert torch.equal(data.observations(rows)[:, 0], torch.from_numpy(images[rows]).float())
    again = instantiate(describe(data), FactorDataset)
    assert torch.equal(again.observations(rows), data.observations(rows))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"imgs": np.zeros((3, 32, 32), np.uint8)}, r"uint8 \(3, 32, 32\); expected uint8"),
        ({"imgs": np.zeros((3, 64, 64))}, "is float64"),
        ({"latents_classes": np.zeros((3, 5), int)}, r"expected \(3, 6\)"),
    ],
)
def test_files_of_other_shapes_are_refused(tmp_path, changes, message):
    published(tmp_path / "dsprites.npz", np.arange(3), **changes)
    with pytest.raises(ValueError, match=message):
        DSprites(tmp_path / "dsprites.npz")


def test_other_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        DSprites(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match=r"no array 'imgs'; it holds \['x'\]"):
        DSprites(tmp_path / "other.npz")
    (tmp_path / "text").write_text("text")
    with pytest.raises(ValueError, match=r"is no .npz archive"):
        DSprites(tmp_path / "text")
    published(tmp_path / "grey.npz", np.arange(3), imgs=np.full((3, 64, 64), 255, np.uint8))
    with pytest.raises(ValueError, match="have the value 255; expected 0 and 1"):
        DSprites(tmp_path / "grey.npz").observations([0])
