"""Bars and curves: KL of dimensions, training curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import ACCENT, GRID, INK, MUTED, SIZE, WARM, figure, quiet

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["dimension_kl", "smoothed", "training_curves"]

_POINTS = 400
_HELD_OUT = "validation/"


def dimension_kl(
    kl: Any, names: Sequence[str] | None = None, *, active: float | None = 0.01
) -> Figure:
    r"""The information in each code dimension, :math:`D_{KL}(q(z_j|x) \,\|\, p(z_j))` in nats.

    A dimension with no divergence carries nothing about the observation: it is the prior's noise.

    Args:
        kl: Of each dimension, averaged over the data.
        names: Of the dimensions; by default ``z0, z1, ...``.
        active: Bars below this are drawn pale; ``None`` draws all alike.

    Shape:
        - kl: ``(D,)``.

    Raises:
        ValueError: for another shape, or if names are not one per dimension.

    Example:
        >>> figure = dimension_kl([2.1, 0.0, 1.4])
        >>> [float(bar.get_height()) for bar in figure.axes[0].patches]
        [2.1, 0.0, 1.4]
    """
    kl = np.asarray(kl, dtype=np.float64)
    if kl.ndim != 1 or not kl.size:
        raise ValueError(f"kl has shape {kl.shape}; expected one number for each dimension, (D,)")
    names = [f"z{j}" for j in range(len(kl))] if names is None else list(names)
    if len(names) != len(kl):
        raise ValueError(f"kl has {len(kl)} dimensions but names has {len(names)}")
    many = len(kl) > 24
    canvas = figure(float(np.clip(0.45 * len(kl), 3.4, 9.0)), 2.4)
    axes = canvas.add_subplot()
    quiet(axes, grid="y")
    faint = [active is not None and value < active for value in kl]
    axes.bar(range(len(kl)), kl, width=0.7, color=[MUTED if f else ACCENT for f in faint])
    if not many:
        for j, value in enumerate(kl):
            axes.annotate(
                f"{value:.2f}", (j, max(value, 0)), (0, 2), textcoords="offset points",
                ha="center", fontsize=SIZE - 2, color=MUTED,
            )  # fmt: skip
    size = SIZE - 3 if many else SIZE - 1
    axes.set_xticks(range(len(kl)), names, fontsize=size, color=INK, rotation=90 if many else 0)
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("KL (nats)", fontsize=SIZE, color=INK)
    axes.set_xlim(-0.6, len(kl) - 0.4)
    axes.set_ylim(min(0.0, float(kl.min())), max(float(kl.max()) * 1.12, 0.1))
    return canvas


def training_curves(log: pandas.DataFrame, *, smoothing: float = 0.03, columns: int = 3) -> Figure:
    r"""How every term of every loss went, each in a panel of its own.

    The pale line is what was logged, the strong one its running average. The scale of a panel is
    that of the average, so that a few bad batches do not flatten it, and logarithmic where the
    average is positive and spans more than a factor of 30. Where training has several stages, a
    thin line marks where the next one begins.

    Args:
        log: With a column ``step``, a column of numbers for each term (``player/term``), and
            perhaps ``stage``. A term that is missing in some rows is drawn over the others; those
            held out (``validation/player/term``) are drawn as points into their term's panel.
        smoothing: Width of the running average as a share of all rows; 0 draws raw values only.
        columns: Panels in a row.

    Raises:
        ValueError: if there is no ``step``, no term, or no row.

    Example:
        >>> import pandas
        >>> log = pandas.DataFrame({"step": [1, 2, 3], "vae/nll": [9.0, 5.0, 4.0]})
        >>> [axes.get_title(loc="left") for axes in training_curves(log).axes]
        ['vae/nll']
    """
    if "step" not in log or not len(log):
        raise ValueError(f"the log has columns {list(log.columns)} and {len(log)} rows: nothing "
                         "to draw; expected 'step' and columns 'player/term'")  # fmt: skip
    named = [c for c in log.columns if "/" in c and c != "images/s" and log[c].notna().any()]
    terms = [
        c for c in named if c.removeprefix(_HELD_OUT) not in named or not c.startswith(_HELD_OUT)
    ]
    if not terms:
        raise ValueError(f"the log has columns {list(log.columns)}: none is named 'player/term'")
    steps, borders = _cumulative(log)
    columns = min(columns, len(terms))
    rows = -(-len(terms) // columns)
    canvas = figure(9.0 if columns > 1 else 4.5, 1.95 * rows + 0.15)
    grid = canvas.subplots(rows, columns, squeeze=False, sharex=True)
    for axes in grid.flat[len(terms) :]:
        axes.set_visible(False)
    for i, (axes, term) in enumerate(zip(grid.flat, terms, strict=False)):
        quiet(axes, grid="y")
        axes.set_title(term, fontsize=SIZE, color=INK, loc="left")
        for border in borders:
            axes.axvline(border, color=GRID, linewidth=1)
        finite = log[term].notna().to_numpy()
        _curve(axes, steps[finite], log[term].to_numpy(np.float64)[finite], smoothing)
        if _HELD_OUT + term in named:
            looks = log[_HELD_OUT + term].notna().to_numpy()
            _points(axes, steps[looks], log[_HELD_OUT + term].to_numpy(np.float64)[looks])
        axes.set_xlim(0, steps[-1] * 1.01 or 1)
        if i + columns >= len(terms):  # the lowest panel of its column
            axes.set_xlabel("step", fontsize=SIZE - 1, color=MUTED)
            axes.tick_params(labelbottom=True)
    return canvas


def smoothed(values: Any, width: int) -> np.ndarray:
    """The running average over ``width`` neighbors, over fewer where there are fewer.

    Example:
        >>> smoothed([0.0, 3.0, 6.0, 3.0], 3).tolist()
        [1.5, 3.0, 4.0, 4.5]
    """
    values = np.asarray(values, dtype=np.float64)
    half = max(int(width), 1) // 2
    total = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    first, last = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    return (total[last] - total[first]) / (last - first)


def _curve(axes: Axes, steps: np.ndarray, values: np.ndarray, smoothing: float) -> None:
    finite = np.isfinite(values)
    steps, values = steps[finite], values[finite]
    if not len(values):
        return
    average = smoothed(values, round(smoothing * len(values)) | 1) if smoothing > 0 else values
    thin = np.unique(np.linspace(0, len(steps) - 1, _POINTS).round().astype(int))
    marker = "." if len(steps) < 3 else None
    if smoothing > 0 and len(values) > 20:
        axes.plot(steps[thin], values[thin], color=ACCENT, alpha=0.3, linewidth=0.7)
    axes.plot(steps[thin], average[thin], color=ACCENT, linewidth=1.4, marker=marker)
    low, high = float(average.min()), float(average.max())
    if low > 0 and high > 30 * low:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.3, high * 1.3)
        axes.minorticks_off()
        return
    space = 0.06 * (high - low) or 0.05 * abs(high) or 0.5
    axes.set_ylim(low - space, high + space)


def _points(axes: Axes, steps: np.ndarray, values: np.ndarray) -> None:
    """Held-out values, in view of the curve that is there."""
    values = np.where(np.isfinite(values), values, np.nan)
    if not np.isfinite(values).any():
        return
    low, high = axes.get_ylim()
    axes.plot(steps, values, color=WARM, linewidth=0.8, marker=".", markersize=5, label="held out")
    axes.set_ylim(min(low, float(np.nanmin(values))), max(high, float(np.nanmax(values))))
    axes.legend(fontsize=SIZE - 2, frameon=False, labelcolor=MUTED, handlelength=1.2)


def _cumulative(log: pandas.DataFrame) -> tuple[np.ndarray, list[float]]:
    """Steps counted over all stages, and where the second and later ones begin."""
    steps = log["step"].to_numpy(np.float64).copy()
    borders: list[float] = []
    if "stage" in log:
        stage = log["stage"].to_numpy()
        for start in np.flatnonzero(stage[1:] != stage[:-1]) + 1:
            if steps[start] <= steps[start - 1]:  # steps are counted anew
                borders.append(float(steps[start - 1]))
                steps[start:] += steps[start - 1]
    return steps, borders
