"""Interface of samplers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ..spec import Recorded
from .batches import Pairs
from .lookup import FactorLookup
from .space import FactorSpace

__all__ = ["Indices", "Sampler", "covariates_at", "label_column", "paired", "stacked"]

Indices = np.ndarray | tuple[np.ndarray, ...]
"""An array, or several, whose first axis is the batch."""


class Sampler(Recorded, ABC):
    """Draws the rows of a batch from a table of factors; it never sees the observations."""

    supervision: ClassVar[type]
    """The batch type that it makes."""

    _rows: FactorLookup | None = None

    @abstractmethod
    def __call__(
        self, space: FactorSpace, factors: np.ndarray, n: int, generator: np.random.Generator
    ) -> Indices:
        """The rows of ``n`` examples; a pure function of its arguments.

        Args:
            space: The factors' names and sizes.
            factors: ``(N, K)`` integers, -1 where unknown.
            n: The number of examples.
            generator: The only source of randomness; see `untwine.data.generator_for`.

        Returns:
            An int64 array, or a tuple of arrays, with the examples along the first axis.
        """

    @abstractmethod
    def batch(self, data: Any, indices: Any, draw: int = 0) -> Any:
        """The batch of what `__call__` returned; ``draw`` goes to ``data.observations``."""

    def rows(self, space: FactorSpace, factors: np.ndarray) -> FactorLookup:
        """The table's look-ups, kept for the next call with the same table."""
        if self._rows is None or self._rows.factors is not factors or self._rows.space != space:
            self._rows = FactorLookup(space, factors)
        return self._rows


def label_column(space: FactorSpace, label: str | None) -> int:
    """The column of the factor that is the label; by default the first.

    Raises:
        ValueError: if there is no such factor.
    """
    if not space.names:
        raise ValueError(f"the data has no factors, and so no label {label or ''}".rstrip())
    return 0 if label is None else space.position(label)


def stacked(data: Any, indices: np.ndarray, draw: int) -> Tensor:
    """Observations in the shape of their indices, ``(B, G) -> (B, G, ...)``."""
    x = data.observations(indices.reshape(-1), draw)
    return x.reshape(*indices.shape, *x.shape[1:])


def paired(data: Any, indices: np.ndarray, draw: int) -> Pairs:
    """Pairs of observations from pairs of indices, ``(B, 2)``."""
    x0, x1 = data.observations(indices.T.reshape(-1), draw).split(len(indices))
    c = covariates_at(data, indices)
    return Pairs(x0, x1) if c is None else Pairs(x0, x1, c[:, 0], c[:, 1])


def covariates_at(data: Any, indices: np.ndarray) -> Tensor | None:
    """The covariates in the shape of their indices, ``(..., C)``; ``None`` if there are none."""
    return None if data.covariates is None else data.covariates[torch.from_numpy(indices)]
