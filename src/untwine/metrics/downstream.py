r"""Downstream accuracy and sample efficiency: what codes are worth to a learner."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from .heldout import Blocks, HeldOut, held_out
from .predictors import describe_predictor, fit_predictor, parallel
from .score import Score

__all__ = ["LEARNERS", "downstream_accuracy", "sample_efficiency"]

#: Predictors that downstream metrics take.
LEARNERS = ("logistic_cv", "logistic", "boosting", "fast")


def downstream_accuracy(
    codes: Any,
    factors: Any,
    *,
    codes_test: Any = None,
    factors_test: Any = None,
    predictor: str = "logistic_cv",
    train: int | None = 10_000,
    test: int | None = 5_000,
    blocks: Blocks | None = None,
    jobs: int | None = None,
    seed: int = 0,
) -> Score:
    r"""Mean test accuracy of a classifier that learns each factor from the codes.

    .. math::
        \frac{1}{K} \sum_k \frac{1}{M} \sum_m \mathbb{1}[\hat v_k(z_m) = v_{mk}]

    Range: 0 to 1; chance depends on the factors' values. It captures explicitness to the predictor
    at hand: linear, or nonlinear for boosted trees.

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
        blocks: Columns of vector-valued codes; each is reduced to its first principal component.
        jobs: How many factors to learn at a time; the number of cores by default.
        seed: Of the split and of the predictor.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - ``parts["per_factor"]``: ``(K,)``.

    Raises:
        ValueError: for an unknown predictor, continuous factors, or too few rows.

    References:
        Challenging Common Assumptions in the Unsupervised Learning of Disentangled
        Representations, Locatello et al., 2019, https://arxiv.org/abs/1811.12359, section 5.5.

    Example:
        >>> factors = np.repeat([[0], [1]], 30, axis=0)
        >>> float(downstream_accuracy(factors * 1.0, factors, predictor="logistic"))
        1.0
    """
    data = _data(
        codes,
        factors,
        codes_test,
        factors_test,
        predictor,
        train,
        test,
        blocks,
        seed,
        "downstream_accuracy",
    )
    learned, judged = _accuracies(data, len(data.z), predictor, jobs, seed)
    return Score(
        judged.mean(),
        {
            "per_factor": judged,
            "worst": float(judged.min()),
            "train": float(learned.mean()),
        },
        {**describe_predictor(predictor), **data.protocol},
        "downstream_accuracy",
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
    blocks: Blocks | None = None,
    jobs: int | None = None,
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
        blocks: Columns of vector-valued codes; each is reduced to its first principal component.
        jobs: How many factors to learn at a time; the number of cores by default.
        seed: Of the split, the draws and the predictor.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - ``parts["accuracy"]``: ``(S, K)``, by number of labels and factor, of
          ``parts["labels"]``, ``(S,)``.

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
    if few < 1 or many <= few or repeats < 1 or min(labels, default=1) < 1:
        raise ValueError(
            f"few={few}, many={many}, repeats={repeats}, labels={tuple(labels)}; expected positive "
            "numbers, and fewer than many"
        )
    largest = max(many, *labels) if labels else many
    data = _data(
        codes,
        factors,
        codes_test,
        factors_test,
        predictor,
        largest,
        test,
        blocks,
        seed,
        "sample_efficiency",
    )
    available = len(data.z)
    if available <= few:
        raise ValueError(
            f"sample_efficiency compares {few} labels with more, but {available} rows are there to "
            "learn from: give more rows, or smaller few="
        )
    sizes = sorted({min(size, available) for size in (*labels, few, many)})
    accuracy = np.zeros((len(sizes), data.factors.shape[1]))
    rng = np.random.default_rng(seed)
    for _ in range(repeats):
        order = rng.permutation(available)
        shuffled = HeldOut(
            data.z[order], data.factors[order], data.z_test, data.factors_test, data.protocol
        )
        for i, size in enumerate(sizes):
            accuracy[i] += _accuracies(shuffled, size, predictor, jobs, seed)[1] / repeats
    means = dict(zip(sizes, accuracy.mean(axis=1), strict=True))
    high = means[min(many, available)]
    return Score(
        means[few] / high if high > 0 else 0.0,
        {"accuracy": accuracy, "labels": np.array(sizes)},
        {
            **describe_predictor(predictor),
            **data.protocol,
            "few": few,
            "many": min(many, available),
            "repeats": repeats,
        },
        "sample_efficiency",
    )


def _data(
    codes: Any,
    factors: Any,
    codes_test: Any,
    factors_test: Any,
    predictor: str,
    train: int | None,
    test: int | None,
    blocks: Blocks | None,
    seed: int,
    metric: str,
) -> HeldOut:
    """Both parts, checked to hold discrete factors only."""
    if predictor not in LEARNERS:
        raise ValueError(
            f"predictor is {predictor!r}; expected one of {', '.join(map(repr, LEARNERS))}"
        )
    data = held_out(
        codes,
        factors,
        codes_test,
        factors_test,
        train=train,
        test=test,
        seed=seed,
        metric=metric,
        blocks=blocks,
    )
    for k in range(data.factors.shape[1]):
        if not data.discrete(k):
            raise ValueError(
                f"{metric} classifies, but factor {k} is continuous: bin it first, or use r2, "
                "which takes continuous factors"
            )
    return data


def _accuracies(
    data: HeldOut, size: int, predictor: str, jobs: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Accuracies on the rows learned from and on the judged ones, each ``(K,)``."""

    def learn(k: int) -> tuple[float, float]:
        if (data.factors[:size, k] == data.factors[0, k]).all():  # too few labels to see two values
            only = data.factors[0, k]
            return 1.0, float((data.factors_test[:, k] == only).mean())
        part = HeldOut(
            data.z[:size], data.factors[:size], data.z_test, data.factors_test, data.protocol
        )
        target = part.target(k, metric="downstream")
        assert target.classes is not None
        model = fit_predictor(predictor, target.z, target.y, len(target.classes), seed=seed)
        return (
            float((model.predict(target.z) == target.y).mean()),
            float((model.predict(target.z_test) == target.y_test).mean()),
        )

    tasks: list[Callable[[], Any]] = [partial(learn, k) for k in range(data.factors.shape[1])]
    learned, judged = zip(*parallel(tasks, jobs), strict=True)
    return np.array(learned), np.array(judged)
