"""VAE/GAN: a VAE whose reconstructions are compared by what a discriminator sees in them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import RMSprop

from ..data.batches import Batch
from ..distributions import Likelihood, Posterior, Prior, diagonal_normal
from ..functional import Schedule, at
from ..nets import DCGAN, MLP, Architecture
from .loss import Loss
from .method import Context, MakeOptimizer, Moves, Player
from .model import Model
from .penalty import Penalty
from .vae import VAE
from .verdicts import verdicts

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["VAEGAN"]

_RMSPROP: MakeOptimizer = partial(RMSprop, lr=3e-4, alpha=0.9)


class VAEGAN(VAE):
    r"""A VAE with a learned similarity, and a GAN on its decoder.

    .. math::
        \mathcal{L}_{llike} &= -\mathbb{E}_{q(z|x)}\big[\log \mathcal{N}(D_l(x); D_l(\tilde x), I)
        \big], \qquad \tilde x = G(z), \\
        \mathcal{L}_{GAN} &= \log D(x) + \tfrac12 \log (1 - D(\tilde x))
        + \tfrac12 \log (1 - D(G(z_p))), \qquad z_p \sim p(z)

    Three players move at once: the encoder minimizes
    :math:`D_{KL}(q(z|x) \| p(z)) + \mathcal{L}_{llike}`, the decoder G
    :math:`\gamma \mathcal{L}_{llike} + \mathcal{L}_{GAN}`, the discriminator D
    :math:`-\mathcal{L}_{GAN}`. :math:`D_l` are the discriminator's features; the likelihood moves
    them no more than the adversarial loss moves the encoder.

    Equilibrium: where the discriminator's loss of real or of generated images is below
    ``equilibrium - margin`` it rests, where one is above ``equilibrium + margin`` the decoder does,
    and where both should, neither. Who rests has a loss of weight 0 in that step, which with
    RMSprop is no step at all.

    Args:
        model: Encoder, decoder and prior, see `Model`; images are the decoder's means.
        features: :math:`D_l`, ``x -> (B, ...)``.
        head: ``features -> (B, 1)``, the discriminator's logit.
        gamma: :math:`\gamma`, the weight of the likelihood in the decoder's loss. It is a sum over
            features, which are many.
        equilibrium: The loss of a discriminator that is even, by and large.
        margin: How far from it both still move; ``None`` for no rule.
        penalty: The regularizer; the KL divergence by default.
        optimizer: Of the encoder and the prior; called with their parameters.
        decoder_optimizer: Of the decoder.
        discriminator_optimizer: Of the discriminator.

    References:
        Larsen, Soenderby, Larochelle, Winther, "Autoencoding beyond pixels using a learned
        similarity metric", 2016, https://arxiv.org/abs/1512.09300, equations 7 to 9 and algorithm
        1; weights and the rule of equilibrium as in the code released with it,
        https://github.com/andersbll/autoencoding_beyond_pixels

    Deviations:
        The released code lowers its learning rate through training, and its discriminator has batch
        norm. The log has ``nll``, of pixels, which nobody minimizes.
    """

    def __init__(
        self,
        model: Model,
        features: nn.Module,
        head: nn.Module,
        *,
        gamma: float | Schedule = 1e-5,
        equilibrium: float = 0.68,
        margin: float | None = 0.35,
        penalty: Penalty | None = None,
        optimizer: MakeOptimizer = _RMSPROP,
        decoder_optimizer: MakeOptimizer = _RMSPROP,
        discriminator_optimizer: MakeOptimizer = _RMSPROP,
    ) -> None:
        super().__init__(model, penalty=penalty, optimizer=optimizer)
        self.features, self.head = features, head
        self.gamma, self.equilibrium, self.margin = gamma, equilibrium, margin
        self.decoder_optimizer = decoder_optimizer
        self.discriminator_optimizer = discriminator_optimizer

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
        """The model that fits a data set's observations, and a discriminator of its architecture.

        Args:
            data: What the method will learn from.
            latent_dim: :math:`D`, the number of code dimensions.
            net: The architecture of all networks; for images `nets.DCGAN` by default.
            likelihood: The family of p(x|z), see `Model.of`; its mean is what is generated.
            posterior: The family of q(z|x); independent Gaussians by default.
            prior: p(z), any `Prior`; the standard normal by default.
        """
        if net is None:
            net = DCGAN() if len(data.shape) == 3 else MLP()
        covariates = 0 if data.covariates is None else data.covariates.shape[1]
        discriminator = net.encoder(data.shape, 1, covariates)
        parts = super().parts(
            data, latent_dim, net=net, likelihood=likelihood, posterior=posterior, prior=prior
        )
        return {**parts, **_at_its_features(discriminator)}

    def players(self) -> Mapping[str, Player]:
        """Encoder (with the prior), decoder, discriminator."""
        return {
            "encoder": Player((self.model.encoder, self.model.prior), self.optimizer),
            "decoder": Player((self.model.decoder,), self.decoder_optimizer),
            "discriminator": Player((self.features, self.head), self.discriminator_optimizer),
        }

    def seen(self, x: Tensor, c: Tensor | None) -> Tensor:
        """The discriminator's features of images, ``(B, ...)``."""
        return self.features(x) if c is None else self.features(x, c)

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """All three at once."""
        t = self.trace(batch)
        c = t.condition.get("c")
        fresh = t.decode(t.prior.sample((len(t.z),))).mean
        real, rebuilt, generated = (self.seen(x, c) for x in (t.x, t.p.mean, fresh))
        similarity = -diagonal_normal(
            rebuilt.flatten(1), torch.ones_like(rebuilt.flatten(1))
        ).log_prob(real.flatten(1))
        real_logit = self.head(real)
        fake_logits = torch.stack([self.head(h) for h in (rebuilt, generated)])
        of_real = F.softplus(-real_logit).squeeze(-1)
        of_fake = F.softplus(fake_logits).mean(0).squeeze(-1)
        decoder, discriminator = self.who_moves(of_real, of_fake)
        yield {
            "encoder": Loss(similarity=similarity, nll=(0.0, -t.p.log_prob(t.x).detach()))
            + self.penalty(t, ctx),
            "decoder": Loss(
                similarity=(decoder * at(self.gamma, ctx.step), similarity),
                fool=(decoder, -of_fake),
            ),
            "discriminator": Loss(real=(discriminator, of_real), fake=(discriminator, of_fake))
            + verdicts(real_logit, fake_logits),
        }

    def who_moves(self, of_real: Tensor, of_fake: Tensor) -> tuple[Tensor, Tensor]:
        """Whether decoder and discriminator move, 1 or 0, by the discriminator's losses."""
        losses = torch.stack([of_real.mean(), of_fake.mean()]).detach()
        if self.margin is None:
            return torch.ones_like(losses[0]), torch.ones_like(losses[0])
        decoder = (losses <= self.equilibrium + self.margin).all()
        discriminator = (losses >= self.equilibrium - self.margin).all()
        neither = ~(decoder | discriminator)
        return (decoder | neither).to(losses.dtype), (discriminator | neither).to(losses.dtype)


def _at_its_features(net: nn.Module) -> dict[str, nn.Module]:
    """A discriminator in two: convolutions and the rest, or all but the last layer and the last."""
    layers = list(net.children())
    kept = [i for i, layer in enumerate(layers) if isinstance(layer, nn.Linear)]
    convolved = any(isinstance(layer, nn.Conv2d) for layer in layers)
    cut = kept[0] if convolved else kept[-1]
    return {"features": type(net)(*layers[:cut]), "head": nn.Sequential(*layers[cut:])}
