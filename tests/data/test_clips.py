"""Clips that are rendered, clips as frames, and scenes of any length."""

import numpy as np
import pytest
import torch

from untwine.data import (
    ClipsSampler,
    DSprites,
    FactorDataset,
    Frames,
    Loader,
    LPCSprites,
    MovingDigits,
    MovingSprites,
    Scenes,
    available,
    generator_for,
)
from untwine.spec import describe, instantiate


def test_moving_sprites_are_frames_of_dsprites():
    data, still = MovingSprites(length=9, speed=3, turn=4), DSprites()
    index = np.random.default_rng(0).integers(0, len(data), 20)
    x = data.observations(index)
    assert x.shape == (20, 9, 1, 64, 64)
    for clip, path, factors in zip(x, data.trajectory(index), data.factors[index], strict=True):
        assert path.shape == (9, 3)
        for frame, (across, down, angle) in zip(clip, path, strict=True):
            at = still.space.index([*factors[:2], angle, across, down])
            assert torch.equal(frame, still.observations([int(at)])[0])


def test_moving_sprites_go_straight_bounce_and_turn():
    data = MovingSprites(length=40, speed=2, turn=1)
    at = dict(zip(data.space.names, [0, 3, 2, 5, 1, 2, 2], strict=True))
    names, east, right = data.values, data.values["direction"].index("E"), 2
    assert (names["direction"][at["direction"]], at["turn"]) == ("E", right)
    path = data.trajectory([int(data.space.index(list(at.values())))])[0]
    assert (path[:, 1] == path[0, 1]).all()
    assert path[:12, 0].tolist() == [9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31]
    assert path[12:15, 0].tolist() == [29, 27, 25]
    assert path[:4, 2].tolist() == [5, 6, 7, 8]
    assert path[34:36, 2].tolist() == [0, 1]  # 39 is the angle 0 again
    assert (east, path.min(), path[:, :2].max()) == (2, 0, 31)
    all_around = data.trajectory(np.random.default_rng(1).integers(0, len(data), 200))
    assert (all_around >= 0).all()
    assert (np.abs(np.diff(all_around[..., :2], axis=1)) <= 2).all()


def test_moving_data_are_recorded_and_depend_on_nothing_else(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.eye(8, dtype=np.uint8)[:, :, None] * np.ones(8), y=range(8))
    digits = FactorDataset.from_npz(tmp_path / "d.npz")
    for data in (
        MovingSprites(length=5, speed=1),
        MovingDigits(digits, count=2, length=5, size=20, clips=30, seed=4),
        Frames(MovingSprites(length=5)),
    ):
        again = instantiate(describe(data))
        index = [17, 3, 3, 29]
        assert torch.equal(again.observations(index), data.observations(index))
        assert torch.equal(data.observations(index, draw=9), data.observations(index))
        assert np.array_equal(again.factors[:30], data.factors[:30])
        assert data.factors.shape == (len(data), len(data.space.names))
        data.space.check(data.factors[:1000])


@pytest.fixture
def pictures():
    x = np.zeros((6, 4, 5), np.float32)
    for i in range(6):
        x[i] = (i + 1) / 6
    return x


def test_digits_are_where_the_trajectory_says(pictures):
    labels = np.array([0, 0, 1, 1, 2, 2])
    data = MovingDigits(pictures, labels, count=2, length=12, size=16, speed=4, clips=50, seed=1)
    names = ("class_1", "x_1", "y_1", "vx_1", "vy_1")
    assert data.space.names[:5] == names
    assert data.space.sizes[:5] == (3, 12, 13, 8, 8)
    x, path = data.observations(range(50)).numpy(), data.trajectory(range(50))
    velocity = [int(v) for v in data.values["vx_2"]]
    assert velocity == [-4, -3, -2, -1, 1, 2, 3, 4]
    for clip, places, f in zip(x, path, data.factors, strict=True):
        assert places[0].ravel().tolist() == [*f[1:3], *f[6:8]]
        step = np.abs(places[1] - places[0]).ravel()
        speeds = np.abs([velocity[v] for v in (*f[3:5], *f[8:10])])
        assert (step <= speeds).all()
        for t, frame in enumerate(clip[:, 0]):
            (l1, t1), (l2, t2) = places[t]
            shown = {round(6 * v) for v in np.unique(frame)} - {0}
            assert len(shown) <= 2
            assert {labels[s - 1] for s in shown} <= {f[0], f[5]}
            assert (frame[t1 : t1 + 4, l1 : l1 + 5] > 0).all()
            assert (frame[t2 : t2 + 4, l2 : l2 + 5] > 0).all()
            mask = np.zeros((16, 16), bool)
            mask[t1 : t1 + 4, l1 : l1 + 5] = mask[t2 : t2 + 4, l2 : l2 + 5] = True
            assert not frame[~mask].any()


