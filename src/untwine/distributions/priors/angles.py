"""Uniform prior of angles."""

from __future__ import annotations

import torch
from torch import Tensor

from ..angles import Angles
from .base import Prior

__all__ = ["AnglesPrior"]


class AnglesPrior(Prior):
    r"""Uniform on the circles, :math:`p(\theta) = 1 / 2\pi` each.

    Args:
        angles: How many.

    Raises:
        ValueError: for fewer than one.
    """

    direction: Tensor
    concentration: Tensor

    def __init__(self, angles: int = 1) -> None:
        super().__init__()
        if angles < 1:
            raise ValueError(f"angles is {angles}; expected at least 1")
        self.register_buffer("direction", torch.eye(2)[:1].repeat(angles, 1), persistent=False)
        self.register_buffer("concentration", torch.zeros(angles), persistent=False)

    def forward(self) -> Angles:
        """The prior."""
        return Angles(self.direction, self.concentration)
