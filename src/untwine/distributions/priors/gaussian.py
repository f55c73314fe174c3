"""Gaussian priors: standard normal, and one with learned mean and scales."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import (
    Independent,
)

from ...checks import check_size
from ..gaussians import diagonal_normal
from .base import Prior

__all__ = ["LearnedNormal", "StandardNormal"]


class StandardNormal(Prior):
    r""":math:`p(z) = \mathcal{N}(0, I)`.

    Args:
        latent_dim: :math:`D`.
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        check_size("latent_dim", latent_dim)
        self.register_buffer("loc", torch.zeros(latent_dim), persistent=False)
        self.register_buffer("scale", torch.ones(latent_dim), persistent=False)

    def forward(self) -> Independent:
        """The prior."""
        return diagonal_normal(self.loc, self.scale)


class LearnedNormal(Prior):
    r"""A Gaussian whose mean and scales are learned, :math:`p(z) = \mathcal{N}(\mu, \sigma^2)`.

    It starts as the standard normal. An affine layer of the decoder can undo what it learns, so it
    changes the scale of codes rather than what a VAE can express.

    Args:
        latent_dim: :math:`D`.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        check_size("latent_dim", latent_dim)
        self.loc = nn.Parameter(torch.zeros(latent_dim))
        self.log_scale = nn.Parameter(torch.zeros(latent_dim))

    def forward(self) -> Independent:
        """The prior."""
        return diagonal_normal(self.loc, self.log_scale.exp())
