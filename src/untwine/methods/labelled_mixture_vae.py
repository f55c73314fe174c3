"""A VAE whose mixture components are classes, known for some examples."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution
from torch.optim import Adam, Optimizer

from ..data.batches import FewLabels
from ..distributions import GaussianMixture
from ..functional import Schedule, at, kl
from .method import Context, Loss, Moves
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
        encoder: ``x -> q(z|x)``.
        decoder: ``z -> p(x|z)``.
        prior: A `GaussianMixture`; its first components are the classes, others are free to hold
            what no label names.
        classes: The number of classes.
        label: Name of the factor that is the class.
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
    prior: GaussianMixture

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        prior: GaussianMixture,
        classes: int,
        label: str,
        *,
        alpha: float | Schedule = 10.0,
        labelled: float | Schedule = 1.0,
        penalty: Penalty | None = None,
        optimizer: Callable[..., Optimizer] = partial(Adam, lr=3e-4, fused=True),
    ) -> None:
        super().__init__(encoder, decoder, prior, penalty=penalty, optimizer=optimizer)
        if len(prior.loc) < classes:
            raise ValueError(
                f"the prior has {len(prior.loc)} components for {classes} classes: it needs at "
                "least one for each"
            )
        self.classes, self.label, self.alpha, self.labelled = classes, label, alpha, labelled

    @classmethod
    def parts(
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        label: str | None = None,
        free: int = 0,
        covariance: Literal["diagonal", "full"] = "diagonal",
        **parts: Any,
    ) -> dict[str, Any]:
        """The VAE's parts, with a component for each class.

        Args:
            data: What the method will learn from.
            latent_dim: The number of code dimensions.
            label: Name of the factor that is the class; by default the first.
            free: Components beside those of the classes.
            covariance: Of each component, ``"diagonal"`` or ``"full"``.
            **parts: Passed to `VAE.parts`.
        """
        label = data.space.names[0] if label is None else label
        classes = data.space.sizes[data.space.position(label)]
        prior = GaussianMixture(latent_dim, classes + free, covariance=covariance)
        return {
            **super().parts(data, latent_dim, prior=prior, **parts),
            "classes": classes,
            "label": label,
        }

    def sampler(self) -> Sampler:
        """Unlabelled examples, and examples labelled with the class factor."""
        from ..data import FewLabelsSampler

        return FewLabelsSampler(label=self.label)

    def infer(self, batch: Any) -> tuple[Tensor, Distribution]:
        """The unlabelled part and its posteriors."""
        return batch.x, self.represent(batch.x, getattr(batch, "c", None))

    def component(self, y: Tensor) -> Distribution:
        """The components of classes ``(L,)``, batch shape ``(L,)``."""
        return self.prior.gaussians(y)

    def bound(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        r""":math:`\mathcal{L}(x, y)`, ``(L,)``, and the codes ``(L, D)`` that it was taken at."""
        q = self.represent(x)
        z = q.rsample()
        prior = self.prior.logits.log_softmax(-1)[y]
        return -self.decode(z).log_prob(x) + kl(q, self.component(y), z) - prior, z

    def moves(self, batch: Any, ctx: Context) -> Moves:
        """One turn: unlabelled bound, labelled bound, classification."""
        t = self.trace(batch)
        labelled, z = self.bound(batch.xl, batch.yl)
        yield {
            "vae": Loss(
                nll=-t.p.log_prob(t.x),
                **self.penalty(t, ctx),
                labelled=(at(self.labelled, ctx.step), labelled),
                classification=(
                    at(self.alpha, ctx.step),
                    -self._posterior(z).log_prob(batch.yl),
                ),
            )
        }

    @torch.no_grad()
    def classify(self, x: Tensor) -> Categorical:
        """p(y|z) at the posterior mean, over the classes; free components are left out."""
        return self._posterior(self.represent(x).mean)

    def _posterior(self, z: Tensor) -> Categorical:
        joint = self.prior.log_joint(z)[:, : self.classes]
        return Categorical(logits=joint, validate_args=False)
