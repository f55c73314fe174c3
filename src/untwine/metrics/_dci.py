r"""DCI: disentanglement, completeness and informativeness, from a predictor's importances."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ._estimators.kinds import FactorKinds
from ._estimators.learners import balanced_accuracy, majority
from ._estimators.predictors import describe_predictor, fit_predictor, parallel
from ._estimators.splits import Columns, TrainTest, train_test
from .ranges import number, one_of
from .registry import metric
from .score import Score

__all__ = ["PREDICTORS", "dci", "dci_from_importance"]

#: The predictors, and whether each takes discrete factors as numbers instead of as classes.
PREDICTORS = {"boosting": False, "fast": False, "forest": True, "lasso": True, "logistic": False}


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("modularity", "compactness", "explicitness"),
    paper="Eastwood and Williams 2018",
    link="https://openreview.net/forum?id=By-7dz-AZ",
    source="locatello2019",
    rows="split",
    repeats=10,
    suite={"predictor": "fast"},
    groups=("classic", "default"),
    ranges={
        "predictor": one_of(*PREDICTORS),
        "alpha": number(0, above=True, words=("cv",)),
        "completeness": one_of("mass", "mean"),
    },
    orders=True,
)
def dci(
    codes: Any,
    factors: Any,
    *,
    codes_test: Any = None,
    factors_test: Any = None,
    predictor: str = "boosting",
    alpha: float | str | None = None,
    scaling: str | None = None,
    completeness: str = "mass",
    train: int | None = 10_000,
    test: int | None = 5_000,
    blocks: Columns | None = None,
    components: int | None = None,
    jobs: int | None = None,
    unknown: float | str | None = -1,
    groups: Any = None,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""How exclusively dimensions serve factors, and factors use dimensions, in predicting them.

    A predictor per factor gives the importances :math:`R_{dk} \ge 0`. With
    :math:`P_{dk} = R_{dk} / \sum_k R_{dk}`, :math:`Q_{dk} = R_{dk} / \sum_d R_{dk}`, and entropies
    in base K and base D,

    .. math::
        \text{disentanglement} &= \sum_d \rho_d \, (1 - H_K(P_{d \cdot})),
        \qquad \rho_d \propto \textstyle\sum_k R_{dk} \\
        \text{completeness} &= \sum_k w_k \, (1 - H_D(Q_{\cdot k})),
        \qquad w_k \propto \textstyle\sum_d R_{dk}

    and informativeness is the mean test accuracy (:math:`R^2` where factors are numbers; one minus
    12 times the squared error with ``scaling="minmax"``, a uniform factor's variance being 1/12).
    The score's value is the disentanglement. Range: 0 to 1, all three. Disentanglement captures
    modularity, completeness compactness, and informativeness explicitness.

    The predictor decides the number, and so does the number of points (0.27 at 10,000 and 0.13 at
    1,000 on one code): compare scores of equal protocols only.

    Args:
        codes: Codes, real or discrete.
        factors: Factors; -1 or nan where unknown, which leaves those rows out of that factor.
            Continuous ones are predicted by the regression form of the predictor.
        codes_test: Rows to be judged on; without them the given rows are split.
        factors_test: Their factors.
        predictor: ``"boosting"`` (scikit-learn's gradient boosting with its defaults, the
            reference; minutes), ``"fast"`` (histogram boosting, over a hundred times as fast; on 23
            codes of 10,000 points its disentanglement ranked them as the reference did, Spearman
            0.99, and was off by 0.02 on average and 0.07 at most), ``"forest"`` (10 trees, depth
            chosen on a fifth of the rows) and ``"lasso"``, the paper's predictors, which take
            discrete factors as numbers, or ``"logistic"`` (importance: mean absolute centered
            weight).
        alpha: The Lasso's penalty, 0.02 by default; ``"cv"`` chooses one of eight by 10-fold
            cross-validation.
        scaling: ``"standard"`` (the default) or ``"minmax"`` scaling of codes and factors for the
            Lasso.
        completeness: ``"mass"``, weights :math:`w_k` as above, or ``"mean"``, the plain mean.
        train: Rows to learn from; all if ``None``.
        test: Rows to be judged on; all if ``None``.
        blocks: Columns of vector-valued codes. The importance of a block is the sum over its
            columns, and D is the number of blocks.
        components: Principal components to reduce each block to; none is reduced if ``None``.
        jobs: How many factors to predict at a time; the number of cores by default.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        groups: A label of each row: rows of one group (a person, a clip) are not split.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the split and of the predictor.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - groups: ``(N,)``
        - ``parts["importance"]``: ``(D, K)``; ``parts["disentanglement_per_code"]``: ``(D,)``;
          ``parts["completeness_per_factor"]``, ``parts["informativeness_per_factor"]``: ``(K,)``.
        - ``parts["informativeness_chance_per_factor"]``: the share of the commonest value;
          ``parts["informativeness_balanced_per_factor"]``: the accuracy with all values of equal
          weight, nan for factors that are numbers; ``(K,)``.

    Raises:
        ValueError: for an unknown predictor, settings that it does not have, continuous factors
            with ``"logistic"``, or too few rows.

    References:
        A Framework for the Quantitative Evaluation of Disentangled Representations, Eastwood and
        Williams, 2018, https://openreview.net/forum?id=By-7dz-AZ, section 2. Challenging Common
        Assumptions in the Unsupervised Learning of Disentangled Representations, Locatello et al.,
        2019, https://arxiv.org/abs/1811.12359 (boosted trees, accuracy).

    Example:
        >>> factors = np.random.default_rng(0).integers(0, 3, (300, 2))
        >>> score = dci(factors * 1.0, factors, predictor="lasso")
        >>> round(float(score), 6), round(score.parts["completeness"], 6)
        (1.0, 1.0)
    """
    settings = _settings(predictor, alpha=alpha, scaling=scaling)
    data = train_test(
        codes,
        factors,
        codes_test,
        factors_test,
        train=train,
        test=test,
        seed=seed,
        metric="dci",
        blocks=blocks,
        components=components,
        unknown=unknown,
        groups=groups,
        kinds=kinds,
    )
    columns = range(data.factors.shape[1])
    # The longest first, so that no thread is left alone with one at the end.
    order = sorted(columns, key=lambda k: -len(np.unique(data.factors[:, k])))
    tasks: list[Callable[[], Any]] = [
        partial(_predict, data, k, predictor, settings, seed) for k in order
    ]
    results = dict(zip(order, parallel(tasks, jobs), strict=True))
    importance = np.stack([results[k][0] for k in columns], axis=1)
    importance = np.stack([importance[block].sum(axis=0) for block in data.columns])
    train_scores = np.array([results[k][1] for k in columns])
    test_scores = np.array([results[k][2] for k in columns])
    balanced = np.array([results[k][3] for k in columns])
    arithmetic = dci_from_importance(importance, completeness=completeness)
    regression_factors = [k for k in columns if PREDICTORS[predictor] or not data.discrete(k)]
    # A regression that knows nothing explains nothing.
    chance = np.where(np.isin(columns, regression_factors), 0.0, majority(data))
    parts = {
        **arithmetic.parts,
        "informativeness_chance": float(chance.mean()),
        "informativeness_chance_per_factor": chance,
        "informativeness_balanced_per_factor": balanced,
        "informativeness": float(test_scores.mean()),
        "informativeness_train": float(train_scores.mean()),
        "informativeness_per_factor": test_scores,
    }
    quality = "test R2" if settings.get("scaling") != "minmax" else "1 - 12 squared test error"
    if not regression_factors:
        quality = "test accuracy"
    elif len(regression_factors) < len(columns):
        quality = f"test accuracy, {quality} for factors {regression_factors}"
    protocol = {
        **describe_predictor(predictor, **settings),
        "informativeness": quality,
        **arithmetic.protocol,
        **data.protocol,
    }
    return Score(arithmetic.value, parts, protocol, "dci")


