"""Evaluation: scores by metric with their intervals and protocols, as a table."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..metrics.chance import above, best
from ..metrics.registry import METRICS
from ..metrics.score import Score
from .render import TextTable
from .write import write_table

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import RenderableType

__all__ = ["Evaluation"]


@dataclass(frozen=True)
class Evaluation:
    """Scores by name, and why others are missing; ``print`` shows it as a table.

    Attributes:
        scores: Each metric's `Score`.
        skipped: Why a metric could not be computed on this data.
        intervals: Of each metric, the confidence intervals of its value (``"value"``) and of those
            parts that are single numbers.
        stated: How each metric's intervals were made.
        confidence: Their level, or ``None``.
        names: The factors' names.
        shape: Of the codes, ``(N, D)``.
        left_out: Why factors were not scored, by name.
        beside: Other values of the metrics, by column of the table: ``"chance"``, the mean over
            shuffled factors; ``"sampled"``, of samples of the posteriors instead of means.
        failed: Which of ``skipped`` were tried and raised an error: rows of the table.
        seconds: Wall time in all.

    Example:
        >>> table = Evaluation({"mig": Score(0.25, {"per_factor": np.array([0.1, 0.4])})}, {})
        >>> table["mig"].value, table.per_factor().loc["mig"].tolist()
        (0.25, [0.1, 0.4])
    """

    scores: Mapping[str, Score]
    skipped: Mapping[str, str]
    intervals: Mapping[str, Mapping[str, tuple[float, float]]] = field(default_factory=dict)
    stated: Mapping[str, str] = field(default_factory=dict)
    confidence: float | None = None
    names: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    _: KW_ONLY
    seconds: float = 0.0
    left_out: Mapping[str, str] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
    beside: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Score:
        if name in self.skipped:
            raise KeyError(f"{name} was skipped: {self.skipped[name]}")
        if name not in self.scores:
            raise KeyError(f"{name} was not computed; there are {', '.join(self.scores)}")
        return self.scores[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.scores)

    def __len__(self) -> int:
        return len(self.scores)

    def to_frame(self, *, parts: bool = False) -> pd.DataFrame:
        """A row per metric: value, interval (low, high), protocol, seconds, and `columns`.

        A metric that failed has nan, and its error as the protocol.

        Args:
            parts: Also a row per part that is a single number, named ``metric.part``.
        """
        import pandas as pd

        rows = []
        for name, score in self.scores.items():
            low, high = score.interval or (math.nan, math.nan)
            rows.append((name, score.value, low, high, _settings(score), score.seconds))
            for part, value in _single(score).items() if parts else ():
                low, high = self.intervals.get(name, {}).get(part, (math.nan, math.nan))
                rows.append((f"{name}.{part}", value, low, high, "", math.nan))
        for name in self.failed:
            rows.append((name, math.nan, math.nan, math.nan, self._error(name), math.nan))
        columns = ["metric", "value", "low", "high", "protocol", "seconds"]
        frame = pd.DataFrame(rows, columns=columns).set_index("metric")
        for place, (column, values) in enumerate(self.columns().items(), start=1):
            frame.insert(place, column, [values.get(name, math.nan) for name in frame.index])
        return frame

    def columns(self) -> dict[str, dict[str, float]]:
        """The columns of ``beside``, and ``"above chance"``.

        That is the share of the way from chance to the metric's best value, where it has one.
        """
        columns = {name: dict(values) for name, values in self.beside.items()}
        if "chance" in columns:
            shares = {}
            for name, chance in columns["chance"].items():
                metadata = METRICS.get(self.scores[name].name)
                if metadata is not None and best(metadata) is not None:
                    shares[name] = float(above(metadata, self.scores[name].value, chance))
            other_columns = {name: columns.pop(name) for name in list(columns) if name != "chance"}
            columns |= {"above chance": shares, **other_columns}
        return columns

    def per_factor(self) -> pd.DataFrame:
        """A row per metric, or part of one, with a value for each factor; a column per factor."""
        import pandas as pd

        rows = {}
        for name, score in self.scores.items():
            for part, values in score.parts.items():
                if part == "per_factor":
                    rows[name] = np.asarray(values, dtype=np.float64)
                elif part.endswith("_per_factor"):
                    label = f"{name}.{part.removesuffix('_per_factor')}"
                    rows[label] = np.asarray(values, dtype=np.float64)
        size = max(map(len, rows.values()), default=len(self.names))
        columns = list(self.names) or [f"factor {k}" for k in range(size)]
        return pd.DataFrame.from_dict(rows, orient="index", columns=columns)

    def per_row(self) -> pd.DataFrame:
        """A row per observation, a column per metric and factor, of metrics that have such values.

        nan where a metric did not use the row, or the factor is unknown there.
        """
        import pandas as pd

        columns = {}
        for name, score in self.scores.items():
            if "per_row" in score.parts:
                for factor, values in zip(self.names, score.parts["per_row"].T, strict=True):
                    if not np.isnan(values).all():
                        columns[name, factor] = values
        frame = pd.DataFrame(columns)
        if columns:
            frame.columns = pd.MultiIndex.from_tuples(columns, names=["metric", "factor"])
        return frame

    def per_part(self) -> pd.DataFrame:
        """Which factor can be read off which named part: rows of parts and of chance.

        Accuracies on held-out rows, or explained variances for real factors, a column per factor;
        see `untwine.metrics.readout`. Empty where the code has no named parts.
        """
        import pandas as pd

        score = next((s for s in self.scores.values() if s.name == "readout"), None)
        if score is None:
            return pd.DataFrame()
        rows = np.vstack([score.parts["matrix"], score.parts["chance"]])
        columns = list(self.names)
        if len(columns) != rows.shape[1]:
            columns = [f"factor {k}" for k in range(rows.shape[1])]
        return pd.DataFrame(rows, [*score.parts["names"], "chance"], columns)

    def rich(self, *, protocol: bool = False) -> RenderableType:
        """The tables for a terminal, by rich.

        Args:
            protocol: Whether to show the settings of each metric, too.
        """
        from rich.console import Group

        return Group(*(table.rich() for table in self._tables(protocol)))

    def write(self, path: str | Path) -> Path:
        """Writes the scores as a table: .csv, .json, .tex, .md or .parquet, by the name's end.

        Tables for papers (.tex, .md) have values, intervals and what stands beside them; the others
        all columns of `to_frame`. What `from_json` reads is written by `to_json`.

        Raises:
            ValueError: for another ending.
        """
        frame = self.to_frame().reset_index()
        if Path(path).suffix in (".tex", ".md"):
            frame = frame.drop(columns=["protocol", "seconds"])
            if self.confidence is None:
                frame = frame.drop(columns=["low", "high"])
        return write_table(frame, path)

    def __str__(self) -> str:
        return "\n\n".join(table.text() for table in self._tables())

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self._tables())

    def to_json(self, path: str | Path | None = None) -> str:
        """Everything but `per_row` as JSON text, also written to ``path``; see `from_json`."""
        content = {
            "scores": {name: _without_rows(score).to_dict() for name, score in self.scores.items()},
            "skipped": dict(self.skipped),
            "intervals": {name: dict(ends) for name, ends in self.intervals.items()},
            "stated": dict(self.stated),
            "confidence": self.confidence,
            "names": list(self.names),
            "shape": list(self.shape),
            "seconds": self.seconds,
            "left_out": dict(self.left_out),
            "beside": {column: dict(values) for column, values in self.beside.items()},
            "failed": list(self.failed),
        }
        text = json.dumps(_finite(content), indent=1, allow_nan=False)
        if path is not None:
            Path(path).write_text(text + "\n")
        return text

    @classmethod
    def from_json(cls, source: str | Path) -> Evaluation:
        """Reads what `to_json` wrote, from a path or from the text itself.

        Raises:
            ValueError: if it is something else.
        """
        text = str(source)
        if not text.lstrip().startswith("{"):
            text = Path(source).read_text()
        try:
            content = json.loads(text)
            return cls(
                scores={name: Score.from_dict(score) for name, score in content["scores"].items()},
                skipped=content["skipped"],
                intervals={
                    name: {
                        part: (_number(low), _number(high)) for part, (low, high) in ends.items()
                    }
                    for name, ends in content["intervals"].items()
                },
                stated=content["stated"],
                confidence=content["confidence"],
                names=tuple(content["names"]),
                shape=tuple(content["shape"]),
                seconds=content["seconds"],
                left_out=content.get("left_out", {}),  # files of before have none
                failed=tuple(content.get("failed", ())),
                beside=content.get("beside", {}),
            )
        except (json.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
            raise ValueError(
                f"this is no evaluation written by to_json: {error!r} in {text[:60]!r}..."
            ) from error

    def _tables(self, protocol: bool = False) -> list[TextTable]:
        """The scores; and, where there are named parts, what can be read off each."""
        tables = [self._score_table(protocol)]
        frame = self.per_part()
        if len(frame):
            rows = [[str(name), *(f"{v:.3f}" for v in row)] for name, *row in frame.itertuples()]
            header = ["part", *map(str, frame.columns)]
            tables.append(TextTable("Which factor can be read off which part", header, rows))
        return tables

    def _score_table(self, protocol: bool) -> TextTable:
        title = ""
        if len(self.shape) == 2:
            n, d = self.shape
            title = f"{n:,} codes of {d} dimensions; {self.seconds:.1f} s"
        header = ["metric", "value", "seconds", "protocol"]
        if self.confidence is not None:
            header.insert(2, f"{self.confidence:.0%} interval")
        columns = self.columns()
        header[2:2] = list(columns)
        rows = []
        for name, score in self.scores.items():
            seconds = "" if score.seconds is None else f"{score.seconds:.2f}"
            rows.append([name, f"{score.value:.4f}", seconds, _settings(score)])
            ends = self.intervals.get(name, {})
            if self.confidence is not None:
                rows[-1].insert(2, _ends(ends.get("value")))
            rows[-1][2:2] = [f"{v[name]:.4f}" if name in v else "" for v in columns.values()]
            for part, value in _single(score).items():
                if math.isclose(value, score.value):
                    continue
                rows.append([f"  {part}", f"{value:.4f}", "", ""])
                if self.confidence is not None:
                    rows[-1].insert(2, _ends(ends.get(part)))
                rows[-1][2:2] = [""] * len(columns)
        for name in self.failed:
            rows.append([name, *[""] * (len(header) - 2), self._error(name)])
        if not protocol:
            failures = tuple(f"{name}: {self._error(name)}" for name in self.failed)
            rows = [row[:-1] for row in rows]
            return TextTable(title, header[:-1], rows, (*failures, *self._notes()))
        return TextTable(title, header, rows, self._notes(), prose=True)

    def _error(self, name: str) -> str:
        reason = self.skipped[name]
        return reason if reason.startswith("failed") else f"failed: {reason}"

    def _notes(self) -> tuple[str, ...]:
        notes = [
            f"{name}: skipped, {reason}"
            for name, reason in self.skipped.items()
            if name not in self.failed
        ]
        notes += [f"factor {n!r}: left out, it has {why}" for n, why in self.left_out.items()]
        ways: dict[str, list[str]] = {}
        for name, how in self.stated.items():
            ways.setdefault(how, []).append(name)
        if self.confidence is not None:
            notes += [
                f"{self.confidence:.0%} intervals from {how}: {', '.join(names)}"
                for how, names in ways.items()
            ]
        return tuple(notes)


def _without_rows(score: Score) -> Score:
    return replace(score, parts={k: v for k, v in score.parts.items() if k != "per_row"})


def _ends(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"{ends[0]:.4f} .. {ends[1]:.4f}"


def _settings(score: Score) -> str:
    return ", ".join(f"{k}={v}" for k, v in score.protocol.items() if v is not None)


def _single(score: Score) -> dict[str, float]:
    return {
        name: float(part)
        for name, part in score.parts.items()
        if isinstance(part, float | np.floating)
    }


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _finite(value: Any) -> Any:
    """JSON has no nan: it becomes null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
