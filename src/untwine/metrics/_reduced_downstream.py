r"""Reduced downstream task: what of a factor is left without its most predictive dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.kinds import FactorKinds
from ._estimators.learners import LEARNERS, downstream, majority
from .ranges import one_of, whole
from .registry import metric
from .score import Score

__all__ = ["reduced_downstream"]


@metric(
    low=-1.0,
    high=1.0,
    higher_is_better=True,
    captures=("compactness", "modularity"),
    paper="Locatello et al. 2019",
    link="https://arxiv.org/abs/1811.12359",
    source="disentanglement_lib",
    rows="split",
    repeats=10,
    suite={"predictor": "fast"},
    ranges={"predictor": one_of(*LEARNERS), "remove": whole(1)},
)
def reduced_downstream(
    codes: Any,
    factors: Any,
    *,
    codes_test: Any = None,
    factors_test: Any = None,
    groups: Any = None,
    predictor: str = "boosting",
    remove: int = 1,
    train: int | None = 10_000,
    test: int | None = 5_000,
    jobs: int | None = None,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""How much of a factor, and of that factor alone, its most predictive dimensions hold.

    For each factor :math:`k` the dimension that matters most to its predictor is taken out, as
    often as ``remove`` says, and predictors of all factors :math:`i` learn from the rest, with
    accuracy :math:`a_{ki}`, where they had :math:`a_i` from all dimensions:

    .. math::
        \frac{1}{K} \sum_k \Big( (a_k - a_{kk})
        - \frac{1}{K - 1} \sum_{i \ne k} (a_i - a_{ki}) \Big)

    Range: -1 to 1. It is large for a code that loses a factor with one dimension and nothing else;
    0 for one that holds everything twice, and for noise.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors; -1 or nan where unknown, which leaves those rows out of that
            factor.
        codes_test: Rows to be judged on; without them the given rows are split.
        factors_test: Their factors.
        groups: A label of each row: rows of one group (a person, a clip) are not split.
        predictor: Of accuracies and importances, see `downstream_accuracy`.
        remove: How many dimensions, one after the other.
        train: Rows to learn from; all if ``None``.
        test: Rows to be judged on; all if ``None``.
        jobs: How many factors to learn at a time; the number of cores by default.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the split and of the predictor.

    Shape:
        - codes: ``(N, D)``, D above ``remove``.
        - factors: ``(N, K)``
        - groups: ``(N,)``
        - ``parts["accuracy"]``: ``(K, K)``, without the dimensions of the row's factor, of the
          column's; ``parts["full_per_factor"]``, ``parts["left_per_factor"]``: ``(K,)``, from all
          dimensions and without the factor's own; ``parts["removed"]``: ``(K, remove)``.
        - ``parts["balanced"]``, ``parts["full_balanced_per_factor"]``: the same with all values of
          equal weight; ``parts["chance_per_factor"]``: ``(K,)``, what the commonest value gets.

    Raises:
        ValueError: for continuous factors, too few rows, or no dimension that is left.

    References:
        disentanglement_lib, ``reduced_downstream_task``, Locatello et al., 2019,
        https://arxiv.org/abs/1811.12359. It lists the accuracies (``parts["accuracy"]``) and has no
        single score.

    Example:
        >>> factors = np.random.default_rng(0).integers(0, 2, (300, 2))
        >>> score = reduced_downstream(factors * 1.0, factors, predictor="logistic")
        >>> score.parts["removed"].tolist(), score.value > 0.35
        ([[0], [1]], True)
    """
    task = downstream(
        codes,
        factors,
        codes_test,
        factors_test,
        train=train,
        test=test,
        blocks=None,
        components=None,
        unknown=unknown,
        groups=groups,
        kinds=kinds,
        predictor=predictor,
        jobs=jobs,
        seed=seed,
        metric="reduced_downstream",
    )
    width, count = task.data.z.shape[1], task.count
    if remove >= width:
        raise ValueError(
            f"remove is {remove}, but codes has {width} dimensions: at least one has to be left"
        )
    full = task.accuracies()
    accuracy, balanced = np.empty((count, count)), np.empty((count, count))
    top_dimensions = np.empty((count, remove), dtype=np.int64)
    for k in range(count):
        dimensions, rest = np.arange(width), task
        for i in range(remove):
            most = rest.fitted(k).importance.argmax()
            top_dimensions[k, i] = dimensions[most]
            dimensions = np.delete(dimensions, most)
            rest = task.of_dimensions(dimensions)
        _, accuracy[k], balanced[k] = rest.accuracies()
    drop = full.test - accuracy
    own_drop = drop.diagonal()
    other_drop = (drop.sum(axis=1) - own_drop) / max(count - 1, 1)
    parts = {
        "per_factor": own_drop - other_drop,
        "full_per_factor": full.test,
        "full_balanced_per_factor": full.balanced,
        "chance_per_factor": majority(task.data),
        "left_per_factor": accuracy.diagonal().copy(),
        "left": float(accuracy.diagonal().mean()),
        "accuracy": accuracy,
        "balanced": balanced,
        "removed": top_dimensions,
    }
    protocol = {**task.protocol, "remove": remove}
    return Score(float((own_drop - other_drop).mean()), parts, protocol, "reduced_downstream")
