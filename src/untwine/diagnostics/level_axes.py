"""Axes of one level of a hierarchy: what its directions do, the other levels following."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ..data.batches import Batch
from .axes import Axes, leading
from .geometry import metric_at
from .level_decoder import LevelDecoder
from .models import LatentModel
from .regions import Outside, from_metrics, region_of

__all__ = ["level_axes"]


@torch.no_grad()
def level_axes(
    method: LatentModel,
    batch: Batch | Tensor,
    level: str,
    *,
    mask: Tensor | None = None,
    below: Literal["prior", "posterior"] = "prior",
    k: int | None = None,
    outside: Outside = "ratio",
    tolerance: float = 0.01,
) -> Axes:
    r"""The directions of one level in which observations change most, on average over a batch.

    .. math::
        \mathbb{E}_x \big[ J_l(x)^\top J_l(x) \big] = V \Lambda V^\top, \qquad
        J_l = \frac{\partial \, \mathbb{E}[x \mid \hat z_{<l}, z_l, \hat z_{>l}(z_l)]}
        {\partial u}, \quad z_l = \mu_l + \sigma_l u

    at each observation's own place. Directions are in deviations of the level's prior, see
    `LevelDecoder`, along which `walk` goes. Of one observation the axes are local, of several
    global.

    Args:
        method: Whose posterior and prior have levels.
        batch: Observations, with their covariates.
        level: The level's name.
        mask: A region: then directions are those of `region_axes`.
        below: Whose means the levels below are at.
        k: How many axes; all by default.
        outside: See `region_axes`.
        tolerance: See `region_axes`.

    Returns:
        Axes of ``(D_l, K)``; `RegionAxes` with a mask.

    Raises:
        NoDensity: for a method whose code has no levels.
        ValueError: for another name, and as `region_axes` does.

    Example:
        >>> from untwine.data import FactorDataset
        >>> from untwine.methods import VLAE
        >>> images = FactorDataset.from_arrays(torch.rand(9, 1, 8, 8))
        >>> ladder = VLAE.build(images, levels=(2, 3), seed=0)
        >>> corner = torch.zeros(8, 8, dtype=torch.bool)
        >>> corner[:4, :4] = True
        >>> level_axes(ladder, images.observations(range(3)), "z_1", mask=corner, k=2).leak.shape
        torch.Size([2])
    """
    batch = Batch.of(batch)
    x, c = batch.tensor, batch.c
    count = len(x)
    sums: list[Tensor] = []
    for i in range(count):
        one = Batch.of(x[i : i + 1], None if c is None else c[i : i + 1])
        decoder = LevelDecoder(method, one, level, below=below)
        place = decoder.start[None]
        parts: list[Tensor | None] = [None]
        if mask is not None:
            region = region_of(decoder, place, mask)
            parts = [region, ~region]
        found = [metric_at(decoder, place, sigma=1.0, mask=part).tensor[0] for part in parts]
        sums = [a + b for a, b in zip(sums, found, strict=True)] if sums else found
    means = [value / count for value in sums]
    if mask is None:
        return leading(means[0], k, f"the average metric of level {level} at {count} observations")
    return from_metrics(means[0], means[1], k=k, outside=outside, tolerance=tolerance)
