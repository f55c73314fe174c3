"""Figures of observations: traversals, reconstructions, samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .compute import Traversals
from .pictures import mosaic, pictures, vector_bounds
from .style import INK, MUTED, SIZE, bare, figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "reconstructions",
    "samples",
    "samples_by_class",
    "swap_grid",
    "swap_mosaic",
    "traversal_grid",
]

_GAP = 2


def traversal_grid(
    images: Any,
    labels: Sequence[str] | None = None,
    *,
    values: Sequence[float] | None = None,
    reference: Any = None,
    title: str | None = None,
) -> Figure:
    r"""Latent traversals: row j shows what happens when code dimension j alone is moved.

    A row in which one property changes is a dimension that has specialized in it; a row that
    stays the same is a dimension that the decoder ignores.

    Args:
        images: ``images[j, s]`` decodes the code with dimension j moved to position s; or what
            `traverse` returns for one code.
        labels: Of the rows; by default ``z0, z1, ...``, the dimensions that were moved.
        values: Of the columns, written above them.
        reference: What the rows began with, drawn in a column of its own: one observation for
            all rows, or one per row.
        title: Written above.

    Shape:
        - images: ``(D, S, C, H, W)`` with one or three channels, or ``(D, S, F)``.
        - reference: ``(C, H, W)`` or ``(D, C, H, W)``; ``(F,)`` or ``(D, F)``.

    Raises:
        ValueError: for other shapes, or if labels or values are not one per row or column.

    References:
        Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational
        Framework", 2017, https://openreview.net/forum?id=Sy2fzU9gl, figure 1.

    Example:
        >>> figure = traversal_grid(np.zeros((3, 7, 1, 16, 16)), ["z0", "z1", "z2"])
        >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
        ['z0', 'z1', 'z2']
    """
    if isinstance(images, Traversals):
        labels = [f"z{j}" for j in images.dims] if labels is None else labels
        if values is None and bool((images.values == images.values[:1]).all()):
            values = images.values[0].tolist()
        if len(images.images) != 1:
            raise ValueError(
                f"these are traversals of {len(images.images)} codes; expected one: give "
                "traversals.images[0], or another one's"
            )
        images = images.images[0]
    bounds = None
    if np.ndim(images) == 3:
        bounds = vector_bounds(images) if reference is None else vector_bounds(images, reference)
    cells = pictures(images, 2, bounds)
    rows, columns = cells.shape[:2]
    labels = _one_each("labels", labels, rows, [f"z{j}" for j in range(rows)])
    heads = None if values is None else [f"{v:.2g}".replace("-", "−") for v in values]
    heads = _one_each("values", heads, columns, [])
    picture = mosaic(cells, _GAP)
    if reference is not None:
        single = np.ndim(reference) == np.ndim(images) - 2
        before = pictures(reference, 0 if single else 1, bounds)
        before = np.broadcast_to(before, (rows, *cells.shape[2:])) if single else before
        if before.shape != (rows, *cells.shape[2:]):
            raise ValueError(
                f"reference has shape {np.shape(reference)}; expected one observation, or one for "
                f"each of the {rows} rows"
            )
        column = mosaic(before[:, None], _GAP)
        space = np.zeros((len(column), 3 * _GAP, 4), np.uint8)
        picture = np.concatenate([column, space, picture], axis=1)
        heads = ["start", *heads] if heads else ["start"]
    return _grid(
        picture, cells.shape[2:4], labels, heads, 3 * _GAP * (reference is not None), title
    )


def reconstructions(x: Any, reconstruction: Any, *, columns: int = 10) -> Figure:
    """Observations, and below each of them its reconstruction.

    What is lost between the two rows is what the code does not hold.

    Args:
        x: The observations.
        reconstruction: Of each, in the same order.
        columns: Pairs in a row.

    Shape:
        - x, reconstruction: ``(N, C, H, W)`` with one or three channels, or ``(N, F)``.

    Raises:
        ValueError: for unequal or other shapes.

    Example:
        >>> figure = reconstructions(np.zeros((4, 3, 16, 16)), np.ones((4, 3, 16, 16)))
        >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
        ['data', 'model']
    """
    if np.shape(x) != np.shape(reconstruction):
        raise ValueError(
            f"x has shape {np.shape(x)} but reconstruction has {np.shape(reconstruction)}: "
            "give one reconstruction for each observation"
        )
    bounds = vector_bounds(x, reconstruction) if np.ndim(x) == 2 else None
    rows_of_both = np.stack([pictures(x, 1, bounds), pictures(reconstruction, 1, bounds)])
    lines = [
        _padded(rows_of_both[:, i : i + columns], columns)
        for i in range(0, rows_of_both.shape[1], columns)
    ]
    cells = np.concatenate(lines)[:, : rows_of_both.shape[1]]
    return _grid(mosaic(cells, _GAP), cells.shape[2:4], ["data", "model"] * len(lines))


def samples(images: Any, *, columns: int = 10) -> Figure:
    """What the model generates from codes drawn from its prior.

    Args:
        images: The samples.
        columns: Samples in a row.

    Shape:
        - images: ``(N, C, H, W)`` with one or three channels, or ``(N, F)``.

    Raises:
        ValueError: for other shapes.

    Example:
        >>> len(samples(np.zeros((12, 1, 16, 16))).axes)
        1
    """
    thumbnails = pictures(images, 1)[None]
    lines = [
        _padded(thumbnails[:, i : i + columns], columns)
        for i in range(0, thumbnails.shape[1], columns)
    ]
    cells = np.concatenate(lines)[:, : thumbnails.shape[1]]
    return _grid(mosaic(cells, _GAP), cells.shape[2:4], [""] * len(cells))


def samples_by_class(
    images: Any, labels: Sequence[str] | None = None, *, title: str | None = None
) -> Figure:
    """Samples in rows, each drawn given one class, component or other value.

    Where a model has learned its classes, a row has one of them, and its pictures differ in the
    rest.

    Args:
        images: ``images[k, s]`` is sample s given value k.
        labels: Of the rows; numbers by default.
        title: Written above, such as the name of what was given.

    Shape:
        - images: ``(K, S, C, H, W)`` with one or three channels, or ``(K, S, F)``.

    Raises:
        ValueError: for other shapes, or if labels are not one per row.

    Example:
        >>> figure = samples_by_class(np.zeros((2, 5, 1, 16, 16)), ["cat", "dog"], title="animal")
        >>> [text.get_text() for text in figure.axes[0].get_yticklabels()]
        ['cat', 'dog']
    """
    cells = pictures(images, 2, vector_bounds(images) if np.ndim(images) == 3 else None)
    rows = _one_each("labels", labels, len(cells), [str(k) for k in range(len(cells))])
    return _grid(mosaic(cells, _GAP), cells.shape[2:4], rows, title=title)


def swap_grid(
    images: Any, rows: Any, columns: Any, *, of_rows: str = "rows", of_columns: str = "columns"
) -> Figure:
    """Swaps: each picture combines what its row's and what its column's observation give.

    Where the two parts of a code are apart, a row keeps the one and a column the other.

    Args:
        images: ``images[i, j]`` is decoded from one part of the code of ``rows[i]`` and the other
            part of the code of ``columns[j]``, as a method's ``swap_grid`` does.
        rows: The observations at the left.
        columns: The observations at the top.
        of_rows: What the rows' observations give: ``method.of_rows``.
        of_columns: What the columns' observations give: ``method.of_columns``.

    Shape:
        - images: ``(M, N, C, H, W)`` with one or three channels, or ``(M, N, F)``.
        - rows: ``(M, C, H, W)`` or ``(M, F)``; columns: ``(N, C, H, W)`` or ``(N, F)``.

    Raises:
        ValueError: for unequal or other shapes.

    Example:
        >>> x = np.zeros((5, 1, 16, 16))
        >>> figure = swap_grid(np.zeros((2, 3, 1, 16, 16)), x[:2], x[2:], of_columns="content")
        >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
        ['', 'content of', '', '']
    """
    cells = swap_mosaic(images, rows, columns)
    heads = ["", f"{of_columns} of", *[""] * (cells.shape[1] - 2)]
    labels = ["", f"{of_rows} of", *[""] * (cells.shape[0] - 2)]
    return _grid(mosaic(cells, _GAP), cells.shape[2:4], labels, heads)


def swap_mosaic(images: Any, rows: Any, columns: Any) -> np.ndarray:
    """The pictures of `swap_grid` with their rows' and columns' beside them, and a white corner.

    Shape:
        - Output: ``(M + 1, N + 1, height, width, 3)``, ``uint8``.
    """
    shapes = np.shape(images), np.shape(rows), np.shape(columns)
    m, n, *shape_of_tile = shapes[0] if len(shapes[0]) > 2 else (0, 0)
    if shapes[1:] != ((m, *shape_of_tile), (n, *shape_of_tile)):
        raise ValueError(
            f"images have shape {shapes[0]}, rows {shapes[1]} and columns {shapes[2]}; expected "
            "(M, N, ...), (M, ...) and (N, ...)"
        )
    bounds = vector_bounds(images, rows, columns) if len(shape_of_tile) == 1 else None
    top = pictures(columns, 1, bounds)[None]
    corner = np.full((1, 1, *top.shape[2:]), 255, np.uint8)
    row_heads = pictures(rows, 1, bounds)[:, None]
    lines = [np.concatenate([corner, top], 1)]
    lines.append(np.concatenate([row_heads, pictures(images, 2, bounds)], 1))
    return np.concatenate(lines)


def _one_each(nouns: str, names: Sequence[str] | None, count: int, default: list[str]) -> list[str]:
    if names is None:
        return default
    if len(names) != count:
        raise ValueError(f"there are {len(names)} {nouns} for {count}: give one for each")
    return [str(g) for g in names]


def _padded(cells: np.ndarray, columns: int) -> np.ndarray:
    """A row of pictures filled up with white ones."""
    missing = columns - cells.shape[1]
    return np.pad(cells, [(0, 0), (0, missing)] + [(0, 0)] * 3, constant_values=255)


def _grid(
    picture: np.ndarray,
    cell: tuple[int, ...],
    labels: list[str],
    heads: Sequence[str] = (),
    indent: int = 0,
    title: str | None = None,
) -> Figure:
    """One picture in one axes, as large as is sensible, with labels of its rows and columns."""
    height, width = (side + _GAP for side in cell)
    rows = len(labels)
    columns = round(picture.shape[1] / width)
    inches = float(np.clip(9.0 / columns, 0.28, 0.95)) / width
    inches = min(inches, 30.0 / picture.shape[0])
    margin = 0.2 + 0.078 * max(map(len, labels), default=0)
    top = 0.15 + 0.2 * bool(heads) + 0.25 * (title is not None)
    canvas = figure(picture.shape[1] * inches + margin, picture.shape[0] * inches + top)
    axes = canvas.add_subplot()
    bare(axes)
    axes.imshow(picture, interpolation="nearest", aspect="equal")
    small = float(np.clip(SIZE * height * inches / 0.2, 5.0, SIZE))
    axes.set_yticks([height * (r + 0.5) - 0.5 for r in range(rows)], labels, fontsize=small)
    places = [width * (c + 0.5) - 0.5 + indent * (c > 0) for c in range(len(heads))]
    small = float(np.clip(SIZE * width * inches / 0.42, 4.0, SIZE - 1))
    axes.set_xticks(places, heads, fontsize=small, color=MUTED)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    if title is not None:
        axes.set_title(title, fontsize=SIZE + 1, color=INK, loc="left")
    return canvas
