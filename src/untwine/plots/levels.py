"""Figures of a hierarchy: the rate of every level, and images cut at every depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .images import traversal_grid
from .style import ACCENT, INK, MUTED, SIZE, figure, quiet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["level_cuts", "level_rates"]


def level_rates(nats: Any, names: Sequence[str], *, active: float | None = 0.1) -> Figure:
    """The divergence of every level of a hierarchy, and its share of the whole.

    Args:
        nats: Of each level, averaged over the data, as `diagnostics.level_rates` finds them.
        names: Of the levels, the uppermost first.
        active: Bars below this are drawn pale; ``None`` draws all alike.

    Shape:
        - nats: ``(L,)``.

    Raises:
        ValueError: for another shape, or if names are not one per level.

    Example:
        >>> figure = level_rates([3.0, 9.0], ["z_2", "z_1"])
        >>> [text.get_text() for text in figure.axes[0].texts]
        ['3.00, 25 %', '9.00, 75 %']
    """
    nats = np.asarray(nats, dtype=np.float64)
    if nats.ndim != 1 or len(names) != len(nats) or not len(nats):
        raise ValueError(
            f"nats has shape {nats.shape} and there are {len(names)} names; expected one number "
            "for each level"
        )
    canvas = figure(5.0, 0.5 + 0.26 * len(nats))
    axes = canvas.add_subplot()
    quiet(axes, grid="x")
    colors = [MUTED if active is not None and value < active else ACCENT for value in nats]
    axes.barh(range(len(nats)), nats, height=0.7, color=colors)
    total = max(float(nats.sum()), 1e-12)
    for place, value in enumerate(nats):
        axes.annotate(
            f"{value:.2f}, {100 * value / total:.0f} %", (max(value, 0), place), (3, 0),
            textcoords="offset points", va="center", fontsize=SIZE - 2, color=MUTED,
        )  # fmt: skip
    axes.set_yticks(range(len(nats)), list(names), fontsize=SIZE - 1, color=INK)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("KL (nats)", fontsize=SIZE, color=INK)
    axes.set_xlim(min(0.0, float(nats.min())), max(1.25 * float(nats.max()), 0.1))
    axes.invert_yaxis()
    return canvas


def level_cuts(images: Any, names: Sequence[str], x: Any = None) -> Figure:
    """Images with the levels above a cut from the data and those below from the prior.

    What stays the same from one row to the next was decided above.

    Args:
        images: At each cut, from none of the levels to all of them, as `diagnostics.level_cuts`
            makes them.
        names: Of the levels, the uppermost first.
        x: The observations, drawn in a first row.

    Shape:
        - images: ``(L + 1, B, C, H, W)`` with one or three channels, or ``(L + 1, B, F)``.
        - x: ``(B, C, H, W)`` or ``(B, F)``.

    Raises:
        ValueError: for another number of cuts, or other shapes.

    Example:
        >>> figure = level_cuts(np.zeros((3, 4, 1, 8, 8)), ["z_2", "z_1"])
        >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
        ['none', 'to z_2', 'to z_1']
    """
    if len(images) != len(names) + 1:
        raise ValueError(
            f"images has {len(images)} cuts and there are {len(names)} levels; expected one cut "
            "more, from none of them to all"
        )
    labels = ["none", *(f"to {name}" for name in names)]
    rows = np.asarray(images)
    if x is not None:
        rows, labels = np.concatenate([np.asarray(x)[None], rows]), ["data", *labels]
    canvas = traversal_grid(rows, labels)
    canvas.set_figwidth(canvas.get_figwidth() + 0.02 * max(map(len, labels)))  # names are wide
    return canvas
