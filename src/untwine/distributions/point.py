"""Point mass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

__all__ = ["Point"]


class Point(Distribution):
    """All mass at one point: what a deterministic network returns. It has no density.

    Args:
        value: ``(B, ...)``.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    has_rsample = True

    def __init__(self, value: Tensor) -> None:
        self.value = value
        super().__init__(value.shape[:1], value.shape[1:], validate_args=False)

    @property
    def mean(self) -> Tensor:
        """The point."""
        return self.value

    @property
    def variance(self) -> Tensor:
        """Zero."""
        return torch.zeros_like(self.value)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """The point, again and again."""
        return self.value.expand(torch.Size(sample_shape) + self.value.shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Refuses.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError(
            "this model is deterministic here and has no density: what needs log p(x|z) or "
            "log q(z|x) does not apply to it"
        )
