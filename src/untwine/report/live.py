"""Sliders of a report whose pictures are decoded in the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ..evaluation.which import CLEAR, QUIET
from ..plots.compute import posterior_span
from .findings import Findings, Traversal
from .inline_decoder import CannotInline, inline_decoder

__all__ = ["live", "make_room"]

_ROOM = 2_600_000  # letters of sheets and weights together
_REACH = 3.0  # of a slider along a direction
_MARGIN = 0.15  # of a dimension's range, beyond each of its ends


def live(
    method: Any, findings: Findings, directions: np.ndarray | None = None
) -> dict[str, Any] | None:
    """What the page needs to decode codes itself; ``None`` where its decoder cannot run there.

    Args:
        method: Whose decoder it is.
        findings: With a traversal, from whose observations the sliders start; it loses starts
            where the page would be too large, see `make_room`.
        directions: Orthonormal axes of the code, which get sliders of their own, ``(D, K)``.
    """
    traversal = findings.traversal
    if traversal is None:
        return None
    codes, covariates = traversal.codes, traversal.covariates
    span = posterior_span(findings.codes.mean, findings.codes.stddev)
    try:
        decoder = inline_decoder(method, codes, covariates, spread=span)
    except CannotInline:
        return None
    quiet = QUIET * float(findings.which.strength.max())
    knobs: list[dict[str, Any]] = []
    for j in findings.which.order:
        low, high = (float(end) for end in span[j])
        margin = max(_MARGIN * (high - low), 1e-3)
        match = findings.which.match(j)
        knobs.append(
            {
                "index": j,
                "name": f"z{j}",
                "low": round(low - margin, 4),
                "high": round(high + margin, 4),
                "quiet": bool(findings.which.strength[j] <= quiet),
                "telling": bool(match and match[1] >= CLEAR),
                "label": f"{match[0]} {match[1]:.0%}" if match else _strength(findings, j),
            }
        )
    for k, direction in enumerate([] if directions is None else directions.T):
        knobs.append(
            {
                "direction": [round(float(value), 5) for value in direction],
                "name": f"axis {k}",
                "low": -_REACH,
                "high": _REACH,
                "quiet": False,
                "telling": False,
                "label": "",
            }
        )
    text = decoder.text
    kept = make_room(findings, traversal, text)
    starts = codes if covariates is None else torch.cat([codes, covariates], 1)
    program: Mapping[str, Any] = decoder.program
    return {
        "knobs": knobs,
        "weights": text,
        "script": {
            **program,
            "starts": [[round(float(value), 5) for value in code] for code in starts[:kept]],
        },
    }


def make_room(findings: Findings, traversal: Traversal, weights: str) -> int:
    """Drops the last starts of a traversal, so that a page with a decoder is no larger than one
    without; the first stays. Returns how many are left.
    """
    kept = len(traversal.sheets)
    while kept > 1 and sum(map(len, traversal.sheets[:kept])) + len(weights) > _ROOM:
        kept -= 1
    c = traversal.covariates
    findings.traversal = replace(
        traversal,
        sheets=traversal.sheets[:kept],
        thumbnails=traversal.thumbnails[:kept],
        initial=traversal.initial[:kept],
        codes=traversal.codes[:kept],
        covariates=None if c is None else c[:kept],
    )
    return kept


def _strength(findings: Findings, j: int) -> str:
    if findings.which.measure == "KL":
        return f"{findings.which.strength[j]:.2f} nats"
    return f"std {findings.which.strength[j]:.2f}"
