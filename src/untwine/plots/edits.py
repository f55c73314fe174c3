"""Figures of edits: what each control moves, and what was made beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .images import samples_by_class
from .style import ACCENT, INK, MUTED, SIZE, WARM, bare, figure, ramp

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["control_effects", "counterfactual_grid"]


def control_effects(
    effects: Any, names: Sequence[str], *, where: Sequence[str] | None = None
) -> Figure:
    """What an edit of each factor does to every factor.

    The diagonal is the share of the way to the wanted value that edits go: 1 is all of it. Other
    cells are what changes besides, over the difference between observations drawn at random: 0 is
    nothing.

    Args:
        effects: A row for the factor that is set, a column for the one that is read.
        names: Of the factors.
        where: What moves each factor, such as ``z3``.

    Shape:
        - effects: ``(K, K)``.

    Raises:
        ValueError: for another shape, and for names of another number.

    Example:
        >>> drawn = control_effects([[0.9, 0.1], [0.0, 0.8]], ["shape", "scale"])
        >>> [text.get_text() for text in drawn.axes[0].get_xticklabels()]
        ['shape', 'scale']
    """
    matrix = np.asarray(effects, np.float64)
    count = len(names)
    if matrix.shape != (count, count):
        raise ValueError(f"effects has shape {matrix.shape}; expected ({count}, {count})")
    if where is not None and len(where) != count:
        raise ValueError(f"where has {len(where)} entries for {count} factors: give one for each")
    labels = [f"{n} by {w}" if w else n for n, w in zip(names, where or [""] * count, strict=True)]
    margin = 0.4 + 0.075 * max(map(len, labels))
    canvas = figure(0.85 * count + margin + 0.3, 0.42 * count + 1.0)
    axes = canvas.add_subplot()
    bare(axes)
    own = np.eye(count, dtype=bool)
    for color, cells in ((ACCENT, own), (WARM, ~own)):
        shown = np.ma.masked_array(np.clip(matrix, 0, 1), ~cells)
        axes.pcolormesh(shown, cmap=ramp(color), vmin=0, vmax=1.25, edgecolors="white")
    for (row, column), value in np.ndenumerate(matrix):
        weight = "bold" if row == column else "normal"
        axes.text(
            column + 0.5, row + 0.5, f"{value:.2f}", ha="center", va="center", color=INK,
            fontsize=SIZE - 1, fontweight=weight,
        )  # fmt: skip
    axes.set_ylim(count, 0)
    slanted = {} if max(map(len, names)) <= 11 else {"rotation": 35, "ha": "left"}
    axes.set_xticks(np.arange(count) + 0.5, list(names), fontsize=SIZE - 0.5, **slanted)  # type: ignore[arg-type]
    axes.set_yticks(np.arange(count) + 0.5, labels, fontsize=SIZE - 0.5)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_title("set (rows), read (columns)", fontsize=SIZE - 1, color=MUTED, loc="left")
    return canvas


def counterfactual_grid(
    original: Any, made: Any, truth: Any, *, labels: Sequence[str] | None = None
) -> Figure:
    """Observations, what edits made of them, and the rendered truth, a column for each.

    Args:
        original: Before.
        made: Edited; several rows if there is one more axis.
        truth: What the edits should have made.
        labels: Of the rows; by default ``original``, ``made``, ``rendered``.

    Shape:
        - original, truth: ``(N, C, H, W)`` or ``(N, F)``; made: the same, or ``(M, N, ...)``.

    Raises:
        ValueError: for unequal shapes, or labels of another number.

    Example:
        >>> x = np.zeros((4, 1, 8, 8))
        >>> drawn = counterfactual_grid(x, x, x)
        >>> [text.get_text() for text in drawn.axes[0].get_yticklabels()]
        ['original', 'made', 'rendered']
    """
    first, last = np.asarray(original), np.asarray(truth)
    middle = np.asarray(made)
    middle = middle[None] if middle.ndim == first.ndim else middle
    if first.shape != last.shape or middle.shape[1:] != first.shape:
        raise ValueError(
            f"original has shape {first.shape}, made {middle.shape[1:]} and truth {last.shape}; "
            "expected equal shapes"
        )
    rows = np.concatenate([first[None], middle, last[None]])
    names = ["original", *["made"] * len(middle), "rendered"] if labels is None else list(labels)
    return samples_by_class(rows, names)
