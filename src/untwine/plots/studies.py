"""Figures of studies: violins, correlations of scores, shares of variance, trade-offs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import ACCENT, GRID, INK, MUTED, PAPER, SIZE, WARM, bare, figure, quiet, ramp

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["correlations", "curves", "shares", "violins"]


def violins(
    groups: Mapping[str, Mapping[str, Any]],
    *,
    columns: int = 3,
    ylabels: Mapping[str, str] | None = None,
) -> Figure:
    """How scores are spread over runs, a panel for each score and a violin for each group.

    A violin is a Gaussian kernel estimate of the density, drawn between the extremes; dots are the
    runs, the line is the median.

    Args:
        groups: By panel, then by group: values.
        columns: Panels in a row.
        ylabels: Of panels.

    Raises:
        ValueError: if there is nothing to draw.

    Example:
        >>> made = violins({"mig": {"VAE": [0.1, 0.2, 0.15], "BetaVAE": [0.2, 0.3, 0.1]}})
        >>> [axes.get_title(loc="left") for axes in made.axes]
        ['mig']
    """
    panels = {name: _finite(inside) for name, inside in groups.items()}
    panels = {name: inside for name, inside in panels.items() if inside}
    if not panels:
        raise ValueError("there are no values to draw: expected groups of numbers by panel")
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    most = max(len(inside) for inside in panels.values())
    names = [n for inside in panels.values() for n in inside]
    steep = most > 4 or max(map(len, names)) * most > 30
    canvas = figure(9.0 if columns > 1 else 4.5, (2.1 + 0.55 * steep) * rows + 0.1)
    grid = canvas.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    for axes, (name, inside) in zip(grid.flat, panels.items(), strict=False):
        quiet(axes, grid="y")
        axes.set_title(name, fontsize=SIZE, color=INK, loc="left")
        for place, values in enumerate(inside.values()):
            _violin(axes, place, values)
        axes.set_xticks(range(len(inside)), list(inside), fontsize=SIZE - 1.5, color=INK,
                        rotation=40 if steep else 0, ha="right" if steep else "center")  # fmt: skip
        axes.tick_params(axis="x", length=0)
        axes.set_xlim(-0.6, len(inside) - 0.4)
        if ylabels and name in ylabels:
            axes.set_ylabel(ylabels[name], fontsize=SIZE - 1, color=MUTED)
    return canvas


def correlations(matrix: Any, rows: Sequence[str], columns: Sequence[str] | None = None) -> Figure:
    r"""Rank correlations as a heat map, in hundredths; what cannot be computed is left empty.

    Args:
        matrix: Between -1 and 1.
        rows: Their names.
        columns: Their names; those of the rows by default.

    Shape:
        - matrix: ``(R, C)``.

    Raises:
        ValueError: for another shape.

    Example:
        >>> made = correlations([[1.0, -0.4], [-0.4, 1.0]], ["mig", "dci"])
        >>> [text.get_text() for text in made.axes[0].texts]
        ['100', '−40', '−40', '100']
    """
    values = np.asarray(matrix, dtype=np.float64)
    columns = list(rows if columns is None else columns)
    if values.shape != (len(rows), len(columns)):
        raise ValueError(
            f"matrix has shape {values.shape}; expected {(len(rows), len(columns))}, as the names"
        )
    longest = max(map(len, rows))
    canvas = figure(
        float(np.clip(0.42 * len(columns) + 0.085 * longest + 0.5, 3.0, 11.0)),
        float(np.clip(0.3 * len(rows) + 0.075 * max(map(len, columns)) + 0.3, 2.0, 11.0)),
    )
    axes = canvas.add_subplot()
    bare(axes)
    axes.imshow(values, cmap=ramp(WARM, ACCENT), vmin=-1, vmax=1, aspect="auto")
    size = SIZE - 1.5 if len(columns) <= 14 else SIZE - 3
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            if np.isfinite(value):
                axes.text(j, i, f"{100 * value:.0f}".replace("-", "−"), ha="center", va="center",
                          fontsize=size, color="#ffffff" if abs(value) > 0.6 else INK)  # fmt: skip
    axes.set_xticks(range(len(columns)), columns, fontsize=size, rotation=40, ha="right", color=INK)
    axes.set_yticks(range(len(rows)), list(rows), fontsize=size, color=INK)
    return canvas


def shares(parts: Mapping[str, Mapping[str, float]]) -> Figure:
    """Shares of variance as stacked bars, a bar for each score.

    Args:
        parts: By score, then by what explains it; shares sum to one.

    Example:
        >>> made = shares({"mig": {"method": 0.3, "strength": 0.2, "seed": 0.5}})
        >>> [text.get_text() for text in made.axes[0].get_legend().get_texts()]
        ['method', 'strength', 'seed']
    """
    if not parts:
        raise ValueError("there are no shares to draw: expected some by score")
    names = list(dict.fromkeys(n for inside in parts.values() for n in inside))
    canvas = figure(7.5, 0.27 * len(parts) + 0.75)
    axes = canvas.add_subplot()
    quiet(axes, grid="x")
    left = np.zeros(len(parts))
    colors = [ACCENT, WARM, GRID, PAPER, MUTED]
    for name, color in zip(names, colors, strict=False):
        values = np.array([inside.get(name, 0.0) for inside in parts.values()])
        axes.barh(range(len(parts)), values, 0.72, left=left, color=color, label=name)
        for place, (start, value) in enumerate(zip(left, values, strict=True)):
            if value > 0.06:
                axes.text(start + value / 2, place, f"{100 * value:.0f}", ha="center", va="center",
                          fontsize=SIZE - 2,
                          color="#ffffff" if color in (ACCENT, WARM) else INK)  # fmt: skip
        left += values
    axes.set_yticks(range(len(parts)), list(parts), fontsize=SIZE - 1, color=INK)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(names), frameon=False,
                fontsize=SIZE - 1, labelcolor=INK, handlelength=1)  # fmt: skip
    return canvas


def curves(
    series: Mapping[str, tuple[Any, Any]],
    *,
    xlabel: str = "",
    ylabel: str = "",
    labels: Mapping[str, Sequence[str]] | None = None,
    points: bool = True,
) -> Figure:
    """One quantity against another, a line and its points for each group.

    Args:
        series: By group: x and y. Where y has two axes, ``(P, S)``, dots are its columns and the
            line goes through their medians.
        xlabel: Of the axis.
        ylabel: Of the axis.
        labels: By group, written beside each point of the line.
        points: Whether to mark the points of the lines.

    Example:
        >>> made = curves({"BetaVAE": ([20.0, 30.0], [[0.1, 0.2], [0.3, 0.3]])}, xlabel="nll")
        >>> len(made.axes[0].lines)
        1
    """
    if not series:
        raise ValueError("there is nothing to draw: expected x and y by group")
    canvas = figure(6.4, 3.2)
    axes = canvas.add_subplot()
    quiet(axes, grid="y")
    colors = [ACCENT, WARM, MUTED, "#3d8f6a", "#8a5fb0", "#a8892c"]
    for (name, (x, y)), color in zip(series.items(), colors * len(series), strict=False):
        x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
        spread = y if y.ndim == 2 else y[:, None]
        across = x if x.ndim == 2 else np.broadcast_to(x[:, None], spread.shape)
        if spread.shape[1] > 1:
            axes.scatter(across, spread, s=9, color=color, alpha=0.35, linewidths=0)
        middle = np.nanmedian(across, axis=1), np.nanmedian(spread, axis=1)
        axes.plot(
            *middle, color=color, marker="o" * points, markersize=3.5, linewidth=1.3, label=name
        )
        for place, text in enumerate((labels or {}).get(name, ())):
            axes.annotate(text, (middle[0][place], middle[1][place]), (3, 4), fontsize=SIZE - 2.5,
                          textcoords="offset points", color=color)  # fmt: skip
    axes.set_xlabel(xlabel, fontsize=SIZE - 0.5, color=INK)
    axes.set_ylabel(ylabel, fontsize=SIZE - 0.5, color=INK)
    axes.legend(frameon=False, fontsize=SIZE - 1, labelcolor=INK, loc="center left",
                bbox_to_anchor=(1.0, 0.5))  # fmt: skip
    return canvas


def _violin(axes: Any, place: int, values: np.ndarray) -> None:
    """One violin, with its runs and their median."""
    if len(values) > 2 and np.ptp(values) > 1e-12 * max(np.abs(values).max(), 1e-300):
        width = values.std(ddof=1) * len(values) ** -0.2  # Scott's rule
        at = np.linspace(values.min(), values.max(), 40)
        density = np.exp(-0.5 * ((at[:, None] - values) / width) ** 2).sum(1)
        half = 0.38 * density / density.max()
        axes.fill_betweenx(at, place - half, place + half, color=ACCENT, alpha=0.22, linewidth=0)
    spread = (np.arange(len(values)) % 5 - 2) * 0.05 if len(values) > 1 else np.zeros(1)
    axes.scatter(place + spread, values, s=5, color=ACCENT, alpha=0.7, linewidths=0)
    middle = float(np.median(values))
    axes.plot([place - 0.25, place + 0.25], [middle, middle], color=WARM, linewidth=1.4)


def _finite(groups: Mapping[str, Any]) -> dict[str, np.ndarray]:
    arrays = {name: np.asarray(values, np.float64).reshape(-1) for name, values in groups.items()}
    arrays = {name: values[np.isfinite(values)] for name, values in arrays.items()}
    return {name: values for name, values in arrays.items() if len(values)}
