r"""Draws the 737,280 images of dSprites exactly, a few or all of them, as packed bits.

A sprite fits into a window of 32 x 32 pixels that moves with its position, so that an image is
kept as 32 words of 32 bits: 94 MB for all, where the images as bytes take 3 GB.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from .space import FactorSpace

__all__ = ["SPACE", "Sprites", "shared_sprites", "unpack"]

SPACE = FactorSpace(
    ("shape", "scale", "orientation", "posX", "posY"),
    (3, 6, 40, 32, 32),
    ("nominal", "ordinal", "ordinal", "ordinal", "ordinal"),
)
"""The factors of dSprites, the last one fastest. Orientations are levels here, as in every
published protocol; as an angle, which is no class, they would be refused by most metrics."""

_GRID = 256  # outlines are snapped to 1/256 of a pixel
_PLACES = 32 * 32  # the images of one shape, scale and orientation
_FROM = np.left_shift(np.uint64(0xFFFFFFFFFFFFFFFF), np.arange(64, dtype=np.uint64))
"""The bits of the columns from k on."""


class Sprites:
    """The images of dSprites, drawn when they are first asked for and then remembered."""

    def __init__(self) -> None:
        # The pages of a zeroed array take no memory until something is written into them.
        self._bits = np.zeros((len(SPACE), 32), np.uint32)
        self._drawn = np.zeros(len(SPACE), np.bool_)

    @property
    def nbytes(self) -> int:
        """The bytes that all images take together."""
        return self._bits.nbytes + self._drawn.nbytes

    def rows(self, index: np.ndarray) -> np.ndarray:
        """The images as row masks: bit k of a row's word is its pixel in column k.

        Shape:
            index ``(N,)`` of int64; returns ``(N, 64)`` of uint64.
        """
        self._draw(np.unique(index[~self._drawn[index]]))
        first, shift = _corner(index)
        masks = np.zeros((len(index), 64), np.uint64)
        places = first[:, None] + np.arange(32)
        np.put_along_axis(
            masks, places, self._bits[index].astype(np.uint64) << shift[:, None], axis=1
        )
        return masks

    def draw_all(self) -> None:
        """Draws every image that is still missing."""
        self._draw(np.flatnonzero(~self._drawn))

    def _draw(self, missing: np.ndarray) -> None:
        kinds, counts = np.unique(missing // _PLACES, return_counts=True)
        for kind in kinds[counts > _PLACES // 8]:  # drawing all places at once is cheaper
            index = np.arange(kind * _PLACES, (kind + 1) * _PLACES)
            x, y = _outlines(index)
            x, y = x.reshape(32, 32, -1), y.reshape(32, 32, -1)
            # posY is the fastest factor: lines of equal height lie along posX.
            masks = _fill(x.swapaxes(0, 1), y[0]).swapaxes(0, 1)
            self._keep(index, masks.reshape(_PLACES, 64))
        scattered = missing[np.isin(missing // _PLACES, kinds[counts <= _PLACES // 8])]
        for start in range(0, len(scattered), _PLACES):
            index = scattered[start : start + _PLACES]
            x, y = _outlines(index)
            self._keep(index, _fill(x[:, None], y)[:, 0])

    def _keep(self, index: np.ndarray, masks: np.ndarray) -> None:
        first, shift = _corner(index)
        window = np.take_along_axis(masks, first[:, None] + np.arange(32), axis=1)
        self._bits[index] = (window >> shift[:, None]).astype(np.uint32)
        self._drawn[index] = True


@cache
def shared_sprites() -> Sprites:
    """The one set of drawn images that every `DSprites` of the process shares."""
    return Sprites()


def unpack(rows: np.ndarray) -> np.ndarray:
    """Row masks ``(N, 64)`` of uint64 as images ``(N, 64, 64)`` of zeros and ones, uint8."""
    octets = rows.astype("<u8", copy=False).view(np.uint8)
    return np.unpackbits(octets, axis=1, bitorder="little").reshape(len(rows), 64, 64)


def _corner(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first row and the first column of each image's window, at floor(32 p)."""
    across, down = index // 32 % 32, index % 32
    return down + down // 31, (across + across // 31).astype(np.uint64)


@cache
def _shapes() -> np.ndarray:
    """The outlines of square, ellipse and heart with Y upwards, ``(3, 150, 2)``.

    A shorter outline repeats its last point: an edge without length crosses no row.
    """
    square = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)], np.float64)
    t = 2 * np.pi * np.arange(100) / 100
    ellipse = np.stack([1.33 * np.cos(t), np.sin(t) / 1.33], axis=1)
    t = 2 * np.pi * np.arange(150) / 150
    lobes = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    heart = np.stack([np.sin(t) ** 3, 2 / 29 * lobes + 0.15], axis=1)
    outlines = (square, ellipse, heart)
    return np.stack([np.pad(o, ((0, 150 - len(o)), (0, 0)), mode="edge") for o in outlines])


def _outlines(index: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The corners of each image's outline on the grid of 1/256 pixel, x and y ``(N, 150)``."""
    shape, scale, orientation, across, down = SPACE.factors(index).T[:, :, None]
    points = _shapes()[shape[:, 0]] * (9.6 * (0.5 + 0.1 * scale))[:, :, None]
    theta = 2 * np.pi * orientation / 39
    x = points[:, :, 0] * np.cos(theta) - points[:, :, 1] * np.sin(theta)
    y = points[:, :, 0] * np.sin(theta) + points[:, :, 1] * np.cos(theta)
    x = np.rint(_GRID * (16 + 32 * (across / 31) + x))
    y = np.rint(_GRID * (16 + 32 * (down / 31) - y))
    return x.astype(np.int64), y.astype(np.int64)


def _fill(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The row masks of the pixels whose centers lie inside polygons, by the even-odd rule.

    Polygons of one line have equal heights, and so cross the same rows at the same edges.

    Shape:
        x ``(L, P, V)`` and y ``(L, V)`` of int64, in 1/256 pixel, for L lines of P polygons of V
        corners; returns ``(L, P, 64)`` of uint64.
    """
    y0, y1 = y, np.roll(y, -1, axis=-1)
    # An edge from low to high crosses row r if low < 256 r + 128 <= high.
    low, high = np.minimum(y0, y1), np.maximum(y0, y1)
    start = (low - _GRID // 2) // _GRID + 1
    count = (high - _GRID // 2) // _GRID + 1 - start
    line, edge = np.nonzero(count)
    count = count[line, edge]
    line, edge = np.repeat(line, count), np.repeat(edge, count)
    nth = np.arange(len(line)) - np.repeat(np.cumsum(count) - count, count)
    row = start[line, edge] + nth

    order = np.argsort(line * 64 + row, kind="stable")
    line, edge, row = line[order], edge[order], row[order]
    following = (edge + 1) % x.shape[-1]
    xa, xb = x[line, :, edge], x[line, :, following]
    ya, yb = y[line, edge], y[line, following]
    # Turning an edge around changes the sign of numerator and denominator alike. Both are exact in
    # float64, and so is their quotient's ceiling: no fraction of such integers is close enough to
    # a whole number to be rounded to it.
    rise = (yb - ya)[:, None]
    numerator = (xa - _GRID // 2) * rise + (_GRID * row + _GRID // 2 - ya)[:, None] * (xb - xa)
    column = np.ceil(numerator / (_GRID * rise)).astype(np.int64)

    masks = np.zeros((*x.shape[:2], 64), np.uint64)
    place = line * 64 + row
    starts = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])
    masks[line[starts], :, row[starts]] = np.bitwise_xor.reduceat(_FROM[column], starts, axis=0)
    return masks
