"""All metrics at once, with confidence intervals."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .arrays import as_codes, as_factors, check
from .catalog import GROUPS, METRICS, Metric, entry
from .confidence import half_sample, interval
from .evaluation import Evaluation
from .score import Score
from .threads import one_thread

__all__ = ["evaluate"]


def evaluate(
    codes: Any,
    factors: Any = None,
    metrics: str | Sequence[str] | Mapping[str, Mapping[str, Any]] = "all",
    *,
    confidence: float | None = None,
    repeats: int | None = None,
    points: int | None = 10_000,
    seed: int = 0,
    names: Sequence[str] | None = None,
    stddev: Any = None,
    blocks: Any = None,
    discrete_codes: bool = False,
    codes_test: Any = None,
    factors_test: Any = None,
    exact: bool = False,
    progress: bool | None = None,
) -> Evaluation:
    r"""Every metric of a representation, as a table.

    A metric that cannot be computed on the given data is left out, with its reason in
    ``Evaluation.skipped``; the others are not affected.

    Metrics on points use ``points`` rows; those that fit something ``points`` rows to learn from
    and half as many to be judged on; those that hold a factor at a value look rows up in the whole
    table. The default predictor of ``dci`` here is the fast one; its protocol says so.

    Confidence intervals come from half-samples (see `untwine.metrics.confidence`): the metric is
    computed again on halves of its rows, each with a fresh seed where the protocol draws anything,
    so that an interval covers both sources of chance.

    Args:
        codes: `Codes`, a `Table` of `untwine.metrics.read`, or an array ``(N, D)``: NumPy, torch on
            any device, a DataFrame.
        factors: ``(N, K)``, discrete or continuous, -1 or nan where unknown. Taken from ``codes``
            if it has them; without any, the metrics that need none are computed.
        metrics: ``"all"``, ``"classic"`` (the seven of Locatello et al. 2019), ``"unsupervised"``,
            names, or a mapping from names to settings such as
            ``{"mig": {"bins": 10}, "dci": {"predictor": "boosting"}}``. A label that is no metric's
            name says which one it is: ``{"exact": {"metric": "mig", "protocol": "chen2018"}}``.
        confidence: Level of the intervals, such as 0.95; none if ``None``.
        repeats: Half-samples per metric; by default 100 for quick metrics and 10 for slow ones.
        points: Rows that metrics on points use; all if ``None``.
        seed: Of the choice of rows, of the half-samples, and of the metrics that draw something.
        names: The factors' names.
        stddev: The posteriors' standard deviations ``(N, D)``, for metrics that need them.
        blocks: Columns of vector-valued codes, as a list of lists or by name.
        discrete_codes: Whether every distinct value of a code is its own bin, for metrics that
            bin; the others take the values as numbers.
        codes_test: Rows ``(M, D)`` for the test part of metrics that fit something; without them
            they split the given rows.
        factors_test: Their factors ``(M, K)``.
        exact: Use the reference's slow predictors (``dci`` with scikit-learn's boosting) where the
            default here is a fast one.
        progress: Whether to show a progress bar; by default if standard error is a terminal.

    Shape:
        - codes, stddev: ``(N, D)``
        - factors: ``(N, K)``

    Raises:
        ValueError: for unknown metrics or settings, arrays of different lengths, values that are
            not finite, and if none of the metrics could be computed.

    Example:
        >>> factors = np.stack(np.meshgrid(range(4), range(5)), -1).reshape(-1, 2)
        >>> scores = evaluate(factors * 1.0, factors, ["mig", "modularity"])
        >>> {name: round(score.value, 3) for name, score in scores.scores.items()}
        {'mig': 1.0, 'modularity': 1.0}
    """
    started = time.perf_counter()
    data = _data(codes, factors, names, stddev, blocks, discrete_codes, codes_test, factors_test)
    plan = _plan(metrics, exact)
    if confidence is not None and not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; expected a level between 0 and 1: 0.95")
    if repeats is not None and repeats < 2:
        raise ValueError(f"repeats is {repeats}; expected at least 2 for an interval, or None")
    if points is not None and points < 2:
        raise ValueError(f"points is {points}; expected at least 2, or None for all rows")

    scores: dict[str, Score] = {}
    skipped: dict[str, str] = {}
    intervals: dict[str, dict[str, tuple[float, float]]] = {}
    stated: dict[str, str] = {}
    work = {
        label: 1 + (_repeats(metric, repeats) if confidence is not None else 0)
        for label, (metric, _) in plan.items()
    }
    with one_thread(), _bar(work, progress) as advance:
        for label, (metric, settings) in plan.items():
            reason = data.lacks(metric)
            if reason is None:
                rows = data.rows(metric, points, seed)
                try:
                    scores[label] = _one(data, metric, rows, points, seed, settings)
                except ValueError as error:  # the metrics' way to refuse data
                    reason = str(error)
            advance(label, 1)
            if reason is not None:
                skipped[label] = reason
            elif confidence is not None:
                score, how, ends = _with_interval(
                    scores[label],
                    [
                        _replicate(data, metric, rows, points, seed, settings, r, advance, label)
                        for r in range(_repeats(metric, repeats))
                    ],
                    metric,
                    confidence,
                    len(rows),
                )
                scores[label], stated[label], intervals[label] = score, how, ends
    if not scores:
        reasons = "\n".join(f"  {name}: {reason}" for name, reason in skipped.items())
        raise ValueError(f"none of the metrics can be computed on this data:\n{reasons}")
    return Evaluation(
        scores,
        skipped,
        intervals,
        stated,
        confidence,
        names=data.names,
        shape=data.codes.shape,
        seconds=time.perf_counter() - started,
    )


def _plan(
    metrics: str | Sequence[str] | Mapping[str, Mapping[str, Any]], exact: bool
) -> dict[str, tuple[Metric, dict[str, Any]]]:
    """Which metrics to compute, by label, with their settings."""
    if isinstance(metrics, str):
        if metrics in GROUPS:
            metrics = GROUPS[metrics]
        else:
            metrics = [name.strip() for name in metrics.split(",") if name.strip()]
    if not isinstance(metrics, Mapping):
        metrics = {name: {} for name in metrics}
    if not metrics:
        raise ValueError(f"no metrics were named; expected some of {', '.join(METRICS)}")
    plan = {}
    for label, given in metrics.items():
        settings = dict(given)
        metric = entry(settings.pop("metric", label))
        metric.refuse_unknown(settings)
        plan[label] = (metric, settings if exact else {**metric.suite, **settings})
    return plan


def _one(
    data: _Data,
    metric: Metric,
    rows: np.ndarray,
    points: int | None,
    seed: int,
    settings: Mapping[str, Any],
    rows_test: np.ndarray | None = None,
) -> Score:
    """One metric on some of the rows."""
    every = len(rows) == len(data.codes)
    extras: dict[str, Any] = {"blocks": data.blocks}
    if data.discrete_codes:
        extras["discrete_codes"] = True
    if metric.takes("points"):
        settings = {"points": points, **settings}
    posterior = "stddev" in metric.needs or settings.get("protocol") == "chen2018"
    if data.stddev is not None and posterior:
        extras["stddev"] = data.stddev if every else data.stddev[rows]
    if data.codes_test is not None and data.factors_test is not None:
        part = slice(None) if rows_test is None else rows_test
        extras["codes_test"] = data.codes_test[part]
        extras["factors_test"] = data.factors_test[part]
    if points is not None and metric.rows != "points":
        sizes = {"train": points, "test": points // 2}
        extras |= {name: n for name, n in sizes.items() if metric.settings.get(name) is not None}
    codes = data.codes if every else data.codes[rows]
    factors = data.factors
    if factors is not None and not every:
        factors = factors[rows]
    if factors is not None and "factors" not in metric.needs and data.refused is not None:
        factors = None
    started = time.perf_counter()
    score = metric.call(codes, factors, seed=seed, settings=settings, **extras)
    return replace(score, seconds=time.perf_counter() - started)


def _replicate(
    data: _Data,
    metric: Metric,
    rows: np.ndarray,
    points: int | None,
    seed: int,
    settings: Mapping[str, Any],
    number: int,
    advance: Any,
    label: str,
) -> dict[str, float]:
    """The numbers of one half-sample; none if the metric refuses it."""
    half = rows[half_sample(len(rows), seed, number)]
    half_test = None
    if data.codes_test is not None:
        half_test = half_sample(len(data.codes_test), seed, number)
    settings = dict(settings)
    fresh = int(np.random.default_rng([seed, number, 1]).integers(2**31))
    fresh = settings.pop("seed", 0) + fresh
    try:
        score = _one(data, metric, half, points, fresh, settings, half_test)
    except ValueError:  # too few points for the protocol, which the whole sample had
        return {}
    finally:
        advance(label, 1)
    return _numbers(score)


def _with_interval(
    score: Score,
    replicates: list[dict[str, float]],
    metric: Metric,
    confidence: float,
    n: int,
) -> tuple[Score, str, dict[str, tuple[float, float]]]:
    """The score with its interval, how it was made, and the intervals of its single numbers."""
    ends: dict[str, tuple[float, float]] = {}
    for part, value in _numbers(score).items():
        sample = np.array([replicate[part] for replicate in replicates if part in replicate])
        if np.isfinite(value) and np.isfinite(sample).sum() >= 2:
            low, high = (metric.low, metric.high) if part == "value" else (-np.inf, np.inf)
            ends[part] = interval(value, sample, confidence, n=n, low=low, high=high)
    done = sum(bool(replicate) for replicate in replicates)
    how = f"{done} half-samples" + (", a fresh seed each" if metric.takes("seed") else "")
    if done < len(replicates):
        how += f"; {len(replicates) - done} were too small for the protocol"
    return replace(score, interval=ends.get("value")), how, ends


def _numbers(score: Score) -> dict[str, float]:
    """The score's value and those of its parts that are single numbers."""
    numbers = {"value": score.value}
    for name, part in score.parts.items():
        if isinstance(part, int | float | np.integer | np.floating) and not isinstance(part, bool):
            numbers[name] = float(part)
    return numbers


def _repeats(metric: Metric, repeats: int | None) -> int:
    return metric.repeats if repeats is None else repeats


@contextmanager
def _bar(work: Mapping[str, int], progress: bool | None) -> Iterator[Any]:
    """Yields ``advance(label, units)``, which moves a bar where one is wanted."""
    import sys

    if not (sys.stderr.isatty() if progress is None else progress):
        yield lambda label, units: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("metrics", total=sum(work.values()))

        def advance(label: str, units: int) -> None:
            bar.update(task, advance=units, description=label)

        yield advance
