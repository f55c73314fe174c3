"""Interface of samplers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..spec import Recorded
from .batches import Batch, Pairs
from .dataset import FactorDataset
from .modalities import Data, Multimodal
from .space import FactorSpace

__all__ = [
    "Draw",
    "Indices",
    "Sampler",
    "covariates_at",
    "label_column",
    "one_modality",
    "paired",
    "stacked",
    "uniform",
]

Indices = np.ndarray | tuple[np.ndarray, ...]
"""An array, or several, whose first axis is the batch."""

IndicesT = TypeVar("IndicesT", bound=Indices)

Draw = Callable[[int, np.random.Generator], IndicesT]
"""``draw(n, generator)``: the indices of ``n`` examples, a pure function of its arguments."""


class Sampler(Recorded, ABC, Generic[IndicesT]):
    """Draws the rows of a batch from a table of factors; it never sees the observations."""

    supervision: ClassVar[type[Batch]]
    """The batch type that it makes."""

    @abstractmethod
    def bind(self, space: FactorSpace, factors: np.ndarray) -> Draw[IndicesT]:
        """Looks at a table once, and returns what draws from it.

        Args:
            space: The factors' names and sizes.
            factors: ``(N, K)`` integers, -1 where unknown. They must not change afterwards.

        Returns:
            ``draw(n, generator)``, with the number of examples and the only source of randomness
            (see `untwine.data.generator_for`): an int64 array, or a tuple of arrays, with the
            examples along the first axis.

        Raises:
            ValueError: for a table from which the sampler cannot draw.
        """

    @abstractmethod
    def batch(self, data: Data, indices: IndicesT, draw: int = 0) -> Batch:
        """The batch of indices that were drawn; ``draw`` goes to ``data.observations``."""

    def __call__(
        self, space: FactorSpace, factors: np.ndarray, n: int, generator: np.random.Generator
    ) -> IndicesT:
        """The indices of ``n`` examples of a table that is drawn from once, see `bind`."""
        return self.bind(space, factors)(n, generator)


def uniform(rows: np.ndarray) -> Draw[np.ndarray]:
    """Draws of some rows, uniformly, independently and with replacement."""

    def draw(n: int, generator: np.random.Generator) -> np.ndarray:
        return rows[generator.integers(0, len(rows), size=n)]

    return draw


def label_column(space: FactorSpace, label: str | None) -> int:
    """The column of the factor that is the label; by default the first.

    Raises:
        ValueError: if there is no such factor.
    """
    if not space.names:
        raise ValueError(f"the data has no factors, and so no label {label or ''}".rstrip())
    return 0 if label is None else space.position(label)


def one_modality(data: Data) -> FactorDataset:
    """The data set, if an observation of it is one tensor.

    Raises:
        ValueError: for several modalities.
    """
    if isinstance(data, Multimodal):
        raise ValueError(
            f"the data has the modalities {list(data.parts)}, and this sampler takes one: choose "
            "it with data.parts[name], or use ModalitiesSampler"
        )
    return data


def stacked(data: Data, indices: np.ndarray, draw: int) -> Tensor:
    """Observations in the shape of their indices, ``(B, G) -> (B, G, ...)``."""
    x = one_modality(data).observations(indices.reshape(-1), draw)
    return x.reshape(*indices.shape, *x.shape[1:])


def paired(data: Data, indices: np.ndarray, draw: int) -> Pairs:
    """Pairs of observations from pairs of indices, ``(B, 2)``."""
    x0, x1 = one_modality(data).observations(indices.T.reshape(-1), draw).split(len(indices))
    c = covariates_at(data, indices)
    return Pairs(x0, x1) if c is None else Pairs(x0, x1, c[:, 0], c[:, 1])


def covariates_at(data: Data, indices: np.ndarray) -> Tensor | None:
    """The covariates in the shape of their indices, ``(..., C)``; ``None`` if there are none."""
    return None if data.covariates is None else data.covariates[torch.from_numpy(indices)]
