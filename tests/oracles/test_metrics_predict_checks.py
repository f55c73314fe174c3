"""Predictor-based and interventional metrics against brute force and other implementations."""

from __future__ import annotations

from inspect import signature
from itertools import permutations, product

import numpy as np
import pytest
import torch

from untwine.metrics import dci, irs, mcc, model_centrality, r2, sap, udr
from untwine.metrics._dci import dci_from_importance
from untwine.metrics._estimators.interventions import Interventions
from untwine.metrics._estimators.logistic import area_under_curve, fit_logistic
from untwine.metrics._estimators.predictors import fit_predictor
from untwine.metrics._estimators.selection import reduce_blocks
from untwine.metrics._estimators.splits import equal_width, train_test
from untwine.metrics._estimators.votes import vote
from untwine.metrics._sap import line_svm
from untwine.metrics._udr import relative_strength
from untwine.metrics._unfairness import total_variation


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def entropy(p: np.ndarray, base: int) -> float:
    p = p[p > 0]
    return float(-(p * np.log(p)).sum() / np.log(base))


def test_dci_arithmetic_by_hand() -> None:
    matrix = np.array([[0.6, 0.0, 0.1], [0.2, 0.5, 0.1], [0.0, 0.0, 0.0], [0.2, 0.5, 0.8]])
    score = dci_from_importance(matrix)
    disentanglement = completeness = 0.0
    for row in matrix:
        if row.sum() > 0:
            disentanglement += row.sum() / 3.0 * (1 - entropy(row / row.sum(), 3))
    for column in matrix.T:
        completeness += column.sum() / 3.0 * (1 - entropy(column / column.sum(), 4))
    assert float(score) == pytest.approx(disentanglement, abs=1e-12)
    assert score.parts["completeness"] == pytest.approx(completeness, abs=1e-12)
    mean = np.mean([1 - entropy(c / c.sum(), 4) for c in matrix.T])
    plain = dci_from_importance(matrix, completeness="mean")
    assert plain.parts["completeness"] == pytest.approx(mean, abs=1e-12)
    assert score.parts["disentanglement_per_code"][2] == pytest.approx(0.0)


@pytest.mark.parametrize("matrix", [[[-1.0, 1.0]], [[np.nan, 1.0]], [1.0, 2.0]])
def test_dci_arithmetic_refuses(matrix: list) -> None:
    with pytest.raises(ValueError, match="importance"):
        dci_from_importance(matrix)


def test_boosting_is_scikit_learns(rng: np.random.Generator) -> None:
    from sklearn.ensemble import GradientBoostingClassifier

    factors = rng.integers(0, [3, 2], (400, 2))
    codes = factors @ rng.standard_normal((2, 3)) + 0.5 * rng.standard_normal((400, 3))
    test = factors[:150], codes[:150]
    score = dci(codes[150:], factors[150:], codes_test=test[1], factors_test=test[0], seed=5)
    importance, accuracy = [], []
    for k in range(2):
        model = GradientBoostingClassifier(random_state=5).fit(codes[150:], factors[150:, k])
        importance.append(model.feature_importances_)
        accuracy.append(model.score(test[1], test[0][:, k]))
    assert np.allclose(score.parts["importance"], np.stack(importance, 1), atol=1e-12)
    assert np.allclose(score.parts["informativeness_per_factor"], accuracy)
    assert "GradientBoosting" in score.protocol["library"]


def test_mcc_against_all_assignments(rng: np.random.Generator) -> None:
    from scipy.stats import spearmanr

    factors = rng.integers(0, 6, (300, 4))
    codes = factors @ rng.standard_normal((4, 5)) + rng.standard_normal((300, 5))
    codes = np.exp(codes / 4)
    pearson = np.abs(np.corrcoef(codes.T, factors.T)[:5, 5:])
    spearman = np.abs(spearmanr(codes, factors).statistic[:5, 5:])
    for name, matrix in (("pearson", pearson), ("spearman", spearman)):
        best = max(
            np.mean([matrix[d, k] for k, d in enumerate(p)]) for p in permutations(range(5), 4)
        )
        score = mcc(codes, factors, correlation=name)
        assert float(score) == pytest.approx(best, abs=1e-12)
        assert np.allclose(np.abs(score.parts["matrix"]), matrix)


