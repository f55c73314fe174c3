"""Augmentation of a data set: observations with one factor drawn anew, edited through a method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..checks import check_size
from ..data import FactorDataset
from ..data.seeds import check_seed
from .factors import named
from .moves import Moves

__all__ = ["augmented"]


def augmented(
    moves: Moves,
    data: FactorDataset,
    factor: str,
    copies: int,
    values: Sequence[Any] | None,
    originals: bool,
    seed: int,
) -> FactorDataset:
    """A data set with edited observations, see `Controls.augment`."""
    check_size("copies", copies)
    k = named(moves.scales, factor)
    scale, coder, space = moves.scales[k], moves.coder, data.space
    if moves.levers[k] is None:
        raise ValueError(f"nothing in the code follows {factor!r}: it cannot be drawn anew")
    column = space.position(factor)
    if values is None:
        choice = np.unique(data.factors[:, column])
        choice = choice[choice >= 0].astype(np.float64)
    else:
        choice = np.array([scale.parse(value) for value in values])
    if (choice != np.rint(choice)).any():
        raise ValueError(f"values is {values!r}; labels are whole: expected whole levels")
    rng = np.random.default_rng(check_seed(seed))
    rows = np.arange(len(data))
    z, c = coder.encode_rows(data, rows)
    images, labels = [], []
    if originals:
        images, labels = [data.observations(rows)], [data.factors]
    for _ in range(copies):
        drawn = rng.choice(choice, len(rows))
        images.append(coder.decode(moves.moved(z, factor, drawn), c))
        table = data.factors.copy()
        table[:, column] = drawn
        labels.append(table)
    covariates = None if data.covariates is None else data.covariates.repeat(len(images), 1)
    everything = torch.cat(images)
    result = FactorDataset.from_arrays(
        everything.clamp(0, 1) if len(data.shape) == 3 else everything,
        np.concatenate(labels),
        names=space.names,
        sizes=space.sizes,
        kinds=space.kinds,
        covariates=covariates,
    )
    result.values = dict(data.values)
    return result
