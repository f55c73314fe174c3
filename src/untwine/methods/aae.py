"""AAE: an autoencoder whose codes a critic cannot tell from a sample of the prior."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.distributions import Distribution

from ..data.batches import Batch, Images
from ..distributions import Likelihood, PointPosterior, Posterior, Prior
from ..nets import Architecture
from .divergences import ADVERSARIAL_ADAM, Adversarial
from .loss import Loss
from .method import ADAM, Context, MakeOptimizer, Moves, Observations, Player, Stage
from .model import Model
from .vae import ModelMethod

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["AAE"]


class AAE(ModelMethod):
    r"""Adversarial autoencoder.

    .. math::
        \text{reconstruction:} \quad \min_{E, G} \; -\log p(x \mid E(x))

        \text{regularization:} \quad
        \min_D \; -\log D(z) - \log (1 - D(E(x))), \quad z \sim p(z); \qquad
        \min_E \; -\log D(E(x))

    In every step the autoencoder learns to reconstruct, then the critic D to tell codes from a
    sample of the prior, then the encoder to fool it. The encoder has an optimizer for each of its
    two phases, as published. The prior is sampled and never evaluated, so that any will do: a
    normal, a mixture, a `SwissRollPrior`.

    Args:
        model: Encoder, decoder and prior, see `Model`.
        critic: ``z -> (B, 1)``; by default what ``adversarial`` makes.
        adversarial: Form, noise and size of the critic.
        optimizer: Of encoder and decoder, reconstruction; called with their parameters.
        critic_optimizer: Of the critic, regularization.
        encoder_optimizer: Of the encoder, regularization.

    References:
        Makhzani, Shlens, Jaitly, Goodfellow, Frey, "Adversarial Autoencoders", 2015,
        https://arxiv.org/abs/1511.05644, section 2 and appendix A.1.

    Deviations:
        The critic sees codes through noise, see `Adversarial`; optimizers are Adam, with little
        momentum in the regularization phase (SGD with momentum there).
    """

    supervision = Images

    def __init__(
        self,
        model: Model,
        critic: nn.Module | None = None,
        *,
        adversarial: Adversarial | None = None,
        optimizer: MakeOptimizer = ADAM,
        critic_optimizer: MakeOptimizer = ADVERSARIAL_ADAM,
        encoder_optimizer: MakeOptimizer = ADVERSARIAL_ADAM,
    ) -> None:
        super().__init__(model)
        self.adversarial = Adversarial() if adversarial is None else adversarial
        self.critic = self.adversarial.critic(model.latent_dim) if critic is None else critic
        self.optimizer, self.critic_optimizer = optimizer, critic_optimizer
        self.encoder_optimizer = encoder_optimizer

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        posterior: Posterior | None = None,
        prior: Prior | None = None,
    ) -> dict[str, object]:
        """The model that fits a data set's observations.

        Args:
            data: What the method will learn from.
            latent_dim: :math:`D`, the number of code dimensions.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|z), see `Model.of`.
            posterior: The family of q(z|x); a point by default.
            prior: p(z), any `Prior`; the standard normal by default.
        """
        posterior = PointPosterior() if posterior is None else posterior
        model = Model.of(
            data, latent_dim, net=net, likelihood=likelihood, posterior=posterior, prior=prior
        )
        return {"model": model}

    def players(self) -> Mapping[str, Player]:
        """Autoencoder, critic, and the autoencoder's encoder once more."""
        return {
            "autoencoder": Player((self.model,), self.optimizer),
            "critic": Player((self.critic,), self.critic_optimizer),
            "encoder": Player((self.model.encoder,), self.encoder_optimizer),
        }

    def stages(self) -> tuple[Stage, ...]:
        """One; a prior that starts from codes is given some before the first move."""
        return (Stage("fit", self.moves, self.begin),)

    def represent(self, batch: Batch | Observations) -> Distribution:
        """q(z|x); a point unless another posterior was chosen."""
        return self.model.represent(Batch.of(batch))

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """Reconstruction, one turn; regularization, two: critic and encoder."""
        t = self.model.trace(batch)
        yield {"autoencoder": Loss(nll=-t.p.log_prob(t.x))}
        z = self.represent(batch).rsample()
        with torch.no_grad():
            prior = self.prior().sample((len(z),))
        yield {"critic": self.adversarial.critic_loss(self.critic, prior, z.detach())}
        yield {"encoder": Loss(fooling=self.adversarial.fooling(self.critic, z))}
