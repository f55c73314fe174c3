"""Interface of posteriors: heads from an encoder's features to a distribution of codes."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn
from torch.distributions import (
    Distribution,
)

from ...spec import Recorded

__all__ = ["Posterior"]


class Posterior(Recorded, nn.Module, ABC):
    """A family of distributions over ``latent_dim`` codes."""

    @abstractmethod
    def features(self, latent_dim: int) -> int:
        """How many numbers per example the family takes."""

    @abstractmethod
    def forward(self, h: Tensor) -> Distribution:
        """The distribution that features ``(B, features)`` parameterize; event ``(D,)``."""
