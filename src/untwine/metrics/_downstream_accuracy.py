r"""Downstream accuracy of a classifier that learns each factor from the codes."""

from __future__ import annotations

from typing import Any

from ._estimators.kinds import FactorKinds
from ._estimators.learners import LEARNERS, downstream, majority
from ._estimators.splits import Columns
from .ranges import one_of
from .registry import metric
from .score import Score

__all__ = ["downstream_accuracy"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("explicitness",),
    paper="Locatello et al. 2019",
    link="https://arxiv.org/abs/1811.12359",
    source="locatello2019",
    rows="split",
    repeats=10,
    suite={"predictor": "logistic"},
    ranges={"predictor": one_of(*LEARNERS)},
)
def downstream_accuracy(
    codes: Any,
    factors: Any,
    *,
    codes_test: Any = None,
    factors_test: Any = None,
    predictor: str = "logistic_cv",
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
    r"""Mean test accuracy of a classifier that learns each factor from the codes.

    .. math::
        \frac{1}{K} \sum_k \frac{1}{M} \sum_m \mathbb{1}[\hat v_k(z_m) = v_{mk}]

    Range: 0 to 1. Chance is what the commonest value gets right; ``parts["balanced"]`` weighs all
    values of a factor equally, where chance is one over their number. It captures explicitness to
    the predictor at hand: linear, or nonlinear for boosted trees.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors; -1 or nan where unknown, which leaves those rows out of that
            factor.
        codes_test: Rows to be judged on; without them the given rows are split.
        factors_test: Their factors.
        predictor: ``"logistic_cv"`` (logistic regression on the raw codes, its strength by 5-fold
            cross-validation) or ``"boosting"`` (scikit-learn's gradient boosting), the two of
            Locatello et al.; ``"logistic"`` (C = 1 on standardized codes) or ``"fast"`` (histogram
            boosting), which are cheaper.
        train: Rows to learn from; all if ``None``.
        test: Rows to be judged on; all if ``None``.
        blocks: Columns of vector-valued codes, all of which a predictor sees.
        components: Principal components to reduce each block to; none is reduced if ``None``.
        jobs: How many factors to learn at a time; the number of cores by default.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        groups: A label of each row: rows of one group (a person, a clip) are not split.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the split and of the predictor.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - groups: ``(N,)``
        - ``parts["per_factor"]``, ``parts["chance_per_factor"]``,
          ``parts["balanced_per_factor"]``: ``(K,)``.

    Raises:
        ValueError: for an unknown predictor, continuous factors, or too few rows.

    References:
        Challenging Common Assumptions in the Unsupervised Learning of Disentangled
        Representations, Locatello et al., 2019, https://arxiv.org/abs/1811.12359, section 5.5.

    Example:
        >>> import numpy as np
        >>> factors = np.repeat([[0], [1]], 30, axis=0)
        >>> float(downstream_accuracy(factors * 1.0, factors, predictor="logistic"))
        1.0
    """
    task = downstream(
        codes,
        factors,
        codes_test,
        factors_test,
        train=train,
        test=test,
        blocks=blocks,
        components=components,
        unknown=unknown,
        groups=groups,
        kinds=kinds,
        predictor=predictor,
        jobs=jobs,
        seed=seed,
        metric="downstream_accuracy",
    )
    train_accuracy, test_accuracy, balanced_accuracy = task.accuracies()
    chance = majority(task.data)
    return Score(
        test_accuracy.mean(),
        {
            "per_factor": test_accuracy,
            "worst": float(test_accuracy.min()),
            "chance": float(chance.mean()),
            "balanced": float(balanced_accuracy.mean()),
            "chance_per_factor": chance,
            "balanced_per_factor": balanced_accuracy,
            "train": float(train_accuracy.mean()),
        },
        task.protocol,
        "downstream_accuracy",
    )
