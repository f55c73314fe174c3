r"""Sample efficiency: accuracy from few labels relative to accuracy from many."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np

from ._estimators.kinds import FactorKinds
from ._estimators.learners import LEARNERS, downstream, majority
from ._estimators.splits import Columns
from .ranges import one_of, several, whole
from .registry import metric
from .score import Score

__all__ = ["sample_efficiency"]


@metric(
    low=0.0,
    high=inf,
    higher_is_better=True,
    captures=("explicitness",),
    paper="Locatello et al. 2019",
    link="https://arxiv.org/abs/1811.12359",
    source="locatello2019",
    rows="split",
    repeats=10,
    suite={"predictor": "logistic"},
    ranges={
        "predictor": one_of(*LEARNERS),
        "labels": several(whole(1)),
        "few": whole(1),
        "many": whole(1),
        "repeats": whole(1),
    },
)
def sample_efficiency(
    codes: Any,
    factors: Any,
    *,
    codes_test: Any = None,
    factors_test: Any = None,
    predictor: str = "logistic_cv",
    labels: Sequence[int] = (10, 100, 1_000, 10_000),
    few: int = 100,
    many: int = 10_000,
    repeats: int = 1,
    test: int | None = 5_000,
    blocks: Columns | None = None,
    components: int | None = None,
    jobs: int | None = None,
    unknown: float | str | None = -1,
    groups: Any = None,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Accuracy from few labels relative to accuracy from many.

    .. math::
        \frac{\text{mean accuracy from 100 labels}}{\text{mean accuracy from 10,000 labels}}

    Range: 0 to about 1. It asks whether a representation helps a learner that has little data, and
    says nothing of how well that learner does in the end: the parts hold the whole curve.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors; -1 or nan where unknown, which leaves those rows out of that
            factor.
        codes_test: Rows to be judged on; without them the given rows are split.
        factors_test: Their factors.
        predictor: See `downstream_accuracy`.
        labels: How many labelled rows to learn from; numbers above the available rows become all
            of them.
        few: The numerator's number of labels.
        many: The denominator's; all available rows if there are fewer.
        repeats: How often to draw the labelled rows; accuracies are averaged.
        test: Rows to be judged on; all if ``None``.
        blocks: Columns of vector-valued codes, all of which a predictor sees.
        components: Principal components to reduce each block to; none is reduced if ``None``.
        jobs: How many factors to learn at a time; the number of cores by default.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        groups: A label of each row: rows of one group (a person, a clip) are not split.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the split, the draws and the predictor.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - groups: ``(N,)``
        - ``parts["accuracy"]``, ``parts["balanced"]``: ``(S, K)``, by number of labels and
          factor, of ``parts["labels"]``, ``(S,)``; the latter with all values of equal weight.
        - ``parts["chance_per_factor"]``: ``(K,)``, what the commonest value gets right.

    Raises:
        ValueError: as `downstream_accuracy`, and if there are no more rows than ``few``.

    References:
        Challenging Common Assumptions in the Unsupervised Learning of Disentangled
        Representations, Locatello et al., 2019, https://arxiv.org/abs/1811.12359, section 5.5.

    Example:
        >>> factors = np.repeat([[0], [1]], 150, axis=0)
        >>> float(sample_efficiency(factors * 1.0, factors, predictor="logistic"))
        1.0
    """
    if many <= few:
        raise ValueError(f"few is {few} and many is {many}; expected fewer than many")
    largest = max(many, *labels) if labels else many
    task = downstream(
        codes,
        factors,
        codes_test,
        factors_test,
        train=largest,
        test=test,
        blocks=blocks,
        components=components,
        unknown=unknown,
        groups=groups,
        kinds=kinds,
        predictor=predictor,
        jobs=jobs,
        seed=seed,
        metric="sample_efficiency",
    )
    available = len(task.data.z)
    if available <= few:
        raise ValueError(
            f"sample_efficiency compares {few} labels with more, but {available} rows are there to "
            "learn from: give more rows, or smaller few="
        )
    sizes = sorted({min(size, available) for size in (*labels, few, many)})
    accuracy = np.zeros((len(sizes), task.count))
    balanced = np.zeros_like(accuracy)
    rng = np.random.default_rng(seed)
    for _ in range(repeats):
        order = rng.permutation(available)
        for i, size in enumerate(sizes):
            _, test_accuracy, test_balanced = task.of_rows(order[:size]).accuracies()
            accuracy[i] += test_accuracy / repeats
            balanced[i] += test_balanced / repeats
    means = dict(zip(sizes, accuracy.mean(axis=1), strict=True))
    high = means[min(many, available)]
    return Score(
        means[few] / high if high > 0 else 0.0,
        {
            "accuracy": accuracy,
            "balanced": balanced,
            "labels": np.array(sizes),
            "chance_per_factor": majority(task.data),
        },
        {
            **task.protocol,
            "few": few,
            "many": min(many, available),
            "repeats": repeats,
        },
        "sample_efficiency",
    )
