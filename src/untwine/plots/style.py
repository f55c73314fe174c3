"""Style of the figures, set on the figure itself: nothing global is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "ACCENT",
    "GRID",
    "INK",
    "MUTED",
    "PAPER",
    "SIZE",
    "WARM",
    "bare",
    "figure",
    "quiet",
    "ramp",
]

INK = "#1d2733"
"""Text and marks that must be read."""
MUTED = "#5d6b7a"
"""Tick labels, notes, raw values behind a smoothed line."""
GRID = "#d5dce4"
"""Lines that only help the eye."""
PAPER = "#f3f5f8"
"""Behind the bars of a vector."""
ACCENT = "#1b5e9e"
"""The data. With `WARM` it stays apart for every common kind of color blindness."""
WARM = "#c8551b"
"""The second kind of data: the other sign, the marked one."""
SIZE = 9.0
"""Font size in points; labels in crowded figures go down to two thirds of it."""


def figure(width: float, height: float) -> Figure:
    """An empty figure of a size in inches whose layout leaves room for every label."""
    canvas = Figure(figsize=(width, height), layout="constrained")
    canvas.get_layout_engine().set(w_pad=0.06, h_pad=0.06)  # type: ignore[union-attr, call-arg]
    return canvas


def quiet(axes: Axes, *, grid: str | None = None) -> None:
    """Gives axes two thin spines, small muted ticks, and grid lines along ``"x"`` or ``"y"``."""
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(GRID)
    axes.tick_params(colors=MUTED, labelsize=SIZE - 1.5, length=2.5, color=GRID)
    axes.set_axisbelow(True)
    if grid is not None:
        axes.grid(True, axis=grid, color=GRID, linewidth=0.6)  # type: ignore[arg-type]


def bare(axes: Axes) -> None:
    """Removes spines and tick marks; tick labels stay where they are set."""
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(colors=INK, labelsize=SIZE, length=0)


def ramp(color: str, low: str | None = None) -> LinearSegmentedColormap:
    """Colors from transparent to ``color``, or from ``color`` through transparent to ``other``.

    Transparency instead of white lets the same figure stand on a dark page.
    """
    full, clear = (*to_rgb(color), 1.0), (*to_rgb(color), 0.0)
    if low is None:
        return LinearSegmentedColormap.from_list("ramp", [clear, full], N=64)
    ends = [full, clear, (*to_rgb(low), 0.0), (*to_rgb(low), 1.0)]
    return LinearSegmentedColormap.from_list("ramp", list(zip((0, 0.5, 0.5, 1), ends, strict=True)))