def test_mcc_with_fewer_dimensions_than_factors(rng: np.random.Generator) -> None:
    factors = rng.integers(0, 6, (200, 4))
    score = mcc(factors[:, :3], factors)
    assert float(score) == pytest.approx(0.75, abs=1e-12)
    assert score.parts["code_of_factor"].tolist() == [0, 1, 2, -1]


def test_r2_against_scikit_learn(rng: np.random.Generator) -> None:
    from sklearn.kernel_ridge import KernelRidge
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import r2_score

    y = rng.standard_normal((300, 2))
    z = np.tanh(y @ rng.standard_normal((2, 4))) + 0.1 * rng.standard_normal((300, 4))
    test = {"codes_test": z[200:], "factors_test": y[200:]}
    mean, width = z[:200].mean(0), z[:200].std(0)
    one, two = (z[:200] - mean) / width, (z[200:] - mean) / width
    low, span = y[:200].mean(0), y[:200].std(0)
    for name, model in (
        ("linear", LinearRegression()),
        ("kernel", KernelRidge(kernel="rbf", alpha=1.0, gamma=0.25)),
    ):
        guess = model.fit(one, (y[:200] - low) / span).predict(two)
        expected = r2_score((y[200:] - low) / span, guess, multioutput="raw_values")
        score = r2(z[:200], y[:200], regressor=name, **test)
        assert np.allclose(score.parts["per_factor"], expected, atol=1e-8)


def test_irs_against_loops(rng: np.random.Generator) -> None:
    factors = rng.integers(0, [3, 5], (400, 2))
    codes = np.stack(
        [factors[:, 0] + 0.1 * rng.standard_normal(400), factors.sum(1) ** 1.5, np.ones(400)], 1
    )
    for quantile in (1.0, 0.9):
        matrix = np.zeros((2, 2))
        for d, k in product(range(2), range(2)):
            worst = []
            for value in np.unique(factors[:, k]):
                z = codes[factors[:, k] == value, d]
                worst.append(np.quantile(np.abs(z - z.mean()), quantile))
            farthest = np.abs(codes[:, d] - codes[:, d].mean()).max()
            matrix[d, k] = 1 - np.mean(worst) / farthest
        weights = np.abs(codes - codes.mean(0)).max(0)[:2]
        expected = (matrix.max(1) * weights).sum() / weights.sum()
        score = irs(codes, factors, quantile=quantile)
        assert float(score) == pytest.approx(expected, abs=1e-12)
        assert np.allclose(score.parts["matrix"][:2], matrix)
        assert np.isnan(score.parts["matrix"][2]).all()
        assert score.parts["factor_of_code"][2] == -1


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("scale", [0.05, 1.0, 20.0])
def test_line_svm_is_liblinears(rng: np.random.Generator, classes: int, scale: float) -> None:
    from sklearn.svm import LinearSVC

    y = rng.choice(classes, 500, p=rng.dirichlet(np.full(classes, 5.0)))
    x = scale * (y + 2 * rng.standard_normal(500) - 1.0)
    w, b = line_svm(x, y, classes, c=0.01)
    model = LinearSVC(C=0.01, class_weight="balanced", dual=False, tol=1e-12, max_iter=100_000)
    model.fit(x[:, None], y)
    if classes == 2:  # one line, from the first class to the second
        assert w[1] == pytest.approx(model.coef_[0, 0], rel=1e-4, abs=1e-6)
        assert b[1] == pytest.approx(model.intercept_[0], rel=1e-4, abs=1e-6)
        assert w[0] == pytest.approx(-w[1])
    else:
        assert np.allclose(w, model.coef_[:, 0], rtol=1e-4, atol=1e-6)
        assert np.allclose(b, model.intercept_, rtol=1e-4, atol=1e-6)


