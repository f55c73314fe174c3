"""InfoVAE: the divergence of each posterior, and that of all of them together, weighed apart."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..data.batches import Batch
from ..functional import InverseMultiquadric, Schedule, at
from .divergences import ADVERSARIAL_ADAM, MMD, Adversarial
from .loss import Loss
from .method import ADAM, Context, MakeOptimizer, Moves, Player
from .model import Model
from .penalty import KL, Penalty
from .vae import VAE

__all__ = ["InfoVAE"]


class InfoVAE(VAE):
    r"""A VAE that also pulls the aggregate posterior toward the prior.

    .. math::
        \mathcal{L} = -\mathbb{E}_{q(z|x)}[\log p(x|z)]
        + (1 - \alpha) \, D_{KL}(q(z|x) \,\|\, p(z))
        + (\alpha + \lambda - 1) \, D(q(z) \,\|\, p(z))

    :math:`\alpha` above 0 prefers codes that tell more about x, :math:`\lambda` above 1 a q(z) that
    is close to the prior. :math:`\alpha = 1 - \lambda` is the beta-VAE with
    :math:`\beta = \lambda`, and :math:`\alpha = \lambda = 1` with the adversarial divergence is the
    adversarial autoencoder (`AAE`), in one turn of the encoder instead of two.

    Args:
        model: Encoder, decoder and prior, see `Model`.
        critic: ``z -> (B, 1)``, for `Adversarial`; by default what that makes.
        alpha: :math:`\alpha`, at most 1; the paper's for MNIST is 0.
        lambda_: :math:`\lambda`, at least :math:`1 - \alpha`; the paper's for MNIST is 1000. Large
            ones do better rising: with them from the start a code tells nothing for long.
        divergence: D: `MMD` of inverse multiquadrics by default, `Stein`, `SlicedWasserstein`, any
            other penalty of the aggregate posterior, or `Adversarial`.
        optimizer: Of the model; called with its parameters.
        critic_optimizer: Of the critic.

    Raises:
        ValueError: for weights that are negative.

    References:
        Zhao, Song, Ermon, "InfoVAE: Balancing Learning and Inference in Variational Autoencoders",
        2019, https://arxiv.org/abs/1706.02262, equation 5.

    Deviations:
        The unbiased estimate of MMD is the default; the authors' code has the biased one. Their
        kernel is Gaussian, whose slope vanishes where codes are far from all of the prior's sample.
    """

    def __init__(
        self,
        model: Model,
        critic: nn.Module | None = None,
        *,
        alpha: float = 0.9,
        lambda_: float | Schedule = 200.0,
        divergence: Penalty | Adversarial | None = None,
        optimizer: MakeOptimizer = ADAM,
        critic_optimizer: MakeOptimizer = ADVERSARIAL_ADAM,
    ) -> None:
        if not alpha <= 1:
            raise ValueError(
                f"alpha is {alpha}; expected at most 1: 1 - alpha is the weight of a divergence"
            )
        if not isinstance(lambda_, Schedule) and not alpha + lambda_ >= 1:
            raise ValueError(
                f"alpha is {alpha} and lambda_ {lambda_}; expected alpha + lambda_ >= 1: "
                "alpha + lambda_ - 1 is the weight of a divergence"
            )
        super().__init__(model, penalty=KL(1 - alpha), optimizer=optimizer)
        self.alpha, self.lambda_ = alpha, lambda_
        heavy = MMD(kernel=InverseMultiquadric())
        self.divergence = heavy if divergence is None else divergence
        if isinstance(self.divergence, Adversarial) and critic is None:
            critic = self.divergence.critic(model.latent_dim)
        self.critic = critic
        self.critic_optimizer = critic_optimizer

    def players(self) -> Mapping[str, Player]:
        """The VAE, and the critic where there is one."""
        if self.critic is None:
            return super().players()
        return {**super().players(), "critic": Player((self.critic,), self.critic_optimizer)}

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """The VAE's turn, then the critic's, where there is one, on the codes of before."""
        t = self.trace(batch)
        weight = self.alpha + at(self.lambda_, ctx.step) - 1
        loss = Loss(nll=-t.p.log_prob(t.x))
        if self.alpha < 1:
            loss = loss + self.penalty(t, ctx)
        if not isinstance(self.divergence, Adversarial):
            terms = self.divergence(t, ctx)
            yield {"vae": loss + {name: _weighted(terms[name], weight) for name in terms}}
            return
        assert self.critic is not None  # made with the divergence
        fooling = self.divergence.fooling(self.critic, t.z)
        yield {"vae": loss + Loss(fooling=(weight, fooling))}
        with torch.no_grad():
            prior = t.prior.sample((len(t.z),))
        yield {"critic": self.divergence.critic_loss(self.critic, prior, t.z.detach())}


def _weighted(
    term: Tensor | tuple[float | Tensor, Tensor], weight: float | Tensor
) -> tuple[float | Tensor, Tensor]:
    """A term whose weight is multiplied by another."""
    own, value = term if isinstance(term, tuple) else (1.0, term)
    return own * weight, value
