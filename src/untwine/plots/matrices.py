"""Heat maps of codes against factors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .style import ACCENT, INK, MUTED, SIZE, bare, figure, ramp

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["importance", "mutual_information"]


def mutual_information(
    matrix: Any,
    names: Sequence[str] | None = None,
    *,
    codes: Sequence[str] | None = None,
    inactive: Sequence[bool] | None = None,
) -> Figure:
    r"""The mutual information :math:`I(z_j; v_k)` of each code dimension and each factor, in nats.

    A disentangled code has one dark cell in each column (a factor is in one dimension) and at most
    one in each row (a dimension holds one factor). The gap between the two darkest cells of each
    column, relative to the factor's entropy, is what MIG averages.

    Args:
        matrix: Of mutual informations.
        names: Of the factors; by default ``v0, v1, ...``.
        codes: Names of the dimensions; by default ``z0, z1, ...``.
        inactive: Which dimensions hold next to nothing; their rows are gray.

    Shape:
        - matrix: ``(D, K)``.

    Raises:
        ValueError: for another shape, for values that are not finite, or for names that do not
            match it.

    Example:
        >>> figure = mutual_information([[1.2, 0.0], [0.1, 3.3]], ["shape", "posX"])
        >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
        ['shape', 'posX']
    """
    return _heat_map(matrix, names, codes, inactive, "mutual information (nats)")


def importance(
    matrix: Any,
    names: Sequence[str] | None = None,
    *,
    codes: Sequence[str] | None = None,
    inactive: Sequence[bool] | None = None,
) -> Figure:
    r"""The importance of each code dimension for predicting each factor, as DCI measures it.

    A row with one dark cell is a dimension that serves one factor (disentanglement); a column with
    one dark cell is a factor that one dimension predicts (completeness).

    Args:
        matrix: Of importances.
        names: Of the factors; by default ``v0, v1, ...``.
        codes: Names of the dimensions; by default ``z0, z1, ...``.
        inactive: Which dimensions hold next to nothing; their rows are gray.

    Shape:
        - matrix: ``(D, K)``.

    Raises:
        ValueError: for another shape, for values that are not finite, or for names that do not
            match it.

    Example:
        >>> figure = importance([[0.9, 0.1], [0.1, 0.9], [0.0, 0.0]])
        >>> [text.get_text() for text in figure.axes[0].texts][:2]
        ['0.90', '0.10']
    """
    return _heat_map(matrix, names, codes, inactive, "importance")


def _heat_map(
    matrix: Any,
    names: Sequence[str] | None,
    codes: Sequence[str] | None,
    inactive: Sequence[bool] | None,
    caption: str,
) -> Figure:
    matrix = np.asarray(matrix, dtype=np.float64)
    if matrix.ndim != 2 or not matrix.size:
        raise ValueError(
            f"the matrix has shape {matrix.shape}; expected (code dimensions, factors)"
        )
    if not np.isfinite(matrix).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(matrix))} entries are not finite")
    rows, columns = matrix.shape
    names = [f"v{k}" for k in range(columns)] if names is None else list(names)
    codes = [f"z{j}" for j in range(rows)] if codes is None else list(codes)
    if len(names) != columns or len(codes) != rows:
        raise ValueError(
            f"the matrix is {rows} dimensions x {columns} factors, but there are {len(codes)} "
            f"names of dimensions and {len(names)} of factors"
        )
    quiet = np.zeros(rows, bool) if inactive is None else np.asarray(inactive, bool)
    if quiet.shape != (rows,):
        raise ValueError(f"inactive has shape {quiet.shape}; expected one entry for {rows} rows")
    longest = max(map(len, names))
    wide = float(np.clip(9.0 / columns, 0.45, np.clip(0.08 * longest, 0.72, 1.0)))
    high = float(np.clip(9.0 / rows, 0.17, 0.36))
    is_turned = longest * 0.08 > wide
    with_numbers = high > 0.2 and columns <= 12
    margin = 0.25 + 0.075 * max(map(len, codes))
    canvas = figure(
        max(columns * wide + margin + 0.9 * (not with_numbers), 3.0),
        rows * high + 0.4 + (0.06 * longest if is_turned else 0.1),
    )
    axes = canvas.add_subplot()
    bare(axes)
    top = max(float(matrix.max()), 1e-9)
    mesh = axes.pcolormesh(matrix, cmap=ramp(ACCENT), vmin=0, vmax=top)
    meshes = [mesh]
    if quiet.any():
        gray = np.ma.masked_array(matrix, np.repeat(~quiet[:, None], columns, axis=1))
        meshes.append(axes.pcolormesh(gray, cmap=ramp(MUTED), vmin=0, vmax=2 * top))
        caption += "; gray rows: inactive dimensions"
    for layer in meshes:
        layer.set_edgecolor("face")
        layer.set_linewidth(0)
    axes.set_xlim(0, columns)
    axes.set_ylim(rows, 0)
    axes.set_yticks(np.arange(rows) + 0.5, codes, fontsize=SIZE if high > 0.2 else SIZE - 2)
    axes.set_xticks(np.arange(columns) + 0.5, names, fontsize=SIZE)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for label, silent in zip(axes.get_yticklabels(), quiet, strict=True):
        label.set_color(MUTED if silent else INK)
    if is_turned:
        axes.tick_params(axis="x", labelrotation=40)
        for text in axes.get_xticklabels():
            text.set(ha="left", rotation_mode="anchor")
    if with_numbers:
        for (j, k), value in np.ndenumerate(matrix):
            axes.text(
                k + 0.5, j + 0.52, f"{value:.2f}", ha="center", va="center", fontsize=SIZE - 2,
                color=MUTED if quiet[j] or value <= 0.1 * top
                else "#ffffff" if value > 0.55 * top else INK,
            )  # fmt: skip
        axes.set_xlabel(caption, fontsize=SIZE - 1, color=MUTED)
        axes.xaxis.set_label_position("bottom")
        return canvas
    bar = canvas.colorbar(mesh, ax=axes, aspect=30, pad=0.02, fraction=0.05)
    if bar.solids is not None:
        bar.solids.set_rasterized(False)
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=MUTED, labelsize=SIZE - 2, length=0)
    bar.set_label(caption, fontsize=SIZE - 1, color=MUTED)
    return canvas