def test_line_svm_minimizes_its_objective(rng: np.random.Generator) -> None:
    from scipy.optimize import minimize

    y = rng.integers(0, 4, 200)
    x = y + rng.standard_normal(200)
    counts = np.bincount(y)
    w, b = line_svm(x, y, 4, c=0.3)
    for c in range(4):
        sign = np.where(y == c, 1.0, -1.0)
        cost = np.where(y == c, 0.3 * 200 / (4 * counts[c]), 0.3)

        def objective(v: np.ndarray, sign=sign, cost=cost) -> float:
            slack = np.maximum(0, 1 - sign * (v[0] * x + v[1]))
            return 0.5 * (v @ v) + (cost * slack**2).sum()

        best = minimize(objective, [0.0, 0.0], options={"gtol": 1e-9}).fun
        assert objective(np.array([w[c], b[c]])) == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("one_vs_rest", [False, True])
def test_logistic_regression_is_scikit_learns(
    rng: np.random.Generator, balanced: bool, one_vs_rest: bool
) -> None:
    from sklearn.linear_model import LogisticRegression

    y = rng.choice(4, 600, p=[0.5, 0.3, 0.15, 0.05])
    z = np.eye(4)[y] @ rng.standard_normal((4, 5)) + rng.standard_normal((600, 5))
    z[:, 4] = 3 * z[:, 0] + 0.01 * z[:, 4]  # nearly collinear
    model = fit_logistic(z, y, 4, c=0.7, balanced=balanced, one_vs_rest=one_vs_rest, tolerance=1e-7)
    weight = "balanced" if balanced else None
    settings = {"C": 0.7, "class_weight": weight, "tol": 1e-10, "max_iter": 10_000}
    if one_vs_rest:
        for c in range(4):
            other = LogisticRegression(**settings).fit(z, y == c)
            assert np.allclose(model.weight[:, c], other.coef_[0], atol=2e-3)
            assert model.bias[c] == pytest.approx(other.intercept_[0], abs=2e-3)
    else:
        other = LogisticRegression(**settings).fit(z, y)
        assert np.abs(model.probabilities(z) - other.predict_proba(z)).max() < 1e-4
        centered = model.weight - model.weight.mean(1, keepdims=True)
        assert np.allclose(centered, other.coef_.T, atol=1e-3)
    assert np.allclose(model.probabilities(z).sum(1), 1)


def test_logistic_regression_with_an_absent_class(rng: np.random.Generator) -> None:
    y = rng.choice([0, 2], 80)
    z = y[:, None] + 0.5 * rng.standard_normal((80, 1))
    model = fit_logistic(z, y, 3)
    assert set(model.predict(z)) <= {0, 2}
    warm = fit_logistic(z, y, 3, c=2.0, start=model)
    cold = fit_logistic(z, y, 3, c=2.0)
    assert np.allclose(warm.probabilities(z), cold.probabilities(z), atol=1e-3)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("one_vs_rest", [False, True])
def test_logistic_regression_of_more_dimensions_than_rows_is_at_the_minimum(
    rng: np.random.Generator, balanced: bool, one_vs_rest: bool
) -> None:
    """The gradient of the whole objective, by autograd, vanishes at what is found in the span."""
    n, d = 30, 200
    y = np.concatenate([np.arange(3), rng.choice(3, n - 3, p=[0.6, 0.3, 0.1])])
    z = rng.standard_normal((n, d)) + np.eye(3, d)[y] + 5
    model = fit_logistic(z, y, 3, c=0.5, balanced=balanced, one_vs_rest=one_vs_rest, tolerance=1e-6)
    w = torch.tensor(model.weight, requires_grad=True)
    b = torch.tensor(model.bias, requires_grad=True)
    scores, target = torch.from_numpy(z) @ w + b, torch.from_numpy(y)
    counts = torch.bincount(target).double()
    if one_vs_rest:
        hit = torch.nn.functional.one_hot(target).double()
        weight = (
            torch.where(hit > 0, n / (2 * counts), n / (2 * (n - counts))) if balanced else None
        )
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            scores, hit, weight, reduction="sum"
        )
    else:
        weight = n / (3 * counts) if balanced else torch.ones(3, dtype=torch.float64)
        loss = torch.nn.functional.cross_entropy(scores, target, weight, reduction="sum")
    (0.5 * loss + 0.5 * w.square().sum()).backward()
    assert max(float(g.abs().max()) for g in (w.grad, b.grad)) / (0.5 * n) < 1e-3
    warm = fit_logistic(z, y, 3, c=0.5, balanced=balanced, one_vs_rest=one_vs_rest, start=model)
    assert np.allclose(warm.probabilities(z), model.probabilities(z), atol=1e-3)


