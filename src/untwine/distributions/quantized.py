"""Codes on a grid: a quantized point, and the uniform distribution over all points of the grid."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from .point import Point

__all__ = ["Quantized", "UniformGrid"]


class Quantized(Point):
    r"""A point of a grid, which the gradient passes as if nothing had been rounded.

    Its value is exactly that of the grid, and its gradient that of the number before rounding
    (the straight-through estimator).

    Args:
        continuous: The code before it is quantized, ``(B, D)``.
        nearest: The grid's value for it, ``(B, D)``; with a gradient where the grid is learned.
    """

    def __init__(self, continuous: Tensor, nearest: Tensor) -> None:
        self.continuous, self.nearest = continuous, nearest
        # The difference is zero, and what it adds to the value is a gradient.
        super().__init__(nearest.detach() + (continuous - continuous.detach()))


class UniformGrid(Distribution):
    r"""Every dimension takes one of its values, all equally likely and independent.

    .. math::
        p(z) = \prod_j \frac1V \sum_v \delta(z_j - e_{jv})

    Args:
        values: :math:`e`, ``(D, V)``.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}

    def __init__(self, values: Tensor) -> None:
        self.values = values
        super().__init__(torch.Size(), values.shape[:1], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """``(D,)``."""
        return self.values.mean(-1)

    @property
    def variance(self) -> Tensor:
        """``(D,)``."""
        return self.values.var(-1, correction=0)

    def entropy(self) -> Tensor:
        r""":math:`D \log V`, in nats."""
        dim, count = self.values.shape
        return self.values.new_tensor(dim * math.log(count))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """``(*sample_shape, D)``."""
        dim, count = self.values.shape
        shape = torch.Size(sample_shape)
        index = torch.randint(count, (*shape, dim), device=self.values.device)
        return self.values.detach().expand(*shape, dim, count).gather(-1, index[..., None])[..., 0]

    def log_prob(self, value: Tensor) -> Tensor:
        """Log mass of grid points, nats; minus infinity off the grid."""
        on_grid = (value[..., None] == self.values).any(-1).all(-1)
        mass = -self.entropy()
        return torch.where(on_grid, mass, mass.new_tensor(-math.inf))
