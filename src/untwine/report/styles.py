"""Style mixing in the report: images with the styles of other codes in some of their layers."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..encoding import evaluating
from ..methods import Decodes, MixesStyles
from ..plots.images import swap_mosaic
from ..plots.pictures import mosaic
from .sheets import png, shrunk
from .subject import Subject

__all__ = ["styles"]

_ROWS, _COLUMNS = 4, 6
_PARTS = ("coarse", "middle", "fine")


@torch.no_grad()
def styles(subject: Subject, seed: int) -> list[dict[str, Any]] | None:
    """A grid for each third of the layers; ``None`` of a method without styles.

    Rows and columns are the same codes in all grids. A generator of fewer than three layers has a
    grid for each.
    """
    method = subject.method
    if not isinstance(method, MixesStyles) or not isinstance(method, Decodes):
        return None
    with evaluating(method), torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        rows, columns = method.codes(_ROWS + _COLUMNS).split([_ROWS, _COLUMNS])
        heads = [method.decode(w).mean.cpu().numpy() for w in (rows, columns)]
        grids = [
            (name, first, last, method.style_grid(rows, columns, first, last).cpu().numpy())
            for name, first, last in _thirds(method.count)
        ]
    return [
        {
            "name": name,
            "first": first + 1,
            "last": last,
            "picture": png(mosaic(shrunk(swap_mosaic(grid, *heads), 64))),
        }
        for name, first, last, grid in grids
    ]


def _thirds(count: int) -> list[tuple[str, int, int]]:
    """Parts of so many layers that have any: name, first and one more than the last."""
    ends = [math.floor(count * k / 3 + 0.5) for k in range(4)]
    parts = zip(_PARTS, ends[:-1], ends[1:], strict=True)
    return [(name, first, last) for name, first, last in parts if last > first]
