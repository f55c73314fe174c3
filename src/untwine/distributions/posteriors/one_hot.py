"""Categorical posterior over one-hot vectors."""

from __future__ import annotations

from torch import Tensor

from ...checks import check_scale
from ..one_hot import OneHot
from .base import Posterior

__all__ = ["OneHotPosterior"]


class OneHotPosterior(Posterior):
    r"""A class, from its logits: see `OneHot`.

    Args:
        temperature: :math:`\tau` of the relaxed sample.
        straight_through: Whether the decoder sees unit vectors.

    Raises:
        ValueError: for a temperature that is not positive.
    """

    def __init__(self, temperature: float = 0.67, straight_through: bool = False) -> None:
        super().__init__()
        check_scale("temperature", temperature)
        self.temperature, self.straight_through = temperature, straight_through

    def features(self, latent_dim: int) -> int:
        """A logit for each class."""
        return latent_dim

    def forward(self, h: Tensor) -> OneHot:
        """``(B, K)`` logits to a distribution over unit vectors."""
        return OneHot(h, self.temperature, self.straight_through)
