"""Figures of codes as functions of factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import ACCENT, GRID, INK, MUTED, SIZE, WARM, bare, figure, ramp

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["latents_against_factors", "position_pairs", "profile"]

_CURVE_POINTS = 64


def latents_against_factors(
    codes: Any,
    factors: Any,
    names: Sequence[str] | None = None,
    *,
    maps: Sequence[tuple[str, str]] | None = None,
    labels: Sequence[str] | None = None,
) -> Figure:
    r"""Each code dimension as a function of each factor.

    A cell shows the mean of :math:`z_j` over all observations with :math:`v_k = a`, against the
    value a; the band is one standard deviation to each side, that is, what the other factors do to
    :math:`z_j`. A sloped line with a narrow band is a dimension that follows this factor alone; a
    flat line means that it ignores it. All cells of a row have one scale.

    For two factors that are coordinates, a further cell shows the mean of :math:`z_j` as a color
    over the plane: stripes along one axis are a dimension that has found the coordinate.

    Args:
        codes: Of the observations.
        factors: Of the observations, whole numbers, -1 where unknown. Continuous factors are
            grouped into 32 intervals.
        names: Of the factors; by default ``v0, v1, ...``.
        maps: Pairs of names to draw as a plane; by default those that `position_pairs` finds.
        labels: Of the dimensions; by default ``z0, z1, ...``.

    Shape:
        - codes: ``(N, D)``.
        - factors: ``(N, K)``.

    Raises:
        ValueError: for unequal lengths or names that do not match.

    References:
        Chen, Li, Grosse, Duvenaud, "Isolating Sources of Disentanglement in Variational
        Autoencoders", 2018, https://arxiv.org/abs/1802.04942, figure 5 (rows as here).

    Example:
        >>> factors = np.stack(np.meshgrid(range(8), range(8)), -1).reshape(-1, 2)
        >>> figure = latents_against_factors(factors / 4 - 1, factors, ["posX", "posY"])
        >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
        ['posX', 'posY', 'posX × posY']
    """
    from matplotlib.collections import LineCollection, PolyCollection

    codes, factors, names = _checked(codes, factors, names)
    rows, columns = codes.shape[1], factors.shape[1]
    maps = position_pairs(names) if maps is None else list(maps)
    for name in (name for pair in maps for name in pair):
        if name not in names:
            raise ValueError(f"there is no factor {name!r} for a map; the factors are {names}")
    labels = [f"z{j}" for j in range(rows)] if labels is None else list(labels)
    if len(labels) != rows:
        raise ValueError(f"codes has {rows} dimensions but there are {len(labels)} labels")
    low, high = _scales(codes)

    wide = float(np.clip(8.6 / (columns + len(maps)), 0.55, 1.25))
    tall = float(np.clip(9.0 / rows, 0.38, 0.75))
    canvas = figure(max((columns + len(maps)) * wide + 0.8, 2.4), rows * tall + 0.5)
    axes = canvas.add_subplot()
    bare(axes)
    lines, bands = [], []
    for k in range(columns):
        values, mean, spread = profile(codes, factors[:, k])
        x = k + 0.08 + 0.84 * (np.arange(len(values)) + 0.5) / len(values)
        for j in range(rows):

            def height(z: np.ndarray, j: int = j) -> np.ndarray:
                part = (np.clip(z, low[j], high[j]) - low[j]) / (high[j] - low[j])
                return j + 0.94 - 0.88 * part

            up, down = height(mean[:, j] + spread[:, j]), height(mean[:, j] - spread[:, j])
            bands.append(np.column_stack([np.r_[x, x[::-1]], np.r_[up, down[::-1]]]))
            lines.append(np.column_stack([x, height(mean[:, j])]))
    axes.add_collection(PolyCollection(bands, facecolor=ACCENT, alpha=0.18, linewidth=0))
    axes.add_collection(LineCollection(lines, colors=ACCENT, linewidths=1.2))
    for m, (first, second) in enumerate(maps):
        planes = _plane(codes, factors[:, names.index(first)], factors[:, names.index(second)])
        for j in range(rows):
            centre, reach = (low[j] + high[j]) / 2, (high[j] - low[j]) / 2
            axes.imshow(
                planes[..., j], cmap=ramp(ACCENT, WARM), vmin=centre - reach, vmax=centre + reach,
                extent=(columns + m + 0.06, columns + m + 0.94, j + 0.94, j + 0.06),
                interpolation="nearest", aspect="auto",
            )  # fmt: skip
    axes.hlines(range(1, rows), 0, columns + len(maps), color=GRID, linewidth=0.6)
    axes.vlines(range(1, columns + len(maps)), 0, rows, color=GRID, linewidth=0.6)
    for j in range(rows):  # the scale of a row: where its panels begin and end
        for place, value, side in ((0.06, high[j], "top"), (0.94, low[j], "bottom")):
            number = f"{value:.1f}".replace("-", "−")
            axes.text(
                columns + len(maps) + 0.06, j + place, number, va=side, fontsize=SIZE - 3.5,
                color=MUTED,
            )  # fmt: skip
    axes.set_xlim(0, columns + len(maps))
    axes.set_ylim(rows, 0)
    axes.set_aspect("auto")
    axes.set_yticks(np.arange(rows) + 0.5, labels, fontsize=SIZE if tall > 0.3 else SIZE - 2)
    heads = [*names, *(f"{a} × {b}" for a, b in maps)]
    small = float(np.clip(SIZE * wide / (0.075 * max(map(len, heads))), SIZE - 3, SIZE))
    axes.set_xticks(np.arange(len(heads)) + 0.5, heads, fontsize=small)
    if max(map(len, heads)) * 0.0083 * small > wide:
        axes.tick_params(axis="x", labelrotation=35)
        for text in axes.get_xticklabels():
            text.set(ha="left", rotation_mode="anchor")
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    axes.set_xlabel("value of the factor", fontsize=SIZE - 1, color=MUTED)
    axes.xaxis.set_label_position("bottom")
    for text in axes.get_xticklabels():
        text.set_color(INK)
    return canvas


def profile(codes: np.ndarray, factor: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    r"""Mean and standard deviation of each code dimension, for each value of a factor.

    Args:
        codes: Of the observations.
        factor: Of the observations; whole numbers, -1 where unknown. More than 64 values are
            grouped into 32 intervals of equal width, named by their middle.

    Shape:
        - codes: ``(N, D)``; factor: ``(N,)``.
        - Output: values ``(V,)``, means ``(V, D)``, standard deviations ``(V, D)``.

    Example:
        >>> codes = np.array([[1.0], [3.0], [5.0], [9.0]])
        >>> values, mean, spread = profile(codes, np.array([0, 0, 2, -1]))
        >>> values.tolist(), mean.ravel().tolist(), spread.ravel().tolist()
        ([0, 2], [2.0, 5.0], [1.0, 0.0])
    """
    values, place, labelled = _grouped(factor)
    codes = np.asarray(codes, dtype=np.float64)[labelled]
    count = np.bincount(place, minlength=len(values))[:, None]
    mean, square = np.zeros((2, len(values), codes.shape[1]))
    np.add.at(mean, place, codes)
    mean /= count
    np.add.at(square, place, (codes - mean[place]) ** 2)
    return values, mean, np.sqrt(square / count)


def position_pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of factors whose names differ in a final x and y alone.

    Example:
        >>> position_pairs(["shape", "posX", "posY", "x", "y", "max"])
        [('posX', 'posY'), ('x', 'y')]
    """
    name_of = {name.lower(): name for name in names}
    return [
        (name, name_of[name.lower()[:-1] + "y"])
        for name in names
        if name[-1:].lower() == "x" and name.lower()[:-1] + "y" in name_of
    ]


