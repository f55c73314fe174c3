"""Laplace prior."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import (
    Independent,
    Laplace,
)

from ...checks import check_scale, check_size
from .base import Prior

__all__ = ["LaplacePrior"]


class LaplacePrior(Prior):
    r"""Independent Laplace distributions, :math:`p(z) = \prod_j \frac{1}{2b} e^{-|z_j| / b}`.

    It is not rotationally symmetric, unlike the standard normal. The divergence of a diagonal
    Gaussian from it has a closed form.

    Args:
        latent_dim: :math:`D`.
        scale: :math:`b`; by default :math:`1/\sqrt 2`, which makes the variance one.

    Raises:
        ValueError: for a scale that is not positive.
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, latent_dim: int, scale: float = 0.5**0.5) -> None:
        super().__init__()
        check_size("latent_dim", latent_dim)
        check_scale("scale", scale)
        self.register_buffer("loc", torch.zeros(latent_dim), persistent=False)
        self.register_buffer("scale", torch.full((latent_dim,), float(scale)), persistent=False)

    def forward(self) -> Independent:
        """The prior."""
        base = Laplace(self.loc, self.scale, validate_args=False)
        return Independent(base, 1, validate_args=False)
