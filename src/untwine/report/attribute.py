"""An attribute in the report: where a code tells it, and what taking it out leaves and costs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..encoding import Codes
from ..use import Fairness, Recovery, censor, erase, fairness, locate, recover

__all__ = ["attribute"]

_ROWS = 4_000
_FEWEST = 40
_DIMS = 8
_TARGETS = 4  # that are classified
_STEPS = 500  # of the adversary


def attribute(codes: Codes, name: str | None, seed: int) -> dict[str, Any] | None:
    """What the page says of an attribute; ``None`` where none is named.

    Erasures, probes and classifiers learn from one half of the rows and are judged on the other.

    Raises:
        ValueError: for a name that is no factor, one that does not vary, and too few rows.
    """
    if name is None:
        return None
    column = codes.space.position(name)
    table = np.asarray(codes.factors)
    rng = np.random.default_rng([seed, 17])
    rows = rng.permutation(np.flatnonzero((table >= 0).all(1)))[:_ROWS]
    if len(rows) < _FEWEST:
        raise ValueError(
            f"{len(rows)} observations have all factors; expected {_FEWEST} to say where {name} is"
        )
    z, s = codes.mean[rows].astype(np.float64), table[rows, column]
    half = len(rows) // 2
    location = locate(z, s, blocks=codes.blocks, seed=seed)
    codes_of = {
        "as it is": z,
        "least squares": erase(z[:half], s[:half])(z),
        "adversary": censor(z[:half], s[:half], steps=_STEPS, seed=seed)(z),
    }
    targets = _targets(table[rows], half, column)
    try:
        by_target = {
            codes.space.names[k]: [
                (way, _fair(_judged(clean, table[rows, k], s, half, seed)))
                for way, clean in codes_of.items()
            ]
            for k in targets
        }
    except ModuleNotFoundError as error:  # fairlearn is an extra
        by_target, missing = {}, str(error)
    else:
        missing = "" if targets else "no other factor has two values"
    return {
        "name": name,
        "count": len(rows),
        "dims": [
            (f"z{j}", f"{location.share[j]:.3f}", f"{location.floor[j]:.3f}")
            for j in location.order[:_DIMS]
        ],
        "parts": [(part, *_read(r)) for part, r in location.parts.items() if part != "code"],
        "erased": [
            (way, *_read(recover(clean[:half], s[:half], clean[half:], s[half:], seed=seed)))
            for way, clean in codes_of.items()
        ],
        "targets": by_target,
        "missing": missing,
    }


def _targets(table: np.ndarray, half: int, attribute: int) -> list[int]:
    """Columns with two values, both in each half."""
    return [
        k
        for k in range(table.shape[1])
        if k != attribute
        and len(np.unique(table[:, k])) == 2
        and all(len(np.unique(part)) == 2 for part in (table[:half, k], table[half:, k]))
    ][:_TARGETS]


def _judged(z: np.ndarray, target: np.ndarray, s: np.ndarray, half: int, seed: int) -> Fairness:
    y = (target == target.max()).astype(int)
    return fairness(z[:half], y[:half], s[:half], z[half:], y[half:], s[half:], seed=seed)


def _fair(result: Fairness) -> tuple[str, ...]:
    head = result.accuracy, result.majority, result.parity, result.parity_floor
    return tuple(f"{value:.3f}" for value in (*head, result.odds, result.odds_floor))


def _read(probes: Recovery) -> tuple[str, str, str]:
    return f"{probes.linear:.3f}", f"{probes.strong:.3f}", f"{probes.chance:.3f}"
