"""One metric on the data: its rows, its score, its half-samples."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..metrics._estimators.arrays import sentinel
from ..metrics.registry import Metric
from ..metrics.score import Score
from .confidence import half_sample, interval
from .inputs import Inputs

__all__ = ["MetricTask"]


@dataclass(frozen=True)
class MetricTask:
    """One metric on the data."""

    data: Inputs
    metric: Metric
    settings: Mapping[str, Any]
    points: int | None
    seed: int

    @property
    def rows(self) -> np.ndarray:
        """The rows that the metric works on, in increasing order."""
        n = len(self.data.codes)
        limit = n
        if self.points is not None and self.metric.rows == "points":
            limit = self.points
        elif self.points is not None and self.metric.rows == "split":
            separate = self.data.codes_test is not None
            limit = self.points if separate else self.points + self.points // 2
        if limit >= n:
            return np.arange(n)
        return np.sort(np.random.default_rng(self.seed).permutation(n)[:limit])

    def score(self) -> Score:
        """The metric on its rows; what it says of factors and rows is of all that there are."""
        rows = self.rows
        score = self._on(rows, slice(None), self.seed)
        columns = self.data.roles(self.metric)
        if columns is None:
            return score
        parts = dict(score.parts)
        for part, value in score.parts.items():
            if part == "per_factor" or part.endswith("_per_factor"):
                parts[part] = np.full(len(self.data.names), np.nan)
                parts[part][columns] = value
            elif part == "per_row":
                parts[part] = np.full((len(self.data.codes), len(self.data.names)), np.nan)
                parts[part][np.ix_(rows, np.array(columns))] = value
        return replace(score, parts=parts)

    @property
    def of_posteriors(self) -> bool:
        """Whether the metric sees the whole posteriors, so that a sample of them says no more."""
        return "stddev" in self.metric.needs or self.settings.get("protocol") == "chen2018"

    def value(self, data: Inputs) -> list[float]:
        """The metric's value on other data, if it takes them."""
        try:
            return [replace(self, data=data).score().value]
        except ValueError:  # such as a code without variance that noise has hidden
            return []

    def replicate(self, number: int) -> dict[str, float]:
        """The numbers of one half-sample with a seed of its own; none if the metric refuses it."""
        rows = self.rows
        half = rows[half_sample(len(rows), self.seed, number)]
        test: Any = slice(None)
        if self.data.codes_test is not None:
            test = half_sample(len(self.data.codes_test), self.seed, number)
        fresh = int(np.random.default_rng([self.seed, number, 1]).integers(2**31))
        try:
            with warnings.catch_warnings(action="ignore"):  # the whole sample has warned
                return _numbers(self._on(half, test, fresh, beside=False, seed=fresh))
        except ValueError:  # too few points for the protocol, of which the whole sample had enough
            return {}

    def intervals(
        self, score: Score, sample: Sequence[Mapping[str, float]], confidence: float
    ) -> dict[str, tuple[float, float]]:
        """Intervals of the value and of those parts that are single numbers."""
        ends = {}
        n = len(self.rows)
        for part, value in _numbers(score).items():
            replicates = np.array([numbers[part] for numbers in sample if part in numbers])
            if np.isfinite(value) and np.count_nonzero(np.isfinite(replicates)) >= 2:
                low, high = self.metric.low, self.metric.high
                if not low <= value <= high:  # a part on another scale
                    low, high = -np.inf, np.inf
                ends[part] = interval(value, replicates, confidence, n=n, low=low, high=high)
        return ends

    def statement(self, sample: Sequence[Mapping[str, float]]) -> str:
        """How the intervals were made."""
        usable = sum(bool(numbers) for numbers in sample)
        text = f"{usable} half-samples"
        if self.metric.takes("seed"):
            text += ", a fresh seed each"
        if usable < len(sample):
            text += f"; {len(sample) - usable} were too small for the protocol"
        return text

    def _on(
        self, rows: np.ndarray, test: Any, fallback: int, *, beside: bool = True, **changes: Any
    ) -> Score:
        """The metric on some rows; ``changes`` of settings that it has.

        With ``beside``, values under other protocols are parts of the score, where there are any.
        """
        data, metric = self.data, self.metric
        settings = {**self.settings, **{k: v for k, v in changes.items() if metric.takes(k)}}
        all_rows = len(rows) == len(data.codes)  # no copy of a large table

        def pick(values: np.ndarray | None) -> np.ndarray | None:
            return values if values is None or all_rows else values[rows]

        parts = data.parts if "blocks" in metric.needs else data.blocks
        extras: dict[str, Any] = {"blocks": parts}
        if any(data.kinds):
            extras["kinds"] = data.kinds
        if data.discrete_codes:
            extras["discrete_codes"] = True
        if self.of_posteriors or (beside and metric.takes("stddev") and data.has_density):
            extras["stddev"] = pick(data.stddev)
        factors = pick(data.factors)
        roles = data.roles(metric)
        if roles is not None and factors is not None:
            extras["clusters"] = pick(data.clusters)
            if data.batch is not None:
                extras["batch"] = factors[:, data.batch]
            if data.label is not None:
                extras["within"] = factors[:, data.label]
            factors = factors[:, roles]
            if "kinds" in extras:
                extras["kinds"] = tuple(data.kinds[k] for k in roles)
        if data.codes_test is not None and data.factors_test is not None:
            extras["codes_test"] = data.codes_test[test]
            extras["factors_test"] = data.factors_test[test]
        if metric.takes("unknown") and data.factors is not None:
            settings["unknown"] = sentinel(data.factors)  # they have been read
        extras["groups"] = pick(data.groups)
        if metric.takes("points"):
            settings = {"points": self.points, **settings}
        if self.points is not None and metric.rows != "points":
            sizes = {"train": self.points, "test": self.points // 2}
            extras |= {k: n for k, n in sizes.items() if metric.settings.get(k) is not None}
        started = time.perf_counter()
        score = metric.call(pick(data.codes), factors, seed=fallback, settings=settings, **extras)
        return replace(score, seconds=time.perf_counter() - started)


def _numbers(score: Score) -> dict[str, float]:
    """The score's value and those of its parts that are single numbers."""
    numbers = {"value": score.value}
    for name, part in score.parts.items():
        if isinstance(part, int | float | np.integer | np.floating) and not isinstance(part, bool):
            numbers[name] = float(part)
    return numbers