def test_area_under_curve_is_scikit_learns(rng: np.random.Generator) -> None:
    from sklearn.metrics import roc_auc_score

    y = rng.integers(0, 3, 200)
    scores = np.round(rng.standard_normal((200, 3)) + np.eye(3)[y], 1)  # with ties
    areas = area_under_curve(scores, y)
    for c in range(3):
        assert areas[c] == pytest.approx(roc_auc_score(y == c, scores[:, c]), abs=1e-12)
    assert np.isnan(area_under_curve(scores, np.zeros(200, dtype=int))[0])


def test_votes_against_a_loop(rng: np.random.Generator) -> None:
    factors = np.array(list(product(range(4), range(3))))
    codes = rng.standard_normal((12, 3)) + np.stack([*factors.T, 0 * factors[:, 0]], 1)
    world = Interventions(factors, metric="test")
    seen: list[tuple[int, np.ndarray]] = []

    def draw(k: int, batches: int, size: int, generator: np.random.Generator) -> np.ndarray:
        rows = world.hold(k, batches, size, generator)
        seen.append((k, rows))
        return rows

    outcome = vote(
        codes,
        [[0], [1], [2]],
        2,
        draw,
        np.argmin,
        votes=50,
        test_votes=0,
        batch=6,
        threshold=0.0,
        variance_rows=None,
        metric="test",
        rng=rng,
    )
    counts = np.zeros((3, 2), dtype=int)
    for k, rows in seen:
        for batch in rows:
            ratio = codes[batch].var(axis=0, ddof=1) / codes.var(axis=0, ddof=1)
            counts[ratio.argmin(), k] += 1
    assert outcome.counts.tolist() == counts.tolist()
    assert outcome.train == pytest.approx(counts.max(axis=1).sum() / 50)


def test_interventions_hold_what_they_say(rng: np.random.Generator) -> None:
    factors = rng.integers(0, [3, 5, 4], (300, 3))
    factors[::7, 1] = -1
    factors[0, 2] = 9  # a value with one row
    world = Interventions(factors, metric="test")
    assert world.left_out.tolist() == [0, 0, 1]
    for k in range(3):
        rows = world.hold(k, 40, 8, rng)
        assert (factors[rows, k] == factors[rows[:, :1], k]).all()
        assert (factors[rows, k] >= 0).all()
        one, two = world.pairs(k, 500, rng)
        assert (factors[one, k] == factors[two, k]).all()
        assert (one != two).all()
        rows = world.vary(k, 40, 8, rng)
        others = [j for j in range(3) if j != k]
        assert (factors[rows][:, :, others] == factors[rows][:, :1, others]).all()
    assert 0 not in world.hold(2, 1000, 4, rng)
    assert not np.isin(np.arange(0, 300, 7), world.hold(1, 1000, 4, rng)).any()


def test_interventions_draw_values_as_often_as_they_occur(rng: np.random.Generator) -> None:
    factors = np.repeat([[0], [1], [2]], [100, 300, 600], axis=0)
    held = factors[Interventions(factors, metric="test").hold(0, 20_000, 2, rng)[:, 0], 0]
    assert np.abs(np.bincount(held) / 20_000 - [0.1, 0.3, 0.6]).max() < 0.02


def test_equal_width_bins_are_numpys(rng: np.random.Generator) -> None:
    values = rng.standard_normal(500)
    counts, edges = np.histogram(values, 10)
    binned = equal_width(values, 10)
    assert np.bincount(binned).tolist() == counts.tolist()
    outside = np.array([edges[0] - 1, edges[-1] + 1, np.nan])
    assert equal_width(outside, 10, values).tolist() == [0, 9, -1]


def test_relative_strength_by_hand() -> None:
    matrix = np.array([[0.8, 0.2, 0.0], [0.1, 0.5, 0.0]])
    columns = np.mean([0.64 / 0.9, 0.25 / 0.7, 0.0])
    rows = np.mean([0.64 / 1.0, 0.25 / 0.6])
    assert relative_strength(matrix) == pytest.approx((columns + rows) / 2)
    pooled = (0.64 / 0.9 + 0.25 / 0.7 + 0.64 / 1.0 + 0.25 / 0.6) / 5
    assert relative_strength(matrix, pooled=True) == pytest.approx(pooled)
    assert relative_strength(np.eye(4)[::-1]) == pytest.approx(1.0)
    assert relative_strength(np.zeros((0, 3))) == 0.0


