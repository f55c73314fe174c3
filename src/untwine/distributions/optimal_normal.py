"""Normal distribution at the maximum-likelihood scale of its values."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import (
    Distribution,
    constraints,
)

__all__ = ["OptimalNormal"]


class OptimalNormal(Distribution):
    """Normals of one common scale: the best one for whatever values they are asked about.

    Args:
        loc: Means, ``(B, ...)``.
        floor: The scale never falls below it, so that a perfect fit stays finite.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    has_rsample = False

    def __init__(self, loc: Tensor, floor: float = 1e-3) -> None:
        self.loc, self.floor = loc, floor
        super().__init__(loc.shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """The means."""
        return self.loc

    def log_prob(self, value: Tensor) -> Tensor:
        """Elementwise, at the scale that is optimal for all of ``value`` together."""
        square = (value - self.loc) ** 2
        # The optimal scale stays in the graph: that is the gradient of log of the mean square.
        variance = square.mean().clamp(min=self.floor**2)
        return -0.5 * (square / variance + variance.log() + math.log(2 * math.pi))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """The means: without values to fit, there is no scale to draw noise from."""
        return self.loc.detach().expand(torch.Size(sample_shape) + self.loc.shape)
