"""A VAE with a trainable Gaussian-mixture prior."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..distributions import GaussianMixture
from .vae import VAE

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["GaussianMixtureVAE"]


class GaussianMixtureVAE(VAE):
    r"""A VAE whose prior is a mixture of Gaussians, learned with everything else.

    .. math::
        p(z) = \sum_k \pi_k \mathcal{N}(z; \mu_k, \mathrm{diag}(\sigma_k^2)), \qquad
        D_{KL}(q(z|x) \,\|\, p(z)) \approx \log q(z|x) - \log p(z), \; z \sim q(z|x)

    The divergence has no closed form and is estimated with the one sample that is decoded, too.

    Args:
        encoder: ``x -> q(z|x)``.
        decoder: ``z -> p(x|z)``.
        prior: A `GaussianMixture`.
        penalty: The regularizer, see `VAE`.
        optimizer: Called with the parameters, the prior's among them.

    References:
        Tomczak, Welling, "VAE with a VampPrior", 2018, https://arxiv.org/abs/1705.07120,
        section 2 (the mixture-of-Gaussians prior that it compares with).
    """

    @classmethod
    def parts(
        cls, data: FactorDataset, latent_dim: int = 10, *, components: int = 10, **parts: Any
    ) -> dict[str, nn.Module]:
        """The VAE's parts, with a mixture for prior.

        Args:
            data: What the method will learn from.
            latent_dim: The number of code dimensions.
            components: The number of Gaussians in the prior.
            **parts: Passed to `VAE.parts`.
        """
        prior = GaussianMixture(latent_dim, components)
        return super().parts(data, latent_dim, prior=prior, **parts)

    @torch.no_grad()
    def cluster(self, x: Tensor) -> Tensor:
        """Soft assignments p(k|z) at the posterior means, ``(B, K)``; rows sum to one."""
        if not isinstance(self.prior, GaussianMixture):
            raise TypeError(f"only a GaussianMixture has clusters; the prior is {self.prior}")
        return self.prior.responsibilities(self.represent(x).mean)
