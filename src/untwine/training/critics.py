"""Critics of an adversarial training, judged by its log, with advice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["CriticRecord", "critic_records"]

_FEWEST = 10  # rows of the log to judge by
_SHARE = 0.2  # of the rows, the last ones, that say how it ended
_BLIND, _CERTAIN = 0.02, 0.99
_APART = -5.0  # nats


@dataclass(frozen=True)
class CriticRecord:
    """How one critic did.

    Attributes:
        name: Player and term, such as ``"critic/accuracy"``.
        first: Its accuracy in the first tenth of the log's rows.
        last: In the last fifth.
        calibration: There, how far its density ratio is from having the integral one, nats; see
            `functional.ratio_calibration`. ``None`` where its logits are no density ratio.
        verdict: ``"dead"``: at 0.5 from the first row to the last. ``"won"``: real and fake are
            told apart with certainty at the end. ``"undecided"``: neither. ``"too short"``: fewer
            than ten rows.
        advice: What to try, or the empty string.
    """

    name: str
    first: float
    last: float
    calibration: float | None
    verdict: str
    advice: str

    def __str__(self) -> str:
        """A sentence."""
        player = self.name.partition("/")[0]
        what = "" if player.endswith("critic") or "discriminator" in player else " critic"
        part = self.name.partition("/accuracy_")[2]
        of = f" of {part}" if part else ""
        text = f"{player}{what}{of}: accuracy {self.first:.2f} at first, {self.last:.2f} at the end"
        return text + (f". {self.advice}" if self.advice else "")


def critic_records(rows: Iterable[Mapping[str, Any]]) -> list[CriticRecord]:
    """How each critic of a log did.

    Args:
        rows: Of a run's log, `Run.rows`: ``accuracy`` of a player is that of a critic, and so is
            ``accuracy_...`` where it has several.

    Example:
        >>> rows = [{"step": 100 * i, "critic/accuracy": 0.5} for i in range(20)]
        >>> [(record.name, record.verdict) for record in critic_records(rows)]
        [('critic/accuracy', 'dead')]
    """
    columns: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            term = name.partition("/")[2]
            if term.startswith(("accuracy", "calibration")) and isinstance(value, int | float):
                columns.setdefault(name, []).append(float(value))
    records = []
    for name, values in columns.items():
        if not name.partition("/")[2].startswith("accuracy"):
            continue
        other = columns.get(name.replace("/accuracy", "/calibration"))
        records.append(_judged(name, np.array(values), None if other is None else np.array(other)))
    return records


def _judged(name: str, accuracy: np.ndarray, calibration: np.ndarray | None) -> CriticRecord:
    end = slice(-max(1, round(_SHARE * len(accuracy))), None)
    first = float(accuracy[: max(1, len(accuracy) // 10)].mean())
    last = float(accuracy[end].mean())
    off = None if calibration is None else float(calibration[end].mean())
    if len(accuracy) < _FEWEST:
        verdict, advice = "too short", ""
    elif np.abs(accuracy - 0.5).mean() < _BLIND:
        verdict = "dead"
        advice = (
            "It was at 0.5 from the first step: it learns nothing, and so teaches nothing. Try a "
            "higher learning rate of its own, a wider net, less noise on what it sees, and no "
            "batch norm in it"
        )
    elif last > _CERTAIN or (off is not None and off < _APART):
        verdict = "won"
        advice = (
            "It tells real from fake with certainty, so that its gradient says little: the other "
            "side cannot follow, or has collapsed. Try a lower learning rate of the critic or a "
            "higher one of the other side, more noise on what it sees, a gradient penalty, less "
            "momentum (beta1 of 0.1), or larger batches"
        )
    else:
        verdict, advice = "undecided", ""
    return CriticRecord(name, first, last, off, verdict, advice)
