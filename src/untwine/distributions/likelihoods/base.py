"""Interface of likelihoods: heads from a decoder's output to a distribution of observations."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import torch.distributions as td
from torch import Tensor, nn
from torch.distributions import (
    Distribution,
)

from ...spec import Recorded

__all__ = ["Likelihood", "independent"]


class Likelihood(Recorded, nn.Module, ABC):
    """A family of distributions of observations, given the decoder's output ``(B, ...)``.

    Log densities are summed over all of an observation's elements, in nats: nothing is averaged
    over pixels, so that the weights of other terms keep their published meaning.

    Attributes:
        counts: Whether observations are counts, so that an encoder had better see their logarithms.
        takes_covariates: Whether it is called as ``head(h, c)``.
    """

    counts: bool = False
    takes_covariates: bool = False

    def features(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of what the decoder must give for observations of a shape; by default theirs.

        Raises:
            ValueError: for observations that the family is not made for.
        """
        return tuple(shape)

    def adapted(self, data: Any, covariates: int = 0) -> Self:
        """A copy of its own for one decoder, fitted to the data where the family asks for that.

        Args:
            data: What will be learned from: ``len``, ``shape`` and ``observations`` are asked.
            covariates: How many covariates the decoder is given.

        Raises:
            ValueError: for data that the family is not made for.
        """
        return copy.deepcopy(self)

    @abstractmethod
    def forward(self, h: Tensor, c: Tensor | None = None) -> Distribution:
        """The distribution, with batch shape ``(B,)``; its ``.mean`` is the reconstruction.

        Families for which ``takes_covariates`` is false are called without ``c``.
        """


def independent(base: Distribution) -> td.Independent:
    return td.Independent(base, len(base.batch_shape) - 1, validate_args=False)
