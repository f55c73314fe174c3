"""A VAE whose prior is a mixture of its own posteriors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..distributions import Likelihood, Posterior, VampPrior
from ..nets import Architecture
from .model import Model
from .vae import VAE

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["VampVAE"]


class VampVAE(VAE):
    r"""A VAE with a VampPrior: the posteriors of learned pseudo-inputs.

    .. math::
        \mathcal{L}(x) = -\mathbb{E}_{q(z|x)}[\log p(x|z)]
        + \mathbb{E}_{q(z|x)}\Big[\log q(z|x) - \log \frac1K \sum_{k=1}^K q(z|u_k)\Big]

    The best prior for the bound is the aggregate posterior; this is one of K examples instead of
    all N, with examples that are learned.

    Args:
        model: Encoder, decoder and prior; the prior a `VampPrior`, attached to the encoder.
        penalty: The regularizer, see `VAE`.
        optimizer: Called with the parameters, the pseudo-inputs among them.

    References:
        Tomczak, Welling, "VAE with a VampPrior", 2018, https://arxiv.org/abs/1705.07120,
        equations 8 and 9.

    Deviations:
        One stochastic layer (the paper's best results have two); pseudo-inputs begin as examples.
    """

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        components: int = 100,
        trainable: bool = True,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        posterior: Posterior | None = None,
    ) -> dict[str, object]:
        """The VAE's parts, with a VampPrior.

        Args:
            data: What the method will learn from; the first pseudo-inputs are some of it.
            latent_dim: The number of code dimensions.
            components: The number of pseudo-inputs; the paper takes 500 for MNIST.
            trainable: Whether the pseudo-inputs are learned.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|z), see `Model.of`.
            posterior: The family of q(z|x); independent Gaussians by default.
        """
        prior = VampPrior(components, trainable)
        model = Model.of(
            data, latent_dim, net=net, likelihood=likelihood, posterior=posterior, prior=prior
        )
        return {"model": model}
