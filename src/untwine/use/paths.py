"""Paths between codes along seams: a dimension at a time, at equal distances of the images."""

from __future__ import annotations

import torch
from torch import Tensor

from ..diagnostics.geometry import metric_at
from .coding import Coder

__all__ = ["seam_path"]

_MARKS = 9  # of each leg, where its speed is measured


def seam_path(coder: Coder, start: Tensor, end: Tensor, c: Tensor | None, steps: int) -> Tensor:
    r"""Codes on the way from some to others along axes, ``(B, steps, D)``.

    A leg of dimension j is a piece of a seam, of length :math:`\int s_j \, dz_j` with the speed
    :math:`s_j = \lVert \partial d / \partial z_j \rVert`; the longest is gone first, and positions
    are equally far apart along all legs together.

    Args:
        coder: Of a method whose code has axes.
        start: ``(B, D)``.
        end: ``(B, D)``.
        c: Covariates ``(B, C)``, if any.
        steps: Positions, both ends included.

    Raises:
        ValueError: for codes with classes or angles.

    References:
        Allen 2024, https://arxiv.org/abs/2410.22559
    """
    for part in coder.parts:
        if part.kind != "values":
            raise ValueError(
                f"the code's part {part.name!r} is of {part.kind}, which has no axes to go along: "
                "take interpolate"
            )
    rows = [
        _one(coder, a, b, None if c is None else c[i : i + 1], steps)
        for i, (a, b) in enumerate(zip(start, end, strict=True))
    ]
    return torch.stack(rows)


def _one(coder: Coder, a: Tensor, b: Tensor, c: Tensor | None, steps: int) -> Tensor:
    share = torch.linspace(0, 1, _MARKS, dtype=a.dtype, device=a.device)
    axes = [j for j in range(len(a)) if a[j] != b[j]]
    marks, at = [a[None]], a
    lengths = [torch.zeros(1, dtype=torch.float64)]
    # The order is that of the seams through the start.
    first = {j: _length(coder, _leg(a, b, j, share), j, c) for j in axes}
    for j in sorted(axes, key=lambda j: -float(first[j][-1])):
        leg = _leg(at, b, j, share)
        lengths.append(lengths[-1][-1] + _length(coder, leg, j, c)[1:])
        marks.append(leg[1:])
        at = leg[-1]
    line, way = torch.cat(marks), torch.cat(lengths)
    if way[-1] <= 0:  # nothing is seen of the way
        way = torch.linspace(0, 1, len(line), dtype=torch.float64)
    if len(line) == 1:
        return a.expand(steps, -1)
    places = torch.linspace(0, float(way[-1]), steps, dtype=torch.float64)
    after = torch.searchsorted(way, places).clamp(1, len(way) - 1)
    gap = (way[after] - way[after - 1]).clamp(min=1e-300)
    part = ((places - way[after - 1]) / gap).clamp(0, 1).to(line)[:, None]
    path = line[after - 1] + part * (line[after] - line[after - 1])
    path[0], path[-1] = a, b
    return path


def _leg(start: Tensor, end: Tensor, j: int, share: Tensor) -> Tensor:
    """Codes from one to the next along an axis, ``(S, D)``."""
    leg = start.repeat(len(share), 1)
    leg[:, j] = start[j] + share * (end[j] - start[j])
    return leg


def _length(coder: Coder, leg: Tensor, j: int, c: Tensor | None) -> Tensor:
    """How long the images of a leg are up to each of its codes, ``(S,)``."""
    beside = None if c is None else c.expand(len(leg), -1)
    speed = metric_at(coder.method, leg, c=beside, sigma=1.0).tensor[:, j, j].clamp(min=0).sqrt()
    step = (leg[1:, j] - leg[:-1, j]).abs().double()
    pieces = 0.5 * (speed[1:] + speed[:-1]).cpu() * step.cpu()
    return torch.cat([torch.zeros(1, dtype=torch.float64), pieces.cumsum(0)])