def test_digits_bounce_at_the_edges(pictures):
    data = MovingDigits(pictures, length=200, size=9, speed=3, clips=20)
    path = data.trajectory(range(20))[:, :, 0]
    assert path.min() == 0
    assert (path.reshape(-1, 2).max(0) == [4, 5]).all()
    v = np.diff(path, axis=1)
    assert (np.abs(v) <= 3).all()
    assert data.space.names[0] == "image"  # without classes


def test_a_longer_table_of_clips_begins_like_a_shorter_one(pictures):
    few, many = (MovingDigits(pictures, clips=n, size=20, seed=3) for n in (10, 40))
    assert np.array_equal(few.factors, many.factors[:10])
    assert torch.equal(few.observations([9]), many.observations([9]))
    other = MovingDigits(pictures, clips=10, size=20, seed=4)
    assert not np.array_equal(few.factors, other.factors)


def test_moving_data_refuse_what_makes_no_sense(pictures):
    with pytest.raises(ValueError, match="canvas of 4x4"):
        MovingDigits(pictures, size=4)
    with pytest.raises(ValueError, match="count is 0"):
        MovingDigits(pictures, count=0)
    with pytest.raises(ValueError, match="no factor 'digit'"):
        MovingDigits(pictures, label="digit")
    with pytest.raises(ValueError, match="name a factor as label="):
        MovingDigits(FactorDataset.from_arrays(pictures), np.arange(6))
    with pytest.raises(ValueError, match="length is 0"):
        MovingSprites(length=0)
    with pytest.raises(ValueError, match="speed is 40"):
        MovingSprites(speed=40)


