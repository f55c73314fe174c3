"""Knobs of a code: its dimensions with range, activity and factor."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np

from ..evaluation.which import CLEAR, QUIET
from ..plots.compute import posterior_span
from ..report.findings import Findings

__all__ = ["Knob", "knobs_of"]

_BINS = 40
_MARGIN = 0.15  # of the range that the data fill, beyond each of its ends
_NARROWEST = 1e-3


@dataclass(frozen=True)
class Knob:
    """A dimension of the code.

    Attributes:
        index: Its column.
        strength: How active it is, in the unit of `Findings.measure`.
        quiet: Whether it is off.
        factor: The factor that it tells most of, if any.
        share: Of that factor's entropy.
        follows: Whether that is enough to name the dimension by the factor.
        low: The lower end of its range.
        high: The upper end.
        histogram: Of the codes of the data over that range.
    """

    index: int
    strength: float
    quiet: bool
    factor: str | None = None
    share: float = 0.0
    follows: bool = False
    _: KW_ONLY
    low: float
    high: float
    histogram: tuple[int, ...] = ()


def knobs_of(findings: Findings) -> list[Knob]:
    """A knob for each dimension, the most active one first.

    Args:
        findings: From `rank`.
    """
    codes = findings.codes
    span = posterior_span(codes.mean, codes.stddev).numpy()
    off = QUIET * max(float(findings.which.strength.max()), 0.0)
    knobs = []
    for j in findings.which.order:
        low, high = (float(end) for end in span[j])
        margin = max(_MARGIN * (high - low), _NARROWEST)
        low, high = low - margin, high + margin
        match = findings.which.match(j)
        counts, _ = np.histogram(codes.mean[:, j], _BINS, (low, high))
        strength = float(findings.which.strength[j])
        knobs.append(
            Knob(
                j,
                strength,
                bool(strength <= off),
                None if match is None else match[0],
                0.0 if match is None else match[1],
                match is not None and match[1] >= CLEAR,
                low=low,
                high=high,
                histogram=tuple(counts.tolist()),
            )
        )
    return knobs
