"""beta-VAE."""

from __future__ import annotations

from ..functional import Schedule
from .method import ADAM, MakeOptimizer
from .model import Model
from .penalty import KL
from .vae import VAE

__all__ = ["BetaVAE"]


class BetaVAE(VAE):
    r"""A VAE whose KL divergence weighs more.

    .. math::
        \mathcal{L}(x) = -\mathbb{E}_{q(z|x)}[\log p(x|z)] + \beta \, D_{KL}(q(z|x) \,\|\, p(z))

    Args:
        model: Encoder, decoder and prior, see `Model`.
        beta: :math:`\beta`; 1 is the VAE.
        optimizer: Of all parameters; called with them.

    References:
        Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational
        Framework", 2017, https://openreview.net/forum?id=Sy2fzU9gl, equation 4.
    """

    def __init__(
        self, model: Model, *, beta: float | Schedule = 4.0, optimizer: MakeOptimizer = ADAM
    ) -> None:
        super().__init__(model, penalty=KL(beta), optimizer=optimizer)
