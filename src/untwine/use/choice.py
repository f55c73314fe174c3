"""Choice of a factor's control: a dimension, a named part, or directions of the whole code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Literal

import numpy as np

from .coding import CodePart
from .factors import FactorScale
from .steering import Lever, fit_lever, judge

__all__ = ["Control", "choose"]

_ENOUGH = 0.9  # of what the whole code tells: then the dimension, or the part, is the control
_LARGE = 0.1  # of the largest move, in standard deviations: a dimension that takes part

ControlKind = Literal["dimension", "part", "direction", "none"]


@dataclass(frozen=True)
class Control:
    """What a factor is moved by.

    Attributes:
        factor: Its name.
        kind: ``"dimension"``; ``"part"``, a named part of the code; ``"direction"``, several
            dimensions together; ``"none"``, where nothing in the code follows the factor.
        where: In words: ``z3``, ``part content``, ``z0 z4``.
        columns: The dimensions that take part.
        directions: How many directions the means lie along.
        low: The lowest value that can be set.
        high: The highest.
        code_low: The lowest mean of the dimension over the values; nan for other kinds.
        code_high: The highest.
        sign: 1 where the dimension grows with the factor, -1 where it falls, 0 where neither is
            meant (names, angles, several directions).
        monotone: The rank correlation of the dimension's means with the values, without its sign:
            1 where the dimension never turns back; nan where no sign is meant.
        score: How well the factor is read off the control in held-out codes: 0 chance, 1 perfect.
        interval: Its 95% interval by bootstrap of the held-out rows.
        whole: The score of the whole code.
    """

    factor: str
    kind: ControlKind
    where: str
    columns: tuple[int, ...]
    _: KW_ONLY
    directions: int
    low: float
    high: float
    code_low: float
    code_high: float
    sign: int
    monotone: float
    score: float
    interval: tuple[float, float]
    whole: float


def choose(
    z: np.ndarray,
    values: np.ndarray,
    scale: FactorScale,
    *,
    cut: int,
    parts: Sequence[CodePart],
    resamples: int,
    seed: int,
) -> tuple[Control, Lever | None]:
    """The simplest control that tells nearly as much as the whole code, fitted on all rows.

    Args:
        z: Codes, ``(N, D)``.
        values: Of the factor, ``(N,)``.
        scale: The factor's.
        cut: Rows from this one on are held out for the scores.
        parts: Of the code, those with names.
        resamples: Of the bootstrap.
        seed: Likewise.
    """
    train, test = slice(0, cut), slice(cut, None)
    bound = {j for part in parts if part.kind != "values" for j in part.columns}
    candidates: list[tuple[ControlKind, str, tuple[int, ...]]] = []
    free = [j for j in range(z.shape[1]) if j not in bound]
    if free:
        best = max(free, key=lambda j: _explained(z[train, j], values[train]))
        candidates.append(("dimension", f"z{best}", (best,)))
    whole_columns = tuple(range(z.shape[1]))
    fits = {part.name: fit_lever(z[train], values[train], scale, part.columns) for part in parts}
    quick = {name: judge(lever, z[test], values[test], 0, seed)[0] for name, lever in fits.items()}
    if quick:
        first = max(quick, key=lambda name: quick[name])
        columns = next(part.columns for part in parts if part.name == first)
        candidates.append(("part", f"part {first}", columns))
    candidates.append(("direction", "", whole_columns))
    judged = []
    for kind, where, columns in candidates:
        lever = fit_lever(z[train], values[train], scale, columns)
        judged.append((kind, where, columns, judge(lever, z[test], values[test], resamples, seed)))
    whole = judged[-1][3][0]
    kind, where, columns, score = next(
        one for one in judged if one[3][0] >= _ENOUGH * whole or one[0] == "direction"
    )
    lever = fit_lever(z, values, scale, columns) if score[1] > 0 else None
    used = columns
    if lever is None:
        kind, where, used = "none", "", ()
    elif kind == "direction":
        size = np.abs(lever.pattern / np.where(z.std(0) > 0, z.std(0), 1)[:, None]).max(1)
        used = tuple(np.flatnonzero(size >= _LARGE * size.max()).tolist())
        where = " ".join(f"z{j}" for j in used[:6]) + (" ..." if len(used) > 6 else "")
    sign, monotone, ends = 0, np.nan, (np.nan, np.nan)
    if lever is not None and kind == "dimension":
        line = lever.curve.means[:, used[0]]
        ends = (float(line.min()), float(line.max()))
        if scale.kind in ("ordinal", "real"):
            rank = _rank_correlation(lever.curve.knots, line)
            sign, monotone = int(np.sign(rank)), abs(rank)
    control = Control(
        scale.name,
        kind,
        where,
        used,
        directions=0 if lever is None else lever.pattern.shape[1],
        low=float(scale.low),
        high=float(scale.high),
        code_low=ends[0],
        code_high=ends[1],
        sign=sign,
        monotone=float(monotone),
        score=score[0],
        interval=score[1:],
        whole=whole,
    )
    return control, lever


def _explained(column: np.ndarray, values: np.ndarray) -> float:
    """The correlation ratio: the share of a dimension's variance between values."""
    _, group = np.unique(values, return_inverse=True)
    counts = np.bincount(group)
    means = np.bincount(group, column) / counts
    total = column.var()
    between = (counts * (means - column.mean()) ** 2).sum() / len(column)
    return float(between / total) if total > 1e-12 else 0.0


def _rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return 0.0 if np.ptp(b) == 0 else float(spearmanr(a, b).statistic)
