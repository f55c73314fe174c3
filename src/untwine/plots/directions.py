"""Figures of directions: where each changes an observation, and observations along it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from .images import traversal_grid
from .pictures import pictures
from .style import ACCENT, WARM

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["direction_grid"]


def direction_grid(
    images: Any,
    labels: Sequence[str] | None = None,
    *,
    mask: Any = None,
    values: Sequence[float] | None = None,
) -> Figure:
    """Images along directions, a row each, and before each row where it changes them.

    The first column is the largest absolute difference from the row's middle, averaged over
    channels, from white to the row's own largest.

    Args:
        images: ``images[k, s]`` is decoded at position s of direction k, as `diagnostics.walk`
            makes them.
        labels: Of the rows.
        mask: A region, whose border is drawn over the first column.
        values: Of the positions, written above.

    Shape:
        - images: ``(K, S, C, H, W)`` with one or three channels.
        - mask: ``(H, W)`` or ``(C, H, W)``.

    Raises:
        ValueError: for other shapes.

    Example:
        >>> images = np.zeros((2, 5, 1, 8, 8))
        >>> figure = direction_grid(images, ["one", "two"], mask=np.arange(8) < np.full((8, 1), 4))
        >>> [text.get_text() for text in figure.axes[0].get_xticklabels()][0]
        'change'
    """
    if np.ndim(images) != 5:
        raise ValueError(
            f"images have shape {np.shape(images)}; expected (directions, positions, channels, "
            "height, width): of vectors draw a traversal_grid"
        )
    cells = pictures(images, 2)
    shown = np.asarray(cells, np.float64) / 255
    change = np.abs(shown - shown[:, shown.shape[1] // 2][:, None]).max(1).mean(-1)
    share = change / np.maximum(change.max((1, 2), keepdims=True), 1e-12)
    warm = np.array([int(WARM[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    heat = 1 - share[:, None] * (1 - warm[:, None, None])
    labels = [f"direction {k}" for k in range(len(cells))] if labels is None else labels
    canvas = traversal_grid(np.moveaxis(shown, -1, 2), labels, values=values, reference=heat)
    axes = canvas.axes[0]
    heads = [text.get_text() for text in axes.get_xticklabels()]
    axes.set_xticklabels(["change", *heads[1:]])
    if mask is not None:
        _outline(axes, np.asarray(mask, bool), cells.shape)
    return canvas


def _outline(axes: Any, mask: np.ndarray, shape: tuple[int, ...]) -> None:
    """Lines between the pixels that are inside and those that are not, in every first picture."""
    from matplotlib.collections import LineCollection

    rows, _, height, width, _ = shape
    mask = np.asarray(mask.any(0) if mask.ndim == 3 else mask)
    if mask.shape != (height, width):
        raise ValueError(f"mask has shape {mask.shape}; expected {(height, width)}")
    total = axes.images[0].get_array().shape[0]
    pitch = (total - height) / (rows - 1) if rows > 1 else 0.0
    edges = []
    for y, x in product(range(height), range(width)):
        if not mask[y, x]:
            continue
        sides = {
            (0, -1): [(x, y), (x, y + 1)],
            (0, 1): [(x + 1, y), (x + 1, y + 1)],
            (-1, 0): [(x, y), (x + 1, y)],
            (1, 0): [(x, y + 1), (x + 1, y + 1)],
        }
        for (down, right), side in sides.items():
            v, u = y + down, x + right
            if not (0 <= v < height and 0 <= u < width and mask[v, u]):
                edges.append(np.array(side) - 0.5)
    lines = [edge + np.array([0, pitch * row]) for row in range(rows) for edge in edges]
    axes.add_collection(LineCollection(lines, colors=ACCENT, linewidths=1.2), autolim=False)
