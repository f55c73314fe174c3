"""Evaluation of codes by many metrics at once, with confidence intervals."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..data.seeds import check_seed
from ..data.space import Kinds
from ..metrics._estimators.sharing import sharing
from ..metrics._estimators.threads import one_thread
from ..metrics.registry import GROUPS, METRICS, Metric, entry
from ..metrics.score import NotApplicable, Score
from .inputs import Inputs, as_inputs
from .progress import progress_bar
from .table import Evaluation
from .task import MetricTask

__all__ = ["evaluate", "plan_metrics"]

#: Needs that say nothing of a metric's place in the default suite unless they are met.
_OPTIONAL = frozenset({"blocks", "label", "batch", "label or batch"})


def evaluate(
    codes: Any,
    factors: Any = None,
    metrics: str | Sequence[str] | Mapping[str, Mapping[str, Any]] = "all",
    *,
    confidence: float | None = None,
    repeats: int | None = None,
    chance: int | None = None,
    sampled: bool = False,
    points: int | None = 10_000,
    seed: int = 0,
    names: Sequence[str] | None = None,
    stddev: Any = None,
    blocks: Any = None,
    discrete_codes: bool = False,
    label: str | int | None = None,
    batch: str | int | None = None,
    clusters: Any = None,
    codes_test: Any = None,
    factors_test: Any = None,
    unknown: float | str | None = -1,
    groups: Any = None,
    kinds: Kinds = None,
    exact: bool = False,
    progress: bool | None = None,
) -> Evaluation:
    r"""Every metric of a representation, as a table.

    A metric that cannot be computed on this data is left out, with its reason in
    ``Evaluation.skipped``; the others are not affected. One that raises an error is a row
    with that error, and a fault is also a warning. A factor that does not vary is left out for all
    metrics, with the reason in ``Evaluation.left_out``.

    Metrics of clusters and of mixing are about one factor each: ``label`` and ``batch`` say which.
    What several of them need (nearest neighbors, k-means, silhouettes) is computed once.

    Metrics on points use ``points`` rows; those that fit something ``points`` rows to learn from
    and half as many to be judged on; those that hold a factor at a value look rows up in the whole
    table. The default predictor of ``dci`` here is the fast one; its protocol says so.

    Confidence intervals come from half-samples (see `untwine.evaluation.confidence`): the metric is
    computed again on halves of its rows, each with a fresh seed where the protocol draws anything,
    so that an interval covers both sources of chance.

    Args:
        codes: `Codes`, a `Table` of `untwine.evaluation.read`, or an array ``(N, D)``: NumPy,
            torch on any device, a DataFrame.
        factors: ``(N, K)``, discrete or continuous, -1 or nan where unknown. Taken from ``codes``
            if it has them; without any, the metrics that need none are computed.
        metrics: ``"all"``, ``"default"`` (what `Run.measure` computes), ``"classic"`` (the seven of
            Locatello et al. 2019), ``"unsupervised"``, names, or a mapping from names to settings
            such as ``{"mig": {"bins": 10}, "dci": {"predictor": "boosting"}}``. A label that is no
            metric's name says which one it is:
            ``{"exact": {"metric": "mig", "protocol": "chen2018"}}``.
        confidence: Level of the intervals, such as 0.95; none if ``None``.
        repeats: Half-samples per metric; by default 100 for quick metrics and 10 for slow ones.
        chance: So many permutations of the factors' rows give each metric's value by chance, as the
            mean over them; the table has it, and the share of the way from there to the best value,
            beside the score; see `untwine.metrics.above_chance`. None without.
        sampled: Whether to measure a sample of each Gaussian posterior, too, beside its mean.
        points: Rows that metrics on points use; all if ``None``.
        seed: Of the choice of rows, of the half-samples, and of the metrics that draw something.
        names: The factors' names.
        stddev: The posteriors' standard deviations ``(N, D)``, for metrics that need them.
        blocks: Columns of vector-valued codes, as a list of lists or by name: each counts as one
            code. Metrics that compare named parts take those of `Codes` without it.
        discrete_codes: Whether every distinct value of a code is its own bin, for metrics that
            bin; the others take the values as numbers.
        label: The factor that says what each row is, by name or column: for metrics of clusters.
            With it, the default suite has these, too.
        batch: The factor that says where each row comes from: for metrics of mixing, likewise.
        clusters: Assignments ``(N,)`` or responsibilities ``(N, C)`` that metrics of clusters
            compare with the label, instead of k-means.
        codes_test: Rows ``(M, D)`` for the test part of metrics that fit something; without them
            they split the given rows.
        factors_test: Their factors ``(M, K)``.
        unknown: The value that means unknown, beside nan: a number, or a text of a column of texts.
            The default, -1, is for labels that count from 0: in a column with fractional or other
            negative values it is a value. ``None`` for nan alone.
        groups: A label of each row ``(N,)``, for metrics that split the rows: those of one group (a
            person, a clip) are never in both parts.
        kinds: What each factor is, in order or by name: ``"nominal"`` (names without an order),
            ``"ordinal"`` (levels), ``"real"`` (measurements, also where they are whole numbers) or
            an ``"angle"``, in radians. They are those of the data set's `FactorSpace` where nothing
            else is said, where an angle ``v`` of ``s`` values is :math:`2 \pi v / s`. Without,
            whole numbers are ordinal, text is nominal, and fractions are real.
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
    if confidence is not None and not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; expected a level between 0 and 1: 0.95")
    if repeats is not None and repeats < 2:
        raise ValueError(f"repeats is {repeats}; expected at least 2 for an interval, or None")
    if points is not None and points < 2:
        raise ValueError(f"points is {points}; expected at least 2, or None for all rows")
    check_seed(seed)
    data = as_inputs(
        codes,
        factors,
        names=names,
        stddev=stddev,
        blocks=blocks,
        discrete_codes=discrete_codes,
        label=label,
        batch=batch,
        clusters=clusters,
        codes_test=codes_test,
        factors_test=factors_test,
        unknown=unknown,
        groups=groups,
        kinds=kinds,
    )
    if chance is not None and chance < 1:
        raise ValueError(f"chance is {chance}; expected at least 1 permutation, or None")
    draws = data.sampled(seed) if sampled else None
    tasks = {
        name: MetricTask(data, metric, settings, points, seed)
        for name, (metric, settings) in plan_metrics(metrics, exact, data.offers).items()
    }
    replicates = {
        name: 0 if confidence is None else repeats or task.metric.repeats
        for name, task in tasks.items()
    }
    scores: dict[str, Score] = {}
    skipped: dict[str, str] = {}
    failed: list[str] = []
    intervals: dict[str, dict[str, tuple[float, float]]] = {}
    stated: dict[str, str] = {}
    fault: Exception | None = None
    extra = len(tasks) * ((chance or 0) + sampled)
    total = sum(replicates.values()) + len(tasks) + extra
    with one_thread(), progress_bar(total, progress) as advance:
        with sharing():
            for name, task in tasks.items():
                reason = data.lacks(task.metric)
                if reason is None:
                    try:
                        scores[name] = task.score()
                    except NotApplicable as error:
                        reason = str(error)
                    except (ValueError, ImportError) as error:  # the metrics' way to refuse
                        reason = str(error)
                        failed.append(name)
                    except Exception as error:  # a fault of one metric does not cost the others
                        reason = f"failed with {type(error).__name__}: {error}"
                        failed.append(name)
                        warnings.warn(f"{name} {reason}; please report it", stacklevel=2)
                        fault = error
                advance(name, 1)
                if reason is not None:
                    skipped[name] = reason
                    advance(name, replicates[name])
        samples: dict[str, list[dict[str, float]]] = {name: [] for name in scores}
        for number in range(max(replicates.values(), default=0)):
            with sharing():
                for name, sample in samples.items():
                    if number < replicates[name]:
                        sample.append(tasks[name].replicate(number))
                        advance(name, 1)
        beside = _beside({name: tasks[name] for name in scores}, chance or 0, draws, advance)
    if confidence is not None:
        for name, sample in samples.items():
            ends = tasks[name].intervals(scores[name], sample, confidence)
            scores[name] = replace(scores[name], interval=ends.get("value"))
            intervals[name], stated[name] = ends, tasks[name].statement(sample)
    if not scores:
        reasons = "\n".join(f"  {name}: {reason}" for name, reason in skipped.items())
        raise ValueError(f"none of the metrics can be computed on this data:\n{reasons}") from fault
    return Evaluation(
        scores,
        skipped,
        intervals,
        stated,
        confidence,
        beside=beside,
        names=data.names,
        shape=data.codes.shape,
        left_out=data.left_out,
        failed=tuple(failed),
        seconds=time.perf_counter() - started,
    )


