"""Von Mises posterior of angles."""

from __future__ import annotations

from torch import Tensor, nn

from ..angles import Angles
from .base import Posterior

__all__ = ["AnglesPosterior"]


class AnglesPosterior(Posterior):
    r"""Angles, three features each: a vector that points to :math:`\mu`, and a concentration.

    .. math::
        (\cos\mu, \sin\mu) = v / \|v\|, \qquad \kappa = \mathrm{softplus}(c)

    Raises:
        ValueError: for an odd number of code dimensions: an angle takes two.
    """

    def features(self, latent_dim: int) -> int:
        """Three for each pair of code dimensions."""
        if latent_dim % 2:
            raise ValueError(
                f"latent_dim is {latent_dim}; an angle takes two dimensions, cosine and sine"
            )
        return 3 * latent_dim // 2

    def forward(self, h: Tensor) -> Angles:
        """``(B, 3 A)``, vectors first, to ``A`` angles."""
        angles = h.shape[-1] // 3
        vectors, c = h.split([2 * angles, angles], -1)
        direction = nn.functional.normalize(vectors.unflatten(-1, (angles, 2)), dim=-1)
        return Angles(direction, nn.functional.softplus(c))
