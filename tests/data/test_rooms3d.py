"""Rooms3D: genuine images, an independent ray marcher, check values, colors read off the pixels."""

from __future__ import annotations

import colorsys
import hashlib
import math

import numpy as np
import pytest
import torch

from untwine.data import FactorDataset, Loader, PairsSampler, Rooms3D
from untwine.data.room_scene import FLOOR, OBJECT, SIZE, SKY, WALL, Scene, cast
from untwine.data.rooms3d import ROOMS, Templates
from untwine.spec import describe, instantiate

CHECK = "2d91e2aed4379204e3a149c17092e2d7666ecec23121b0b2c1fcd99dffc31a82"
# The genuine images' factors, a letter each in the order of the space, as found by the benchmark.
GENUINE = (
    "01062a 38551e 472519 525406 458109 62442e 839504 320727 28802a 003538 596118 13263e "
    "551004 017336 929703 109534 72612c 872100 066037 37560c 47471b 28973b 33211d 557218 "
    "441118 047408 09801c 020200 01520e 006425 09512c 01753a 035706 09343e 013612 07103d "
    "04421e 012128 080131 019134 067403 00660a 012204 013338 064000 020226 010716 040021 "
    "04363c 09010a"
)


@pytest.fixture(scope="module")
def data():
    return Rooms3D()


def test_a_fixed_sample_has_its_check_value_on_every_machine(data):
    rows = np.arange(0, len(data), 9973)
    pixels = (255 * data.observations(rows)).round().to(torch.uint8)
    assert hashlib.sha256(pixels.numpy().tobytes()).hexdigest() == CHECK


def test_renderings_are_near_genuine_images(data, shared):
    with np.load(shared / "data" / "shapes3d_notebook50.npz") as archive:
        images = archive["images"].astype(float)
    factors = np.array([[int(c, 15) for c in word] for word in GENUINE.split()])
    rendered = (255 * data.observations(ROOMS.index(factors)).double()).round()
    rendered = rendered.numpy().transpose(0, 2, 3, 1)
    psnr = 10 * np.log10(255**2 / ((images - rendered) ** 2).mean(axis=(1, 2, 3)))
    assert np.median(psnr) > 40
    assert psnr.min() > 34
    assert (rendered[:, 1:6, 1:63] == images[:, 1:6, 1:63]).mean() > 0.999  # the sky, exactly
    # a neighbor in scale or orientation is further away: the labels are right, and so is the order
    for column, size in ((3, 8), (5, 15)):
        for step in (-1, 1):
            other = factors.copy()
            other[:, column] += step
            rows = (other[:, column] >= 0) & (other[:, column] < size)
            x = 255 * data.observations(ROOMS.index(other[rows])).double().numpy()
            worse = ((images[rows] - x.transpose(0, 2, 3, 1)) ** 2).mean(axis=(1, 2, 3))
            assert (worse > ((images - rendered) ** 2).mean(axis=(1, 2, 3))[rows]).all()


def inside(scene, shape, scale, x, y, z):
    """The signed distance to the object, by its definition."""
    if shape == 0:
        half = scene.box * scale
        q = [abs(x) - half, abs(y) - half, abs(z - half) - half]
        return math.hypot(*(max(v, 0) for v in q)) + min(max(q), 0)
    if shape == 2:
        return math.hypot(x, y, z - scene.sphere * scale) - scene.sphere * scale
    radius, half = (scale * v for v in (scene.cylinder if shape == 1 else scene.capsule))
    if shape == 1:
        q = [math.hypot(x, y) - radius, abs(z - half) - half]
        return math.hypot(*(max(v, 0) for v in q)) + min(max(q), 0)
    along = min(max(z, radius), radius + 2 * half)
    return math.hypot(x, y, z - along) - radius


