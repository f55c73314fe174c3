"""The causal light tunnel and drawn faces, against closed forms and their labels."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from untwine.data import DrawnFaces, FactorDataset, LightTunnel, Loader, PairsSampler
from untwine.spec import describe, instantiate

# The light tunnel


@pytest.fixture(scope="module")
def tunnel():
    return LightTunnel(n=20_000, seed=3)


def test_variables_follow_from_the_model_one_by_one(tunnel):
    top = np.array([255, 255, 255, 179, 179])
    for row in (0, 7, 19_999):
        u, v = tunnel.noise[row], [0.0] * 5
        arrows = {(a, b): w for a, b, w in tunnel.edges}
        for j, name in enumerate(tunnel.space.names):  # causes come first in this graph
            pull = sum(
                w * (v[tunnel.space.position(a)] / top[tunnel.space.position(a)] - 0.5)
                for (a, b), w in arrows.items()
                if b == name
            )
            v[j] = round(min(max(u[j] + pull, 0), 1) * top[j])
        assert tunnel.factors[row].tolist() == v


def test_causes_and_effects_are_correlated_as_the_arrows_say(tunnel):
    c = np.corrcoef(tunnel.factors.T)
    assert c[0, 1] > 0.3
    assert c[1, 2] < -0.3
    assert c[2, 4] > 0.3
    assert abs(c[3, 4]) < 0.15  # only through red, green, blue
    alone = LightTunnel(n=20_000, edges=[])
    assert np.abs(np.corrcoef(alone.factors.T) - np.eye(5)).max() < 0.03


def test_an_intervention_cuts_arrows_into_it_and_keeps_the_noise(tunnel):
    changed = LightTunnel(n=20_000, seed=3, do={"green": 200})
    assert (changed.noise == tunnel.noise).all()
    assert (changed.factors[:, 1] == 200).all()
    assert (changed.factors[:, [0, 3]] == tunnel.factors[:, [0, 3]]).all()
    assert (changed.factors[:, 2] != tunnel.factors[:, 2]).mean() > 0.5
    # counterfactuals by the object equal those of the intervened world, row by row
    asked = tunnel.effects(tunnel.noise[:50], do={"green": 200})
    assert (asked == changed.factors[:50]).all()
    # and setting a variable to what it was changes nothing
    row = tunnel.factors[11]
    same = tunnel.effects(tunnel.noise[11:12], do={"green": int(row[1])})
    assert (same[0] == row).all()
    # the effect of green on blue, by intervention, is the arrow's weight where nothing is clipped
    low, high = (
        tunnel.effects(tunnel.noise, do={"green": value}).astype(float) for value in (115, 140)
    )
    free = (low[:, 2] > 0) & (high[:, 2] < 255) & (low[:, 2] < 255) & (high[:, 2] > 0)
    assert (high - low)[free, 2].mean() / 25 == pytest.approx(-0.5, abs=0.01)


def test_light_follows_malus(tunnel):
    rows = np.arange(400)
    v = tunnel.factors[rows]
    current, before, between, behind = tunnel.sensors(rows).T
    assert current == pytest.approx(v[:, :3].sum(1) / 255)
    assert between == pytest.approx(before / 2)
    expected = before / 2 * np.cos(np.deg2rad(v[:, 3] - v[:, 4])) ** 2
    assert behind == pytest.approx(expected)
    crossed = LightTunnel(n=3, do={"polarizer_1": 10, "polarizer_2": 100})
    assert crossed.sensors([0])[0, 3] == pytest.approx(0, abs=1e-30)
    assert crossed.observations([0])[0, :, 32, 32].max() < 0.07


def test_the_picture_shows_colors_and_angles(tunnel):
    rows = np.arange(200)
    x, v = tunnel.observations(rows).numpy(), tunnel.factors[rows]
    assert x.shape == (200, 3, 64, 64)
    passes = np.cos(np.deg2rad(v[:, 3] - v[:, 4])) ** 2
    center = x[:, :, 32, 32]
    assert center == pytest.approx(np.clip(0.06 + v[:, :3] / 255 * passes[:, None], 0, 1), abs=1e-5)
    y, across = np.meshgrid(np.arange(64) - 31.5, np.arange(64) - 31.5, indexing="ij")
    radius, angle = np.hypot(across, y), np.rad2deg(np.arctan2(-y, across)) % 180
    for low, high, column in ((26.5, 28.5, 3), (21, 23, 4)):
        ring = (radius > low) & (radius < high)
        bright = x[:, 0][:, ring]
        weights = np.clip(bright - 0.6 * bright.max(1, keepdims=True), 0, None)
        turn = np.deg2rad(2 * angle[ring])  # a polarizer looks the same after half a turn
        mean = np.arctan2((weights * np.sin(turn)).sum(1), (weights * np.cos(turn)).sum(1))
        away = (np.rad2deg(mean) / 2 - v[:, column] + 90) % 180 - 90
        assert np.abs(away).max() < 6


def test_tunnels_are_written_down_and_refused(tunnel):
    data = LightTunnel(50, 1, do={"red": 9})
    again = instantiate(describe(data), FactorDataset)
    assert torch.equal(again.observations([4, 0]), data.observations([4, 0]))
    assert again.do == {"red": 9}
    assert tunnel.weights[0, 1] == 0.6
    with pytest.raises(ValueError, match="sets 'red' to 256; expected 0 to 255"):
        LightTunnel(do={"red": 256})
    with pytest.raises(ValueError, match="no factor 'white'"):
        LightTunnel(edges=[("white", "red", 1.0)])
    with pytest.raises(ValueError, match="edges go in a circle"):
        LightTunnel(edges=[("red", "green", 1.0), ("green", "red", 1.0)])
    with pytest.raises(ValueError, match="n is 0"):
        LightTunnel(0)


# Faces

FACE = [0, 1, 1, 1, 1, 1, 1, 2, 0, 1]


@pytest.fixture(scope="module")
def faces():
    return DrawnFaces()


def line(faces, name, start=FACE):
    combinations = faces.space.traverse(start, name)
    return faces.observations(faces.space.index(combinations)).numpy()


def test_every_factor_shows_in_every_face(faces):
    assert len(faces) == 324_000
    rng = np.random.default_rng(0)
    for name, size in zip(faces.space.names, faces.space.sizes, strict=True):
        for start in faces.space.sample(5, rng):
            x = line(faces, name, start)
            for i in range(size):
                for j in range(i):
                    changed = (np.abs(x[i] - x[j]).max(0) > 0.04).sum()
                    assert changed >= 3, (name, i, j, start)


def test_each_factor_shows_where_it_should(faces):
    assert (line(faces, "background")[:, :, 2, 2].argmax(1) == [2, 0, 1, 0]).all()
    skin = line(faces, "skin")[:, :, 38, 32].sum(1)  # the cheek beside the nose grows darker
    assert (np.diff(skin) < 0).all()
    open_mouth = line(faces, "mouth")[:, :, 41:47, 24:40]
    white = (open_mouth.min(1) > 0.8).sum((1, 2))
    assert white.argmax() == 3
    dark = line(faces, "gaze")[:, :, 29:34, 20:44].sum(1)
    columns = (dark.max() - dark).sum(1)  # darkness of each column of the eyes
    centers = (columns**4 * np.arange(24)).sum(1) / (columns**4).sum(1)
    assert (np.diff(centers) > 0.4).all()
    wide = np.abs(line(faces, "width") - line(faces, "background")[:1, :, 2:3, 2:3]).max(1) > 0.1
    assert (np.diff(wide[:, 32].sum(1)) > 0).all()
    rims = (line(faces, "glasses").max(1) < 0.3)[:, 26:38].sum((1, 2))
    assert rims[1] > rims[0] + 20
    tilted = (np.abs(line(faces, "tilt") - 0.0)[:, 0, 5:20] < 0.5).astype(float)
    centers = (tilted.sum(1) * np.arange(64)).sum(1) / tilted.sum((1, 2))
    assert (np.diff(centers) > 2).all()


def test_factors_do_not_show_in_each_other(faces):
    """The difference that a color makes lies where that color is, whatever else the face does."""
    rng = np.random.default_rng(1)
    for start in faces.space.sample(10, rng):
        x = line(faces, "background", start)
        change = np.abs(x[0] - x[1]).max(0) > 1e-6
        face = change[30:50, 28:36]
        assert not face.any()
        y = line(faces, "mouth", start)
        assert np.abs(y[0] - y[3])[:, :20].max() < 1e-6


def test_faces_are_a_data_set(faces):
    again = instantiate(describe(faces), FactorDataset)
    assert torch.equal(again.observations([9]), faces.observations([9]))
    batch = Loader(faces, PairsSampler(1), batch_size=4, seed=0)(1)
    assert 0 <= batch.x0.min() < batch.x0.max() <= 1
    assert faces.observations([]).shape == (0, 3, 64, 64)
