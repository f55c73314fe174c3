"""`evaluate`: the same numbers as the metrics alone, intervals that cover, reasons for gaps."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import untwine as ut
from untwine import metrics
from untwine.evaluation import Evaluation, evaluate
from untwine.evaluation.confidence import half_sample, interval
from untwine.evaluation.read import Table
from untwine.metrics import GROUPS, METRICS

RUNS = ("udr", "model_centrality", "consistency")
QUICK = {
    "beta_vae_score": {"train": 200, "test": 100},
    "factor_vae_score": {"votes": 200, "test_votes": 100},
    "mig": {},
    "modularity": {},
    "dci": {"predictor": "logistic"},
    "sap": {},
    "gaussian_total_correlation": {},
}


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(size, size=900) for size in (3, 4, 5)], axis=1)
    codes = factors @ rng.normal(size=(3, 4)) + 0.2 * rng.normal(size=(900, 4))
    return codes, factors


# values


def test_each_score_is_the_metric_s_own(world):
    codes, factors = world
    scores = evaluate(codes, factors, QUICK)
    assert list(scores) == list(QUICK)
    for name, settings in QUICK.items():
        if name == "gaussian_total_correlation":
            expected = metrics.gaussian_total_correlation(codes)
        else:
            expected = getattr(metrics, name)(codes, factors, **settings)
        assert scores[name].value == expected.value
        assert scores[name].seconds > 0
        assert scores[name].protocol == expected.protocol


def test_codes_tables_tensors_and_frames_give_the_same(world):
    codes, factors = world
    names = ("a", "b", "c")
    frame = pd.DataFrame(factors, columns=list(names))
    space = ut.FactorSpace(names, (3, 4, 5))
    results = [
        evaluate(codes, factors, ["mig", "mcc"], names=names),
        evaluate(torch.tensor(codes), torch.tensor(factors), ["mig", "mcc"], names=names),
        evaluate(pd.DataFrame(codes), frame, ["mig", "mcc"]),
        evaluate(ut.Codes(codes, None, factors, space), metrics=["mig", "mcc"]),
        evaluate(Table(codes, factors, names), metrics="mig, mcc"),
    ]
    for result in results:
        assert result.names == names
        assert result["mig"].value == results[0]["mig"].value
        assert result["mcc"].value == results[0]["mcc"].value
        assert list(result.per_factor().columns) == list(names)


def test_points_draws_rows_and_the_test_part_is_others(world):
    codes, factors = world
    settings = {"mig": {}, "sap": {}, "factor_vae_score": QUICK["factor_vae_score"]}
    scores = evaluate(codes, factors, settings, points=400, seed=3)
    rows = np.sort(np.random.default_rng(3).permutation(900)[:400])
    assert scores["mig"].value == metrics.mig(codes[rows], factors[rows]).value
    assert scores["sap"].protocol["train"] == 400
    assert scores["sap"].protocol["test"] == 200
    whole = metrics.factor_vae_score(codes, factors, seed=3, **QUICK["factor_vae_score"])
    assert scores["factor_vae_score"].value == whole.value


def test_a_separate_test_part_is_used(world):
    codes, factors = world
    split = {"codes_test": codes[600:], "factors_test": factors[600:]}
    scores = evaluate(codes[:600], factors[:600], ["sap"], **split)
    expected = metrics.sap(codes[:600], factors[:600], **split)
    assert scores["sap"].value == expected.value


def test_settings_labels_and_the_exact_predictor(world):
    codes, factors = world[0][:90], world[1][:90] % 2
    scores = evaluate(
        codes,
        factors,
        {"few": {"metric": "mig", "bins": 4}, "many": {"metric": "mig", "bins": 40}},
    )
    assert scores["few"].protocol["bins"] == 4
    assert scores["many"].protocol["bins"] == 40
    assert evaluate(codes, factors, ["dci"])["dci"].protocol["predictor"] == "fast"
    assert evaluate(codes, factors, ["dci"], exact=True)["dci"].protocol["predictor"] == "boosting"
    own = evaluate(codes, factors, {"dci": {"predictor": "lasso"}})
    assert own["dci"].protocol["predictor"] == "lasso"


def test_discrete_codes_are_their_own_bins(world):
    codes, factors = world[1] * 1.0, world[1]
    codes[:, 0] *= np.where(factors[:, 0] == 2, 50, 1)  # 0, 1, 100: two of 20 bins
    assert evaluate(codes, factors, ["mig"])["mig"].value < 0.95
    discrete = evaluate(codes, factors, ["mig", "mcc"], discrete_codes=True)
    assert discrete["mig"].value == metrics.mig(codes, factors, discrete_codes=True).value > 0.98


def test_the_suite_runs_whole_on_partly_missing_and_continuous_factors(world):
    codes, factors = world
    mixed = factors.astype(np.float64)
    mixed[:, 2] += np.random.default_rng(0).normal(size=900)
    mixed[np.random.default_rng(1).random((900, 3)) < 0.1] = np.nan
    small = {name: QUICK.get(name, {}) for name in GROUPS["all"]}
    small["unfairness"] = small["sample_efficiency"] = {"predictor": "logistic"}
    small["dci"] = {"predictor": "fast"}
    small["jemmig"] = {"components": 1}
    stddev = np.full_like(codes, 0.3)
    scores = evaluate(codes, mixed, small, stddev=stddev, blocks={"left": [0, 1], "right": [2, 3]})
    continuous = {"mig", "mig_sup", "dcimig", "jemmig", "modularity", "dci", "sap", "mcc", "r2"}
    assert continuous | set(GROUPS["unsupervised"]) <= set(scores) | set(RUNS)
    for name, reason in scores.skipped.items():
        known = ("continuous", "set of runs", "which factor is the")
        assert any(words in reason for words in known), (name, reason)
    for name, score in scores.scores.items():
        assert METRICS[name].low <= score.value <= METRICS[name].high


# what is missing


def test_a_metric_that_cannot_be_computed_says_why_and_spares_the_others(world):
    codes, factors = world
    settings = {"mig": {}, "udr": {}, "dimension_kl": {}, "block_mutual_information": {}}
    settings["sample_efficiency"] = {"few": 5_000}
    scores = evaluate(codes, factors, settings)
    assert list(scores) == ["mig"]
    assert "needs a set of runs" in scores.skipped["udr"]
    assert "give stddev=" in scores.skipped["dimension_kl"]
    assert "give blocks=" in scores.skipped["block_mutual_information"]
    assert "600 rows" in scores.skipped["sample_efficiency"]
    with pytest.raises(KeyError, match="udr was skipped: needs a set of runs"):
        scores["udr"]
    with pytest.raises(KeyError, match="sap was not computed; there are mig"):
        scores["sap"]


def test_a_constant_factor_is_left_out_with_the_reason(world):
    codes, factors = world
    factors = factors.copy()
    factors[:, 1] = 2
    names = ("a", "b", "c")
    split = {"codes_test": codes, "factors_test": factors}
    for test in ({}, split):
        scores = evaluate(codes, factors, ["mig", "sap"], names=names, **test)
        assert scores.left_out == {"b": "a single value (2) in all 900 rows"}
        assert scores.names == ("a", "c")
        assert scores["mig"].value == metrics.mig(codes, factors[:, [0, 2]]).value
        assert "factor 'b': left out, it has a single value (2)" in str(scores)
    again = Evaluation.from_json(scores.to_json())
    assert again.left_out == scores.left_out
    old = json.loads(scores.to_json())
    del old["left_out"]  # as files of before were written
    assert Evaluation.from_json(json.dumps(old)).left_out == {}


def test_without_a_factor_that_varies_the_unsupervised_metrics_remain(world):
    codes = world[0]
    still = np.tile([2, -1], (900, 1))
    scores = evaluate(codes, still, ["mig", "gaussian_total_correlation"], names=("a", "b"))
    assert "factor 'a' has a single value (2)" in scores.skipped["mig"]
    assert "factor 'b' has no known value" in scores.skipped["mig"]
    assert list(scores) == ["gaussian_total_correlation"]
    with pytest.raises(ValueError, match="none of the metrics can be computed"):
        evaluate(codes, still, ["mig"])


def test_codes_without_factors(world):
    scores = evaluate(world[0], metrics="unsupervised")
    assert {"gaussian_total_correlation", "active_units"} <= set(scores)
    every = evaluate(world[0])
    assert set(every) == set(scores)
    assert "needs factors" in every.skipped["mig"]


def test_a_fault_of_one_metric_is_told_and_spares_the_others(world, monkeypatch):
    def broken(codes, factors, *, bins=20):
        raise TypeError("a fault")

    monkeypatch.setitem(METRICS, "mig", replace(METRICS["mig"], function=broken))
    with pytest.warns(UserWarning, match="mig failed with TypeError: a fault; please report"):
        scores = evaluate(*world, ["mig", "modularity"])
    assert list(scores) == ["modularity"]
    assert scores.skipped["mig"] == "failed with TypeError: a fault"
    with (
        pytest.warns(UserWarning, match="a fault"),
        pytest.raises(ValueError, match="none of the metrics") as refused,
    ):
        evaluate(*world, ["mig"])
    assert isinstance(refused.value.__cause__, TypeError)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": "migg"}, "no metric 'migg': did you mean 'mig'"),
        ({"metrics": {"mig": {"bin": 5}}}, "mig has no setting 'bin': did you mean 'bins'"),
        ({"metrics": {"mine": {}}}, "no metric 'mine'"),
        ({"metrics": []}, "no metrics were named"),
        ({"confidence": 95}, "confidence is 95; expected a level between 0 and 1"),
        ({"repeats": 1, "confidence": 0.9}, "repeats is 1; expected at least 2"),
        ({"points": 0}, "points is 0"),
        ({"names": ["a"]}, "factors has 3 columns but names has 1"),
        ({"factors": np.zeros((3, 3))}, "codes has 900 rows but factors has 3"),
        ({"stddev": np.ones((900, 1))}, r"stddev has shape \(900, 1\) but codes has"),
        ({"codes_test": np.ones((9, 4))}, "belong together"),
        (
            {"codes_test": np.ones((9, 2)), "factors_test": np.ones((9, 3))},
            "codes_test has 2 dimensions but codes has 4",
        ),
    ],
)
def test_bad_arguments_are_named(world, change, message):
    arguments = {"codes": world[0], "factors": world[1], "metrics": ["mig"]} | change
    with pytest.raises(ValueError, match=message):
        evaluate(**arguments)


# intervals


def test_half_samples_are_halves_without_repetition():
    for n in (7, 8):
        rows = half_sample(n, seed=1, replicate=2)
        assert len(set(rows)) == len(rows) == n // 2
        assert (np.diff(rows) > 0).all()
    draws = {tuple(half_sample(20, 0, r)) for r in range(50)}
    assert len(draws) == 50


def test_the_interval_of_a_mean_is_the_textbook_s():
    x = np.random.default_rng(0).normal(size=400)
    halves = np.array([x[half_sample(400, 0, r)].mean() for r in range(4000)])
    low, high = interval(x.mean(), halves, 0.95, n=400)
    expected = 1.96 * x.std(ddof=1) / 20
    assert (high - low) / 2 == pytest.approx(expected, rel=0.05)
    assert (low + high) / 2 == pytest.approx(x.mean())
    odd = np.array([x[:25][half_sample(25, 0, r)].mean() for r in range(4000)])
    low, high = interval(x[:25].mean(), odd, 0.95, n=25)
    assert (high - low) / 2 == pytest.approx(1.96 * x[:25].std(ddof=1) / 5, rel=0.05)


def test_interval_is_cut_to_the_range_and_needs_two():
    assert interval(0.99, np.array([0.8, 1.0]), low=0.0, high=1.0)[1] == 1.0
    with pytest.raises(ValueError, match="1 replicates are too few"):
        interval(0.5, np.array([0.5, np.nan]))


@pytest.mark.parametrize("name", ["mig", "dcimig", "mcc"])
def test_intervals_cover_the_mean_score(name):
    """95 % intervals of 60 data sets from one world; `benchmarks/coverage.py` does it at length."""
    function, sets, points = getattr(metrics, name), 60, 300

    def world(seed):
        rng = np.random.default_rng([seed, 5])
        factors = np.stack([rng.integers(size, size=points) for size in (3, 6)], axis=1)
        codes = factors @ np.array([[1.0, 0.3, 0.0], [0.4, 1.0, 0.0]])
        return codes + 0.5 * rng.normal(size=(points, 3)), factors

    target = np.mean([function(*world(1000 + seed)).value for seed in range(400)])
    hits = 0
    for seed in range(sets):
        result = evaluate(*world(seed), [name], confidence=0.95, repeats=30, seed=seed)
        low, high = result[name].interval
        hits += low <= target <= high
    assert hits / sets >= 0.86  # 0.95 less three standard errors


def test_intervals_are_stated_for_values_and_parts(world):
    codes, factors = world
    scores = evaluate(
        codes, factors, {"mig": {}, "dci": {"predictor": "logistic"}}, confidence=0.9, repeats=5
    )
    assert scores.stated["mig"] == "5 half-samples"
    assert scores.stated["dci"] == "5 half-samples, a fresh seed each"
    low, high = scores["mig"].interval
    assert low < scores["mig"].value < high
    low, high = scores.intervals["dci"]["informativeness_train"]
    assert high <= 1.0
    low, high = scores.intervals["dci"]["completeness"]
    assert low < scores["dci"].parts["completeness"] < high
    assert "90% interval" in str(scores)
    wide = evaluate(codes, factors, ["mig"], confidence=0.99, repeats=5)["mig"].interval
    assert wide[0] < scores["mig"].interval[0]


def test_intervals_do_not_change_the_values(world):
    codes, factors = world
    alone = evaluate(codes, factors, QUICK, seed=4)
    with_intervals = evaluate(codes, factors, QUICK, seed=4, confidence=0.95, repeats=2)
    assert {n: s.value for n, s in alone.scores.items()} == {
        n: s.value for n, s in with_intervals.scores.items()
    }


# the table


@pytest.fixture(scope="module")
def scored(world):
    settings = {"mig": {}, "dci": {"predictor": "logistic"}, "udr": {}}
    return evaluate(*world, settings, confidence=0.95, repeats=3, names=("a", "b", "c"))


def test_the_text_is_aligned_and_says_all(scored):
    text = str(scored)
    lines = text.splitlines()
    assert lines[0].startswith("900 codes of 4 dimensions")
    header = next(line for line in lines if line.startswith("metric"))
    row = next(line for line in lines if line.startswith("mig"))
    assert row.index(f"{scored['mig'].value:.4f}") + 6 == header.index("value") + 5
    assert "bins=20" not in text  # protocols are shown when they are asked for
    assert "bins=20" in scored.to_frame().loc["mig", "protocol"]
    assert any(line.startswith("  completeness") for line in lines)
    assert "udr: skipped, needs a set of runs" in text
    assert "95% intervals from 3 half-samples: mig" in text


def test_frame_html_and_rich_hold_the_same_numbers(scored):
    from rich.console import Console

    frame = scored.to_frame()
    assert list(frame.index) == ["mig", "dci"]
    assert frame.loc["mig", "value"] == scored["mig"].value
    assert (frame.loc["mig", "low"], frame.loc["mig", "high"]) == scored["mig"].interval
    parts = scored.to_frame(parts=True)
    assert parts.loc["dci.completeness", "value"] == scored["dci"].parts["completeness"]
    assert f"<td>{scored['mig'].value:.4f}</td>" in scored._repr_html_()
    console = Console(width=200, file=open("/dev/null", "w"), record=True)  # noqa: SIM115
    console.print(scored.rich())
    assert f"{scored['mig'].value:.4f}" in console.export_text()


def test_per_factor_has_a_row_for_each_part_by_factor(scored):
    frame = scored.per_factor()
    parts = [f"informativeness{part}" for part in ("_chance", "_balanced", "")]
    rows = [f"dci.{part}" for part in ("completeness", *parts)]
    assert list(frame.index) == ["mig", *rows]
    expected = scored["dci"].parts["completeness_per_factor"]
    np.testing.assert_array_equal(frame.loc["dci.completeness"], expected)


def test_json_round_trip(scored, tmp_path):
    text = scored.to_json(tmp_path / "scores.json")
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    for again in (Evaluation.from_json(text), Evaluation.from_json(tmp_path / "scores.json")):
        assert {n: s.value for n, s in again.scores.items()} == {
            n: s.value for n, s in scored.scores.items()
        }
        assert again.skipped == scored.skipped
        assert again["mig"].interval == scored["mig"].interval
        assert again.intervals["dci"] == scored.intervals["dci"]
        np.testing.assert_array_equal(
            again["mig"].parts["per_factor"], scored["mig"].parts["per_factor"]
        )
        assert str(again).splitlines()[2:] == str(scored).splitlines()[2:]
    with pytest.raises(ValueError, match="no evaluation written by to_json"):
        Evaluation.from_json('{"scores": 3}')


def test_progress_is_shown_when_asked(world, capsys):
    evaluate(*world, ["mig"], progress=True)
    assert "metrics" not in capsys.readouterr().out  # it goes to standard error, and goes away


def test_no_warnings_on_ordinary_data(world):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate(*world, QUICK)
