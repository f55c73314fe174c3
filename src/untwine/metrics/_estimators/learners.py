r"""Accuracies of classifiers that learn each factor from the codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..score import NotApplicable
from .arrays import is_known
from .kinds import FactorKinds
from .predictors import Predictor, describe_predictor, fit_predictor, parallel
from .splits import Columns, TrainTest, train_test

__all__ = ["LEARNERS", "Accuracies", "Downstream", "balanced_accuracy", "downstream", "majority"]

#: Predictors that downstream metrics take.
LEARNERS = ("logistic_cv", "logistic", "boosting", "fast")


class Accuracies(NamedTuple):
    """Of predictors of several factors, or of one factor in several settings; ``(n,)`` each.

    Attributes:
        train: On the rows to learn from.
        test: On the rows to be judged on.
        balanced: On the latter, with all values of equal weight.
    """

    train: np.ndarray
    test: np.ndarray
    balanced: np.ndarray


@dataclass(frozen=True)
class Downstream:
    """Classifiers of one kind that learn each factor from the codes.

    Attributes:
        data: Rows to learn from and rows to be judged on.
        predictor: A name of `LEARNERS`.
        jobs: How many predictors to learn at a time; the number of cores if ``None``.
        seed: Of the predictor.
        predictors: Those that have been fitted, by factor.
    """

    data: TrainTest
    predictor: str
    jobs: int | None
    seed: int
    predictors: dict[int, Predictor] = field(default_factory=dict, init=False, repr=False)

    @property
    def protocol(self) -> dict[str, Any]:
        """What a score has to say of predictor and rows."""
        return {**describe_predictor(self.predictor), **self.data.protocol}

    @property
    def count(self) -> int:
        """How many factors there are."""
        return self.data.factors.shape[1]

    def of_dimensions(self, columns: np.ndarray) -> Downstream:
        """The same from some columns of the codes alone."""
        data = self.data
        return replace(
            self, data=replace(data, z=data.z[:, columns], z_test=data.z_test[:, columns])
        )

    def of_rows(self, learn: Any, judge: Any = slice(None)) -> Downstream:
        """The same on some rows alone."""
        data = self.data
        return replace(
            self,
            data=replace(
                data,
                z=data.z[learn],
                factors=data.factors[learn],
                z_test=data.z_test[judge],
                factors_test=data.factors_test[judge],
            ),
        )

    def accuracies(self) -> Accuracies:
        """Of each factor."""
        return together([(self, k) for k in range(self.count)], self.jobs)

    def fitted(self, k: int) -> Predictor:
        """The predictor of factor ``k``, fitted once."""
        if k not in self.predictors:
            target = self.data.target(k, metric="downstream")
            assert target.classes is not None
            self.predictors[k] = fit_predictor(
                self.predictor, target.z, target.y, len(target.classes), seed=self.seed
            )
        return self.predictors[k]

    def accuracy(self, k: int) -> tuple[float, float, float]:
        """Of factor ``k``: train, test and balanced."""
        learn, judge = self.data.factors[:, k], self.data.factors_test[:, k]
        if (learn == learn[0]).all():  # too few labels to see two values
            right = judge[is_known(judge)] == learn[0]
            values = len(np.unique(judge[is_known(judge)]))
            return 1.0, float(right.mean()), float(right.any() / max(1, values))
        target, model = self.data.target(k, metric="downstream"), self.fitted(k)
        guess = model.predict(target.z_test)
        train_accuracy = float((model.predict(target.z) == target.y).mean())
        test_accuracy = float((guess == target.y_test).mean())
        return train_accuracy, test_accuracy, balanced_accuracy(guess, target.y_test)


def together(tasks: Sequence[tuple[Downstream, int]], jobs: int | None) -> Accuracies:
    """Accuracies of one factor each, ``(T,)``, learned in parallel."""
    calls: list[Callable[[], Any]] = [partial(task.accuracy, k) for task, k in tasks]
    return Accuracies(*(np.array(column) for column in zip(*parallel(calls, jobs), strict=True)))


def downstream(
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
    predictor: str,
    jobs: int | None,
    seed: int,
    metric: str,
) -> Downstream:
    """Classifiers on both parts, checked to hold discrete factors only."""
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
    return Downstream(data, predictor, jobs, seed)


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


def balanced_accuracy(guess: np.ndarray, y: np.ndarray) -> float:
    """The mean over the values that occur of the share of their rows that is right.

    Example:
        >>> balanced_accuracy(np.array([0, 0, 0, 0]), np.array([0, 0, 0, 1]))
        0.5
    """
    counts = np.bincount(y)
    right = np.bincount(y, guess == y)
    return float((right[counts > 0] / counts[counts > 0]).mean())
