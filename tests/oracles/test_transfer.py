"""Curves of transfer: against a Bayes classifier, by hand, and what cannot be compared."""

import numpy as np
import pytest
from scipy.stats import norm, ttest_1samp

from untwine.use import transfer_curve, transfer_curves


def two_classes(n, seed, shift=0.0):
    """N(-1, 1) and N(1, 1) in the first of two dimensions, both moved by a shift."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    return rng.normal(size=(n, 2)) + np.stack([2 * y - 1 + shift, 0 * y], 1), y


def test_many_labels_reach_the_bayes_classifier_and_a_shift_costs_what_it_must():
    z, y = two_classes(5000, 0)
    near, y_near = two_classes(20_000, 1)
    far, y_far = two_classes(20_000, 2, shift=1.0)
    curve = transfer_curve({"z": z}, y, {"z": near}, y_near, labels=[10, 2000], draws=5)
    few, many = curve.mean("z")
    assert many == pytest.approx(norm.cdf(1), abs=0.01)
    assert few < many
    moved = transfer_curve({"z": z}, y, {"z": far}, y_far, labels=[2000], draws=5)
    assert moved.mean("z")[0] == pytest.approx((norm.cdf(0) + norm.cdf(2)) / 2, abs=0.015)
    assert curve.chance == pytest.approx(0.5, abs=0.02)


def test_intervals_are_students_and_pairs_share_their_draws():
    z, y = two_classes(1000, 0)
    test, y_test = two_classes(500, 1)
    codes, codes_test = {"z": z, "again": z, "noise": z[:, 1:]}, {"z": test, "again": test}
    codes_test["noise"] = test[:, 1:]
    curve = transfer_curve(codes, y, codes_test, y_test, labels=[20], draws=8)
    expected = ttest_1samp(curve.accuracy["z"][0], 0).confidence_interval(0.95)
    np.testing.assert_allclose(curve.interval("z")[0], expected)
    mean, ends = curve.gain("again", "z")
    assert mean[0] == 0
    assert ends[0].tolist() == [0, 0]
    assert curve.gain("z", "noise")[1][0, 0] > 0
    assert "chance" in str(curve)


def test_a_class_that_no_label_shows_is_a_mistake():
    z = np.arange(30.0)[:, None]
    y = np.array(["a"] * 29 + ["b"])
    curve = transfer_curve({"z": z}, y, {"z": z[-2:]}, y[-2:], labels=[1], draws=2, seed=3)
    assert curve.mean("z")[0] == 0.5
    whole = transfer_curve({"z": z}, y, {"z": z}, y, labels=[30, 99], draws=2)
    assert whole.labels.tolist() == [30]
    assert np.ptp(whole.accuracy["z"]) == 0


def test_what_does_not_fit_is_refused():
    z, y = two_classes(20, 0)
    with pytest.raises(ValueError, match="expected the same names"):
        transfer_curve({"a": z}, y, {"b": z}, y)
    with pytest.raises(ValueError, match=r"codes_test of 'a' has shape \(20, 1\)"):
        transfer_curve({"a": z}, y, {"a": z[:, :1]}, y)
    with pytest.raises(ValueError, match="predictor is 'svm'"):
        transfer_curve({"a": z}, y, {"a": z}, y, predictor="svm")
    with pytest.raises(ValueError, match="expected the same names"):
        transfer_curves({"a": z}, y, {"near": ({"a": z}, y), "far": ({}, y)})


def test_domains_together_are_those_one_by_one():
    z, y = two_classes(400, 0)
    near, far = two_classes(300, 1), two_classes(200, 2, shift=1.0)
    tests = {"near": ({"z": near[0]}, near[1]), "far": ({"z": far[0]}, far[1])}
    options = {"labels": [10, 400], "draws": 3, "seed": 4}
    together = transfer_curves({"z": z}, y, tests, **options)
    for name, (codes, target) in tests.items():
        alone = transfer_curve({"z": z}, y, codes, target, **options)
        np.testing.assert_array_equal(alone.accuracy["z"], together[name].accuracy["z"])
        assert alone.chance == together[name].chance


def test_ridge_explains_the_variance_that_is_not_noise_and_none_where_there_is_none():
    rng = np.random.default_rng(0)
    z, z_test = rng.normal(size=(3000, 4)), rng.normal(size=(20_000, 4))
    weights = np.array([1.0, -2.0, 0.0, 0.5])  # their squares sum to 5.25; the noise's is 1.75
    y, y_test = (x @ weights + rng.normal(size=len(x)) * 1.75**0.5 for x in (z, z_test))
    noise = {"z": rng.normal(size=z.shape)}, {"z": rng.normal(size=z_test.shape)}
    curve = transfer_curve(
        {"z": z, "none": noise[0]["z"]},
        y,
        {"z": z_test, "none": noise[1]["z"]},
        y_test,
        labels=[5, 3000],
        draws=3,
        predictor="ridge",
    )
    few, many = curve.mean("z")
    assert many == pytest.approx(0.75, abs=0.015)
    assert 0 <= few < many
    assert curve.mean("none")[1] < 0.01
    assert curve.chance == 0
