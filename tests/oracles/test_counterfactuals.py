"""Counterfactuals of methods whose edits are known in closed form."""

import numpy as np
import pytest
import torch

import untwine as ut
from untwine.use import Controls, counterfactuals
from untwine.use.truth import renderer_of

from .controls_toys import SIZES, ExactProbe, Known, Parts, made, render, rotation, world


@pytest.fixture(scope="module")
def data():
    return world()


@pytest.mark.parametrize("cls", [Known, Parts])
def test_a_perfect_method_makes_the_truth(data, cls):
    found = counterfactuals(made(cls, data), data, probe=ExactProbe(data), n=96)
    for row in found.values.values():
        for name in ("validity", "validity of the truth", "sparsity", "sparsity of the truth"):
            assert float(row[name]) == 1
        assert float(row["validity unedited"]) == 0
        assert float(row["error"]) == pytest.approx(0, abs=1e-6)
        assert float(row["floor"]) == pytest.approx(0, abs=1e-6)
        assert float(row["proximity"]) == pytest.approx(1, abs=1e-4)
        assert float(row["gain"]) == pytest.approx(1, abs=1e-4)
        assert row["gain"].low <= float(row["gain"]) <= row["gain"].high + 1e-12
    assert list(found.table().index) == [*SIZES, "all"]
    assert found.examples["scale"][2].shape == (6, 1, 8, 8)


def test_a_permuted_code_is_as_good(data):
    found = counterfactuals(
        made(Known, data, mix=torch.eye(3)[[2, 0, 1]]), data, probe=ExactProbe(data), n=96
    )
    assert float(found.values["all"]["validity"]) == 1
    assert float(found.values["all"]["error"]) == pytest.approx(0, abs=1e-5)


def test_a_turned_code_keeps_what_its_directions_keep(data):
    found = counterfactuals(
        made(Known, data, mix=rotation()), data, probe=ExactProbe(data), n=96, tolerance=0.05
    )
    assert float(found.values["all"]["sparsity"]) > 0.99
    assert float(found.values["place"]["gain"]) == pytest.approx(1, abs=0.02)


def test_a_decoder_that_takes_one_factor_for_another_has_the_closed_form(data):
    # Controls of a true code; the decoder then draws the scale where the place belongs.
    class Crossed(Known):
        def decode(self, z, *, c=None, y=None):
            return super().decode(z[:, [0, 2, 1]])

    # Every combination is edited once, so that shares are exact up to which values are drawn.
    method, probe = made(Crossed, data), ExactProbe(data)
    found = counterfactuals(method, data, probe=probe, n=96, tolerance=0)
    shape = found.values["shape"]
    assert float(shape["validity"]) == 1
    # Scale and place both look right only where they are the same: 4 of 32 combinations have
    # scale == place; a place above 3 is drawn as the scale 3, and a scale is a place as it is.
    table = data.factors
    scale_seen, place_seen = np.minimum(table[:, 2], 3), table[:, 1]
    kept = 0.5 * ((scale_seen == table[:, 1]) + 1.0 * (place_seen == table[:, 2])).mean()
    assert float(shape["sparsity"]) == pytest.approx(kept)
    # The image's error: 8 pixels of (scale_seen - scale) / 4, 48 of (place_seen - place) / 8.
    error = 8 * ((scale_seen - table[:, 1]) / 4) ** 2 + 48 * ((place_seen - table[:, 2]) / 8) ** 2
    assert float(shape["floor"]) == pytest.approx(error.mean(), rel=1e-5)
    assert float(shape["error"]) == pytest.approx(error.mean(), rel=1e-5)
    # An edited scale is drawn as the place; the scale drawn is the old place, up to 3. It is the
    # wanted one, one of three others, a third of the time where it is not the old one: a quarter.
    scale = found.values["scale"]
    assert float(scale["validity"]) == pytest.approx(0.25, abs=0.18)
    # The code is the one of the truth, which is drawn as wrongly: no error is above its floor.
    assert float(scale["error"]) == pytest.approx(float(scale["floor"]), rel=1e-4)


def test_what_is_not_in_the_code_has_no_gain(data):
    blind = torch.eye(3)
    blind[0, 0] = 1e-12
    found = counterfactuals(made(Known, data, mix=blind), data, probe=False, n=96)
    assert float(found.values["shape"]["gain"]) == pytest.approx(0, abs=1e-6)
    assert float(found.values["shape"]["proximity"]) == pytest.approx(0, abs=1e-6)
    assert "validity" not in found.values["shape"]


def test_truth_is_looked_up_rendered_or_given(data):
    some = data.factors[[5, 77]]
    torch.testing.assert_close(renderer_of(data)(some), render(some))
    torch.testing.assert_close(renderer_of(data.split(0.5)[0])(some), render(some))
    half = ut.FactorDataset.from_arrays(render(data.factors[:40]), data.factors[:40])
    with pytest.raises(ValueError, match="does not hold every combination of its factors once"):
        counterfactuals(made(Known, half), half, probe=False)
    tunnel = ut.data.LightTunnel(n=20)
    torch.testing.assert_close(
        renderer_of(tunnel)(tunnel.factors[:3]), tunnel.observations([0, 1, 2])
    )
    sprites = ut.data.DSprites()
    factors = np.array([[2, 5, 0, 16, 16]])
    assert (
        int(renderer_of(ut.data.Slice(sprites, {"orientation": 0}))(factors[:, [0, 1, 3, 4]]).sum())
        == 226
    )


def test_controls_and_truth_may_be_given(data):
    method = made(Known, data)
    controls = Controls.fit(method, data, probe=False)
    half = data.subset(range(0, 96, 2))
    found = counterfactuals(method, half, controls=controls, probe=False, truth=render, n=30)
    assert float(found.values["all"]["gain"]) == pytest.approx(1, abs=1e-4)