def _checked(
    codes: Any, factors: Any, names: Sequence[str] | None
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    from ..metrics._estimators.arrays import as_codes, as_factors

    codes, factors = as_codes(codes), as_factors(factors)
    if len(codes) != len(factors):
        raise ValueError(
            f"codes has {len(codes)} rows but factors has {len(factors)}: row i of both must "
            "belong to the same observation"
        )
    names = [f"v{k}" for k in range(factors.shape[1])] if names is None else list(names)
    if len(names) != factors.shape[1]:
        raise ValueError(f"factors has {factors.shape[1]} columns but names has {len(names)}")
    return codes, factors, names


def _scales(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A range for each dimension; one that hardly moves is not blown up to look as if it did."""
    low, high = np.quantile(codes, [0.02, 0.98], axis=0)
    centre, reach = (low + high) / 2, (high - low) / 2
    reach = np.maximum(reach * 1.1, max(0.25 * float(reach.max()), 1e-6))
    return centre - reach, centre + reach


def _grouped(factor: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values, the place of each known observation among them, and which are known."""
    factor = np.asarray(factor)
    labelled = ~np.isnan(factor) if factor.dtype.kind == "f" else factor >= 0
    if not labelled.any():
        raise ValueError("a factor is unknown everywhere: leave its column out")
    values, place = np.unique(factor[labelled], return_inverse=True)
    if len(values) <= _CURVE_POINTS:
        return values, place, labelled
    edges = np.linspace(values[0], values[-1], 33)
    place = np.clip(np.searchsorted(edges, factor[labelled], side="right") - 1, 0, 31)
    levels, place = np.unique(place, return_inverse=True)
    return (edges[:-1] + edges[1:])[levels] / 2, place, labelled


def _plane(codes: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Mean codes over the plane of two factors, ``(V2, V1, D)``; nan where nothing was seen."""
    a, b = _grouped(first), _grouped(second)
    pairs = a[2] & b[2]
    across = np.full(len(codes), -1)
    across[a[2]] = a[1]
    down = np.full(len(codes), -1)
    down[b[2]] = b[1]
    total = np.zeros((len(b[0]), len(a[0]), codes.shape[1]))
    count = np.zeros(total.shape[:2])
    np.add.at(total, (down[pairs], across[pairs]), codes[pairs])
    np.add.at(count, (down[pairs], across[pairs]), 1)
    with np.errstate(invalid="ignore"):
        return total / count[..., None]
