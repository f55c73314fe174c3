"""Figures of clusters: codes in a plane, soft assignments, trees, and a prior in motion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .pictures import pictures
from .style import ACCENT, GRID, INK, MUTED, SIZE, WARM, bare, figure, quiet, ramp

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["cluster_map", "cluster_tree", "prior_paths", "responsibilities"]

_POINTS = 6000
_COLORS = (
    "#1b5e9e", "#c8551b", "#2e8b57", "#8e5aa8", "#c9a227",
    "#4aa3c7", "#a63d57", "#6b7a3a", "#7a6a5d", "#d98cae",
)  # fmt: skip


def cluster_map(
    codes: Any,
    clusters: Any,
    *,
    labels: Any = None,
    means: Any = None,
    names: Sequence[str] | None = None,
    coordinates: Any = None,
) -> Figure:
    r"""Codes in a plane, colored by cluster and, beside it, by label.

    The plane is that of the first two principal components of the codes, with the share of the
    variance that each holds at its axis. Distances in it are those of a shadow: clusters that
    overlap here may be apart in other directions.

    Args:
        codes: Of the observations.
        clusters: Numbers of clusters, or soft assignments, of which the largest counts.
        labels: What is known of the observations, drawn in a second panel; -1 where unknown.
        means: Of the clusters, each marked with its number.
        names: Of the labels' values.
        coordinates: Another plane for the same observations, such as one of t-SNE or UMAP; then
            ``means`` are left out, as they have no place in it.

    Shape:
        - codes: ``(N, D)``; clusters: ``(N,)`` or ``(N, K)``; labels: ``(N,)``; means: ``(K, D)``;
          coordinates: ``(N, 2)``.

    Raises:
        ValueError: for unequal lengths or other shapes.

    Example:
        >>> codes = np.random.default_rng(0).normal(size=(50, 4))
        >>> figure = cluster_map(codes, codes[:, 0] > 0, labels=np.arange(50) % 3)
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['clusters', 'labels']
    """
    codes = _matrix(codes, "codes")
    clusters = _numbers(clusters, "clusters", len(codes))
    panels = {"clusters": clusters}
    if labels is not None:
        panels["labels"] = _numbers(labels, "labels", len(codes))
    if coordinates is None:
        center, axes2, share = _plane(codes)
        plane = (codes - center) @ axes2
        titles = [f"component {i + 1} ({share[i]:.0%} of the variance)" for i in range(2)]
    else:
        plane, titles = _matrix(coordinates, "coordinates"), ["", ""]
        if plane.shape != (len(codes), 2):
            raise ValueError(f"coordinates has shape {plane.shape}; expected ({len(codes)}, 2)")
        means = None
    sample = np.random.default_rng(0).permutation(len(codes))[:_POINTS]
    canvas = figure(4.2 * len(panels), 4.0)
    grid = canvas.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
    for axes, (title, values) in zip(grid, panels.items(), strict=True):
        quiet(axes)
        axes.set_title(title, fontsize=SIZE, color=INK, loc="left")
        axes.set_xlabel(titles[0], fontsize=SIZE - 1, color=MUTED)
        for value in np.unique(values):
            rows = sample[values[sample] == value]
            labelled = value >= 0
            name = _name(value, names if title == "labels" else None)
            axes.scatter(
                plane[rows, 0], plane[rows, 1], s=4, linewidths=0, alpha=0.6,
                color=_color(value) if labelled else GRID, label=name if labelled else "unknown",
            )  # fmt: skip
        if len(np.unique(values)) <= 20:
            axes.legend(
                fontsize=SIZE - 2, frameon=False, markerscale=3, handletextpad=0.1,
                loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2,
            )  # fmt: skip
    grid[0].set_ylabel(titles[1], fontsize=SIZE - 1, color=MUTED)
    if means is not None:
        means = (_matrix(means, "means") - center) @ axes2
        for k, (x, y) in enumerate(means):
            grid[0].annotate(
                str(k), (x, y), ha="center", va="center", fontsize=SIZE - 1, color=INK,
                bbox={"boxstyle": "circle,pad=0.2", "fc": "white", "ec": INK, "lw": 0.7},
            )  # fmt: skip
    return canvas


def responsibilities(
    shares: Any, labels: Any = None, names: Sequence[str] | None = None, *, rows: int = 1000
) -> Figure:
    r"""Soft assignments :math:`p(k | z)`: a row for each observation, a column for each cluster.

    Rows are sorted by label, where labels are given, and then by cluster: a cluster that holds one
    label is one dark block. Above each column is the share of all observations that it holds.

    Args:
        shares: Of each observation in each cluster; rows sum to one.
        labels: Of the observations, -1 where unknown.
        names: Of the labels' values.
        rows: How many observations to draw at most, chosen evenly from the sorted ones.

    Shape:
        - shares: ``(N, K)``; labels: ``(N,)``.

    Raises:
        ValueError: for unequal lengths, or rows whose sum is not one.

    Example:
        >>> figure = responsibilities(np.eye(3)[[0, 0, 1, 2]], [0, 0, 1, 1])
        >>> [text.get_text() for text in figure.axes[1].get_xticklabels()]
        ['0', '1', '2']
    """
    shares = _matrix(shares, "shares")
    if not np.allclose(shares.sum(1), 1, atol=1e-3):
        raise ValueError("the rows of shares must sum to one: give responsibilities p(k|z)")
    best = shares.argmax(1)
    labels = np.zeros(len(shares), int) if labels is None else labels
    numbers = _numbers(labels, "labels", len(shares))
    order = np.lexsort((-shares.max(1), best, numbers))
    largest = order[
        np.unique(np.linspace(0, len(order) - 1, min(rows, len(order))).round().astype(int))
    ]
    k = shares.shape[1]
    canvas = figure(float(np.clip(0.42 * k + 1.2, 3.0, 9.0)), 4.4)
    bars, axes = canvas.subplots(2, 1, sharex=True, height_ratios=[1, 6])
    quiet(bars)
    bars.bar(np.arange(k) + 0.5, shares.mean(0), width=0.8, color=ACCENT)
    bars.set_ylabel("share", fontsize=SIZE - 1, color=MUTED)
    bars.tick_params(axis="x", length=0)
    bare(axes)
    mesh = axes.pcolormesh(shares[largest], cmap=ramp(ACCENT), vmin=0, vmax=1)
    mesh.set_edgecolor("face")
    mesh.set_linewidth(0)
    axes.set_xlim(0, k)
    axes.set_ylim(len(largest), 0)
    size = SIZE if k <= 24 else SIZE - 3
    axes.set_xticks(np.arange(k) + 0.5, [str(j) for j in range(k)], fontsize=size)
    axes.set_xlabel("cluster", fontsize=SIZE, color=INK)
    values = np.unique(numbers)
    if len(values) > 1:
        edges = np.searchsorted(numbers[largest], [*values, values[-1] + 1])
        for edge in edges[1:-1]:
            axes.axhline(edge, color=WARM, linewidth=0.6)
        middles = (edges[:-1] + edges[1:]) / 2
        row_names = [_name(value, names) if value >= 0 else "unknown" for value in values]
        axes.set_yticks(middles, row_names, fontsize=SIZE if len(values) <= 20 else SIZE - 3)
    else:
        axes.set_yticks([])
        axes.set_ylabel("observations", fontsize=SIZE, color=INK)
    return canvas


def cluster_tree(
    parents: Any,
    usage: Any,
    *,
    images: Any = None,
    names: Sequence[str] | None = None,
) -> Figure:
    r"""The tree of a hierarchical prior, leaves at the bottom, wide lines where much lies below.

    Args:
        parents: Each node's parent, -1 at the top; leaves first, children before their parents, as
            in `HierarchicalMixture.parents`.
        usage: The share of the data in each leaf, as `usage` of the prior gives.
        images: Of all nodes, such as the decoded ``node_means()``; without, nodes are numbered.
        names: Of the leaves; by default their numbers.

    Shape:
        - parents: ``(M,)``; usage: ``(K,)``; images: ``(M, C, H, W)`` or ``(M, F)``.

    Raises:
        ValueError: for parents that are no tree, or lengths that do not fit it.

    Example:
        >>> figure = cluster_tree([4, 4, 5, 5, -1, -1], [0.1, 0.2, 0.3, 0.4])
        >>> sum(text.get_text().endswith("%") for text in figure.axes[0].texts)
        4
    """
    above = np.asarray(parents, dtype=int)
    m = len(above)
    if above.ndim != 1 or any(p != -1 and not i < p < m for i, p in enumerate(above)):
        raise ValueError(f"parents {above.tolist()} is no tree: a parent comes after its children")
    inner = sorted(set(above.tolist()) - {-1})
    leaves = [node for node in range(m) if node not in inner]
    usage = np.asarray(_array(usage), dtype=float)
    if leaves != list(range(len(usage))):
        raise ValueError(f"usage has {len(usage)} shares but the tree has {len(leaves)} leaves")
    names = [str(k) for k in leaves] if names is None else list(names)
    if len(names) != len(leaves):
        raise ValueError(f"the tree has {len(leaves)} leaves but names has {len(names)}")
    below: dict[int, list[int]] = {node: [] for node in range(-1, m)}
    for node in range(m):
        below[int(above[node])].append(node)
    order: list[int] = []

    def visit(node: int) -> None:
        if node >= 0 and not below[node]:
            order.append(node)
        for child in below[node]:
            visit(child)

    visit(-1)
    x, y, share = np.zeros(m), np.zeros(m), np.zeros(m)
    x[order], share[leaves] = np.arange(len(order)), usage
    for node in inner:
        x[node] = np.mean([x[c] for c in below[node]])
        y[node] = 1 + max(y[c] for c in below[node])
        share[node] = share[below[node]].sum()
    unit = float(np.clip(12.0 / len(leaves), 0.4, 0.8))
    canvas = figure(max(unit * (len(leaves) + 0.4), 2.4), unit * (y.max() + 1.5) + 0.2)
    axes = canvas.add_subplot()
    bare(axes)
    axes.set_xticks([])
    axes.set_yticks([])
    widest = max(float(share[leaves].max()), 1e-9)
    for node in range(m):
        if above[node] >= 0:
            p = above[node]
            axes.plot(
                [x[node], x[node], x[p]], [y[node], y[p], y[p]], color=ACCENT, zorder=0,
                linewidth=0.5 + 4 * min(share[node] / widest, 1.5), solid_capstyle="round",
            )  # fmt: skip
    thumbnails = None if images is None else pictures(images, leading=1)
    if thumbnails is not None and len(thumbnails) != m:
        raise ValueError(f"there are {len(thumbnails)} images for {m} nodes")
    for node in range(m):
        if thumbnails is not None:
            _stamp(axes, thumbnails[node], x[node], y[node])
        else:
            axes.plot(x[node], y[node], "o", color=ACCENT, markersize=7)
    for node, name in zip(leaves, names, strict=True):
        axes.annotate(
            name, (x[node], -0.45), ha="center", va="top", fontsize=SIZE - 0.5, color=INK,
        )  # fmt: skip
        axes.annotate(
            f"{share[node]:.0%}", (x[node], -0.75), ha="center", va="top",
            fontsize=SIZE - 2, color=MUTED,
        )  # fmt: skip
    axes.set_aspect("equal")
    axes.set_xlim(-0.6, len(leaves) - 0.4)
    axes.set_ylim(-1.1, y.max() + 0.5)
    return canvas


def prior_paths(
    loc: Any, weights: Any, steps: Any = None, *, codes: Any = None, final: bool = True
) -> Figure:
    r"""How the components of a prior move and grow through training.

    Left, the way of each mean in the plane of the first two principal components of all places
    (or of ``codes``), from pale to strong, with a disc at its end as large as its weight. Right,
    the weights over time, stacked: a component that fades is no longer used.

    Args:
        loc: Means at each snapshot.
        weights: Of the components at each snapshot; rows sum to one.
        steps: When the snapshots were taken.
        codes: Drawn behind, to say where the data is at the end.
        final: Whether to number the components where they end.

    Shape:
        - loc: ``(T, K, D)``; weights: ``(T, K)``; steps: ``(T,)``; codes: ``(N, D)``.

    Raises:
        ValueError: for shapes that do not fit each other.

    Example:
        >>> loc = np.cumsum(np.random.default_rng(0).normal(size=(9, 3, 4)), 0)
        >>> figure = prior_paths(loc, np.full((9, 3), 1 / 3), steps=np.arange(9) * 100)
        >>> [axes.get_title(loc="left") for axes in figure.axes]
        ['means', 'weights']
    """
    from matplotlib.collections import LineCollection

    loc, weights = np.asarray(_array(loc), float), np.asarray(_array(weights), float)
    if loc.ndim != 3 or weights.shape != loc.shape[:2]:
        raise ValueError(
            f"loc has shape {loc.shape} and weights {weights.shape}; expected (snapshots, "
            "components, dimensions) and (snapshots, components)"
        )
    steps = np.arange(len(loc)) if steps is None else np.asarray(_array(steps), float)
    if steps.shape != (len(loc),):
        raise ValueError(f"there are {len(steps)} steps for {len(loc)} snapshots")
    behind = None if codes is None else _matrix(codes, "codes")
    center, axes2, _ = _plane(loc.reshape(-1, loc.shape[2]) if behind is None else behind)
    path = (loc - center) @ axes2
    canvas = figure(8.4, 3.9)
    axes_codes, axes_label = canvas.subplots(1, 2, width_ratios=[1.15, 1])
    quiet(axes_codes)
    quiet(axes_label)
    axes_codes.set_title("means", fontsize=SIZE, color=INK, loc="left")
    axes_label.set_title("weights", fontsize=SIZE, color=INK, loc="left")
    if behind is not None:
        sample = np.random.default_rng(0).permutation(len(behind))[:_POINTS]
        plane = (behind[sample] - center) @ axes2
        axes_codes.scatter(plane[:, 0], plane[:, 1], s=2, color=GRID, linewidths=0, zorder=0)
    for k in range(loc.shape[1]):
        pieces = np.stack([path[:-1, k], path[1:, k]], 1)
        if len(pieces):
            fade = np.linspace(0.15, 1.0, len(pieces))
            lines = LineCollection(list(pieces), colors=_color(k), alpha=fade, linewidths=1.1)
            axes_codes.add_collection(lines)
        size = 20 + 500 * weights[-1, k]
        axes_codes.scatter(
            *path[-1, k], s=size, color=_color(k), alpha=0.85, linewidths=0, zorder=3
        )
        if final:
            axes_codes.annotate(
                str(k), path[-1, k], ha="center", va="center", fontsize=SIZE - 2, color="white",
                zorder=4,
            )  # fmt: skip
    axes_codes.autoscale_view()
    axes_codes.set_xlabel("component 1", fontsize=SIZE - 1, color=MUTED)
    axes_codes.set_ylabel("component 2", fontsize=SIZE - 1, color=MUTED)
    axes_label.stackplot(
        steps, weights.T, colors=[_color(k) for k in range(loc.shape[1])], alpha=0.85, linewidth=0
    )
    axes_label.set_ylim(0, 1)
    axes_label.set_xlim(steps[0], steps[-1] if len(steps) > 1 else steps[0] + 1)
    axes_label.set_xlabel("step", fontsize=SIZE - 1, color=MUTED)
    return canvas


def _plane(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Center, two principal axes ``(D, 2)`` and their shares of the variance."""
    center = points.mean(0)
    _, size, axes = np.linalg.svd(points - center, full_matrices=False)
    axes, share = axes[:2].T, size**2 / max(float((size**2).sum()), 1e-300)
    axes = axes * np.where(axes[np.abs(axes).argmax(0), range(axes.shape[1])] < 0, -1, 1)
    if axes.shape[1] < 2:  # one dimension, or one point: the other axis is empty
        axes = np.pad(axes, ((0, 0), (0, 2 - axes.shape[1])))
        share = np.pad(share, (0, 2))
    return center, axes, share


