"""Rows that repeat others: the value without the copies, a warning, or a split by group."""

import warnings

import numpy as np
import pytest

from untwine import metrics
from untwine.metrics import METRICS
from untwine.metrics._estimators.selection import split, without_copies

SPLITS = [name for name, metric in METRICS.items() if metric.takes("groups")]
QUICK = {"dci": {"predictor": "fast"}, "readout": {"blocks": [[0], [1, 2]]}}
QUICK |= {
    name: {"predictor": "logistic"}
    for name in ("downstream_accuracy", "unfairness", "sample_efficiency")
}
QUICK["sample_efficiency"]["few"] = 50


def world(n=500, noise=0.3):
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 4, (n, 3))
    return factors + noise * rng.normal(size=factors.shape), factors


def call(name, codes, factors, **settings):
    return METRICS[name].call(codes, factors, seed=0, settings=QUICK.get(name, {}) | settings)


@pytest.mark.parametrize("name", [*SPLITS, "infomec"])
def test_the_same_data_twelve_times(name):
    codes, factors = world()
    with warnings.catch_warnings(action="error"):
        copied = call(name, np.tile(codes, (12, 1)), np.tile(factors, (12, 1)))
    assert copied.value == call(name, codes, factors).value
    assert copied.protocol["copies_left_out"] == 11 * 500


def test_between_blocks():
    codes, _ = world()
    codes[:, 1] += codes[:, 0]
    once, often = (
        metrics.block_mutual_information(np.tile(codes, (times, 1)), [[0], [1]])
        for times in (1, 12)
    )
    assert once.value == often.value > 0.1
    assert "copies_left_out" not in once.protocol


@pytest.mark.parametrize(("name", "words"), [("dci", "groups="), ("infomec", "nearest neighbor")])
def test_copies_of_some_rows_are_warned_of(name, words):
    codes, factors = world()
    rows = np.concatenate([np.arange(500), np.arange(100)])
    with pytest.warns(UserWarning, match=f"{name}: 17% of the rows repeat others; .*{words}"):
        call(name, codes[rows], factors[rows])


NEIGHBORS = {
    "lisi": {},
    "kbet": {},
    "graph_connectivity": {},
    "latent_matching": {},
    "isolated_labels_f1": {"batch": np.arange(500) % 3},
}


@pytest.mark.parametrize("name", NEIGHBORS)
def test_metrics_of_neighborhoods_leave_copies_out(name):
    codes, factors = world(noise=1.0)
    label = factors[:, 0]
    some = np.concatenate([np.arange(500), np.arange(100)])
    at_random = NEIGHBORS[name]
    often, partly = (
        {key: value[rows] for key, value in at_random.items()}
        for rows in (np.tile(np.arange(500), 12), some)
    )
    with warnings.catch_warnings(action="error"):
        once = call(name, codes, label, **at_random)
        copied = call(name, np.tile(codes, (12, 1)), np.tile(label, 12), **often)
    assert copied.value == once.value
    assert copied.protocol["copies_left_out"] == 11 * 500
    assert "copies_left_out" not in once.protocol
    with pytest.warns(UserWarning, match=f"{name}: 17% of the rows repeat others; .*neighbor"):
        call(name, codes[some], label[some], **partly)


def test_a_cell_in_two_labels_is_no_copy():
    codes, factors = world(noise=1.0)
    twice, batch = np.tile(codes, (2, 1)), np.tile(factors[:, 0], 2)
    score = metrics.kbet(twice, batch, within=np.repeat([0, 1], 500))
    assert "copies_left_out" not in score.protocol


def test_values_of_a_discrete_code_are_no_copies():
    factors = np.stack(np.meshgrid(range(4), range(5), range(6)), -1).reshape(-1, 3)
    codes = np.tile(factors / 7.0, (9, 1))
    with warnings.catch_warnings(action="error"):
        assert without_copies("mig", codes, np.tile(factors, (9, 1)), split=True) is None
        assert without_copies("mig", factors[:, :1] / 7.0, split=True) is None


def test_noise_is_at_chance_where_rows_of_a_group_stay_together():
    rng = np.random.default_rng(0)
    group = np.arange(3000) % 250  # views of 250 objects: all nearly alike
    factor = rng.integers(0, 4, 250)[group]
    codes = rng.normal(size=(250, 3))[group] + 1e-3 * rng.normal(size=(3000, 3))
    leaky = metrics.downstream_accuracy(codes, factor, predictor="fast").value
    score = metrics.downstream_accuracy(codes, factor, predictor="fast", groups=group)
    assert leaky > 0.7
    assert score.value < 0.4
    assert score.protocol["test_rows"] == "split of the given rows, by group"
    again = metrics.evaluate(codes, factor, ["downstream_accuracy"], groups=group)
    assert again["downstream_accuracy"].value < 0.45


@pytest.mark.parametrize("train", [None, 100, 5_000])
def test_no_group_is_in_both_parts(train):
    groups = np.random.default_rng(0).integers(0, 40, 600).astype(str)
    learn, judge = split(600, train, 50 if train else None, 3, metric="r2", groups=groups)
    assert not set(groups[learn]) & set(groups[judge])
    assert len(learn) > 50
    assert len(judge) >= 1


def test_groups_are_checked():
    codes, factors = world()
    with pytest.raises(ValueError, match="single label"):
        metrics.r2(codes, factors, groups=np.zeros(500))
    with pytest.raises(ValueError, match=r"shape \(3,\); expected one label for each of 500"):
        metrics.r2(codes, factors, groups=[0, 1, 2])
    with pytest.raises(ValueError, match="codes_test= is given"):
        metrics.r2(codes, factors, codes_test=codes, factors_test=factors, groups=np.arange(500))
    with pytest.raises(ValueError, match="expected a label for each of 500 rows"):
        metrics.evaluate(codes, factors, ["r2"], groups=[0, 1, 2])
