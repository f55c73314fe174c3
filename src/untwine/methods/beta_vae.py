"""beta-VAE."""

from __future__ import annotations

from typing import Any

from ..functional import Schedule
from .penalty import KL
from .vae import VAE

__all__ = ["BetaVAE"]


class BetaVAE(VAE):
    r"""A VAE whose KL divergence weighs more.

    .. math::
        \mathcal{L}(x) = -\mathbb{E}_{q(z|x)}[\log p(x|z)] + \beta \, D_{KL}(q(z|x) \,\|\, p(z))

    Args:
        *parts: Encoder, decoder and prior, see `VAE`.
        beta: :math:`\beta`; 1 is the VAE.
        **options: Passed to `VAE`.

    References:
        Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational
        Framework", 2017, https://openreview.net/forum?id=Sy2fzU9gl, equation 4.
    """

    def __init__(self, *parts: Any, beta: float | Schedule = 4.0, **options: Any) -> None:
        super().__init__(*parts, penalty=KL(beta), **options)
