r"""Strong generalization: learn with a factor held at a value, be judged at its other values."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.arrays import is_known
from ._estimators.kinds import FactorKinds
from ._estimators.learners import LEARNERS, Downstream, downstream, majority, together
from ._estimators.splits import Columns
from .ranges import one_of, whole
from .registry import metric
from .score import Score

__all__ = ["strong_downstream"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("explicitness", "invariance"),
    paper="Locatello et al. 2020",
    link="https://arxiv.org/abs/2002.02886",
    source="disentanglement_lib",
    rows="split",
    repeats=10,
    suite={"predictor": "fast", "experiments": 3},
    ranges={"predictor": one_of(*LEARNERS), "experiments": whole(1)},
)
def strong_downstream(
    codes: Any,
    factors: Any,
    *,
    codes_test: Any = None,
    factors_test: Any = None,
    groups: Any = None,
    predictor: str = "boosting",
    experiments: int = 10,
    train: int | None = 10_000,
    test: int | None = 5_000,
    blocks: Columns | None = None,
    components: int | None = None,
    jobs: int | None = None,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Accuracy at values of another factor that the predictor has never seen.

    A predictor of factor :math:`k` learns from rows that share one value :math:`u` of another
    factor :math:`j`, and is judged on rows of all other values:

    .. math::
        \mathbb{E}_{k, j, u} \; P\big( \hat v_k(z) = v_k \mid v_j \ne u \big)

    over ``experiments`` draws of :math:`(j, u)` per factor. Range: 0 to 1; chance depends on the
    factors' values. ``parts["gap"]`` is one minus its ratio to the accuracy without such a shift:
    0 for a code whose reading of a factor does not depend on the others.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors, at least two; -1 or nan where unknown, which leaves those rows
            out.
        codes_test: Rows to be judged on; without them the given rows are split.
        factors_test: Their factors.
        groups: A label of each row: rows of one group (a person, a clip) are not split.
        predictor: See `downstream_accuracy`.
        experiments: Draws of a factor and a value, per factor to predict.
        train: Rows to learn from, before those of one value are taken; all if ``None``.
        test: Rows to be judged on, before; all if ``None``.
        blocks: Columns of vector-valued codes, all of which a predictor sees.
        components: Principal components to reduce each block to; none is reduced if ``None``.
        jobs: How many predictors to learn at a time; the number of cores by default.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the split, the draws and the predictor.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - groups: ``(N,)``
        - ``parts["per_factor"]``, ``parts["balanced_per_factor"]``,
          ``parts["chance_per_factor"]``: ``(K,)``: the accuracy, that with all values of equal
          weight, and what the commonest value of the rows learned from gets right.
        - ``parts["train"]``, ``parts["test"]``: accuracies without a shift;
          ``parts["strong_train"]``, ``parts["gap"]``.

    Raises:
        ValueError: for continuous factors, a single factor, or too few rows.

    References:
        disentanglement_lib, ``strong_downstream_task``; Weakly-Supervised Disentanglement Without
        Compromises, Locatello et al., 2020, https://arxiv.org/abs/2002.02886, section 5.2 (strong
        generalization under covariate shifts).

    Deviations:
        Rows are looked up: those of one value are fewer than ``train``, where disentanglement_lib
        renders as many as without the shift; the held-out values keep their frequencies.

    Example:
        >>> factors = np.random.default_rng(0).integers(0, 3, (600, 2))
        >>> score = strong_downstream(factors * 1.0, factors, predictor="logistic")
        >>> float(score), score.parts["gap"]
        (1.0, 0.0)
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
        metric="strong_downstream",
    )
    count = task.count
    if count < 2:
        raise ValueError("strong_downstream shifts another factor and got 1: give two columns")
    unshifted = task.accuracies()
    rng = np.random.default_rng(seed)
    shifts = [
        (_shifted(task, k, int(rng.choice(np.delete(np.arange(count), k))), rng), k)
        for k in range(count)
        for _ in range(experiments)
    ]
    chances = np.array([majority(shifted.data)[k] for shifted, k in shifts])
    train_accuracy, test_accuracy, balanced, chance = (
        column.reshape(count, experiments).mean(axis=1)
        for column in (*together(shifts, jobs), chances)
    )
    strong, plain = float(test_accuracy.mean()), float(unshifted.test.mean())
    parts = {
        "per_factor": test_accuracy,
        "balanced_per_factor": balanced,
        "chance_per_factor": chance,
        "train": float(unshifted.train.mean()),
        "test": plain,
        "strong_train": float(train_accuracy.mean()),
        "gap": 1 - strong / plain if plain > 0 else 0.0,
    }
    protocol = {**task.protocol, "experiments": experiments}
    return Score(strong, parts, protocol, "strong_downstream")


def _shifted(task: Downstream, k: int, other: int, rng: np.random.Generator) -> Downstream:
    """Rows to learn from at one value of a factor, and rows to be judged on at the others."""
    data = task.data
    inside, outside = data.factors[:, other], data.factors_test[:, other]
    learn, judge = is_known(data.factors[:, k]), is_known(data.factors_test[:, k])
    values = [
        value
        for value in np.unique(inside[learn & is_known(inside)])
        if (judge & is_known(outside) & (outside != value)).any()
    ]
    if not values:
        raise ValueError(
            f"strong_downstream: no value of factor {other} has rows to learn from and rows of "
            "other values to be judged on: give more rows"
        )
    value = values[int(rng.integers(len(values)))]
    learn &= inside == value
    judge &= is_known(outside) & (outside != value)
    return task.of_rows(learn, judge)