def march(scene, shape, scale, degrees, row, column):
    """Where one ray ends, by walking along it."""
    angle = math.radians(degrees)
    u, v = (((c + 0.5) / 3 - 32) / scene.focal for c in (column, row))
    ahead = math.cos(scene.pitch) - v * math.sin(scene.pitch)
    up = -(math.sin(scene.pitch) + v * math.cos(scene.pitch))
    ray = (
        math.cos(angle) * u + math.sin(angle) * ahead,
        math.cos(angle) * ahead - math.sin(angle) * u,
        up,
    )
    norm = math.hypot(*ray)
    x, y = (-scene.distance * f(angle) for f in (math.sin, math.cos))
    z = scene.height
    for _ in range(2000):
        distances = {
            OBJECT: inside(scene, shape, scale, x, y, z),
            FLOOR: z,
            WALL: min(scene.half_room - y, scene.half_room - abs(x)),
        }
        nearest = min(distances, key=distances.get)
        if distances[nearest] < 1e-7:
            return SKY if nearest == WALL and z > scene.wall else nearest
        step = distances[nearest] / norm
        x, y, z = x + step * ray[0], y + step * ray[1], z + step * ray[2]
    return None


@pytest.mark.parametrize("shape", range(4))
def test_rays_end_where_walking_along_them_ends(shape):
    scene, rng = Scene(), np.random.default_rng(shape)
    scale, degrees = 0.75 + 0.5 * rng.random(), rng.uniform(-30, 30)
    region = cast(scene, shape, scale, degrees).region
    rows = np.r_[rng.integers(0, SIZE, 60), rng.integers(70, 170, 90)]
    columns = np.r_[rng.integers(0, SIZE, 60), rng.integers(50, 140, 90)]
    ends = [march(scene, shape, scale, degrees, r, c) for r, c in zip(rows, columns, strict=True)]
    assert set(ends) >= {FLOOR, WALL, OBJECT}
    agree = [end == region[r, c] for end, r, c in zip(ends, rows, columns, strict=True)]
    assert np.mean(agree) > 0.985  # rays that graze an edge may end on either side


def test_hues_can_be_read_off_the_pixels(data):
    colors = np.array([colorsys.hsv_to_rgb(k / 10, 1, 1) for k in range(10)])
    rows = np.random.default_rng(0).integers(0, len(data), 200)
    x = data.observations(rows).double().numpy()
    for column, (r, c) in enumerate(((62, 1), (24, 2), (46, 32))):
        pixels = x[:, :, r, c] - x[:, :, r, c].min(axis=1, keepdims=True)
        likeness = pixels @ (colors / np.linalg.norm(colors, axis=1, keepdims=True)).T
        assert (likeness.argmax(axis=1) == data.factors[rows, column]).mean() > 0.99


def test_scale_shape_and_orientation_show(data):
    base = [0, 3, 6, 4, 2, 7]
    blue = data.observations(ROOMS.index(ROOMS.traverse(base, "scale")))[:, 2, 40:60]
    area = (blue > 0.5).flatten(1).sum(1)
    assert (area.diff() > 0).all()
    turned = data.observations(ROOMS.index(ROOMS.traverse(base, "orientation")))[:, 1, 15:35]
    dark = (turned < 0.75).flatten(1).sum(1)  # the side wall comes into view on either side
    assert dark.argmin() in range(5, 10)
    assert dark[0] > dark[5]
    assert dark[14] > dark[9]
    height = [
        (data.observations([ROOMS.index([0, 3, 6, 4, shape, 7])])[0, 2, :, 32] > 0.45).sum().item()
        for shape in range(4)
    ]
    assert height.index(max(height)) == 3  # the capsule is the tallest


def test_one_at_a_time_is_the_same_as_many():
    rows = np.random.default_rng(1).integers(0, len(ROOMS), 20)
    fresh, other = Templates(), Templates()
    together = fresh.images(ROOMS.factors(rows))
    for row, image in zip(rows[::-1], together[::-1], strict=True):
        assert (other.images(ROOMS.factors([row]))[0] == image).all()
    assert fresh.nbytes < 100e6
    assert fresh._made.sum() == len(np.unique(ROOMS.factors(rows) @ [0, 0, 0, 60, 15, 1]))


def test_it_is_a_data_set(data):
    assert (len(data), data.shape) == (480_000, (3, 64, 64))
    assert data.space.kinds[0] == "angle"
    again = instantiate(describe(data), FactorDataset)
    assert torch.equal(again.observations([5]), data.observations([5]))
    batch = Loader(data, PairsSampler(1), batch_size=4, seed=0)(3)
    assert batch.x0.shape == (4, 3, 64, 64)
    assert 0 <= batch.x0.min() < batch.x0.max() <= 1
    assert data.observations([]).shape == (0, 3, 64, 64)