@pytest.mark.parametrize("similarity", ["lasso", "spearman"])
def test_udr_against_scikit_learn(rng: np.random.Generator, similarity: str) -> None:
    from scipy.stats import spearmanr
    from sklearn.linear_model import Lasso
    from sklearn.preprocessing import StandardScaler

    u = rng.standard_normal((400, 3))
    runs = [u @ rng.standard_normal((3, 4)) for _ in range(3)] + [np.c_[u, u[:, :1] * 0]]
    kls = [np.array([1.0, 0.5, 0.005, 2.0])] * 3 + [np.array([1.0, 1.0, 1.0, 0.0])]
    score = udr(runs, kls, similarity=similarity)
    scaled = [
        StandardScaler().fit_transform(z) * (kl > 0.01) for z, kl in zip(runs, kls, strict=True)
    ]
    for i, j in permutations(range(4), 2):
        use_i, use_j = kls[i] > 0.01, kls[j] > 0.01
        if similarity == "lasso":
            matrix = np.abs(Lasso(alpha=0.1).fit(scaled[i], scaled[j]).coef_).T
        else:
            with np.errstate(all="ignore"):
                matrix = np.array(
                    [
                        [
                            abs(spearmanr(a, b).statistic) if a.any() and b.any() else 0
                            for b in scaled[j].T
                        ]
                        for a in scaled[i].T
                    ]
                )
        expected = relative_strength(matrix[use_i][:, use_j])
        assert score.parts["pairs"][i, j] == pytest.approx(expected, abs=2e-4)
    per_run = [np.median(np.delete(score.parts["pairs"][:, i], i)) for i in range(4)]
    assert np.allclose(score.parts["per_run"], per_run)
    assert float(score) == max(per_run)


def test_udr_prefers_runs_that_agree(rng: np.random.Generator) -> None:
    u = rng.standard_normal((1000, 4))
    rotations = [np.linalg.qr(rng.standard_normal((4, 4)))[0] for _ in range(2)]
    runs = [u, -u[:, [2, 0, 3, 1]], 5 * u[:, ::-1], u @ rotations[0], u @ rotations[1]]
    for similarity in ("lasso", "spearman"):
        scores = udr(runs, similarity=similarity).parts["per_run"]
        assert scores[:3].min() > scores[3:].max()


def test_model_centrality_finds_the_medoid(rng: np.random.Generator) -> None:
    u = rng.standard_normal((2000, 3))
    rotations = [np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(2)]
    runs = [u @ rotations[0], u, u[:, ::-1] * 2, -u, np.c_[u, 0 * u[:, :1]], u @ rotations[1]]
    score = model_centrality(runs)
    assert score.parts["best"] in (1, 2, 3, 4)
    per_run = score.parts["per_run"]
    assert per_run[1:5].min() > max(per_run[0], per_run[5])
    pairs = score.parts["pairs"]
    assert pairs[1, 2] == 1.0
    assert np.allclose(per_run, np.nanmean((pairs + pairs.T) / 2, axis=1))


def test_model_centrality_refuses_a_collapsed_run(rng: np.random.Generator) -> None:
    z = rng.standard_normal((100, 2))
    with pytest.raises(ValueError, match=r"runs\[1\] has no dimension"):
        model_centrality([z, 0.001 * z])


def test_total_variation_against_loops(rng: np.random.Generator) -> None:
    guess, group = rng.integers(0, 4, 300), np.repeat([0, 1, 2], [50, 100, 150])
    p = np.array([[np.mean(guess[group == g] == c) for c in range(4)] for g in range(3)])
    expected = [0.5 * np.abs(row - p.mean(0)).sum() for row in p]
    assert np.allclose(total_variation(guess, group, 4), expected)