def dci_from_importance(importance: Any, *, completeness: str = "mass") -> Score:
    r"""Disentanglement and completeness of a matrix of importances; no data involved.

    A row or column without importance counts as uniform (0), with weight 0. With a single factor
    (or dimension) the entropy has no base, and disentanglement (completeness) is 1.

    Args:
        importance: Not negative, ``(D, K)``.
        completeness: ``"mass"`` or ``"mean"``, see `dci`.

    Raises:
        ValueError: for negative or not finite importances.

    Example:
        >>> score = dci_from_importance([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
        >>> round(float(score), 6), round(score.parts["completeness"], 6)
        (1.0, 0.57938)
    """
    matrix = np.asarray(importance, dtype=np.float64)
    if matrix.ndim != 2 or matrix.size == 0:
        raise ValueError(f"importance has shape {matrix.shape}; expected (dimensions, factors)")
    if not np.isfinite(matrix).all() or (matrix < 0).any():
        raise ValueError("importance has negative or not finite entries: take absolute values")
    if completeness not in ("mass", "mean"):
        raise ValueError(f"completeness is {completeness!r}; expected 'mass' or 'mean'")
    per_code, per_factor = _concentration(matrix), _concentration(matrix.T)
    total = matrix.sum()
    value = float(per_code @ matrix.sum(axis=1) / total) if total > 0 else 0.0
    if completeness == "mean":
        complete = float(per_factor.mean())
    else:
        complete = float(per_factor @ matrix.sum(axis=0) / total) if total > 0 else 0.0
    parts = {
        "disentanglement": value,
        "completeness": complete,
        "disentanglement_per_code": per_code,
        "completeness_per_factor": per_factor,
        "importance": matrix,
    }
    return Score(value, parts, {"completeness": completeness}, "dci")