def _stamp(axes: Axes, picture: np.ndarray, x: float, y: float, half: float = 0.36) -> None:
    """A small picture at a place; its frame keeps it apart from what is behind."""
    tall = picture.shape[0] / picture.shape[1]
    extent = (x - half, x + half, y - half * min(tall, 1.1), y + half * min(tall, 1.1))
    axes.imshow(picture, extent=extent, zorder=2, interpolation="nearest", aspect="auto")
    axes.plot(
        [extent[0], extent[1], extent[1], extent[0], extent[0]],
        [extent[2], extent[2], extent[3], extent[3], extent[2]],
        color=GRID, linewidth=0.8, zorder=3,
    )  # fmt: skip


def _color(value: int) -> str:
    return _COLORS[int(value) % len(_COLORS)]


def _name(value: int, names: Sequence[str] | None) -> str:
    return str(value) if names is None else names[int(value)]


def _array(values: Any) -> Any:
    return values.detach().cpu().numpy() if hasattr(values, "detach") else values


def _matrix(values: Any, name: str) -> np.ndarray:
    array = np.asarray(_array(values), dtype=np.float64)
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        raise ValueError(
            f"{name} has shape {array.shape}; expected a finite table, (rows, columns)"
        )
    return array


def _numbers(values: Any, name: str, n: int) -> np.ndarray:
    array = np.asarray(_array(values))
    if array.ndim == 2:
        array = array.argmax(1)
    if array.shape != (n,):
        raise ValueError(f"{name} has shape {array.shape}, but there are {n} observations")
    return array.astype(int)
