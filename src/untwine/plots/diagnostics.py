"""Figures of diagnostics: parts of the ELBO, cosines, seam gaps, widths of posteriors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..diagnostics import ElboParts, Independence, Orthogonality, RatePoint, Seams
from .style import ACCENT, GRID, INK, MUTED, SIZE, WARM, bare, figure, quiet, ramp

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "column_cosines",
    "elbo_parts",
    "posterior_widths",
    "rate_distortion",
    "seam_gaps",
    "seams",
    "stretch",
]


def elbo_parts(found: ElboParts) -> Figure:
    """Where the KL divergence goes: information, total correlation, dimension-wise KL, in nats.

    Whiskers are two standard errors. Where the posteriors' marginals are not known, the whole rate
    is one bar.

    Args:
        found: Of `untwine.diagnostics.elbo_parts`.

    Example:
        >>> from untwine.diagnostics import elbo_parts as parts_of
        >>> from untwine.data import FactorDataset
        >>> from untwine.methods import VAE
        >>> data = FactorDataset.from_arrays(np.random.default_rng(0).random((30, 4), "f4"))
        >>> canvas = elbo_parts(parts_of(VAE.build(data, latent_dim=2), data))
        >>> [label.get_text() for label in canvas.axes[0].get_yticklabels()][-1]
        'KL (the rate)'
    """
    bars = [
        ("information", found.mutual_information),
        ("total correlation", found.total_correlation),
        ("dimension-wise KL", found.dimension_kl),
        ("KL (the rate)", found.kl),
    ]
    shown = [(name, value) for name, value in bars if value is not None]
    canvas = figure(5.2, 0.36 * len(shown) + 0.75)
    axes = canvas.add_subplot()
    quiet(axes, grid="x")
    values = [value.value for _, value in shown]
    errors = [2 * value.stderr if math.isfinite(value.stderr) else 0.0 for _, value in shown]
    colors = [ACCENT] * (len(shown) - 1) + [MUTED]
    axes.barh(
        range(len(shown)), values, xerr=errors, color=colors, height=0.62, ecolor=INK,
        error_kw={"linewidth": 0.8},
    )  # fmt: skip
    axes.set_yticks(range(len(shown)), [name for name, _ in shown], fontsize=SIZE, color=INK)
    axes.tick_params(axis="y", length=0)
    low, high = min(0.0, *values), max(*values, 0.1)
    for place, value in enumerate(values):
        axes.annotate(
            f"{value:.2f}", (max(value, 0) + errors[place], place), (4, 0),
            textcoords="offset points", va="center", fontsize=SIZE - 1, color=MUTED,
        )  # fmt: skip
    axes.set_xlim(low * 1.1, high * 1.18)
    axes.set_xlabel(
        f"nats; ELBO {found.elbo.value:.2f}, reconstruction {found.reconstruction.value:.2f}",
        fontsize=SIZE, color=INK,
    )  # fmt: skip
    return canvas


def column_cosines(found: Orthogonality) -> Figure:
    """Absolute cosines of the Jacobian's columns, of the dimensions in use.

    Args:
        found: Of `untwine.diagnostics.orthogonality`.

    Raises:
        ValueError: if no dimension is in use.
    """
    if not found.dims:
        raise ValueError("no dimension is in use: there is nothing to draw")
    cosines = found.cosines.numpy()
    size, names = len(cosines), [f"z{j}" for j in found.dims]
    cell = float(np.clip(4.5 / size, 0.2, 0.55))
    canvas = figure(size * cell + 1.6, size * cell + 0.7)
    axes = canvas.add_subplot()
    bare(axes)
    mesh = axes.pcolormesh(cosines, cmap=ramp(ACCENT), vmin=0, vmax=1)
    mesh.set_edgecolor("face")
    mesh.set_linewidth(0)
    axes.set_aspect("equal")
    axes.set_ylim(size, 0)
    for set_ticks in (axes.set_xticks, axes.set_yticks):
        set_ticks(np.arange(size) + 0.5, names, fontsize=SIZE if cell > 0.3 else SIZE - 2)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    if cell > 0.35:
        for (i, j), value in np.ndenumerate(cosines):
            axes.text(
                j + 0.5, i + 0.52, f"{value:.2f}", ha="center", va="center", fontsize=SIZE - 2,
                color="#ffffff" if value > 0.55 else INK,
            )  # fmt: skip
    axes.set_xlabel(
        f"|cos| of columns: {found.angle:.1f} degrees off right angles", fontsize=SIZE - 1,
        color=MUTED,
    )  # fmt: skip
    axes.xaxis.set_label_position("bottom")
    return canvas


def seam_gaps(found: Orthogonality | Mapping[str, Orthogonality]) -> Figure:
    """The seam gap over observations, of one model or of several, as distributions.

    Args:
        found: Of `untwine.diagnostics.orthogonality`; or several, by name.

    Raises:
        ValueError: for none.
    """
    several = dict(found) if isinstance(found, Mapping) else {"": found}
    if not several:
        raise ValueError("there is no model to draw")
    canvas = figure(5.2, 0.5 * len(several) + 0.95)
    axes = canvas.add_subplot()
    quiet(axes, grid="x")
    for place, each in enumerate(several.values()):
        gaps = each.seam_gap.numpy()
        color = ACCENT if each.diagonal else WARM
        low, middle, high = np.quantile(gaps, [0.05, 0.5, 0.95])
        axes.hlines(place, low, high, color=color, linewidth=1.2)
        axes.hlines(place, *np.quantile(gaps, [0.25, 0.75]), color=color, linewidth=6, alpha=0.55)
        axes.plot([middle], [place], "o", color=color, markersize=5)
        left = each.rotated.mean().item()
        axes.plot([left], [place], "|", color=INK, markersize=12, markeredgewidth=1.4)
    axes.set_yticks(range(len(several)), several, fontsize=SIZE, color=INK)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(several) - 0.5, -0.5)
    axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
    axes.set_xlabel(
        "seam gap (nats): median, quartiles, 90 %; | what the best rotation leaves, on average",
        fontsize=SIZE - 1, color=INK,
    )  # fmt: skip
    return canvas


def posterior_widths(found: Orthogonality) -> Figure:
    """Learned standard deviations of the posteriors beside the best diagonal ones.

    Args:
        found: Of `untwine.diagnostics.orthogonality`.

    Raises:
        ValueError: if the posteriors are no Gaussians.
    """
    if found.learned is None:
        raise ValueError("the posteriors are no Gaussians: they have no widths to compare")
    learned, optimal = found.learned.numpy(), found.optimal.numpy()
    canvas = figure(float(np.clip(0.42 * len(learned) + 0.8, 3.4, 9.0)), 2.5)
    axes = canvas.add_subplot()
    quiet(axes, grid="y")
    place = np.arange(len(learned))
    axes.vlines(place, learned, optimal, color=GRID, linewidth=2)
    axes.plot(place, learned, "o", color=ACCENT, markersize=5.5, label="learned")
    axes.plot(
        place, optimal, "D", color=WARM, markersize=5, fillstyle="none", markeredgewidth=1.3,
        label="best for this decoder",
    )  # fmt: skip
    axes.set_xticks(
        place, [f"z{j}" for j in place], fontsize=SIZE - 1 if len(place) < 25 else SIZE - 3,
        color=INK,
    )  # fmt: skip
    axes.set_ylim(0, max(1.05, 1.1 * float(max(learned.max(), optimal.max()))))
    axes.set_ylabel("standard deviation", fontsize=SIZE, color=INK)
    axes.legend(frameon=False, fontsize=SIZE - 1, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
    return canvas


def rate_distortion(curves: Mapping[str, Sequence[RatePoint]] | Sequence[RatePoint]) -> Figure:
    r"""Rate-distortion curves, with :math:`\beta` beside each point.

    Args:
        curves: Points, or several curves by name.

    Raises:
        ValueError: for none.

    Example:
        >>> canvas = rate_distortion([RatePoint(1.0, 3.3, 8.6), RatePoint(4.0, 1.4, 12.9)])
        >>> canvas.axes[0].get_xlabel()
        'rate (nats)'
    """
    several = dict(curves) if isinstance(curves, Mapping) else {"": curves}
    if not any(several.values()):
        raise ValueError("there is no point to draw")
    canvas = figure(4.6, 3.0)
    axes = canvas.add_subplot()
    quiet(axes, grid="both")
    colors = [ACCENT, WARM, MUTED, INK]
    for place, (name, points) in enumerate(several.items()):
        color = colors[place % len(colors)]
        points = sorted(points, key=lambda point: point.rate)
        axes.plot(
            [p.rate for p in points], [p.distortion for p in points], "o-", color=color,
            markersize=4, linewidth=1.3, label=name,
        )  # fmt: skip
        for p in points:
            axes.annotate(
                f"{p.beta:g}", (p.rate, p.distortion), (4, 4), textcoords="offset points",
                fontsize=SIZE - 2, color=MUTED,
            )  # fmt: skip
    axes.set_xlabel("rate (nats)", fontsize=SIZE, color=INK)
    axes.set_ylabel("distortion (nats)", fontsize=SIZE, color=INK)
    if any(several):
        axes.legend(frameon=False, fontsize=SIZE - 1)
    return canvas


def seams(found: Seams) -> Figure:
    """The images of the axes through one code, and the densities along them.

    Observations of more than two dimensions are shown in the plane of the first two principal
    components of all seams together.

    Args:
        found: Of `untwine.diagnostics.seams`.

    Raises:
        ValueError: if there is no dimension.
    """
    if not found.dims:
        raise ValueError("no dimension is in use: there is no seam to draw")
    images = found.images.numpy()
    count, steps, size = images.shape
    flat = images.reshape(-1, size)
    if size != 2:
        flat = flat - flat.mean(0)
        flat = flat @ np.linalg.svd(flat, full_matrices=False)[2][:2].T
    if flat.shape[1] < 2:
        flat = np.column_stack([flat, np.zeros(len(flat))])
    lines = flat.reshape(count, steps, 2)
    canvas = figure(7.4, 3.1)
    left, right = canvas.subplots(1, 2)
    colors = [ACCENT, WARM, MUTED, INK]
    styles = ["-", "--", ":"]
    for place, j in enumerate(found.dims):
        color = colors[place % 4]
        style = styles[place // 4 % 3]
        left.plot(*lines[place].T, color=color, linestyle=style, linewidth=1.5, label=f"z{j}")
        speed = found.speed[place].numpy()
        middle = 0.5 * (speed[1:] + speed[:-1])
        position = np.concatenate([[0.0], np.cumsum(middle)])
        position *= found.length[place].item() / max(position[-1], 1e-12)
        right.plot(
            position - position[steps // 2], found.density[place].numpy(), color=color,
            linestyle=style, linewidth=1.3,
        )  # fmt: skip
    for axes in (left, right):
        quiet(axes)
    left.set_aspect("equal", adjustable="datalim")
    left.set_xlabel("x" if size == 2 else "principal components", fontsize=SIZE, color=INK)
    right.set_xlabel("position along the seam", fontsize=SIZE, color=INK)
    right.set_ylabel("density", fontsize=SIZE, color=INK)
    right.set_ylim(bottom=0)
    left.legend(frameon=False, fontsize=SIZE - 1)
    return canvas


def stretch(found: Independence) -> Figure:
    r"""Both conditions of independence: cosines of columns, and how lengths change.

    Args:
        found: Of `untwine.diagnostics.independence`.

    Raises:
        ValueError: if there is no dimension.
    """
    if not found.dims:
        raise ValueError("no dimension is in use: there is nothing to draw")
    size, names = len(found.dims), [f"z{j}" for j in found.dims]
    cell = float(np.clip(3.6 / size, 0.2, 0.5))
    canvas = figure(2 * (size * cell + 0.8), size * cell + 0.8)
    titles = ("|cos| of columns", r"$\partial \log s_i / \partial z_j$ (root mean square)")
    for axes, matrix, title in zip(
        canvas.subplots(1, 2), (found.cosines, found.stretch), titles, strict=True
    ):
        values = matrix.numpy()
        bare(axes)
        top = 1.0 if matrix is found.cosines else max(float(values.max()), 0.1)
        mesh = axes.pcolormesh(values, cmap=ramp(ACCENT), vmin=0, vmax=top)
        mesh.set_edgecolor("face")
        mesh.set_linewidth(0)
        axes.set_aspect("equal")
        axes.set_ylim(size, 0)
        axes.set_xticks(np.arange(size) + 0.5, names, fontsize=SIZE - 1)
        axes.set_yticks(np.arange(size) + 0.5, names, fontsize=SIZE - 1)
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        if cell > 0.33:
            for (i, j), value in np.ndenumerate(values):
                axes.text(
                    j + 0.5, i + 0.52, f"{value:.2f}", ha="center", va="center",
                    fontsize=SIZE - 2, color="#ffffff" if value > 0.55 * top else INK,
                )  # fmt: skip
        axes.set_xlabel(title, fontsize=SIZE - 1, color=MUTED)
        axes.xaxis.set_label_position("bottom")
    return canvas