def test_blocks_are_principal_components(rng: np.random.Generator) -> None:
    from sklearn.decomposition import PCA

    codes = rng.standard_normal((100, 5)) @ rng.standard_normal((5, 5))
    reduced = reduce_blocks(codes, {"a": [0, 3], "b": [1, 2, 4]}, components=2)
    for start, columns in ((0, [0, 3]), (2, [1, 2, 4])):
        expected = PCA(2).fit_transform(codes[:, columns])
        assert np.allclose(np.abs(reduced[:, start : start + 2]), np.abs(expected))
    new = reduce_blocks(codes[:10] + 1, [[0, 3]], basis=codes)
    expected = PCA(1).fit(codes[:, [0, 3]]).transform(codes[:10, [0, 3]] + 1)
    assert np.allclose(np.abs(new), np.abs(expected))


@pytest.mark.parametrize("name", ["boosting", "fast", "forest", "logistic", "logistic_cv"])
def test_predictors_learn_and_name_what_matters(rng: np.random.Generator, name: str) -> None:
    z = rng.standard_normal((300, 3))
    y = np.digitize(z[:, 1], [-0.4, 0.4]) * 2  # classes 0, 2, 4: 1 and 3 are absent
    model = fit_predictor(name, z, y, 5)
    assert (model.predict(z) == y).mean() > 0.85
    assert model.importance.argmax() == 1
    assert model.importance.shape == (3,)


@pytest.mark.parametrize("name", ["boosting", "fast", "forest", "lasso"])
def test_predictors_regress(rng: np.random.Generator, name: str) -> None:
    z = rng.standard_normal((400, 3))
    y = 5 + 2 * z[:, 2]
    model = fit_predictor(name, z, y, None)
    assert np.corrcoef(model.predict(z), y)[0, 1] > 0.95
    assert model.importance.argmax() == 2


def test_logistic_cv_is_scikit_learns(rng: np.random.Generator) -> None:
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import KFold

    y = rng.integers(0, 3, 300)
    z = 0.3 * (np.eye(3)[y] @ rng.standard_normal((3, 4)) + rng.standard_normal((300, 4)))
    model = fit_predictor("logistic_cv", z[:200], y[:200], 3)
    # what scikit-learn from 1.8 on wants to be told; before, both were so without a word
    told = {"l1_ratios": (0,), "use_legacy_attributes": True}
    told = told if told.keys() <= signature(LogisticRegressionCV).parameters.keys() else {}
    with np.errstate(all="ignore"):
        other = LogisticRegressionCV(
            Cs=10, cv=KFold(5), max_iter=2000, scoring="accuracy", **told
        ).fit(z[:200], y[:200])
    assert (model.predict(z[200:]) == other.predict(z[200:])).mean() > 0.97


def test_split_sizes_and_seeds() -> None:
    z, y = np.arange(300.0)[:, None], np.arange(300)[:, None] % 3
    data = train_test(z, y, train=10_000, test=5_000, seed=0, metric="test")
    assert (len(data.z), len(data.z_test)) == (200, 100)
    assert not set(data.z[:, 0]) & set(data.z_test[:, 0])
    again = train_test(z, y, train=10_000, test=5_000, seed=0, metric="test")
    other = train_test(z, y, train=10_000, test=5_000, seed=1, metric="test")
    assert (data.z == again.z).all()
    assert (data.z != other.z).any()
    small = train_test(z, y, train=30, test=20, seed=0, metric="test")
    assert (len(small.z), len(small.z_test)) == (30, 20)
    given = train_test(z, y, z[:50], y[:50], train=100, test=None, seed=0, metric="test")
    assert (len(given.z), len(given.z_test)) == (100, 50)
    assert given.protocol["test_rows"] == "given"
    assert (sap(z, y).protocol["train"], sap(z, y).protocol["test"]) == (200, 100)


@pytest.mark.parametrize("classes", [2, 3, None])
def test_the_fast_predictors_training_scores_are_its_predictions(
    rng: np.random.Generator, classes: int | None
) -> None:
    z = rng.standard_normal((200, 3))
    y = z[:, 0] if classes is None else np.digitize(z[:, 0], [0.0, 0.5][: classes - 1])
    model = fit_predictor("fast", z, y, classes)
    assert np.allclose(model.predict(z), model.predict(z.copy()))
