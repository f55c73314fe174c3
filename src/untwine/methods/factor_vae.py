"""FactorVAE: a critic estimates the total correlation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim import Adam, Optimizer

from ..functional import Schedule, at, cross_entropy_to, density_ratio, permute_dims
from ..nets import mlp_critic
from .method import Context, Loss, Moves, Player
from .vae import VAE

if TYPE_CHECKING:
    from ..data import FactorDataset

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
        encoder: ``x -> q(z|x)``.
        decoder: ``z -> p(x|z)``.
        prior: ``() -> p(z)``.
        critic: ``z -> (B, 2)`` logits: joint, and product of marginals.
        gamma: :math:`\gamma`, the weight of the total correlation.
        critic_optimizer: Of the critic; called with its parameters.
        **options: Passed to `VAE`.

    References:
        Kim, Mnih, "Disentangling by Factorising", 2018, https://arxiv.org/abs/1802.05983,
        equation 2 and algorithm 2.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        prior: nn.Module,
        critic: nn.Module,
        *,
        gamma: float | Schedule = 10.0,
        critic_optimizer: Callable[..., Optimizer] = partial(
            Adam, lr=1e-4, betas=(0.5, 0.9), fused=True
        ),
        **options: Any,
    ) -> None:
        super().__init__(encoder, decoder, prior, **options)
        self.critic, self.gamma, self.critic_optimizer = critic, gamma, critic_optimizer

    @classmethod
    def parts(
        cls, data: FactorDataset, latent_dim: int = 10, *, critic_width: int = 1000, **parts: Any
    ) -> dict[str, nn.Module]:
        """The VAE's parts, and a critic of six hidden layers.

        Args:
            data: What the method will learn from.
            latent_dim: The number of code dimensions.
            critic_width: The width of the critic's layers.
            **parts: Passed to `VAE.parts`.
        """
        return super().parts(data, latent_dim, **parts) | {
            "critic": mlp_critic(latent_dim, critic_width)
        }

    def players(self) -> Mapping[str, Player]:
        """The VAE and its critic."""
        return {**super().players(), "critic": Player((self.critic,), self.critic_optimizer)}

    def moves(self, batch: Any, ctx: Context) -> Moves:
        """Two turns: the VAE's, then the critic's on the codes of before."""
        one, two = batch.halves()
        t = self.trace(one)
        tc = density_ratio(self.critic(t.z))
        yield {
            "vae": Loss(
                nll=-t.p.log_prob(t.x),
                tc=(at(self.gamma, ctx.step), tc),
                **self.penalty(t, ctx),
            )
        }
        with torch.no_grad():
            shuffled = permute_dims(self.infer(two)[1].sample())
        yield {
            "critic": Loss(
                joint=(0.5, cross_entropy_to(self.critic(t.z.detach()), 0)),
                shuffled=(0.5, cross_entropy_to(self.critic(shuffled), 1)),
            )
        }
