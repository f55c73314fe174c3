r"""Accuracies of classifiers that learn each factor from the codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from .kinds import Stated
from .predictors import fit_predictor, parallel
from .splits import Columns, TrainTest, train_test

__all__ = ["LEARNERS", "accuracies", "accuracy_of", "labelled_parts"]

#: Predictors that downstream metrics take.
LEARNERS = ("logistic_cv", "logistic", "boosting", "fast")


def labelled_parts(
    codes: Any,
    factors: Any,
    codes_test: Any,
    factors_test: Any,
    *,
    train: int | None,
    test: int | None,
    blocks: Columns | None,
    components: int | None,
    unknown: float | str | None,
    groups: Any,
    kinds: Stated,
    seed: int,
    metric: str,
) -> TrainTest:
    """Both parts, checked to hold discrete factors only."""
    data = train_test(
        codes,
        factors,
        codes_test,
        factors_test,
        train=train,
        test=test,
        seed=seed,
        metric=metric,
        blocks=blocks,
        components=components,
        unknown=unknown,
        groups=groups,
        kinds=kinds,
    )
    for k in range(data.factors.shape[1]):
        if not data.discrete(k):
            raise ValueError(
                f"{metric} classifies, but factor {k} is continuous: bin it first, or use r2, "
                "which takes continuous factors"
            )
    return data


def accuracies(
    data: TrainTest, size: int, predictor: str, jobs: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies on the rows learned from and on the judged ones, each ``(K,)``."""
    part = replace(data, z=data.z[:size], factors=data.factors[:size])
    tasks: list[Callable[[], Any]] = [
        partial(accuracy_of, part, k, predictor, seed) for k in range(data.factors.shape[1])
    ]
    learned, judged = zip(*parallel(tasks, jobs), strict=True)
    return np.array(learned), np.array(judged)


def accuracy_of(data: TrainTest, k: int, predictor: str, seed: int) -> tuple[float, float]:
    """Accuracies of factor ``k`` on the rows learned from and on the judged ones."""
    if (data.factors[:, k] == data.factors[0, k]).all():  # too few labels to see two values
        only = data.factors[0, k]
        return 1.0, float((data.factors_test[:, k] == only).mean())
    target = data.target(k, metric="downstream")
    assert target.classes is not None
    model = fit_predictor(predictor, target.z, target.y, len(target.classes), seed=seed)
    return (
        float((model.predict(target.z) == target.y).mean()),
        float((model.predict(target.z_test) == target.y_test).mean()),
    )
