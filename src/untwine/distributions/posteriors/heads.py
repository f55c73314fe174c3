"""Posterior that is a cluster's head and a style beside it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...checks import check_scale, check_size
from ..heads import HeadAndStyle
from ..one_hot import OneHot
from .base import Posterior

__all__ = ["HeadsPosterior"]


class HeadsPosterior(Posterior):
    r"""A cluster's learned head, and a style beside it: see `HeadAndStyle`.

    Args:
        latent_dim: :math:`D`.
        clusters: :math:`K`.
        scale: The standard deviation of the normal that heads are drawn from at first.

    Raises:
        ValueError: for fewer than two clusters, and a scale that is not positive.

    Example:
        >>> posterior = HeadsPosterior(latent_dim=2, clusters=3)
        >>> q = posterior(torch.zeros(4, posterior.features(2)))
        >>> q.mean.shape, q.category.mean.shape, q.style.shape
        (torch.Size([4, 2]), torch.Size([4, 3]), torch.Size([4, 2]))
    """

    def __init__(self, latent_dim: int, clusters: int = 20, scale: float = 3.0) -> None:
        super().__init__()
        check_size("latent_dim", latent_dim)
        check_size("clusters", clusters)
        check_scale("scale", scale)
        if clusters < 2:
            raise ValueError(f"clusters is {clusters}; expected at least 2")
        self.latent_dim, self.clusters, self.scale = latent_dim, clusters, scale
        self.heads = nn.Parameter(scale * torch.randn(clusters, latent_dim))

    def features(self, latent_dim: int) -> int:
        """A logit for each cluster, and the style.

        Raises:
            ValueError: if the heads have another number of dimensions.
        """
        if latent_dim != self.latent_dim:
            raise ValueError(
                f"latent_dim is {latent_dim}; the heads have {self.latent_dim} dimensions"
            )
        return self.clusters + latent_dim

    def forward(self, h: Tensor) -> HeadAndStyle:
        """``(B, K + D)``, logits first, to points."""
        logits, style = h.split([self.clusters, self.latent_dim], -1)
        return HeadAndStyle(OneHot(logits), style, self.heads)
