"""Samplers choose rows; what a row looks like is none of their business.

A sampler is a pure function ``sampler(space, factors, n, generator) -> indices``, and
``sampler.batch(data, indices)`` makes the batch of them. `Loader` puts the two together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .batches import Images, Indexed, Modalities
from .few_labels import FewLabelsSampler
from .groups import ClipsSampler, GroupsSampler, SuccessivePairsSampler
from .pairs import LaplacePairsSampler, PairsSampler
from .sampler import Indices, Sampler, covariates_at, label_column
from .space import FactorSpace

__all__ = [
    "IID",
    "ClipsSampler",
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


class IID(Sampler):
    """Rows drawn uniformly, independently and with replacement; makes `Images`.

    Example:
        >>> space = FactorSpace(("a", "b"), (2, 3))
        >>> factors = space.factors(np.arange(6))
        >>> IID()(space, factors, 4, np.random.default_rng(0))
        array([5, 3, 3, 1])
    """

    supervision = Images

    def __call__(
        self, space: FactorSpace, factors: np.ndarray, n: int, generator: np.random.Generator
    ) -> np.ndarray:
        return generator.integers(0, len(factors), size=n)

    def batch(self, data: Any, indices: np.ndarray, draw: int = 0) -> Images:
        return Images(data.observations(indices, draw), covariates_at(data, indices))


class IndexedSampler(Sampler):
    """Rows drawn uniformly, with their numbers and one factor as their class; makes `Indexed`.

    Args:
        label: The factor that is the class; by default the first one. Rows in which it is unknown
            are left out. Without factors every row is of class 0.
    """

    supervision = Indexed

    def __init__(self, label: str | None = None) -> None:
        self.label = label

    def __call__(
        self, space: FactorSpace, factors: np.ndarray, n: int, generator: np.random.Generator
    ) -> np.ndarray:
        if not space.names and self.label is None:
            return generator.integers(0, len(factors), size=n)
        column = label_column(space, self.label)
        candidates = self.rows(space, factors).groups([column]).order
        if not len(candidates):
            raise ValueError(f"factor {space.names[column]!r} is unknown in every row")
        return candidates[generator.integers(0, len(candidates), size=n)].astype(np.int64)

    def batch(self, data: Any, indices: np.ndarray, draw: int = 0) -> Indexed:
        label = np.zeros(len(indices), np.int64)
        if data.space.names or self.label is not None:
            label = data.factors[indices, label_column(data.space, self.label)]
        return Indexed(
            data.observations(indices, draw),
            torch.from_numpy(indices),
            torch.from_numpy(label.astype(np.int64)),
            covariates_at(data, indices),
        )


class ModalitiesSampler(Sampler):
    """Rows of a `Multimodal` data set drawn uniformly; makes `Modalities`."""

    supervision = Modalities

    def __call__(
        self, space: FactorSpace, factors: np.ndarray, n: int, generator: np.random.Generator
    ) -> np.ndarray:
        return generator.integers(0, len(factors), size=n)

    def batch(self, data: Any, indices: np.ndarray, draw: int = 0) -> Modalities:
        if not hasattr(data, "present"):
            raise ValueError(
                f"{type(data).__name__} has one modality; make Multimodal({{name: data, ...}})"
            )
        return data.batch(indices, draw)


def default_sampler(supervision: type) -> Sampler:
    """The sampler that makes batches of a type, with its default settings.

    Raises:
        ValueError: for a type that no sampler makes.

    Example:
        >>> default_sampler(Images).supervision.__name__
        'Images'
    """
    samplers: tuple[type[Sampler], ...] = (
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
        f"no sampler makes {getattr(supervision, '__name__', supervision)!r}; the batch types are "
        f"{[sampler.supervision.__name__ for sampler in samplers]}: for a type of your own, let "
        "the method's sampler() return one"
    )
