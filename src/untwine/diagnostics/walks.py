"""Axes of a method on data, of its whole code, of a level or of a region, and walks along them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..checks import check_size
from ..data import FactorDataset
from ..data.batches import Batch
from ..data.seeds import check_seed
from ..encoding import batch_of, carried, evaluating
from .axes import Axes, global_axes, walk
from .estimates import Finding
from .level_axes import level_axes
from .level_decoder import LevelDecoder
from .models import LatentModel
from .regions import RegionAxes, region_axes

__all__ = ["Walks", "axes_of"]


@dataclass(frozen=True, repr=False)
class Walks(Finding):
    """Axes, and observations along each of them.

    Attributes:
        axes: Of the whole code, or of a level in deviations of its prior.
        images: Along each axis from each start, ``(N, K, S, ...)``.
        places: Positions on the axes, ``(S,)``, of which 0 is the start.
        level: The level, if it is of one.
    """

    axes: Axes
    images: Tensor
    places: np.ndarray
    level: str | None = None

    @property
    def labels(self) -> list[str]:
        """What an axis is called, with its strength, and in a region with its leak."""
        name = "" if self.level is None else f"{self.level}, "
        texts = []
        for k, strength in enumerate(self.axes.strength.tolist()):
            text = f"{name}axis {k}: {strength:.2g}"
            if isinstance(self.axes, RegionAxes):
                text += f", {float(self.axes.leak[k]):.0%} outside"
            texts.append(text)
        return texts

    def __str__(self) -> str:
        return str(self.axes) if self.level is None else f"Level {self.level}: {self.axes}"


@torch.no_grad()
def axes_of(
    method: LatentModel,
    data: FactorDataset,
    *,
    k: int = 5,
    level: str | None = None,
    mask: Tensor | None = None,
    n: int = 32,
    starts: int = 1,
    span: float = 3.0,
    steps: int = 9,
    seed: int = 0,
) -> Walks:
    """The global axes of a method's code, of a level or of a region, with a walk along each.

    Args:
        method: With ``represent`` and ``decode``; of a level, with ``prior``, too.
        data: Observations.
        k: How many axes.
        level: Of a hierarchy, the level whose axes are asked for.
        mask: A region of an observation, see `region_axes`.
        n: Observations at whose codes Jacobians are averaged.
        starts: From how many of them walks begin.
        span: Of the walks, from ``-span`` to ``span``; of a level in deviations of its prior.
        steps: Positions on each.
        seed: Of the choice of observations.

    Raises:
        NoDensity: for a level of a method that has none.
        ValueError: for another name, and as `region_axes` does.

    Example:
        >>> from untwine.methods import VAE
        >>> data = FactorDataset.from_arrays(torch.rand(60, 7))
        >>> found = axes_of(VAE.build(data, latent_dim=3, seed=0), data, k=2)
        >>> found.images.shape
        torch.Size([1, 2, 9, 7])
    """
    check_size("n", n)
    check_size("starts", starts)
    check_seed(seed)
    rows = np.random.default_rng([seed, 23]).permutation(len(data))[:n]
    batch = batch_of(method, data, rows)
    x, c = batch.tensor, batch.c
    begun = range(min(starts, len(x)))
    if level is None:
        with evaluating(method):
            z = method.represent(carried(batch)).mean
        axes: Axes
        if mask is None:
            axes = global_axes(method, z, c=c, k=k)
        else:
            axes = region_axes(method, z, mask, c=c, k=k)
        walks = [
            walk(method, z[i], axes, c=None if c is None else c[i], k=k, span=span, steps=steps)
            for i in begun
        ]
    else:
        axes = level_axes(method, batch, level, mask=mask, k=k)
        walks = []
        for i in begun:
            one = Batch.of(x[i : i + 1], None if c is None else c[i : i + 1])
            decoder = LevelDecoder(method, one, level)
            walks.append(walk(decoder, decoder.start, axes, k=k, span=span, steps=steps))
    return Walks(axes, torch.stack(walks), np.linspace(-span, span, steps), level)
