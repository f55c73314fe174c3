"""Figures of several runs, or of several representations: trade-offs, intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t as student

from .style import ACCENT, GRID, INK, MUTED, SIZE, WARM, figure, quiet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["intervals", "trade_off"]

_MARKS = "os^Dvp*XhP<>"


def trade_off(
    x: Sequence[float],
    y: Sequence[float],
    groups: Sequence[str],
    *,
    labels: tuple[str, str] = ("loss", "score"),
    level: float = 0.95,
) -> Figure:
    """One quantity against another, a point per run; the mean of each group is a large mark.

    Of groups with two runs or more lines show the intervals of both means (Student's).

    Args:
        x: Of each run.
        y: Of each run.
        groups: What each run belongs to, such as its settings.
        labels: What ``x`` and ``y`` are.
        level: Of the intervals.

    Raises:
        ValueError: for different lengths, and without any finite pair.

    Example:
        >>> drawn = trade_off([20.0, 21.0, 30.0], [0.1, 0.2, 0.4], ["a", "a", "b"])
        >>> [text.get_text() for text in drawn.axes[0].get_legend().get_texts()]
        ['a', 'b']
    """
    if not len(x) == len(y) == len(groups):
        raise ValueError(f"there are {len(x)} x, {len(y)} y and {len(groups)} groups")
    across, up = np.asarray(x, np.float64), np.asarray(y, np.float64)
    finite = np.isfinite(across) & np.isfinite(up)
    if not finite.any():
        raise ValueError("no run has both quantities: nothing to draw")
    canvas = figure(6.0, 3.6)
    axes = canvas.add_subplot()
    quiet(axes, grid="y")
    names = list(dict.fromkeys(groups))
    for k, name in enumerate(names):
        own = finite & np.array([group == name for group in groups])
        if not own.any():
            continue
        color, mark = (ACCENT, WARM, INK, MUTED)[k % 4], _MARKS[k % len(_MARKS)]
        axes.scatter(across[own], up[own], s=14, color=color, marker=mark, alpha=0.45, linewidths=0)
        mean = across[own].mean(), up[own].mean()
        if own.sum() > 1:
            quantile = student.ppf(0.5 + level / 2, own.sum() - 1) / math.sqrt(own.sum())
            reach = [quantile * values[own].std(ddof=1) for values in (across, up)]
            axes.errorbar(*mean, reach[1], reach[0], color=color, linewidth=1.2, alpha=0.6)
        axes.scatter(*mean, s=52, color=color, marker=mark, label=name, linewidths=0)
    axes.set_xlabel(labels[0], fontsize=SIZE, color=INK)
    axes.set_ylabel(labels[1], fontsize=SIZE, color=INK)
    if len(names) > 1:
        axes.legend(fontsize=SIZE - 1.5, frameon=False, labelcolor=MUTED)
    return canvas


def intervals(
    values: Mapping[str, Mapping[str, tuple[float, float, float]]],
    *,
    label: str = "score",
) -> Figure:
    """Values with their intervals: a row per metric, a mark per representation.

    Args:
        values: By metric, then by representation: value, lower and upper end; ends may be nan.
        label: Of the axis.

    Raises:
        ValueError: without any finite value.

    Example:
        >>> drawn = intervals({"mig": {"one": (0.2, 0.1, 0.3), "other": (0.4, 0.3, 0.5)}})
        >>> [text.get_text() for text in drawn.axes[0].get_yticklabels()]
        ['mig']
    """
    kinds = list(dict.fromkeys(kind for row in values.values() for kind in row))
    points = [value for row in values.values() for value, _, _ in row.values()]
    if not any(map(math.isfinite, points)):
        raise ValueError("there is no finite value: nothing to draw")
    tall = max(0.34 + 0.12 * (len(kinds) - 1), 0.34)
    canvas = figure(6.0, tall * len(values) + 0.7)
    axes = canvas.add_subplot()
    quiet(axes, grid="x")
    for k, kind in enumerate(kinds):
        color, mark = (ACCENT, WARM, INK, MUTED)[k % 4], _MARKS[k % len(_MARKS)]
        shift = 0.0 if len(kinds) == 1 else 0.5 * (k / (len(kinds) - 1) - 0.5)
        first = True
        for row, cells in enumerate(values.values()):
            if kind not in cells:
                continue
            value, low, high = cells[kind]
            if math.isfinite(low) and math.isfinite(high):
                axes.plot([low, high], [row + shift] * 2, color=color, linewidth=1.6, alpha=0.6)
            axes.scatter(
                value, row + shift, s=26, color=color, marker=mark, linewidths=0, zorder=3,
                label=kind if first else None,
            )  # fmt: skip
            first = False
    for row in range(1, len(values)):
        axes.axhline(row - 0.5, color=GRID, linewidth=0.6)
    axes.set_ylim(len(values) - 0.5, -0.5)
    axes.set_yticks(range(len(values)), list(values), fontsize=SIZE)
    axes.set_xlabel(label, fontsize=SIZE, color=INK)
    if len(kinds) > 1:
        axes.legend(fontsize=SIZE - 1.5, frameon=False, labelcolor=MUTED, loc="best")
    return canvas
