"""Posterior that is a point: a deterministic encoder."""

from __future__ import annotations

from torch import Tensor

from ..point import Point
from .base import Posterior

__all__ = ["PointPosterior"]


class PointPosterior(Posterior):
    """All mass at the encoder's features. It has no density, and no divergence from a prior.

    Example:
        >>> import torch
        >>> PointPosterior()(torch.tensor([[1.0, 2.0]])).rsample()
        tensor([[1., 2.]])
    """

    def features(self, latent_dim: int) -> int:
        """One for each dimension."""
        return latent_dim

    def forward(self, h: Tensor) -> Point:
        """``(B, D)`` to points."""
        return Point(h)
