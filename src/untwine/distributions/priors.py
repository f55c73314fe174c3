"""Priors: modules that take nothing and return a distribution over codes."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, MixtureSameFamily

from ..spec import Recorded
from .posteriors import diagonal_normal

__all__ = ["GaussianMixture", "Prior", "StandardNormal"]


class Prior(Recorded, nn.Module, ABC):
    """A distribution over codes, perhaps with parameters that are learned."""

    @abstractmethod
    def forward(self) -> Distribution:
        """The distribution, with empty batch shape and event shape ``(D,)``."""


class StandardNormal(Prior):
    r""":math:`p(z) = \mathcal{N}(0, I)`.

    Args:
        latent_dim: :math:`D`.
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.register_buffer("loc", torch.zeros(latent_dim), persistent=False)
        self.register_buffer("scale", torch.ones(latent_dim), persistent=False)

    def forward(self) -> Independent:
        """The prior."""
        return diagonal_normal(self.loc, self.scale)


class GaussianMixture(Prior):
    r"""A mixture of Gaussians whose weights, means and scales are learned.

    .. math::
        p(z) = \sum_{k=1}^K \pi_k \prod_j \mathcal{N}(z_j; \mu_{kj}, \sigma_{kj}^2)

    The density is computed by log-sum-exp. With one component of mean 0 and scale 1 it is the
    standard normal.

    Args:
        latent_dim: :math:`D`.
        components: :math:`K`.
        spread: Standard deviation of the initial means around 0; with 0 all components would stay
            alike for ever.

    Raises:
        ValueError: for fewer than one component.
    """

    def __init__(self, latent_dim: int, components: int = 10, spread: float = 1.0) -> None:
        super().__init__()
        if components < 1:
            raise ValueError(f"a mixture has at least 1 component, got components={components}")
        self.logits = nn.Parameter(torch.zeros(components))
        self.loc = nn.Parameter(spread * torch.randn(components, latent_dim))
        self.log_scale = nn.Parameter(torch.zeros(components, latent_dim))

    def forward(self) -> MixtureSameFamily:
        """The mixture."""
        return MixtureSameFamily(
            Categorical(logits=self.logits, validate_args=False),
            diagonal_normal(self.loc, self.log_scale.exp()),
            validate_args=False,
        )

    def responsibilities(self, z: Tensor) -> Tensor:
        r"""Soft assignments :math:`p(k | z) \propto \pi_k \mathcal{N}(z; \mu_k, \sigma_k^2)`.

        Shape: ``(B, D)`` to ``(B, K)``; rows sum to one.
        """
        mixture = self()
        joint = mixture.component_distribution.log_prob(z.unsqueeze(-2))
        return (joint + mixture.mixture_distribution.logits).softmax(-1)
