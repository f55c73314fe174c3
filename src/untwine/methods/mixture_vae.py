"""A VAE whose posterior is a mixture of Gaussians."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..data.batches import Batch
from ..distributions import (
    GaussianMixture,
    Likelihood,
    Mixture,
    MixturePosterior,
    Posterior,
    Prior,
)
from ..functional import Schedule
from ..nets import Architecture
from .loss import Loss
from .method import ADAM, Context, MakeOptimizer, Moves
from .mixture_kl import MixtureKL
from .model import Model
from .penalty import Trace
from .vae import VAE

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["MixtureVAE"]


class MixtureVAE(VAE):
    r"""A VAE whose posterior is a mixture of Gaussians, and whose prior may be one, too.

    .. math::
        q(z|x) = \sum_k \pi_k(x) \, \mathcal{N}(z; \mu_k(x), \Sigma_k(x)), \qquad
        \mathcal{L} = -\sum_k \pi_k(x) \, \mathbb{E}_{q_k(z|x)}[\log p(x|z)]
        + \beta \, D_{KL}(q(z|x) \,\|\, p(z))

    The sum over components is exact (every component's sample is decoded, so that a step costs K
    decodings), or one component is chosen by Gumbel-softmax. The divergence has no closed form and
    is computed in the way that is chosen, see `MixtureKL`.

    Args:
        model: Encoder, decoder and prior; the posterior a `MixturePosterior`.
        how: ``"monte_carlo"``, ``"variational"``, ``"convexity"``, ``"matched"`` or
            ``"approximation"``, see `MixtureKL`.
        beta: :math:`\beta`, the weight of the divergence.
        choice: ``"exact"`` sums over components, or ``"relaxed"`` by Gumbel-softmax, see `Mixture`.
        optimizer: Of all parameters; called with them.

    Raises:
        ValueError: for another choice.

    References:
        Hershey, Olsen, "Approximating the Kullback Leibler Divergence Between Gaussian Mixture
        Models", 2007, https://doi.org/10.1109/ICASSP.2007.366913, sections 6 to 8. Jang, Gu, Poole,
        "Categorical Reparameterization with Gumbel-Softmax", 2017,
        https://arxiv.org/abs/1611.01144. Morningstar et al., "Automatic Differentiation Variational
        Inference with Mixtures", 2021, https://arxiv.org/abs/2003.01687 (the sum over components).
    """

    def __init__(
        self,
        model: Model,
        *,
        how: Literal[
            "monte_carlo", "variational", "convexity", "matched", "approximation"
        ] = "monte_carlo",
        beta: float | Schedule = 1.0,
        choice: Literal["exact", "relaxed"] = "exact",
        optimizer: MakeOptimizer = ADAM,
    ) -> None:
        if choice not in ("exact", "relaxed"):
            raise ValueError(f"choice is {choice!r}; expected 'exact' or 'relaxed'")
        super().__init__(model, penalty=MixtureKL(how, beta), optimizer=optimizer)
        self.choice = choice

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        components: int = 3,
        component: Posterior | None = None,
        temperature: float = 0.5,
        straight_through: bool = True,
        prior: Prior | None = None,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
    ) -> dict[str, object]:
        """The VAE's parts, with a mixture for posterior.

        Args:
            data: What the method will learn from.
            latent_dim: The number of code dimensions.
            components: :math:`K` of the posterior, and of the default prior.
            component: The family of a component; independent Gaussians by default.
            temperature: Of the relaxed choice of a component.
            straight_through: Whether that choice is an exact sample.
            prior: p(z); by default a `GaussianMixture` with as many components.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|z), see `Model.of`.
        """
        posterior = MixturePosterior(components, component, temperature, straight_through)
        prior = GaussianMixture(latent_dim, components) if prior is None else prior
        model = Model.of(
            data, latent_dim, net=net, likelihood=likelihood, posterior=posterior, prior=prior
        )
        return {"model": model}

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """One turn: negative log-likelihood and penalty."""
        images, q = self.infer(batch)
        if self.choice == "relaxed" or not isinstance(q, Mixture):
            yield from super().moves(batch, ctx)
            return
        each = q.each()
        count = each.shape[-2]
        c = None if images.c is None else images.c.repeat_interleave(count, 0)
        p = self.decode(each.flatten(0, 1), c=c)
        nll = -p.log_prob(images.x.repeat_interleave(count, 0)).unflatten(0, (-1, count))
        t = Trace(self.model, images.x, q, q.choose(each), p, self.model.prior(), {"c": images.c})
        yield {"vae": Loss(nll=(q.choice.probs * nll).sum(-1)) + self.penalty(t, ctx)}
