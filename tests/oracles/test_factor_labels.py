"""What is read as a factor's value, and what as unknown: signs, sentinels, masks and texts."""

import numpy as np
import pandas as pd
import pytest

from untwine import metrics
from untwine.metrics import METRICS
from untwine.metrics._estimators.arrays import as_factors, factor_parts, sentinel

SIGNED = np.tile(np.arange(-2, 3), 200)
SUPERVISED = [name for name, metric in METRICS.items() if "factors" in metric.needs]


def test_signed_labels_are_values():
    square = (SIGNED**2)[:, None] * 1.0
    assert float(metrics.mcc(square, SIGNED)) < 0.01
    noise = np.random.default_rng(0).normal(size=1000)
    beside = metrics.mcc(square, np.stack([SIGNED, noise], axis=1))
    assert beside.parts["matrix"][0, 0] == pytest.approx(0.0, abs=1e-12)
    assert "unknown_rows_left_out" not in beside.protocol


def test_labels_of_minus_one_and_one():
    label = np.tile([-1, 1], 100)
    code = label[:, None] * 0.5
    with pytest.raises(ValueError, match="100 are unknown"):
        metrics.mig(code, label)
    assert float(metrics.mig(code, label, unknown=None)) == pytest.approx(1.0)
    scores = metrics.evaluate(code, label, ["mig", "mcc", "sap"], unknown=None)
    assert [scores[name].value for name in ("mig", "mcc")] == pytest.approx([1.0, 1.0])
    assert scores["sap"].value == pytest.approx(metrics.sap(code, label, unknown=None).value)
    with pytest.raises(ValueError, match="give it to evaluate"):
        metrics.evaluate(code, label, {"mig": {"unknown": None}})


@pytest.mark.parametrize("marked", [-9, 99, np.nan])
def test_a_sentinel_of_ones_own(marked):
    factors = np.stack([np.arange(60) % 3, np.arange(60) % 4], axis=1).astype(float)
    codes = factors.copy()
    factors[::5, 1] = marked
    score = metrics.mig(codes, factors, unknown=marked)
    assert score.protocol["unknown_rows_left_out"] == [0, 12]
    assert score.value == metrics.mig(codes, np.where(factors == marked, -1, factors)).value or (
        np.isnan(marked)
    )


@pytest.mark.parametrize("name", SUPERVISED)
def test_every_metric_takes_unknown(name):
    metric = METRICS[name]
    assert metric.settings["unknown"] == -1
    assert metric.function.__doc__.count("unknown: The value that means unknown") == 1


def test_what_is_read_once_is_read_the_same_again():
    rng = np.random.default_rng(0)
    for _ in range(200):
        values = rng.integers(-2, 3, (6, 2)) * rng.choice([1.0, 0.5]) + rng.choice([0, 1, 2])
        for unknown in (-1, None, 2):
            once = as_factors(values, unknown=unknown)
            again = as_factors(once, unknown=sentinel(once))
            assert once.dtype == again.dtype
            np.testing.assert_array_equal(once, again)


def test_both_parts_are_read_together():
    learn, judge = np.array([-2, -1, 0, 1]), np.array([-1, 0])  # alone, -1 would be unknown
    one, two = factor_parts(learn, judge)
    assert one.ravel().tolist() == [-2, -1, 0, 1]
    assert two.ravel().tolist() == [-1, 0]
    texts = factor_parts(pd.DataFrame({"a": ["x", "y", "z"]}), pd.DataFrame({"a": ["z"]}))
    assert texts[1].tolist() == [[2]]
    with pytest.raises(ValueError, match="2 columns but factors_test has 1"):
        factor_parts(np.zeros((3, 2)), judge)


def test_masks_count():
    factors = np.ma.masked_array(np.arange(60) % 3, mask=np.arange(60) % 5 == 0)
    codes = np.asarray(factors.data)[:, None] * 1.0
    assert metrics.mig(codes, factors).protocol["unknown_rows_left_out"] == [12]
    with pytest.raises(ValueError, match=r"codes\[0, 0\] is nan"):
        metrics.mig(np.ma.masked_array(codes, mask=factors.mask[:, None]), np.arange(60) % 3)


@pytest.mark.parametrize("kind", [np.array, pd.Series, list, lambda texts: np.array(texts, object)])
def test_texts_are_labels(kind):
    number = np.arange(60) % 3
    texts = kind([["cat", "dog", "fox"][i] for i in number])
    codes = np.random.default_rng(0).normal(size=(60, 2)) + number[:, None]
    assert metrics.mig(codes, texts).value == metrics.mig(codes, number).value
    assert metrics.evaluate(codes, texts, "mig")["mig"].value == metrics.mig(codes, number).value


def test_missing_texts_and_numbers_beside_none():
    assert as_factors(np.array(["b", None, "a"], object)).ravel().tolist() == [1, -1, 0]
    assert as_factors(np.array(["b", "?", "a"]), unknown="?").ravel().tolist() == [1, -1, 0]
    assert as_factors(np.array([0, 2, 10, None, 2], object)).ravel().tolist() == [0, 2, 10, -1, 2]
    assert as_factors(pd.Series(["b", pd.NA, "a"])).ravel().tolist() == [1, -1, 0]
    sizes = pd.Categorical(["small", "large", "medium"], ["small", "medium", "large"], ordered=True)
    assert as_factors(pd.DataFrame({"size": sizes})).ravel().tolist() == [0, 2, 1]


def test_clusters_in_a_column():
    label = np.arange(40) % 2
    codes = np.zeros((40, 1))
    for name in ("ari", "nmi", "cluster_accuracy"):
        assert METRICS[name].function(codes, label, clusters=label[:, None]).value == 1.0
