"""FactorVAE: a critic estimates the total correlation."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import nn
from torch.optim import Adam

from ..data.batches import Batch, Images
from ..functional import Schedule, at, cross_entropy_to, density_ratio, permute_dims
from ..nets import mlp_critic
from .loss import Loss
from .method import ADAM, Context, MakeOptimizer, Moves, Player
from .model import Model
from .penalty import Penalty
from .vae import VAE
from .verdicts import verdicts

__all__ = ["FactorVAE"]


class FactorVAE(VAE):
    r"""A VAE that minimizes the total correlation of its codes, as a critic tells it.

    .. math::
        \mathcal{L}_{VAE} + \gamma \, \mathbb{E}_{q(z)}\Big[\log \frac{D(z)}{1 - D(z)}\Big],
        \qquad \mathcal{L}_D = -\tfrac12 \mathbb{E}_{q(z)}[\log D(z)]
        - \tfrac12 \mathbb{E}_{\bar q(z)}[\log (1 - D(z))]

    where :math:`\bar q(z) = \prod_j q(z_j)` is sampled by permuting every dimension across a batch.
    One step is one update of each player. The batch is split in halves: the first for the VAE and
    the critic's joint samples, the second for the permuted ones, so a batch size of 128 is the
    paper's 64.

    Args:
        model: Encoder, decoder and prior, see `Model`.
        critic: ``z -> (B, 2)`` logits: joint, and product of marginals; by default one of six
            hidden layers.
        gamma: :math:`\gamma`, the weight of the total correlation.
        critic_width: The width of the default critic's layers.
        penalty: The regularizer; the KL divergence by default. A total correlation of its own is
            logged as ``tc_penalty``.
        optimizer: Of the model; called with its parameters.
        critic_optimizer: Of the critic; called with its parameters.

    References:
        Kim, Mnih, "Disentangling by Factorising", 2018, https://arxiv.org/abs/1802.05983,
        equation 2 and algorithm 2.
    """

    def __init__(
        self,
        model: Model,
        critic: nn.Module | None = None,
        *,
        gamma: float | Schedule = 10.0,
        critic_width: int = 1000,
        penalty: Penalty | None = None,
        optimizer: MakeOptimizer = ADAM,
        critic_optimizer: MakeOptimizer = partial(Adam, lr=1e-4, betas=(0.5, 0.9), fused=True),
    ) -> None:
        super().__init__(model, penalty=penalty, optimizer=optimizer)
        self.critic = mlp_critic(model.latent_dim, critic_width) if critic is None else critic
        self.gamma, self.critic_width = gamma, critic_width
        self.critic_optimizer = critic_optimizer

    def players(self) -> Mapping[str, Player]:
        """The VAE and its critic."""
        return {**super().players(), "critic": Player((self.critic,), self.critic_optimizer)}

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """Two turns: the VAE's, then the critic's on the codes of before."""
        batch = Images.check(batch)
        one, two = batch.halves()
        t = self.trace(one)
        tc = density_ratio(self.critic(t.z))
        penalty = Loss(**self.penalty(t, ctx))
        if "tc" in penalty:
            penalty = penalty.suffix("_penalty")
        loss = Loss(nll=-t.p.log_prob(t.x), tc=(at(self.gamma, ctx.step), tc))
        yield {"vae": loss + penalty}
        with torch.no_grad():
            shuffled = permute_dims(self.infer(two)[1].sample())
        real, fake = self.critic(t.z.detach()), self.critic(shuffled)
        yield {
            "critic": Loss(
                joint=(0.5, cross_entropy_to(real, 0)), shuffled=(0.5, cross_entropy_to(fake, 1))
            )
            + verdicts(density_ratio(real), density_ratio(fake))
        }