def _concentration(matrix: np.ndarray) -> np.ndarray:
    """One minus each row's entropy, in the base of its length."""
    if matrix.shape[1] == 1:
        return np.ones(len(matrix))
    total = matrix.sum(axis=1, keepdims=True)
    p = np.where(total > 0, matrix / np.where(total > 0, total, 1.0), 1.0 / matrix.shape[1])
    logs = np.log(np.where(p > 0, p, 1.0))
    return 1.0 + (p * logs).sum(axis=1) / np.log(matrix.shape[1])


def _predict(
    data: TrainTest, k: int, predictor: str, settings: dict[str, Any], seed: int
) -> tuple[np.ndarray, float, float, float]:
    """Importances of the dimensions for a factor, train score, test score and balanced test score.

    Of a factor with several coordinates they are means, weighted by the coordinates' variances.
    """
    results, weights = [], []
    for target in data.targets(k, metric="dci", values=PREDICTORS[predictor]):
        classes = None if target.classes is None else len(target.classes)
        model = fit_predictor(predictor, target.z, target.y, classes, seed=seed, **settings)
        total = model.importance.sum()
        # Each factor's importances sum to one, except for the Lasso's weights, which are as they
        # are.
        unit_mass = predictor != "lasso" and total > 0
        importance = model.importance / total if unit_mass else model.importance
        uniform = float(np.ptp(target.y)) ** 2 / 12 if settings.get("scaling") == "minmax" else None
        guess = model.predict(target.z_test)
        scores = [
            _quality(model.predict(target.z), target.y, classes, uniform),
            _quality(guess, target.y_test, classes, uniform),
            np.nan if classes is None else balanced_accuracy(guess, target.y_test),
        ]
        results.append([*importance, *scores])
        weights.append(target.y.var())
    if len(results) > 1:
        results = [list(np.average(results, axis=0, weights=weights))]
    *importances, train_score, test_score, balanced = results[0]
    return np.array(importances), float(train_score), float(test_score), float(balanced)


def _quality(
    guess: np.ndarray, y: np.ndarray, classes: int | None, variance: float | None
) -> float:
    """Accuracy, or the explained share of the variance, the rows' own if ``None``."""
    if classes is not None:
        return float((guess == y).mean())
    variance = float(y.var()) if variance is None else variance
    return max(0.0, float(1.0 - ((y - guess) ** 2).mean() / variance)) if variance > 0 else 0.0


def _settings(predictor: str, **changes: Any) -> dict[str, Any]:
    """The predictor's own settings."""
    settings = {key: value for key, value in changes.items() if value is not None}
    if predictor != "lasso":
        if settings:
            raise ValueError(f"{', '.join(settings)}: settings of predictor='lasso' only")
        return {}
    return {"alpha": 0.02, "scaling": "standard"} | settings
