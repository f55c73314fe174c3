"""Figures of modalities and batches: what was predicted of a feature, and what is mixed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .clusters import _color, _matrix, _numbers, _plane
from .style import ACCENT, GRID, INK, MUTED, SIZE, WARM, figure, quiet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["batch_mixing", "cross_modal", "feature_correlations"]

_POINTS = 4000


def feature_correlations(observed: Any, predicted: Any) -> np.ndarray:
    """Pearson correlation of each feature over observations; nan where either does not vary.

    Shape:
        - observed, predicted: ``(N, F)``.
        - Output: ``(F,)``.

    Raises:
        ValueError: for arrays of different shapes.

    Example:
        >>> feature_correlations([[0, 1], [1, 1], [2, 1]], [[1, 5], [2, 6], [3, 7]]).round(6)
        array([ 1., nan])
    """
    x, y = _pair(observed, predicted)
    x, y = x - x.mean(0), y - y.mean(0)
    norm = np.sqrt((x * x).sum(0) * (y * y).sum(0))
    return np.divide((x * y).sum(0), norm, out=np.full(x.shape[1], np.nan), where=norm > 0)


def cross_modal(
    observed: Any,
    predicted: Any,
    names: Sequence[str] | None = None,
    *,
    features: Sequence[int | str] | int = 5,
) -> Figure:
    r"""Predicted against observed values of single features, and every feature's correlation.

    The first panel is the distribution of the correlations of all features, over observations, with
    the median; the others are scatters of some features. On the dashed line a prediction is exact.
    Predictions of another modality belong on held-out observations, and counts on a logarithmic
    scale (``np.log1p``).

    Args:
        observed: What was measured.
        predicted: What `MultimodalVAE.translate` says, its mean.
        names: Of the features.
        features: Which ones to draw, by number or by name; or how many, from the best correlated
            to the worst in equal steps.

    Shape:
        - observed, predicted: ``(N, F)``.

    Raises:
        ValueError: for arrays of different shapes, names that do not match, or a feature that is
            not there.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(50, 8))
        >>> figure = cross_modal(x, 0.5 * x, features=2)
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['all 8 features', '0: r = 1.00', '7: r = 1.00']
    """
    x, y = _pair(observed, predicted)
    labels = [str(j) for j in range(x.shape[1])] if names is None else [str(n) for n in names]
    if len(labels) != x.shape[1]:
        raise ValueError(f"observed has {x.shape[1]} features but there are {len(labels)} names")
    correlation = feature_correlations(x, y)
    candidates = np.flatnonzero(~np.isnan(correlation))
    selection = _chosen(
        features, labels, candidates[np.argsort(-correlation[candidates], kind="stable")]
    )
    columns = min(len(selection) + 1, 3)
    rows = -(-(len(selection) + 1) // columns)
    canvas = figure(2.9 * columns, 2.5 * rows)
    grid = list(canvas.subplots(rows, columns, squeeze=False).flat)
    for axes in grid[len(selection) + 1 :]:
        axes.remove()
    first = grid[0]
    quiet(first, grid="y")
    first.hist(correlation[candidates], bins=min(30, max(5, len(candidates) // 4)), color=ACCENT)
    first.margins(y=0.2)  # room for the word
    if len(candidates):
        middle = float(np.median(correlation[candidates]))
        first.axvline(middle, color=WARM, linewidth=1.2)
        first.annotate(
            f"median {middle:.2f}", (middle, 1), (3, -2), xycoords=("data", "axes fraction"),
            textcoords="offset points", fontsize=SIZE - 2, color=WARM, va="top",
        )  # fmt: skip
    first.set_title(f"all {len(labels)} features", fontsize=SIZE, color=INK, loc="left")
    first.set_xlabel("correlation", fontsize=SIZE - 1, color=MUTED)
    sample = np.random.default_rng(0).permutation(len(x))[:_POINTS]
    for axes, j in zip(grid[1:], selection, strict=False):
        quiet(axes)
        axes.set_title(
            f"{labels[j]}: r = {correlation[j]:.2f}", fontsize=SIZE, color=INK, loc="left"
        )
        ends = [min(x[:, j].min(), y[:, j].min()), max(x[:, j].max(), y[:, j].max())]
        axes.plot(ends, ends, color=GRID, linewidth=1, linestyle="--", zorder=0)
        axes.scatter(x[sample, j], y[sample, j], s=4, linewidths=0, alpha=0.4, color=ACCENT)
        axes.set_xlabel("observed", fontsize=SIZE - 1, color=MUTED)
        axes.set_ylabel("predicted", fontsize=SIZE - 1, color=MUTED)
    return canvas


def batch_mixing(
    codes: Any,
    batch: Any,
    labels: Any = None,
    *,
    batch_names: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
    coordinates: Any = None,
) -> Figure:
    """Codes in a plane, colored by batch and, beside it, by label.

    Where batches are mixed, the first panel is a blend of colors everywhere, while the second one
    still has one color in each place. The plane is that of the first two principal components.

    Args:
        codes: Of the observations.
        batch: Of each observation, numbered from 0.
        labels: What should stay apart, such as the type of a cell; -1 where unknown.
        batch_names: Of the batches.
        names: Of the labels' values.
        coordinates: Another plane, such as one of t-SNE or UMAP.

    Shape:
        - codes: ``(N, D)``; batch, labels: ``(N,)``; coordinates: ``(N, 2)``.

    Raises:
        ValueError: for unequal lengths or other shapes.

    Example:
        >>> codes = np.random.default_rng(0).normal(size=(50, 4))
        >>> figure = batch_mixing(codes, np.arange(50) % 2, np.arange(50) % 3)
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['batches', 'labels']
    """
    codes, batch = _matrix(codes, "codes"), _numbers(batch, "batch", len(codes))
    panels = {"batches": (batch, batch_names)}
    if labels is not None:
        panels["labels"] = (_numbers(labels, "labels", len(codes)), names)
    if coordinates is None:
        center, axes2, share = _plane(codes)
        plane = (codes - center) @ axes2
        titles = [f"component {i + 1} ({share[i]:.0%} of the variance)" for i in range(2)]
    else:
        plane, titles = _matrix(coordinates, "coordinates"), ["", ""]
        if plane.shape != (len(codes), 2):
            raise ValueError(f"coordinates has shape {plane.shape}; expected ({len(codes)}, 2)")
    # In random order: drawn batch after batch, the last one would hide the others.
    order = np.random.default_rng(0).permutation(len(codes))[:_POINTS]
    canvas = figure(4.2 * len(panels), 3.6)
    grid = canvas.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
    for axes, (title, (values, labels)) in zip(grid, panels.items(), strict=True):
        quiet(axes)
        axes.set_title(title, fontsize=SIZE, color=INK, loc="left")
        axes.set_xlabel(titles[0], fontsize=SIZE - 1, color=MUTED)
        colors = [_color(value) if value >= 0 else GRID for value in values[order]]
        axes.scatter(*plane[order].T, s=5, linewidths=0, alpha=0.7, c=colors)
        for value in np.unique(values)[:20]:
            name = str(value) if labels is None else str(labels[value])
            axes.scatter(
                [], [], s=12, linewidths=0, color=_color(value) if value >= 0 else GRID,
                label=name if value >= 0 else "unknown",
            )  # fmt: skip
        axes.legend(
            fontsize=SIZE - 2, frameon=False, handletextpad=0.1, loc="upper left",
            bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2,
        )  # fmt: skip
    grid[0].set_ylabel(titles[1], fontsize=SIZE - 1, color=MUTED)
    return canvas


def _chosen(
    features: Sequence[int | str] | int, labels: list[str], ranking: np.ndarray
) -> list[int]:
    if isinstance(features, int):
        steps = np.linspace(0, len(ranking) - 1, min(features, len(ranking)))
        return ranking[steps.round().astype(int)].tolist() if len(ranking) else []
    index = []
    for feature in features:
        if isinstance(feature, str) and feature in labels:
            index.append(labels.index(feature))
        elif isinstance(feature, int) and 0 <= feature < len(labels):
            index.append(feature)
        else:
            raise ValueError(f"there is no feature {feature!r}; there are {len(labels)}")
    return index


def _pair(observed: Any, predicted: Any) -> tuple[np.ndarray, np.ndarray]:
    x, y = (_dense(values) for values in (observed, predicted))
    if x.shape != y.shape or x.ndim != 2 or not x.size:
        raise ValueError(
            f"observed has shape {x.shape} and predicted {y.shape}; expected (N, F) both"
        )
    return x, y


def _dense(values: Any) -> np.ndarray:
    if hasattr(values, "toarray"):
        values = values.toarray()
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values, np.float64)
