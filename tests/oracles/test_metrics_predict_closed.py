"""Predictor-based and interventional metrics: closed forms, invariances, odd and bad input."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pytest

from untwine.metrics import (
    beta_vae_score,
    dci,
    downstream_accuracy,
    explicitness,
    factor_vae_score,
    irs,
    mcc,
    model_centrality,
    r2,
    sample_efficiency,
    sap,
    udr,
    unfairness,
    z_max_var,
)
from untwine.metrics.score import Score

GRID = np.array(list(product(range(3), range(4), range(5))))
MANY = np.tile(GRID, (5, 1))

#: Every metric of codes and factors, cheap enough for many calls.
METRICS: dict[str, Callable[..., Score]] = {
    "beta_vae_score": partial(beta_vae_score, train=300, test=150, batch=16),
    "factor_vae_score": partial(factor_vae_score, votes=300, test_votes=150, batch=16),
    "z_max_var": partial(z_max_var, votes=200, test_votes=100, batch=16),
    "dci boosting": partial(dci, train=60, test=30),
    "dci fast": partial(dci, predictor="fast"),
    "dci forest": partial(dci, predictor="forest"),
    "dci lasso": partial(dci, predictor="lasso"),
    "dci logistic": partial(dci, predictor="logistic"),
    "sap": sap,
    "sap regression": partial(sap, form="regression"),
    "explicitness": explicitness,
    "irs": irs,
    "mcc": mcc,
    "mcc spearman": partial(mcc, correlation="spearman"),
    "r2": r2,
    "r2 kernel": partial(r2, regressor="kernel"),
    "downstream_accuracy": partial(downstream_accuracy, predictor="logistic"),
    "sample_efficiency": partial(sample_efficiency, predictor="logistic", few=40),
    "unfairness": partial(unfairness, predictor="logistic"),
}

everyone = pytest.mark.parametrize("name", METRICS)


def same(codes: np.ndarray, factors: np.ndarray = GRID) -> dict[str, np.ndarray]:
    return {"codes_test": codes, "factors_test": factors}


def entangle(factors: np.ndarray) -> np.ndarray:
    """Half a rotation of three factors, and some noise."""
    z = (factors - factors.mean(0)) / factors.std(0)
    turn = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
    return z @ turn + 0.1 * np.random.default_rng(1).standard_normal(z.shape)


@pytest.mark.parametrize(
    "name",
    [
        "beta_vae_score",
        "factor_vae_score",
        "z_max_var",
        "dci fast",
        "dci boosting",
        "dci lasso",
        "dci forest",
        "irs",
        "mcc",
        "mcc spearman",
        "r2",
    ],
)
def test_a_perfect_code_scores_one(name: str) -> None:
    codes = MANY * np.array([1.0, -2.0, 0.5]) + 3.0
    codes = codes[:, [2, 0, 1]]
    arguments = {}
    if name.startswith(("dci", "r2")):
        arguments = same(codes, MANY) | ({} if name == "r2" else {"train": None, "test": None})
    score = METRICS[name](codes, MANY, **arguments)
    loose = name in ("dci forest", "dci fast")
    assert float(score) == pytest.approx(1.0, abs=1e-3 if loose else 1e-6)
    if name == "irs":
        assert score.parts["factor_of_code"].tolist() == [2, 0, 1]


def test_sap_of_a_perfect_grid_in_closed_form() -> None:
    codes = GRID.astype(float)
    # Other dimensions say nothing: squared correlation 0.
    assert float(sap(codes, GRID, form="regression", **same(codes))) == pytest.approx(1, abs=1e-12)
    # Two values: the line separates them; every other dimension leaves it at one half.
    binary = np.array(list(product(range(2), range(2), range(2))) * 4)
    score = sap(binary * 2.0 - 1, binary, **same(binary * 2.0 - 1, binary))
    assert np.allclose(score.parts["predictability"], 0.5 + 0.5 * np.eye(3))
    assert float(score) == pytest.approx(0.5, abs=1e-12)


def test_explicitness_of_a_perfect_grid_in_closed_form() -> None:
    # A line ranks the extreme values perfectly; the middle one of three is the mode of a symmetric
    # curve, and its probability is highest there.
    factors = np.repeat(np.arange(3), 30)[:, None]
    codes = factors - 1.0
    assert float(explicitness(codes, factors, **same(codes, factors))) == pytest.approx(1, abs=1e-9)
    noise = np.zeros_like(codes)
    assert float(explicitness(noise, factors, **same(noise, factors))) == pytest.approx(0.5)
    score = explicitness(codes, factors, rescale=True, **same(codes, factors))
    assert float(score) == pytest.approx(1)
    assert float(explicitness(noise, factors, rescale=True, **same(noise, factors))) == 0


def test_duplicated_dimensions() -> None:
    codes = np.repeat(MANY, 2, axis=1).astype(float)
    given = same(codes, MANY)
    assert float(factor_vae_score(codes, MANY, votes=300, test_votes=150)) == 1.0
    assert float(irs(codes, MANY)) == pytest.approx(1, abs=1e-12)
    assert float(mcc(codes, MANY)) == pytest.approx(1, abs=1e-12)
    assert float(sap(codes, MANY, **given)) == 0.0
    assert float(sap(codes, MANY, form="regression", **given)) == pytest.approx(0, abs=1e-12)
    logistic = dci(codes, MANY, predictor="logistic", train=None, test=None, **given)
    matrix = logistic.parts["importance"]
    assert np.allclose(matrix[::2], matrix[1::2], atol=1e-3)  # the penalty shares it equally
    boosting = dci(codes, MANY, predictor="boosting", train=None, test=None, **given)
    assert float(boosting) == pytest.approx(1, abs=1e-6)
    assert boosting.parts["completeness"] < 1 - 0.5 * np.log(2) / np.log(6)


def test_equal_shares_of_two_dimensions_in_closed_form() -> None:
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((4000, 2))
    codes = np.repeat(factors, 2, axis=1) + 0.3 * rng.standard_normal((4000, 4))
    given = {"train": None, "test": None, **same(codes, factors)}
    score = dci(codes, factors, predictor="lasso", alpha=0.05, **given)
    assert float(score) == pytest.approx(1, abs=1e-6)
    # Two dimensions of four share each factor: 1 - log 2 / log 4.
    assert score.parts["completeness"] == pytest.approx(0.5, abs=0.01)


def test_one_dimension_for_two_factors() -> None:
    codes = np.stack([MANY[:, 0] * 4 + MANY[:, 1], MANY[:, 2]], axis=1).astype(float)
    given = {"train": None, "test": None, **same(codes, MANY)}
    score = dci(codes, MANY, **given)
    # Dimension 0 serves two factors equally, dimension 1 one; each factor has importance one.
    expected = (2 * (1 - np.log(2) / np.log(3)) + 1) / 3
    assert float(score) == pytest.approx(expected, abs=1e-6)
    assert score.parts["completeness"] == pytest.approx(1, abs=1e-6)
    assert score.parts["informativeness"] == 1
    assert float(mcc(codes, MANY)) < 1
    assert float(sap(codes, MANY, form="regression", **same(codes, MANY))) > 0.5
    # It varies least with factor 0 held, and dimension 1 with factor 2 held; with factor 1 held
    # it still varies relatively less than dimension 1, so that both vote for one dimension.
    votes = factor_vae_score(codes, MANY, votes=3000, test_votes=3000)
    assert float(votes) == pytest.approx(2 / 3, abs=0.05)
    assert votes.parts["predicts"].tolist()[1] == 2


def test_dead_dimensions() -> None:
    live = MANY.astype(float)
    codes = np.stack([live[:, 0], 0 * live[:, 0], live[:, 1], 0.5 + 0 * live[:, 0], live[:, 2]], 1)
    small = 0.001 * np.random.default_rng(0).standard_normal((len(MANY), 1))
    codes = np.concatenate([codes, small], axis=1).astype(np.float32)
    score = factor_vae_score(codes, MANY, votes=300, test_votes=150)
    assert float(score) == 1.0
    assert score.parts["active"].tolist() == [True, False, True, False, True, False]
    first = codes[:, [1, 0, 2, 3, 4, 5]]  # a tie with a dimension that is held goes to the first
    unpruned = factor_vae_score(first, MANY, protocol="disent", votes=3000, test_votes=3000)
    assert float(unpruned) == pytest.approx(1 / 3, abs=0.05)
    assert unpruned.parts["votes"].sum(axis=1).tolist() == [3000, 0, 0, 0, 0, 0]
    assert float(irs(codes[:, :5], MANY)) == pytest.approx(1, abs=1e-6)
    assert float(mcc(codes, MANY)) == pytest.approx(1, abs=1e-6)
    given = {"train": None, "test": None, **same(codes, MANY)}
    assert float(dci(codes, MANY, predictor="lasso", **given)) == pytest.approx(1, abs=1e-6)
    fast = dci(codes, MANY, predictor="fast", **given)
    assert fast.parts["importance"][[1, 3]].max() == 0
    assert float(fast) > 0.99


@everyone
def test_constant_codes_are_legal(name: str) -> None:
    codes = np.full((len(MANY), 2), 0.1, dtype=np.float32)
    score = METRICS[name](codes, MANY)
    chance = {
        "beta_vae_score": 1 / 3,
        "explicitness": 0.5,
        "downstream_accuracy": np.mean([1 / 3, 1 / 4, 1 / 5]),
        "sample_efficiency": 1.0,
    }
    expected = chance.get(name, 0.0)
    assert float(score) == pytest.approx(expected, abs=0.1 if name in chance else 1e-9)
    if name == "factor_vae_score":
        assert not score.parts["active"].any()
        assert score.parts["test_accuracy"] == 0.0


@everyone
def test_scores_are_reproducible_and_state_their_protocol(name: str) -> None:
    codes = entangle(MANY)
    one, two = METRICS[name](codes, MANY), METRICS[name](codes, MANY)
    assert float(one) == float(two)
    assert one.protocol == two.protocol
    assert one.name == name.split()[0]
    assert -1e-9 <= float(one) <= 1.2
    assert "seed" in one.protocol
    assert one.to_dict()["value"] == float(one)
    if name.startswith(("dci", "downstream", "sample", "unfair")):
        assert one.protocol["predictor"]
        assert one.protocol["library"]
    seeded = METRICS[name](codes, MANY, seed=7)
    assert seeded.protocol != one.protocol


@everyone
def test_flipping_permuting_and_relabelling(name: str) -> None:
    codes = entangle(MANY)
    base = METRICS[name](codes, MANY)
    turned = METRICS[name](-codes[:, [2, 0, 1]], MANY)
    # Draws and trees break ties otherwise; definitions do not care.
    random = name in ("dci boosting", "dci fast", "dci forest")
    assert float(turned) == pytest.approx(float(base), abs=0.08 if random else 2e-3)
    if name in ("mcc", "mcc spearman", "r2", "r2 kernel", "irs", "dci lasso", "dci forest"):
        return  # factors are taken as numbers, or binned by value
    if name == "sap regression":
        return
    relabelled = np.stack([np.array([7, 2, 5])[MANY[:, 0]], MANY[:, 1] + 10, 9 - MANY[:, 2]], 1)
    again = METRICS[name](codes, relabelled)
    assert float(again) == pytest.approx(float(base), abs=0.08 if random else 0.02)


@pytest.mark.parametrize(
    "name",
    [
        "factor_vae_score",
        "z_max_var",
        "explicitness",
        "irs",
        "mcc",
        "mcc spearman",
        "r2",
        "sap regression",
        "dci boosting",
        "dci fast",
        "dci lasso",
        "dci logistic",
    ],
)
def test_the_scale_of_a_code_does_not_matter(name: str) -> None:
    codes = entangle(MANY)
    base = METRICS[name](codes, MANY)
    # irs weighs dimensions by their extent, so that all are scaled alike.
    factor = 1024.0 if name == "irs" else np.array([1024.0, 0.5, 8.0])
    assert float(METRICS[name](codes * factor, MANY)) == pytest.approx(float(base), abs=2e-3)


@everyone
def test_unknown_factors_are_left_out(name: str) -> None:
    rng = np.random.default_rng(2)
    codes, factors = entangle(MANY), MANY.copy()
    factors[rng.random(factors.shape) < 0.15] = -1
    score = METRICS[name](codes, factors)
    assert np.isfinite(float(score))
    as_nan = np.where(factors < 0, np.nan, factors)
    assert float(METRICS[name](codes, as_nan)) == float(score)


def test_unknown_rows_do_not_count() -> None:
    codes, factors = entangle(MANY), MANY.copy()
    factors[::3, 1] = -1
    keep = factors[:, 1] >= 0
    for metric in (mcc, partial(irs, exact=True)):
        part = metric(codes, factors).parts["matrix"][:, 1]
        if metric is mcc:
            assert np.allclose(part, mcc(codes[keep], factors[keep]).parts["matrix"][:, 1])
        assert np.isfinite(part).all()
    given = {"form": "regression", **same(codes, MANY)}
    score = sap(codes, factors, **given).parts["predictability"][:, 1]
    expected = np.corrcoef(codes[keep].T, factors[keep, 1])[3, :3] ** 2
    assert np.allclose(score, expected)


@pytest.mark.parametrize(
    "name",
    ["dci boosting", "dci fast", "dci forest", "dci lasso", "sap", "irs", "mcc", "r2", "r2 kernel"],
)
def test_continuous_factors(name: str) -> None:
    rng = np.random.default_rng(0)
    factors = rng.standard_normal((300, 2))
    codes = factors * [2.0, -1.0] + 0.05 * rng.standard_normal((300, 2))
    score = METRICS[name](codes, factors)
    assert float(score) > (0.5 if name == "irs" else 0.85)
    if name == "sap":
        assert score.protocol["form"] == "regression"
    if name == "dci fast":
        assert score.protocol["informativeness"].startswith("test R2")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("beta_vae_score", "bins="),
        ("factor_vae_score", "bins="),
        ("z_max_var", "bins="),
        ("explicitness", "bins="),
        ("dci logistic", "discrete"),
        ("downstream_accuracy", "r2"),
        ("sample_efficiency", "r2"),
        ("unfairness", "discrete"),
    ],
)
def test_continuous_factors_are_refused_where_there_is_no_form_for_them(
    name: str, hint: str
) -> None:
    factors = np.random.default_rng(0).standard_normal((300, 2))
    with pytest.raises(ValueError, match=hint):
        METRICS[name](factors, factors)


def test_bins_for_continuous_factors() -> None:
    factors = np.random.default_rng(0).uniform(size=(2000, 2))
    for name in ("beta_vae_score", "factor_vae_score", "explicitness"):
        assert float(METRICS[name](factors, factors, bins=5)) > 0.95


def test_a_table_need_not_be_a_grid() -> None:
    rng = np.random.default_rng(0)
    factors = rng.choice(9, (500, 3), p=np.arange(9, 0, -1) / 45)
    factors[:, 2] = np.minimum(factors[:, 2], factors[:, 0] + 3)
    codes = factors + 0.05 * rng.standard_normal((500, 3))
    assert float(METRICS["factor_vae_score"](codes, factors)) > 0.95
    assert float(METRICS["beta_vae_score"](codes, factors)) > 0.95


@pytest.mark.parametrize("name", [n for n in METRICS if n != "r2 kernel"])
def test_blocks_reduce_vectors(name: str) -> None:
    rng = np.random.default_rng(0)
    z = entangle(MANY)
    directions = np.array([[0.6, 0.8], [1.0, 0.0], [0.8, -0.6]])
    codes = np.concatenate([z[:, [i]] * directions[i] for i in range(3)], axis=1)
    codes = np.concatenate([codes, rng.standard_normal((len(codes), 1))], axis=1)
    blocks = {"a": [0, 1], "b": [2, 3], "c": [4, 5]}
    blocked = METRICS[name](codes, MANY, blocks=blocks, components=1)
    plain = METRICS[name](z, MANY)
    assert float(blocked) == pytest.approx(float(plain), abs=0.05 if name == "dci forest" else 0.02)
    assert blocked.protocol["blocks"] == 3
    assert "blocks" not in plain.protocol


def test_dci_sums_importances_of_a_block() -> None:
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 4, (600, 2))
    one = np.stack([np.sin(factors[:, 0]), np.cos(factors[:, 0])], axis=1)
    two = np.stack([factors[:, 1], rng.standard_normal(600)], axis=1)
    codes = np.concatenate([one, two], axis=1)
    blocks = [[0, 1], [2, 3]]
    score = dci(codes, factors, predictor="fast", blocks=blocks, components=2)
    assert score.parts["importance"].shape == (2, 2)
    assert float(score) > 0.95
    assert score.parts["informativeness"] > 0.98
    with pytest.raises(ValueError, match="column 1 is in block 0 and in block 1"):
        dci(codes, factors, blocks=[[0, 1], [1, 2]])


def test_discrete_codes() -> None:
    codes = MANY[:, [1, 2, 0]]
    for name in ("factor_vae_score", "mcc", "irs", "dci lasso"):
        assert float(METRICS[name](codes, MANY)) == pytest.approx(1, abs=1e-6)


def test_one_dimension() -> None:
    codes = MANY[:, :1].astype(float)
    score = sap(codes, MANY, form="regression", **same(codes, MANY))
    assert score.parts["per_factor"] == pytest.approx([1, 0, 0], abs=1e-12)
    assert dci(codes, MANY, predictor="fast").parts["completeness"] == pytest.approx(1)
    assert float(mcc(codes, MANY)) == pytest.approx(1 / 3)


@everyone
def test_bad_input_is_named(name: str) -> None:
    metric = METRICS[name]
    codes = entangle(MANY)
    broken = codes.copy()
    broken[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"codes\[3, 1\] is nan"):
        metric(broken, MANY)
    with pytest.raises(ValueError, match="300 rows but factors has 299"):
        metric(codes, MANY[1:])
    with pytest.raises(ValueError, match="single value"):
        metric(codes, np.where([True, False, True], MANY, 0))
    with pytest.raises(ValueError, match="holds"):
        metric(codes.astype(str), MANY)
    with pytest.raises(ValueError, match="shape"):
        metric(codes[:, :, None], MANY)
    with pytest.raises(TypeError):
        metric(codes, MANY, no_such_setting=1)


@pytest.mark.parametrize(
    "name",
    [n for n in METRICS if n.startswith(("dci", "sap", "expl", "r2", "down", "sample", "unfair"))],
)
def test_too_few_rows_to_learn_from(name: str) -> None:
    with pytest.raises(ValueError, match=r"too few|rows are there|single value"):
        METRICS[name](np.eye(6), np.arange(12).reshape(6, 2) % 3)
    codes = entangle(MANY)
    with pytest.raises(ValueError, match="factors_test is missing"):
        METRICS[name](codes, MANY, codes_test=codes)
    with pytest.raises(ValueError, match="codes has 3 columns but codes_test has 2"):
        METRICS[name](codes, MANY, codes_test=codes[:, :2], factors_test=MANY)


def test_a_factor_unknown_in_the_rows_to_learn_from() -> None:
    factors = MANY.copy()
    factors[:, 1] = -1
    factors[:2, 1] = [0, 1]
    test = {"codes_test": entangle(MANY), "factors_test": MANY}
    factors[2:4, 1] = [0, 0]
    for metric in (sap, explicitness):
        assert np.isfinite(float(metric(entangle(MANY), factors, **test)))
    nowhere = np.where([False, True, False], -1, MANY)
    nowhere[0, 1], nowhere[1, 1] = 0, 1
    with pytest.raises(ValueError, match="factor 1 has"):
        sap(entangle(MANY), nowhere, train=290, test=10)


def test_too_few_rows_to_intervene() -> None:
    factors = np.arange(20).reshape(10, 2)  # no value occurs twice
    for metric in (beta_vae_score, factor_vae_score, z_max_var):
        with pytest.raises(ValueError, match="factor 0 has 0 value"):
            metric(factors, factors)
    alone = np.stack([np.arange(40) // 2, np.arange(40) % 2, (np.arange(40) + 1) // 2], axis=1)
    with pytest.raises(ValueError, match="no two rows share all factors"):
        z_max_var(alone, alone)
    single = np.repeat([[0], [1]], 20, axis=0)
    for metric in (beta_vae_score, factor_vae_score):
        with pytest.raises(ValueError, match="1 column"):
            metric(single, single)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (partial(factor_vae_score, protocol="kim"), "'kim2018'"),
        (partial(factor_vae_score, batch=1), "batch is 1; expected a whole number of at least 2"),
        (partial(beta_vae_score, protocol="x"), "'infogan_cr'"),
        (partial(beta_vae_score, train=1), "at least 2"),
        (partial(dci, predictor="xgboost"), "'boosting', 'fast'"),
        (partial(dci, predictor="fast", alpha=0.1), "predictor='lasso' only"),
        (partial(dci, predictor="lasso", alpha=-1.0), "above 0 or 'cv'"),
        (partial(dci, completeness="median"), "'mass' or 'mean'"),
        (partial(sap, form="svm"), "'classifier' or 'regression'"),
        (partial(explicitness, classifier="svm"), "'multinomial' or 'ovr'"),
        (partial(explicitness, scaling="robust"), "'standard' or 'minmax'"),
        (partial(irs, quantile=99), "from 0 to 1"),
        (partial(mcc, correlation="kendall"), "'spearman'"),
        (partial(r2, regressor="mlp"), "'linear' or 'kernel'"),
        (partial(downstream_accuracy, predictor="lasso"), "'logistic_cv'"),
        (partial(unfairness, predictor="lasso"), "'logistic_cv'"),
        (partial(sample_efficiency, few=200, many=100), "fewer than many"),
    ],
)
def test_unknown_settings_are_named(call: Callable[..., Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call(entangle(MANY), MANY)


def test_runs_are_checked() -> None:
    z = np.random.default_rng(0).standard_normal((50, 3))
    for metric in (udr, model_centrality):
        with pytest.raises(ValueError, match="at least 2"):
            metric([z])
        with pytest.raises(ValueError, match=r"runs\[1\] has 49 rows"):
            metric([z, z[1:]])
    with pytest.raises(ValueError, match="one array each"):
        udr([z, z], [np.ones(3)])
    with pytest.raises(ValueError, match=r"kls\[1\] has 2 values"):
        udr([z, z], [np.ones(3), np.ones(2)])
    with pytest.raises(ValueError, match="'lasso' or 'spearman'"):
        udr([z, z], similarity="pearson")
    assert float(udr([z, z], [np.zeros(3), np.ones(3)])) == 0.0


def test_unfairness_of_a_fair_and_an_unfair_code() -> None:
    fair = MANY.astype(float)
    given = {"train": None, "predictor": "fast", **same(fair, MANY)}
    assert float(unfairness(fair, MANY, **given)) == pytest.approx(0, abs=1e-9)
    # The second factor is read off the first: its prediction follows the sensitive one.
    factors = np.array(list(product(range(2), range(2)))).repeat(50, axis=0)
    blind = factors[:, :1] + 0.0 * factors
    biased = np.concatenate([factors[:170], factors[30:]])
    score = unfairness(
        np.concatenate([blind[:170], blind[30:]]),
        biased,
        predictor="logistic",
        **same(blind, factors),
    )
    assert score.parts["mean"][1, 0] == pytest.approx(0.5)
    assert score.parts["floor"][1, 0] < 0.15
    assert np.isnan(np.diag(score.parts["mean"])).all()


def test_sample_efficiency_has_the_whole_curve() -> None:
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (3000, 2))
    codes = factors + 0.4 * rng.standard_normal((3000, 2))
    score = sample_efficiency(codes, factors, predictor="logistic", repeats=3)
    assert score.parts["labels"].tolist() == [10, 100, 1000, 2000]
    curve = score.parts["accuracy"].mean(axis=1)
    assert float(score) == pytest.approx(curve[1] / curve[-1])
    assert curve[0] < curve[-1]
    assert score.protocol["many"] == 2000


def test_inputs_of_other_libraries() -> None:
    import pandas as pd
    import torch

    codes = entangle(MANY)
    frame = pd.DataFrame(
        {"a": MANY[:, 0], "b": np.array(list("wxyz"))[MANY[:, 1]], "c": MANY[:, 2]}
    )
    for name in ("mcc", "sap", "factor_vae_score", "dci lasso"):
        expected = float(METRICS[name](codes, MANY))
        tensors = METRICS[name](torch.tensor(codes), torch.tensor(MANY))
        assert float(tensors) == expected
        assert float(METRICS[name](pd.DataFrame(codes), frame)) == expected
