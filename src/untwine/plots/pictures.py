"""Thumbnails of observations of any kind, and mosaics of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .style import ACCENT, GRID, PAPER, WARM

__all__ = ["drawable", "mosaic", "pictures", "vector_bounds"]

_BARS = 48
_HEIGHT, _WIDTH = 48, 96


def drawable(shape: tuple[int, ...]) -> bool:
    """Whether observations of this shape can be drawn: images of 1 or 3 channels, and vectors.

    Example:
        >>> drawable((1, 64, 64)), drawable((20,)), drawable((5, 64, 64))
        (True, True, False)
    """
    return len(shape) == 1 or (len(shape) == 3 and shape[0] in (1, 3))


def pictures(
    observations: Any, leading: int, bounds: tuple[float, float] | None = None
) -> np.ndarray:
    r"""Observations as RGB pictures.

    Images are taken to lie in [0, 1] (or to be ``uint8``) and are clipped there. Vectors become
    bars around zero, blue above and orange below; where there are more than 48 entries, each bar
    stands for a run of neighboring entries and shows the one of largest magnitude.

    Args:
        observations: Array or tensor; after the leading axes come ``(C, H, W)`` with one or three
            channels, or ``(F,)``.
        leading: Number of leading axes.
        bounds: Lowest and highest value on the scale of the bars; by default `vector_bounds`.

    Shape:
        - Output: ``(*leading, height, width, 3)``, ``uint8``.

    Raises:
        ValueError: for other shapes, and for values that are not finite.

    Example:
        >>> pictures(np.zeros((5, 1, 8, 8)), leading=1).shape
        (5, 8, 8, 3)
        >>> pictures(np.zeros((2, 5, 20)), leading=2).shape
        (2, 5, 48, 80, 3)
    """
    array = _numpy(observations)
    shape = array.shape[leading:]
    if array.ndim < leading or not drawable(shape) or 0 in array.shape:
        raise ValueError(
            f"cannot draw observations of shape {array.shape}: expected {leading} leading axes, "
            "then (channels, height, width) with 1 or 3 channels, or (features,)"
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(
            f"{np.count_nonzero(~np.isfinite(array))} values of the observations are not finite: "
            "the model's weights or its input are not"
        )
    if len(shape) == 1:
        flat = array.reshape(-1, shape[0]).astype(np.float64)
        charts = _bars(flat, bounds or vector_bounds(flat))
        return charts.reshape(*array.shape[:leading], *charts.shape[1:])
    if array.dtype != np.uint8:
        array = np.round(np.clip(array, 0, 1) * 255).astype(np.uint8)
    array = np.moveaxis(array, -3, -1)
    return np.repeat(array, 3, axis=-1) if shape[0] == 1 else array


def vector_bounds(*observations: Any) -> tuple[float, float]:
    """A scale for bars that holds all values, and zero.

    Example:
        >>> vector_bounds(np.array([1.0, 3.0]), np.array([-1.0]))
        (-1.0, 3.0)
    """
    arrays = [_numpy(o) for o in observations]
    low = min(0.0, *(float(a.min()) for a in arrays))
    high = max(0.0, *(float(a.max()) for a in arrays))
    return (low, high) if high > low else (0.0, 1.0)


def mosaic(cells: np.ndarray, gap: int = 2) -> np.ndarray:
    """Pictures in rows and columns as one, with transparent gaps.

    Shape:
        - cells: ``(R, S, H, W, 3)``, ``uint8``.
        - Output: ``(R H + (R - 1) gap, S W + (S - 1) gap, 4)``, ``uint8``.

    Example:
        >>> mosaic(np.zeros((2, 3, 8, 8, 3), np.uint8), gap=1).shape
        (17, 26, 4)
    """
    rows, columns, height, width, _ = cells.shape
    out = np.zeros((rows, height + gap, columns, width + gap, 4), np.uint8)
    out[:, :height, :, :width, :3] = cells.transpose(0, 2, 1, 3, 4)
    out[:, :height, :, :width, 3] = 255
    out = out.reshape(rows * (height + gap), columns * (width + gap), 4)
    return out[: len(out) - gap, : out.shape[1] - gap]


def _bars(values: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """Bar charts of vectors ``(N, F)`` as ``(N, height, width, 3)``."""
    low, high = bounds
    if values.shape[1] > _BARS:
        starts = np.linspace(0, values.shape[1], _BARS, endpoint=False).astype(int)
        top = np.maximum.reduceat(values, starts, axis=1)
        bottom = np.minimum.reduceat(values, starts, axis=1)
        values = np.where(top >= -bottom, top, bottom)
    count = values.shape[1]
    step = max(_WIDTH // count, 2)
    width = step * count
    column = np.arange(width) // step
    inside = np.arange(width) % step < max(step - 1, 1)
    level = high - (np.arange(_HEIGHT) + 0.5) / _HEIGHT * (high - low)
    bar = values[:, None, column]
    above = (level[:, None] <= bar) & (level[:, None] >= 0) & inside
    below = (level[:, None] >= bar) & (level[:, None] < 0) & inside
    out = np.full((len(values), _HEIGHT, width, 3), _rgb(PAPER), np.uint8)
    out[:, min(int(high / (high - low) * _HEIGHT), _HEIGHT - 1)] = _rgb(GRID)
    out[above], out[below] = _rgb(ACCENT), _rgb(WARM)
    return out


def _rgb(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _numpy(values: Any) -> np.ndarray:
    if hasattr(values, "detach"):  # a torch tensor, on any device
        values = values.detach().cpu()
        return (values.float() if values.is_floating_point() else values).numpy()
    return np.asarray(values)