def plan_metrics(
    metrics: str | Sequence[str] | Mapping[str, Mapping[str, Any]],
    exact: bool,
    offers: frozenset[str],
) -> dict[str, tuple[Metric, dict[str, Any]]]:
    """Which metrics to compute, by the name in the table, with their settings."""
    if isinstance(metrics, str):
        metrics = [name.strip() for name in metrics.split(",") if name.strip()]
    if not isinstance(metrics, Mapping):
        pairs = [(name, member) for name in metrics for member in GROUPS.get(name, (name,))]
        # the default suite says nothing of parts, labels and batches where there are none
        metrics = {
            member: {}
            for name, member in pairs
            if name != "default" or offers >= _OPTIONAL & set(METRICS[member].needs)
        }
    if not metrics:
        raise ValueError(f"no metrics were named; expected some of {', '.join(METRICS)}")
    plan = {}
    for name, arguments in metrics.items():
        settings = dict(arguments)
        metric = entry(settings.pop("metric", name))
        metric.refuse_unknown(settings)
        for setting in ("unknown", "kinds"):
            if setting in settings:
                raise ValueError(
                    f"{setting}= is of the factors, not of a metric: give it to evaluate"
                )
        plan[name] = (metric, settings if exact else {**metric.suite, **settings})
    return plan


def _beside(
    tasks: Mapping[str, MetricTask],
    permutations: int,
    sampled: Inputs | None,
    advance: Callable[[str, int], None],
) -> dict[str, dict[str, float]]:
    """Values by chance, how far scores are above it, and values of sampled codes, by column."""
    columns: dict[str, dict[str, float]] = {}
    values: dict[str, list[float]] = {name: [] for name in tasks}
    for number in range(permutations):
        with sharing():
            for name, task in tasks.items():
                if "factors" in task.metric.needs:
                    values[name] += task.value(task.data.shuffled(task.seed, number))
                advance(name, 1)
    if permutations:
        columns["chance"] = {name: float(np.mean(v)) for name, v in values.items() if v}
    if sampled is not None:
        columns["sampled"] = {}
        with sharing():
            for name, task in tasks.items():
                if not task.of_posteriors:
                    for value in task.value(sampled):
                        columns["sampled"][name] = value
                advance(name, 1)
    return columns
