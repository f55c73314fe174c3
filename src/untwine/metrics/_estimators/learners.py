r"""Accuracies of classifiers that learn each factor from the codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..score import NotApplicable
from .arrays import is_known
from .kinds import FactorKinds
from .predictors import fit_predictor, parallel
from .splits import Columns, TrainTest, train_test

__all__ = ["LEARNERS", "accuracies", "accuracy_of", "labelled_parts", "majority"]

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
    kinds: FactorKinds,
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
            raise NotApplicable(
                f"{metric} classifies, but factor {k} is continuous: bin it first, or use r2, "
                "which takes continuous factors"
            )
    return data


def accuracies(
    data: TrainTest, size: int, predictor: str, jobs: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Accuracies on the rows learned from and on the judged ones, and balanced on the judged ones.

    Each is ``(K,)``. The balanced accuracy is the mean over the values that occur of the share of
    their rows that is right.
    """
    part = replace(data, z=data.z[:size], factors=data.factors[:size])
    tasks: list[Callable[[], Any]] = [
        partial(accuracy_of, part, k, predictor, seed) for k in range(data.factors.shape[1])
    ]
    train_accuracy, test_accuracy, balanced_accuracy = zip(*parallel(tasks, jobs), strict=True)
    return np.array(train_accuracy), np.array(test_accuracy), np.array(balanced_accuracy)


def majority(data: TrainTest) -> np.ndarray:
    """What the commonest value of the rows to learn from gets right on the judged ones, ``(K,)``.

    It is the accuracy of whoever has not seen the codes; nan for a factor without classes.
    """
    shares = np.full(data.factors.shape[1], np.nan)
    for k in range(len(shares)):
        learn, judge = data.factors[:, k], data.factors_test[:, k]
        learn, judge = learn[is_known(learn)], judge[is_known(judge)]
        if data.discrete(k) and len(learn) and len(judge):
            values, counts = np.unique(learn, return_counts=True)
            shares[k] = (judge == values[counts.argmax()]).mean()
    return shares


def accuracy_of(data: TrainTest, k: int, predictor: str, seed: int) -> tuple[float, float, float]:
    """Accuracies of factor ``k``: learned, judged, and judged with all values of equal weight."""
    if (data.factors[:, k] == data.factors[0, k]).all():  # too few labels to see two values
        only, judge = data.factors[0, k], data.factors_test[:, k]
        judge = judge[is_known(judge)]
        share = float((judge == only).mean())
        return 1.0, share, float((only == judge).any() / max(1, len(np.unique(judge))))
    target = data.target(k, metric="downstream")
    assert target.classes is not None
    model = fit_predictor(predictor, target.z, target.y, len(target.classes), seed=seed)
    right = model.predict(target.z_test) == target.y_test
    counts = np.bincount(target.y_test)
    recall = np.bincount(target.y_test, right)[counts > 0] / counts[counts > 0]
    train_accuracy = float((model.predict(target.z) == target.y).mean())
    return train_accuracy, float(right.mean()), float(recall.mean())
