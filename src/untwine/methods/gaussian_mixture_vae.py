"""A VAE with a trainable Gaussian-mixture prior."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..distributions import GaussianMixture, Likelihood, Posterior
from ..nets import Architecture
from .clustering_vae import ClusteringVAE
from .model import Model

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["GaussianMixtureVAE"]


class GaussianMixtureVAE(ClusteringVAE):
    r"""A VAE whose prior is a mixture of Gaussians, learned with everything else.

    .. math::
        p(z) = \sum_k \pi_k \mathcal{N}(z; \mu_k, \Sigma_k), \qquad
        D_{KL}(q(z|x) \,\|\, p(z)) \approx \log q(z|x) - \log p(z), \; z \sim q(z|x)

    The divergence has no closed form and is estimated with the one sample that is decoded, too.
    Nothing but the density draws similar examples to one component; see `VaDE` for an objective
    and a start that are made for clustering.

    Args:
        model: Encoder, decoder and prior; the prior a `GaussianMixture`.
        pretrain: Whether a stage ``pretrain`` comes first, an autoencoder without noise or prior.
        penalty: The regularizer, see `VAE`.
        optimizer: Called with the parameters, the prior's among them.

    References:
        Tomczak, Welling, "VAE with a VampPrior", 2018, https://arxiv.org/abs/1705.07120,
        section 2 (the mixture-of-Gaussians prior that it compares with).
    """

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        components: int = 10,
        covariance: Literal["diagonal", "full"] = "diagonal",
        init: Literal["random", "data", "kmeans"] = "random",
        weights: Literal["trainable", "fixed"] = "trainable",
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        posterior: Posterior | None = None,
    ) -> dict[str, object]:
        """The VAE's parts, with a mixture for prior.

        Args:
            data: What the method will learn from.
            latent_dim: The number of code dimensions.
            components: The number of Gaussians in the prior.
            covariance: Of each Gaussian, ``"diagonal"`` or ``"full"``.
            init: Where the Gaussians begin: ``"random"``, or from the codes at the start of
                training, ``"data"`` or ``"kmeans"``, see `GaussianMixture`.
            weights: Of the Gaussians: ``"trainable"``, or ``"fixed"`` and equal.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|z), see `Model.of`.
            posterior: The family of q(z|x); independent Gaussians by default.
        """
        prior = GaussianMixture(
            latent_dim, components, covariance=covariance, init=init, weights=weights
        )
        model = Model.of(
            data, latent_dim, net=net, likelihood=likelihood, posterior=posterior, prior=prior
        )
        return {"model": model}
