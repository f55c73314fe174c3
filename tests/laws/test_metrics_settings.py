"""Every setting of every metric has a declared range, and what is outside is refused by name."""

import importlib
from dataclasses import replace

import numpy as np
import pytest

import untwine.metrics as metrics
from untwine.metrics import METRICS
from untwine.metrics.ranges import number, one_of, several, switch, whole

#: Arguments that are data, checked where they are read.
ARRAYS = {"codes_test", "factors_test", "blocks", "stddev", "clusters", "within", "groups"}
ALL = [(name, setting) for name, metric in METRICS.items() for setting in metric.settings]


@pytest.mark.parametrize(("name", "setting"), ALL)
def test_each_setting_has_a_range_with_its_default(name, setting):
    metric = METRICS[name]
    if setting in ARRAYS:
        return
    metric.ranges[setting].check(name, setting, metric.settings[setting])
    if setting in metric.suite:
        metric.ranges[setting].check(name, setting, metric.suite[setting])


def test_ranges_are_of_settings_and_hold_the_protocols():
    for name, metric in METRICS.items():
        assert set(metric.ranges) <= set(metric.settings)
        module = importlib.import_module(f"untwine.metrics._{name}")
        for protocol, settings in getattr(module, "PROTOCOLS", {}).items():
            metric.ranges["protocol"].check(name, "protocol", protocol)
            for setting, value in settings.items():
                if setting in metric.ranges:
                    metric.ranges[setting].check(name, setting, value)


@pytest.mark.parametrize(
    ("allowed", "inside", "outside"),
    [
        (whole(1), [1, np.int64(3)], [0, -1, 1.0, True, np.bool_(True), "1", None, [1]]),
        (whole(2, none=True), [None, 2], [1]),
        (number(0), [0, 0.5, np.float32(1)], [-1e-9, np.nan, np.inf, "0", True, None]),
        (number(0, 1, above=True), [1e-9, 1], [0, 1.1]),
        (number(0, 1, below=True), [0, 0.99], [1]),
        (number(0, above=True, words=("cv",)), ["cv", 1], ["c", 0]),
        (one_of("a", "b"), ["a"], ["c", None, 1, ["a"]]),
        (switch(), [True, np.bool_(False)], [0, 1, [0], None]),
        (several(whole(1)), [(), [1, 2], np.array([3])], [[0], "1", 1]),
    ],
)
def test_ranges(allowed, inside, outside):
    for value in inside:
        allowed.check("mig", "setting", value)
    for value in outside:
        with pytest.raises(ValueError, match=r"mig: setting is .*; expected "):
            allowed.check("mig", "setting", value)


def test_a_range_in_words():
    assert str(whole(2, none=True)) == "a whole number of at least 2, or None"
    assert str(one_of("a", "b", "c")) == "'a', 'b' or 'c'"
    assert str(number(0, 1, below=True)) == "a number from 0 to below 1"


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("lisi", {"perplexity": 0}),
        ("infomec", {"neighbors": 0}),
        ("dci", {"train": -5}),
        ("mcc", {"points": 1}),
        ("irs", {"bins": 0}),
        ("sap", {"C": -1}),
        ("dci", {"components": 0}),
        ("nmi", {"restarts": 0}),
        ("r2", {"alpha": -1}),
        ("mig", {"continuous_factors": [0]}),
        ("z_max_var", {"threshold": np.nan}),
        ("explicitness", {"seed": None}),
    ],
)
def test_what_gave_a_number_or_a_foreign_error_is_refused(name, settings):
    codes = np.random.default_rng(0).normal(size=(60, 2))
    ((setting, _),) = settings.items()
    with pytest.raises(ValueError, match=f"{name}: {setting} is .*; expected "):
        METRICS[name].function(codes, np.arange(60) % 3, **settings)


def test_no_more_neighbors_than_points():
    rng = np.random.default_rng(0)
    codes, factors = rng.normal(size=(500, 3)), rng.integers(0, 3, (500, 2))
    with pytest.raises(ValueError, match="more than 10000 points; got 500: lower neighbors="):
        metrics.infomec(codes, factors, neighbors=10_000)
    # more than a class has: all the others of it
    every = metrics.infomec(codes, factors, neighbors=400).parts["nmi"]
    assert np.isfinite(every).all()


def test_a_metric_that_fails_is_a_row_and_the_others_stay(monkeypatch):
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (500, 2))
    codes = factors + 0.1 * rng.normal(size=(500, 2))

    def broken(codes, factors, *, bins=20):
        raise TypeError("a fault")

    monkeypatch.setitem(METRICS, "sap", replace(METRICS["sap"], function=broken))
    names = {"mig": {}, "infomec": {"neighbors": 10_000}, "modularity": {"bins": 0}, "sap": {}}
    with pytest.warns(UserWarning, match="sap failed with TypeError: a fault"):
        scores = metrics.evaluate(codes, factors, names, confidence=0.9, repeats=2)
    assert scores["mig"].value == metrics.mig(codes, factors).value
    assert list(scores) == ["mig"]
    assert scores.failed == ("infomec", "modularity", "sap")
    assert "failed with TypeError: a fault" in str(scores)
    frame = scores.to_frame()
    assert list(frame.index) == ["mig", "infomec", "modularity", "sap"]
    assert frame.loc["modularity", "protocol"] == (
        "failed: modularity: bins is 0; expected a whole number of at least 2"
    )
    assert type(scores).from_json(scores.to_json()).failed == scores.failed


def test_a_metric_that_the_data_is_not_about_is_skipped_and_has_not_failed():
    rng = np.random.default_rng(0)
    diagonal = np.repeat(np.arange(6), 20)[:, None].repeat(2, 1)
    codes = diagonal + 0.1 * rng.normal(size=diagonal.shape)
    scores = metrics.evaluate(codes, diagonal, ["mig", "flatness"])
    assert scores.failed == ()
    assert "has no complete traversal" in scores.skipped["flatness"]
    assert "flatness: skipped, factor 0 has no complete traversal" in str(scores)
    continuous = codes + rng.normal(size=codes.shape)
    scores = metrics.evaluate(codes, continuous, ["mig", "explicitness", "dci", "unfairness"])
    assert scores.failed == ()
    assert set(scores.skipped) == {"explicitness", "unfairness"}
