"""Controls of codes that are known: what they find, what they make, and what they refuse."""

import numpy as np
import pytest
import torch

import untwine as ut
from untwine.use import Controls

from .controls_toys import ExactProbe, Known, Parts, factors_of, made, render, rotation, world


@pytest.fixture(scope="module")
def data():
    return world()


@pytest.fixture(scope="module")
def controls(data):
    return Controls.fit(made(Known, data), data, probe=ExactProbe(data))


def test_a_code_that_is_the_factors_is_found_dimension_by_dimension(controls):
    for k, one in enumerate(controls.controls):
        assert (one.kind, one.where, one.directions) == ("dimension", f"z{k}", 1)
        assert one.score > 0.99
        assert one.interval[0] <= one.score <= one.interval[1]
    assert [one.sign for one in controls.controls] == [0, 1, 1]
    assert controls["scale"].monotone == pytest.approx(1)
    assert (controls["place"].code_low, controls["place"].code_high) == pytest.approx((0, 7))
    np.testing.assert_allclose(controls.effects, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(controls.effects_low, np.eye(3), atol=1e-5)
    assert "z1" in str(controls)
    assert len(controls.table()) == 3


def test_an_edit_is_the_rendered_truth_and_changes_nothing_else(controls, data):
    x, table = data.observations(range(96)), data.factors
    edited = controls.set(x, shape="ellipse", place=3)
    truth = table.copy()
    truth[:, 0], truth[:, 2] = 1, 3
    torch.testing.assert_close(edited.images, render(truth), atol=1e-4, rtol=0)
    torch.testing.assert_close(edited.before, x)
    changes = edited.changes()
    assert changes.loc["scale", "changed"] == pytest.approx(0, abs=1e-3)
    assert changes.loc["shape", "left"] == 0
    assert changes.loc["shape", "to_go"] == pytest.approx(2 / 3)
    assert changes.loc["place", "probe"] == 1
    assert "shape = ellipse" in str(edited)


def test_values_between_levels_and_one_for_each(controls, data):
    x = data.observations([0, 50])
    edited = controls.set(x, scale=torch.tensor([0.5, 2.25]))
    np.testing.assert_allclose(factors_of(edited.images)[:, 1], [0.5, 2.25], atol=1e-4)


def test_directions_of_a_turned_code_make_the_truth_too(data):
    method = made(Known, data, mix=rotation())
    controls = Controls.fit(method, data, probe=ExactProbe(data))
    kinds = {one.kind for one in controls.controls}
    assert kinds == {"direction"}
    edited = controls.set(data.observations(range(96)), place=6)
    truth = data.factors.copy()
    truth[:, 2] = 6
    np.testing.assert_allclose(factors_of(edited.images)[:, 1:], truth[:, 1:], atol=0.05)


def test_the_change_is_the_least_that_gives_the_reading(controls, data):
    # W^T z' is W^T mu(v), and P spans the change: an identity of the formula.
    lever = Controls.fit(made(Known, data, mix=rotation(1)), data, probe=False).levers[2]
    z = np.random.default_rng(0).normal(size=(5, 3))
    moved = lever.moved(z, np.full(5, 4.0))
    np.testing.assert_allclose(
        moved @ lever.weight, lever.curve.at(np.full(5, 4.0)) @ lever.weight, rtol=1e-9
    )
    np.testing.assert_allclose(lever.weight.T @ lever.pattern, np.eye(lever.pattern.shape[1]))


def test_a_part_of_classes_is_set_as_a_class(data):
    controls = Controls.fit(made(Parts, data), data, probe=ExactProbe(data))
    assert (controls["shape"].kind, controls["shape"].where) == ("part", "part kind")
    assert controls["place"].where == "z4"
    edited = controls.set(data.observations(range(96)), shape="heart")
    assert edited.codes[:, :3].tolist() == [[0, 0, 1]] * 96
    np.testing.assert_allclose(controls.effects, np.eye(3), atol=1e-5)


def test_arithmetic_and_transfer(data):
    controls = Controls.fit(made(Parts, data), data, probe=False)
    x = data.observations(range(96))
    index = data.space.index
    square_small, heart_large = (x[[int(index(f))]] for f in ([0, 0, 2], [0, 3, 2]))
    edited = controls.arithmetic(x[[int(index([1, 0, 5]))]], minus=square_small, plus=heart_large)
    np.testing.assert_allclose(factors_of(edited.images), [[1, 3, 5]], atol=1e-5)
    a, b = x[[int(index([1, 0, 5]))]], x[[int(index([2, 3, 1]))]]
    for take, expected in (
        (["kind"], [2, 0, 5]),
        (["rest"], [1, 3, 1]),
        (["scale"], [1, 3, 5]),
        ("place", [1, 0, 1]),
    ):
        images = controls.transfer(a, b, take).images
        np.testing.assert_allclose(factors_of(images), [expected], atol=1e-4)
    assert edited.read is None
    with pytest.raises(ValueError, match="probe=True"):
        edited.changes()


def test_a_way_along_seams_moves_one_dimension_at_a_time(controls, data):
    x = data.observations(range(96))
    index = data.space.index
    a, b = x[[int(index([1, 0, 0]))]], x[[int(index([1, 3, 7]))]]
    way = factors_of(controls.along_seams(a, b, steps=9)[0])
    np.testing.assert_allclose(way[[0, -1]], [[1, 0, 0], [1, 3, 7]], atol=1e-5)
    moves = (way[1:] - way[:-1]).abs() > 1e-4
    assert (moves.sum(1) <= 2).all()  # two where a leg ends between positions
    assert (moves.sum(1) == 1).sum() >= 7
    # place lights 48 pixels by 1/8 a level, scale 8 by 1/4: its seam is longer, and goes first.
    assert moves[0].tolist() == [False, False, True]
    distance = (controls.along_seams(a, b, steps=9)[0]).diff(dim=0).flatten(1).norm(dim=1)
    assert distance[0] == pytest.approx(float(distance[1]), rel=1e-3)


def test_augmentation_has_the_images_of_its_labels(controls, data):
    made_data = controls.augment(data, "scale", copies=2, seed=3)
    assert len(made_data) == 3 * 96
    assert made_data.values == data.values
    assert made_data.space.kinds == data.space.kinds
    torch.testing.assert_close(
        made_data.observations(range(288)), render(made_data.factors), atol=1e-4, rtol=0
    )
    assert (made_data.factors[96:, [0, 2]] == np.tile(data.factors[:, [0, 2]], (2, 1))).all()
    only = controls.augment(data, "shape", values=["heart"], originals=False)
    assert (only.factors[:, 0] == 2).all()


def test_what_is_nowhere_in_the_code_cannot_be_set(data):
    blind = torch.eye(3)
    blind[0, 0] = 1e-12  # the shape is not in the code
    controls = Controls.fit(made(Known, data, mix=blind), data, probe=ExactProbe(data))
    assert controls["shape"].kind == "none"
    assert controls["scale"].kind == "dimension"
    with pytest.raises(ValueError, match="nothing in the code follows 'shape'"):
        controls.set(data.observations([0]), shape="heart")
    np.testing.assert_allclose(controls.effects[0], 0, atol=1e-5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shap": 1}, "did you mean 'shape'"),
        ({"shape": "elipse"}, "shape is 'elipse'; expected one of .*: did you mean 'ellipse'"),
        ({"shape": 3}, "shape is 3; expected 0 to 2, or one of square, ellipse, heart"),
        ({"shape": 0.5}, "its values are names"),
        ({"place": 7.5}, "place is 7.5; expected 0 to 7"),
        ({"place": [1, 2]}, "place has 2 values for 1 observations"),
        ({}, "no factor is set; expected some of shape, scale, place"),
    ],
)
def test_refusals(controls, data, values, message):
    with pytest.raises(ValueError, match=message):
        controls.set(data.observations([0]), **values)


