"""Interface of likelihoods: heads from a decoder's output to a distribution of observations."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Self

import torch
import torch.distributions as td
from torch import Tensor, nn
from torch.distributions import (
    Distribution,
)

from ...spec import Recorded

__all__ = ["Likelihood", "independent", "observations_of"]


class Likelihood(Recorded, nn.Module, ABC):
    """A family of distributions of observations, given the decoder's output ``(B, ...)``.

    Log densities are summed over all of an observation's elements, in nats: nothing is averaged
    over pixels, so that the weights of other terms keep their published meaning.

    Attributes:
        counts: Whether observations are counts, so that an encoder had better see their logarithms.
        takes_covariates: Whether it is called as ``head(h, c)``.
        shape: Of one observation, once the family has been adapted to data.
    """

    counts: bool = False
    takes_covariates: bool = False
    shape: tuple[int, ...] | None = None

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
        head = copy.deepcopy(self)
        head.shape = tuple(data.shape)
        return head

    def check(self, x: Tensor, name: str = "x") -> None:
        """Refuses observations ``(..., *shape)`` that the family gives no density.

        Args:
            x: The observations.
            name: What they are called.

        Raises:
            ValueError: for another shape than that of the data that the family was adapted to, for
                values that are not finite, and for values outside the family's support.

        Example:
            >>> from untwine.distributions import Bernoulli
            >>> Bernoulli().check(torch.tensor([[0.5, -1.0]]), "images")
            Traceback (most recent call last):
            ValueError: images holds -1, but Bernoulli takes values in [0, 1]: ...
        """
        if self.shape is not None and tuple(x.shape[1:])[-len(self.shape) :] != self.shape:
            raise ValueError(
                f"{name} has shape {tuple(x.shape)}, but the decoder was made for observations of "
                f"shape {self.shape}: expected {name} of shape (B, {str(self.shape)[1:]}"
            )
        x = x.detach()
        if x.is_floating_point() and not torch.isfinite(x).all():
            raise ValueError(f"{name} holds NaN or infinite values: drop or replace them")
        problem = self.problem(x)
        if problem is not None:
            raise ValueError(f"{name} {problem}")

    def problem(self, x: Tensor) -> str | None:
        """What is wrong with the values of observations, in words, if they are not in the family's
        support; by default all finite values are.
        """
        return None

    @abstractmethod
    def forward(self, h: Tensor, c: Tensor | None = None) -> Distribution:
        """The distribution, with batch shape ``(B,)``; its ``.mean`` is the reconstruction.

        Families for which ``takes_covariates`` is false are called without ``c``.
        """


def independent(base: Distribution) -> td.Independent:
    return td.Independent(base, len(base.batch_shape) - 1, validate_args=False)


def observations_of(data: Any, most: int = 2000) -> Tensor:
    """Observations spread evenly over a data set, all of a small one."""
    number = min(len(data), most)
    return data.observations(torch.arange(number) * len(data) // number)
