"""Samplers of single rows: independent draws, indexed examples, rows with some modality.

A sampler looks at a table once, ``draw = sampler.bind(space, factors)``; ``draw(n, generator)`` is
a pure function of its arguments, and ``sampler.batch(data, indices)`` makes the batch of what it
returns. `Loader` puts them together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .batches import Batch, Images, Indexed, Modalities
from .few_labels import FewLabelsSampler
from .groups import ClipsSampler, GroupsSampler, SuccessivePairsSampler
from .lookup import FactorLookup
from .modalities import Data, Multimodal
from .pairs import AdjacentPairsSampler, LaplacePairsSampler, PairsSampler
from .sampler import Draw, Indices, Sampler, covariates_at, label_column, one_modality, uniform
from .space import FactorSpace

__all__ = [
    "IID",
    "AdjacentPairsSampler",
    "ClipsSampler",
    "Draw",
    "FewLabelsSampler",
    "GroupsSampler",
    "IndexedSampler",
    "Indices",
    "LaplacePairsSampler",
    "ModalitiesSampler",
    "PairsSampler",
    "Sampler",
    "SuccessivePairsSampler",
    "default_sampler",
]


class IID(Sampler[np.ndarray]):
    """Rows drawn uniformly, independently and with replacement; makes `Images`.

    Example:
        >>> space = FactorSpace(("a", "b"), (2, 3))
        >>> factors = space.factors(np.arange(6))
        >>> draw = IID().bind(space, factors)
        >>> draw(4, np.random.default_rng(0))
        array([5, 3, 3, 1])
    """

    supervision = Images

    def bind(self, space: FactorSpace, factors: np.ndarray) -> Draw[np.ndarray]:
        return uniform(np.arange(len(factors)))

    def batch(self, data: Data, indices: np.ndarray, draw: int = 0) -> Images:
        return one_modality(data).batch(indices, draw)


class IndexedSampler(Sampler[np.ndarray]):
    """Rows drawn uniformly, with their numbers and one factor as their class; makes `Indexed`.

    Args:
        label: The factor that is the class; by default the first one. Rows in which it is unknown
            are left out. Without factors every row is of class 0.
    """

    supervision = Indexed

    def __init__(self, label: str | None = None) -> None:
        self.label = label

    def bind(self, space: FactorSpace, factors: np.ndarray) -> Draw[np.ndarray]:
        if not space.names and self.label is None:
            return uniform(np.arange(len(factors)))
        column = label_column(space, self.label)
        candidates = FactorLookup(space, factors).groups([column]).order.astype(np.int64)
        if not len(candidates):
            raise ValueError(f"factor {space.names[column]!r} is unknown in every row")
        return uniform(candidates)

    def batch(self, data: Data, indices: np.ndarray, draw: int = 0) -> Indexed:
        label = np.zeros(len(indices), np.int64)
        if data.space.names or self.label is not None:
            label = data.factors[indices, label_column(data.space, self.label)]
        return Indexed(
            one_modality(data).observations(indices, draw),
            torch.from_numpy(indices),
            torch.from_numpy(label.astype(np.int64)),
            covariates_at(data, indices),
        )


class ModalitiesSampler(Sampler[np.ndarray]):
    """Rows of a `Multimodal` data set drawn uniformly; makes `Modalities`."""

    supervision = Modalities

    def bind(self, space: FactorSpace, factors: np.ndarray) -> Draw[np.ndarray]:
        return uniform(np.arange(len(factors)))

    def batch(self, data: Data, indices: np.ndarray, draw: int = 0) -> Modalities:
        if not isinstance(data, Multimodal):
            raise ValueError(
                f"data is a {type(data).__name__}, which has one modality; make "
                "Multimodal({name: data, ...})"
            )
        return data.batch(indices, draw)


def default_sampler(supervision: type[Batch]) -> Sampler[Any]:
    """The sampler that makes batches of a type, with its default settings.

    Raises:
        ValueError: for a type that no sampler makes.

    Example:
        >>> default_sampler(Images).supervision.__name__
        'Images'
    """
    samplers: tuple[type[Sampler[Any]], ...] = (
        IID,
        PairsSampler,
        GroupsSampler,
        FewLabelsSampler,
        IndexedSampler,
        ClipsSampler,
        ModalitiesSampler,
    )
    for sampler in samplers:
        if sampler.supervision is supervision:
            return sampler()
    raise ValueError(
        f"no sampler makes {supervision.__name__!r}; the batch types are "
        f"{[sampler.supervision.__name__ for sampler in samplers]}: for a type of your own, let "
        "the method's sampler() return one"
    )
