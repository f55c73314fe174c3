"""Two representations of the same rows, compared by metrics with paired intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..data.seeds import check_seed
from ..data.space import Kinds
from ..metrics._estimators.sharing import sharing
from ..metrics._estimators.threads import one_thread
from ..metrics.score import NotApplicable
from .confidence import interval
from .inputs import as_inputs
from .render import TextTable
from .suite import plan_metrics
from .task import MetricTask

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PairedScores", "compare_codes"]


@dataclass(frozen=True)
class PairedScores:
    """Scores of two representations and their differences, with intervals of these.

    Attributes:
        first: Of the first, by metric.
        second: Of the second.
        intervals: Of the second's less the first's, by metric.
        confidence: Their level.
        labels: What the two are called.
        skipped: Why a metric could not be computed of both.
    """

    first: Mapping[str, float]
    second: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    confidence: float
    labels: tuple[str, str] = ("first", "second")
    skipped: Mapping[str, str] = field(default_factory=dict)

    def difference(self, metric: str) -> float:
        """The second's score less the first's."""
        return self.second[metric] - self.first[metric]

    def apart(self, metric: str) -> bool:
        """Whether the interval of the difference leaves zero out."""
        low, high = self.intervals.get(metric, (-np.inf, np.inf))
        return not low <= 0 <= high

    @property
    def frame(self) -> pd.DataFrame:
        """A row per metric."""
        import pandas as pd

        rows = {
            name: {
                self.labels[0]: self.first[name],
                self.labels[1]: self.second[name],
                "difference": self.difference(name),
                "low": self.intervals.get(name, (np.nan, np.nan))[0],
                "high": self.intervals.get(name, (np.nan, np.nan))[1],
            }
            for name in self.first
        }
        return pd.DataFrame.from_dict(rows, orient="index")

    def __str__(self) -> str:
        rows = []
        for name, value in self.first.items():
            ends = self.intervals.get(name)
            between = "" if ends is None else f"{ends[0]:+.4f} .. {ends[1]:+.4f}"
            cells = [f"{value:.4f}", f"{self.second[name]:.4f}", f"{self.difference(name):+.4f}"]
            rows.append([name, *cells, between, "*" if self.apart(name) and ends else ""])
        header = ["metric", *self.labels, "difference", f"{self.confidence:.0%} interval", ""]
        notes = (
            "* the interval leaves zero out",
            *(f"{n}: {why}" for n, why in self.skipped.items()),
        )
        return TextTable("", header, rows, notes).text()


def compare_codes(
    a: Any,
    b: Any,
    factors: Any = None,
    metrics: str | Sequence[str] | Mapping[str, Mapping[str, Any]] = "classic",
    *,
    labels: tuple[str, str] = ("first", "second"),
    confidence: float = 0.95,
    repeats: int | None = None,
    points: int | None = 10_000,
    seed: int = 0,
    kinds: Kinds = None,
    unknown: float | str | None = -1,
) -> PairedScores:
    """Compares two representations of the same rows.

    Both are measured on the same rows, and on the same halves of them with the same seeds: what
    the rows do to both cancels in the difference, so that its interval is narrower than those of
    two scores side by side (see `untwine.evaluation.confidence`). It is about these two
    representations; what another seed of the training would do is not in it.

    Args:
        a: The first, as `untwine.evaluate` takes codes.
        b: The second, of the same rows in the same order.
        factors: ``(N, K)``; taken from the first if it has them.
        metrics: As in `untwine.evaluate`.
        labels: What the two are called.
        confidence: Level of the intervals.
        repeats: Half-samples per metric; by default 100 for quick metrics and 10 for slow ones.
        points: Rows that metrics on points use; all if ``None``.
        seed: Of the choice of rows, of the half-samples, and of metrics that draw something.
        kinds: What factors are, see `untwine.evaluate`.
        unknown: The value that means unknown.

    Raises:
        ValueError: for representations of different numbers of rows, factors that differ, and
            settings that `untwine.evaluate` refuses.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> factors = rng.integers(0, 4, (400, 2))
        >>> apart = factors + 0.1 * rng.normal(size=(400, 2))
        >>> scores = compare_codes(apart @ [[1, 1], [-1, 1]], apart, factors, ["mig"])
        >>> scores.apart("mig"), scores.difference("mig") > 0.5
        (True, True)
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; expected a level between 0 and 1: 0.95")
    if repeats is not None and repeats < 2:
        raise ValueError(f"repeats is {repeats}; expected at least 2 for an interval, or None")
    check_seed(seed)
    both = [as_inputs(codes, factors, kinds=kinds, unknown=unknown) for codes in (a, b)]
    one, two = both
    if len(one.codes) != len(two.codes):
        raise ValueError(
            f"a has {len(one.codes)} rows and b {len(two.codes)}; expected two representations of "
            "the same rows"
        )
    if one.factors is not None and two.factors is None:
        two = both[1] = as_inputs(two.codes, one.factors, kinds=kinds, unknown=unknown)
    if not _equal(one.factors, two.factors):
        raise ValueError("a and b have other factors: give factors= for both, in the same order")
    first: dict[str, float] = {}
    second: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    skipped: dict[str, str] = {}
    plan = plan_metrics(metrics, False, one.offers & two.offers)
    with one_thread():
        for name, (metric, settings) in plan.items():
            tasks = [MetricTask(data, metric, settings, points, seed) for data in both]
            reasons = [reason for data in both if (reason := data.lacks(metric))]
            if reasons:
                skipped[name] = reasons[0]
                continue
            try:
                values = []
                for task in tasks:
                    with sharing():
                        values.append(task.score().value)
            except (NotApplicable, ValueError, ImportError) as error:
                skipped[name] = str(error)
                continue
            first[name], second[name] = values
            differences = _differences(tasks, repeats or metric.repeats)
            if np.count_nonzero(np.isfinite(differences)) >= 2:
                n = len(tasks[0].rows)
                intervals[name] = interval(values[1] - values[0], differences, confidence, n=n)
    if not first:
        reasons = [f"  {name}: {reason}" for name, reason in skipped.items()]
        raise ValueError("none of the metrics can be computed on both:\n" + "\n".join(reasons))
    return PairedScores(first, second, intervals, confidence, labels, skipped)


def _differences(tasks: Sequence[MetricTask], repeats: int) -> np.ndarray:
    """The second's value less the first's, on the same half-samples."""
    differences = []
    for number in range(repeats):
        values = []
        for task in tasks:
            with sharing():
                values.append(task.replicate(number).get("value", np.nan))
        differences.append(values[1] - values[0])
    return np.array(differences)


def _equal(one: np.ndarray | None, two: np.ndarray | None) -> bool:
    if one is None or two is None:
        return one is two
    return one.shape == two.shape and bool(np.array_equal(one, two, equal_nan=True))