def test_frames_of_clips_come_one_by_one():
    clips = MovingSprites(length=5).subset(list(range(1000, 1020)))
    frames = Frames(clips)
    assert (len(frames), frames.shape) == (100, (1, 64, 64))
    index = [0, 7, 99, 7]
    x = clips.observations(range(20)).reshape(100, 1, 64, 64)
    assert torch.equal(frames.observations(index), x[index])
    assert frames.factors[7].tolist() == [*clips.factors[1], 2]
    cut = ClipsSampler("frame", 5)
    batch = Loader(frames, cut, batch_size=4)(0)
    rows = Loader(frames, cut, batch_size=4).indices(0)
    assert torch.equal(batch.x, clips.observations(rows[:, 0] // 5))
    with pytest.raises(ValueError, match="which is no clip"):
        Frames(DSprites())


LENGTHS = (9, 2, 14, 4)


@pytest.fixture
def scenes():
    return [np.full((n, 8, 8), i / 4, np.float32) for i, n in enumerate(LENGTHS)]


def test_scenes_of_unequal_length_give_clips_of_one(scenes):
    data = Scenes(scenes, [[3], [1], [0], [2]], ["person"])
    assert str(data.space) == "scene 4, person 4, frame 14"
    assert len(data) == sum(LENGTHS)
    sampler = ClipsSampler("frame", 4)
    clips = sampler(data.space, data.factors, 4000, generator_for(0, 0))
    f = data.factors[clips]
    assert (f[..., :2] == f[:, :1, :2]).all()
    assert (np.diff(f[..., 2], axis=1) == 1).all()
    drawn = np.bincount(f[:, 0, 0], minlength=4) / 4000
    # 6, 0, 11 and 1 beginnings: scenes that are too short are never drawn
    np.testing.assert_allclose(drawn, np.array([6, 0, 11, 1]) / 18, atol=0.03)
    x = sampler.batch(data, clips[:5]).x
    assert x.shape == (5, 4, 1, 8, 8)
    assert torch.equal(x[:, 0, 0, 0, 0], torch.from_numpy(f[:5, 0, 0] / 4).float())
    with pytest.raises(ValueError, match="no 15 rows have successive values"):
        ClipsSampler("frame", 15)(data.space, data.factors, 3, generator_for(0, 0))


def test_unequal_lengths_in_one_array_are_refused_with_a_way_out(scenes):
    with pytest.raises(ValueError, match="Scenes"):
        FactorDataset.from_arrays(scenes)
    clips = [np.zeros((8, 4, 4)), np.zeros((8, 4, 4)), np.zeros((7, 4, 4))]
    with pytest.raises(ValueError, match=r"part 2 has shape \(7, 4, 4\) and part 0 \(8, 4, 4\)"):
        FactorDataset.from_arrays(clips)
    with pytest.raises(ValueError, match="scene 1 has shape"):
        Scenes([np.zeros((3, 8, 8)), np.zeros((3, 8, 9))])
    with pytest.raises(ValueError, match="4 scenes but factors of 3"):
        Scenes(scenes, [0, 1, 2])
    with pytest.raises(ValueError, match="scenes is empty"):
        Scenes([])


def test_sprites_are_put_together_of_layers(tmp_path):
    rng = np.random.default_rng(0)
    motion = (2, 3, 4, 10, 12, 4)
    names = ("body", "bottomwear", "topwear", "hair")
    layers = {
        n: rng.integers(0, 256, (k, *motion), np.uint8)
        for n, k in zip(names, (2, 3, 1, 2), strict=True)
    }
    layers["shoes"] = rng.integers(0, 256, motion, np.uint8)
    np.savez(tmp_path / "lpc.npz", **layers)
    data = LPCSprites(tmp_path / "lpc.npz")
    sizes = "body 2, bottom 3, top 1, hair 2, action 2, direction 3, frame 4"
    assert (str(data.space), data.shape) == (sizes, (3, 10, 12))
    i = int(data.space.index([1, 2, 0, 1, 0, 2, 3]))
    expected = np.zeros((10, 12, 3))
    for name, k in (("body", 1), ("bottomwear", 2), ("topwear", 0), ("hair", 1), ("shoes", None)):
        layer = layers[name][0, 2, 3] if k is None else layers[name][k, 0, 2, 3]
        a = layer[..., 3:] / 255
        expected = expected * (1 - a) + layer[..., :3] * a
    found = data.observations([i])[0].permute(1, 2, 0).numpy() * 255
    assert np.abs(found - expected).max() <= 0.5 + 1e-3
    assert Loader(data, ClipsSampler("frame", 4), batch_size=3)(0).x.shape == (3, 4, 3, 10, 12)
    np.savez(tmp_path / "other.npz", body=layers["body"])
    with pytest.raises(ValueError, match="no arrays \\['bottomwear', 'topwear', 'hair'\\]"):
        LPCSprites(tmp_path / "other.npz")


def test_published_sprites_are_read(shared):
    path = shared / "data/lpc_sprites_layers.npz"
    if not path.exists():
        pytest.skip(f"{path.name} is not there")
    data = LPCSprites(path)
    assert (len(data), data.shape) == (93_312, (3, 64, 64))
    x = data.observations([0, 93_311])
    assert 0 <= x.min() < x.max() <= 1
    assert not torch.equal(x[0], x[1])


def test_layers_show_where_they_should(shared):
    data = LPCSprites(shared / "data/lpc_sprites_layers.npz")
    rng = np.random.default_rng(0)
    one = data.factors[rng.integers(0, len(data), 60)]
    for layer, rows in (("hair", slice(40, 64)), ("bottom", slice(0, 26))):
        other = one.copy()
        k = data.space.position(layer)
        other[:, k] = (one[:, k] + rng.integers(1, 6, len(one))) % 6
        x, y = (data.observations(data.space.index(f)) for f in (one, other))
        assert torch.equal(x[:, :, rows], y[:, :, rows])
        assert (x != y).flatten(1).any(1).all()


def test_the_catalog_lists_them():
    needs = {entry.name: entry.needs for entry in available()}
    assert needs["MovingSprites"] == "nothing"
    assert needs["LPCSprites"] == "a file"
    assert needs["Scenes"] == "arrays"
    assert needs["MovingDigits"] == needs["Frames"] == "a data set"


def test_a_real_video_is_one_scene(shared):
    path = shared / "data/frey_faces_28x20.npz"
    if not path.exists():
        pytest.skip(f"{path.name} is not there")
    video = np.load(path)["images"]
    data = Scenes([video])
    assert (data.shape, len(data)) == ((1, 28, 20), 1965)
    loader = Loader(data, ClipsSampler("frame", 10), batch_size=5, seed=2)
    x, rows = loader(0).x, loader.indices(0)
    assert x.shape == (5, 10, 1, 28, 20)
    assert torch.equal(x[3, 4, 0] * 255, torch.from_numpy(video[rows[3, 4]]).float())
    still = (x[:, 1:] - x[:, :-1]).abs().mean()
    assert still < 0.5 * (x[:, :1] - x.roll(1, 0)[:, :1]).abs().mean()  # frames follow each other