def test_numbers_that_are_words():
    scale = ut.use.factors.FactorScale("scale", 0, 3, "ordinal", ("0.5", "0.6", "1.0"), 0, 2)
    assert scale.parse(0.8) == pytest.approx(1.5)
    assert scale.parse("0.6") == 1
    assert scale.written(1.5) == "0.8"
    with pytest.raises(ValueError, match=r"scale is 1\.1; expected a number from 0.5 to 1"):
        scale.parse(1.1)


def test_codes_without_a_decoder_are_refused(data):
    class Blind:
        def represent(self, x):
            return ut.distributions.Point(x.flatten(1))

    with pytest.raises(TypeError, match="Blind has no decode"):
        Controls.fit(Blind(), data)


def test_angles_go_round():
    scale = ut.use.factors.FactorScale("hue", 0, 8, "angle", (), 0, 7)
    assert scale.distance(np.array([7.0]), np.array([0.0])) == 1
    values = np.arange(8.0)
    np.testing.assert_allclose(scale.values_of(scale.coordinates(values)), values, atol=1e-9)
    z = scale.coordinates(np.repeat(values, 20))
    lever = ut.use.steering.fit_lever(z, np.repeat(values, 20), scale, [0, 1])
    moved = lever.moved(z, np.full(160, 7.0))
    np.testing.assert_allclose(moved, scale.coordinates(np.full(160, 7.0)), atol=1e-3)


@pytest.mark.parametrize("name", ["M2", "JointVAE", "MLVAE", "QLAE", "AAE", "GaussianMixtureVAE"])
def test_trained_or_not_methods_of_all_sorts_are_edited(name):
    from ..laws.conftest import make_data

    images = make_data()
    method = getattr(ut.methods, name).build(images, latent_dim=4, seed=0)
    probe = ut.use.Probe.fit(images, steps=5)
    controls = Controls.fit(method, images, probe=probe, shown=10, resamples=10)
    assert controls.effects.shape == (3, 3)
    for one in controls.controls:
        if one.kind != "none":
            edited = controls.set(images.observations([0, 1]), **{one.factor: one.high})
            assert edited.images.shape == (2, 1, 16, 16)
            assert torch.isfinite(edited.images).all()
