"""A VAE whose mixture components are classes, known for some examples."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution
from torch.optim import Adam

from ..checks import check_size
from ..data.batches import Batch, FewLabels
from ..data.space import Factor
from ..distributions import GaussianMixture, Likelihood, Posterior
from ..functional import Schedule, at, kl
from ..nets import Architecture
from .loss import Loss
from .method import Context, MakeOptimizer, Moves, Observations
from .model import Model
from .penalty import Penalty
from .vae import VAE

if TYPE_CHECKING:
    from ..data import FactorDataset, Sampler

__all__ = ["LabelledMixtureVAE"]


class LabelledMixtureVAE(VAE):
    r"""A VAE with a mixture prior in which an example's class, where known, is its component.

    .. math::
        \mathcal{L}(x, y) = -\mathbb{E}_{q(z|x)}[\log p(x|z)]
        + D_{KL}(q(z|x) \,\|\, \mathcal{N}(\mu_y, \Sigma_y)) - \log \pi_y

        \mathcal{U}(x) = -\mathbb{E}_{q(z|x)}[\log p(x|z)]
        + \mathbb{E}_{q(z|x)}\big[\log q(z|x) - \log \textstyle\sum_k \pi_k
        \mathcal{N}(z; \mu_k, \Sigma_k)\big]

        \mathcal{J} = w \, \overline{\mathcal{L}(x_l, y_l)} + \overline{\mathcal{U}(x)}
        + \alpha \, \overline{-\log p(y_l | z_l)}

    The first bounds :math:`-\log p(x, y)`, the second :math:`-\log p(x)`. The class of an
    unlabelled example is not another latent variable but what the prior says of its code,
    :math:`p(k|z) \propto \pi_k \mathcal{N}(z; \mu_k, \Sigma_k)`; the classifier has no parameters
    of its own.

    Args:
        model: Encoder, decoder and prior. The prior is a `GaussianMixture`; its first components
            are the classes, others are free to hold what no label names.
        label: The factor that is the class.
        alpha: :math:`\alpha`, the weight of classifying labelled codes; with 0 the objective is the
            bounds alone, which leave a few labels little to say against many unlabelled examples.
        labelled: :math:`w`, the weight of the labelled part.
        penalty: What the unlabelled part adds to its reconstruction, see `VAE`.
        optimizer: Of all parameters; called with them.

    Raises:
        ValueError: for fewer components than classes.

    References:
        Kingma, Rezende, Mohamed, Welling, "Semi-supervised Learning with Deep Generative Models",
        2014, https://arxiv.org/abs/1406.5298 (labelled and unlabelled bounds; there, the class is
        an input of the decoder); Jiang et al., "Variational Deep Embedding", 2017,
        https://arxiv.org/abs/1611.05148 (the mixture of which the components are clusters).

    Deviations:
        Labelled and unlabelled parts are averaged over their own batches, as in `M2`.
    """

    supervision = FewLabels

    def __init__(
        self,
        model: Model,
        label: Factor,
        *,
        alpha: float | Schedule = 10.0,
        labelled: float | Schedule = 1.0,
        penalty: Penalty | None = None,
        optimizer: MakeOptimizer = partial(Adam, lr=3e-4, fused=True),
    ) -> None:
        super().__init__(model, penalty=penalty, optimizer=optimizer)
        if not isinstance(model.prior, GaussianMixture):
            raise TypeError(f"the prior is {model.prior}; expected a GaussianMixture")
        if len(model.prior.loc) < label.size:
            raise ValueError(
                f"the prior has {len(model.prior.loc)} components for {label.size} classes: it "
                "needs at least one for each"
            )
        self.classes, self.label = label.size, label.name
        self.alpha, self.labelled = alpha, labelled

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        label: str | None = None,
        free: int = 0,
        covariance: Literal["diagonal", "full"] = "diagonal",
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        posterior: Posterior | None = None,
    ) -> dict[str, object]:
        """The VAE's parts, with a component for each class.

        Args:
            data: What the method will learn from.
            latent_dim: The number of code dimensions.
            label: Name of the factor that is the class; by default the first.
            free: Components beside those of the classes.
            covariance: Of each component, ``"diagonal"`` or ``"full"``.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|z), see `Model.of`.
            posterior: The family of q(z|x); independent Gaussians by default.
        """
        factor = data.space.factor(label)
        check_size("free", free, least=0)
        prior = GaussianMixture(latent_dim, factor.size + free, covariance=covariance)
        model = Model.of(
            data, latent_dim, net=net, likelihood=likelihood, posterior=posterior, prior=prior
        )
        return {"model": model, "label": factor}

    def sampler(self) -> Sampler:
        """Unlabelled examples, and examples labelled with the class factor."""
        from ..data import FewLabelsSampler

        return FewLabelsSampler(label=self.label)

    @property
    def prior(self) -> GaussianMixture:
        """The model's prior, a component for each class."""
        return cast(GaussianMixture, self.model.prior)

    def conditions(self) -> Mapping[str, int]:
        """The class by the name of its factor, or any ``component``, free ones included."""
        return {self.label: self.classes, **super().conditions()}

    def _decoded(self, n: int, condition: Mapping[str, int], c: Tensor | None) -> Tensor:
        if len(condition) > 1 and len(set(condition.values())) > 1:
            raise ValueError(
                f"{self.label} and component are given, but a class is its component: give one"
            )
        component = next(iter(condition.values()), None)
        return super()._decoded(n, {} if component is None else {"component": component}, c)

    def component(self, y: Tensor) -> Distribution:
        """The components of classes ``(L,)``, batch shape ``(L,)``."""
        return self.prior.gaussians(y)

    def bound(self, batch: Batch | Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        r""":math:`\mathcal{L}(x, y)`, ``(L,)``, and the codes ``(L, D)`` that it was taken at."""
        t = self.model.trace(batch)
        prior = self.prior.logits.log_softmax(-1)[y]
        return -t.p.log_prob(t.x) + kl(t.q, self.component(y), t.z) - prior, t.z

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """One turn: unlabelled bound, labelled bound, classification."""
        batch = FewLabels.check(batch)
        t = self.trace(batch)
        labelled, z = self.bound(batch.labelled, batch.yl)
        classification = -self._posterior(z).log_prob(batch.yl)
        supervised = Loss(
            labelled=(at(self.labelled, ctx.step), labelled),
            classification=(at(self.alpha, ctx.step), classification),
        )
        yield {"vae": Loss(nll=-t.p.log_prob(t.x)) + self.penalty(t, ctx) + supervised}

    @torch.no_grad()
    def classify(self, batch: Batch | Observations, c: Tensor | None = None) -> Categorical:
        """p(y|z) at the posterior mean, over the classes; free components are left out."""
        return self._posterior(self.represent(batch, c).mean)

    def _posterior(self, z: Tensor) -> Categorical:
        joint = self.prior.log_joint(z)[:, : self.classes]
        return Categorical(logits=joint, validate_args=False)
