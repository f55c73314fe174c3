"""VaDE: clusters by a mixture prior that starts from the codes of an autoencoder."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch
from torch.distributions import (
    Distribution,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    kl_divergence,
)
from torch.optim import Adam

from ..data.batches import Batch
from ..distributions import GaussianMixture, Likelihood, Posterior, diagonal_normal
from ..nets import Architecture
from .clustering_vae import ClusteringVAE
from .loss import Loss
from .method import Context, MakeOptimizer
from .model import Model
from .penalty import Penalty, Terms, Trace

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["MixtureBound", "VaDE"]

_CODES = 20_000  # examples whose codes the mixture is fitted to


class MixtureBound(Penalty):
    r"""The divergence of q(z|x) q(c|x) from p(z|c) p(c), exactly summed over components c.

    .. math::
        \sum_c \gamma_c \, D_{KL}(q(z|x) \,\|\, p(z|c))
        + \sum_c \gamma_c \log \frac{\gamma_c}{\pi_c}, \qquad
        \gamma_c = q(c|x) = p(c \mid z), \; z \sim q(z|x)

    It takes any prior whose distribution is a mixture of Gaussians, and is an upper bound of
    :math:`D_{KL}(q(z|x) \,\|\, p(z))` in expectation.

    References:
        Jiang et al., "Variational Deep Embedding: An Unsupervised and Generative Approach to
        Clustering", 2017, https://arxiv.org/abs/1611.05148, equations 12 and 16.
    """

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """``kl``, to the components, and ``categorical``, of the assignments.

        Raises:
            TypeError: for a prior that is no mixture, or a posterior that is no Gaussian.
        """
        if not isinstance(t.prior, MixtureSameFamily):
            raise TypeError(
                f"the prior is a {type(t.prior).__name__}; this bound needs a mixture, such as "
                "prior=GaussianMixture(latent_dim, 10)"
            )
        components = t.prior.component_distribution
        log_pi = t.prior.mixture_distribution.logits.log_softmax(-1)
        log_gamma = (components.log_prob(t.z.unsqueeze(-2)) + log_pi).log_softmax(-1)
        gamma = log_gamma.exp()
        return Loss(
            kl=(gamma * kl_divergence(_beside(t.q), components)).sum(-1),
            categorical=(gamma * (log_gamma - log_pi)).sum(-1),
        )

    def rules(self, q: Distribution, prior: Distribution) -> dict[str, str]:
        """Their sum is the bound."""
        how = "upper bound (exact over components, assignments at one sample)"
        return {"kl": how, "categorical": how}


class VaDE(ClusteringVAE):
    r"""A VAE for clustering: a mixture prior, and an exact sum over the component of each example.

    .. math::
        \mathcal{L}(x) = -\mathbb{E}_{q(z|x)}[\log p(x|z)]
        + \sum_c \gamma_c \, D_{KL}(q(z|x) \,\|\, \mathcal{N}(\mu_c, \sigma_c^2))
        + \sum_c \gamma_c \log \frac{\gamma_c}{\pi_c}, \qquad
        \gamma_c = \frac{\pi_c \mathcal{N}(z; \mu_c, \sigma_c^2)}
        {\sum_{c'} \pi_{c'} \mathcal{N}(z; \mu_{c'}, \sigma_{c'}^2)}

    With constants that cancel, this is equation 12 of the paper: its second and last term are the
    divergence of the posterior from each component, its third and fourth that of :math:`\gamma`
    from :math:`\pi`.

    Two stages: ``pretrain`` learns an autoencoder without noise or prior; at the start of
    ``fit`` a Gaussian mixture is fitted to its codes, by expectation maximization, and from
    there on everything is learned by the bound. Without the first stage, most of an untrained
    mixture's components are left empty.

    Args:
        model: Encoder, decoder and prior; the posterior a Gaussian, the prior a
            `GaussianMixture`.
        pretrain: Whether the first stage comes first.
        penalty: The regularizer; `MixtureBound` by default.
        optimizer: Of all parameters, in both stages; called with them.

    References:
        Jiang, Zheng, Tan, Tang, Zhou, "Variational Deep Embedding: An Unsupervised and Generative
        Approach to Clustering", 2017, https://arxiv.org/abs/1611.05148, equations 12 and 16.

    Deviations:
        The autoencoder is trained as a whole (the paper stacks denoising layers, with dropout, for
        some sets), with the likelihood for its loss. Adam's learning rate is 1e-3 throughout (the
        paper's is 2e-3 and falls by a tenth every ten epochs; its code stops at 2e-4 and has
        ``eps=1e-4``). The default nets are those of `VAE`; the paper's are
        ``net=MLP((500, 500, 2000))``. Assignments are normalized as logarithms; the paper's code
        adds 1e-10 to densities, which makes them equal where all densities are smaller.
    """

    def __init__(
        self,
        model: Model,
        *,
        pretrain: bool = True,
        penalty: Penalty | None = None,
        optimizer: MakeOptimizer = partial(Adam, lr=1e-3, fused=True),
    ) -> None:
        penalty = MixtureBound() if penalty is None else penalty
        super().__init__(model, pretrain=pretrain, penalty=penalty, optimizer=optimizer)

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        components: int = 10,
        covariance: Literal["diagonal", "full"] = "diagonal",
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        posterior: Posterior | None = None,
    ) -> dict[str, object]:
        """The VAE's parts, with a mixture for prior.

        Args:
            data: What the method will learn from.
            latent_dim: The number of code dimensions.
            components: The number of clusters.
            covariance: Of each component; the paper's are ``"diagonal"``.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|z), see `Model.of`.
            posterior: The family of q(z|x); independent Gaussians by default.
        """
        prior = GaussianMixture(latent_dim, components, covariance=covariance, init="kmeans")
        model = Model.of(
            data, latent_dim, net=net, likelihood=likelihood, posterior=posterior, prior=prior
        )
        return {"model": model}

    def start_prior(self, batches: Iterable[Batch]) -> None:
        """Fits the mixture to codes by expectation maximization, which k-means clusters begin.

        Raises:
            TypeError: for another prior.
        """
        from sklearn.mixture import GaussianMixture as Fitted

        if not isinstance(self.prior, GaussianMixture):
            raise TypeError(f"prior is {self.prior}; expected a GaussianMixture, which is fitted")
        codes = self.some_codes(batches, _CODES)
        kind = "diag" if self.prior.covariance == "diagonal" else "full"
        array = codes.cpu().double().numpy()
        seed = int(torch.randint(2**31, ()))
        k = len(self.prior.loc)
        fitted = Fitted(k, covariance_type=kind, n_init=3, reg_covar=1e-4, random_state=seed)
        assigned = torch.from_numpy(fitted.fit(array).predict_proba(array)).to(codes)
        self.prior.fit(codes, assigned)


def _beside(q: Distribution) -> Distribution:
    """Posteriors ``(B,)`` as ``(B, 1)``, to be compared with every component."""
    if isinstance(q, Independent) and isinstance(q.base_dist, Normal):
        return diagonal_normal(q.base_dist.loc.unsqueeze(-2), q.base_dist.scale.unsqueeze(-2))
    if isinstance(q, MultivariateNormal):
        factor = q.scale_tril.unsqueeze(-3)
        return MultivariateNormal(q.loc.unsqueeze(-2), scale_tril=factor, validate_args=False)
    raise TypeError(
        f"the posterior is a {type(q).__name__}; the bound of a mixture prior takes diagonal and "
        "full-covariance Gaussians"
    )
