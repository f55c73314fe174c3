"""InfoGAN-CR: a generator, a discriminator that reads codes back, and a contrastive regularizer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Uniform
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import Adam

from ..data.batches import Batch, Images
from ..distributions import Diagonal, Point
from ..functional import one_hot
from ..nets import Architecture, default_architecture
from .loss import Loss
from .method import Context, MakeOptimizer, Method, Moves, Observations, Player

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["InfoGANCR"]


class InfoGANCR(Method):
    r"""InfoGAN with a contrastive regularizer.

    .. math::
        \min_{G, Q, H} \max_D \; \mathcal{L}_{adv}(G, D) - \lambda \, \mathcal{L}_{info}(G, Q)
        - \alpha \, \mathcal{L}_c(G, H)

    with :math:`\mathcal{L}_{info} = \mathbb{E}[\log Q(c \mid G(c, n))]` and
    :math:`\mathcal{L}_c = \mathbb{E}[\log H_I(x, x')]`, where the images :math:`x, x'` were
    generated from codes that agree in dimension I, drawn at random, and nowhere else.

    Three players: the discriminator (with the head that reads codes back, on the same trunk), the
    generator, and the contrastive critic H; the last two move at once.

    Args:
        generator: ``(B, latent_dim + noise_dim) -> (B, ...)`` logits of pixels.
        trunk: ``x -> (B, F)``, shared by the discriminator and Q.
        head: ``(B, F) -> (B, 1)``, the discriminator's logit.
        reader: ``(B, F) -> (B, 2 latent_dim)``, means and log variances of Q.
        critic: H, a pair of images stacked as channels to ``(B, latent_dim)`` logits.
        latent_dim: Number of codes, each uniform in [-1, 1].
        noise_dim: Number of noise inputs, standard normal.
        info: :math:`\lambda`, the weight of reading codes back from images.
        alpha: :math:`\alpha`, the weight of the contrastive regularizer.
        generator_optimizer: Of the generator; called with its parameters.
        discriminator_optimizer: Of the trunk and its two heads.
        critic_optimizer: Of the contrastive critic.

    References:
        Lin, Thekumparampil, Fanti, Oh, "InfoGAN-CR and ModelCentrality: Self-supervised Model
        Training and Selection for Disentangling GANs", 2020, https://arxiv.org/abs/1906.06034,
        equations 2 and 4; Chen et al., "InfoGAN", 2016, https://arxiv.org/abs/1606.03657.

    Deviations:
        Codes of a pair differ everywhere but in one dimension from the first step on (the paper
        narrows a gap progressively); the trunk is the data's default architecture.
    """

    supervision = Images
    without_covariates = "its generator has codes and noise for inputs"

    def __init__(
        self,
        generator: nn.Module,
        trunk: nn.Module,
        head: nn.Module,
        reader: nn.Module,
        critic: nn.Module,
        latent_dim: int,
        noise_dim: int,
        *,
        info: float = 0.05,
        alpha: float = 2.0,
        generator_optimizer: MakeOptimizer = partial(Adam, lr=1e-3, betas=(0.5, 0.999), fused=True),
        discriminator_optimizer: MakeOptimizer = partial(
            Adam, lr=2e-4, betas=(0.5, 0.999), fused=True
        ),
        critic_optimizer: MakeOptimizer = partial(Adam, lr=2e-4, betas=(0.5, 0.999), fused=True),
    ) -> None:
        super().__init__()
        self.generator, self.trunk, self.head = generator, trunk, head
        self.reader, self.critic = reader, critic
        self.latent_dim, self.noise_dim = latent_dim, noise_dim
        self.info, self.alpha = info, alpha
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.critic_optimizer = critic_optimizer
        self.register_buffer("typical", torch.randn(noise_dim))

    typical: Tensor
    """The noise that `decode` uses, so that a traversal changes the codes alone."""

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        net: Architecture | None = None,
        noise_dim: int = 52,
    ) -> dict[str, Any]:
        """Generator, discriminator and critic of one architecture; spectral norm in the trunk.

        Args:
            data: What the method will learn from.
            latent_dim: The number of codes.
            net: The architecture of all three; by default the one that fits the data's shape.
            noise_dim: The number of noise inputs beside the codes.

        Raises:
            ValueError: for data other than images.
        """
        if len(data.shape) != 3:
            raise ValueError(
                f"InfoGANCR generates images (C, H, W); the data's observations have shape "
                f"{tuple(data.shape)}"
            )
        net = default_architecture(data.shape) if net is None else net
        paired = (2 * data.shape[0], *data.shape[1:])
        trunk = nn.Sequential(net.encoder(data.shape, 128), nn.LeakyReLU(0.1))
        for layer in list(trunk.modules()):
            if isinstance(layer, nn.Conv2d | nn.Linear):
                spectral_norm(layer)
        return {
            "generator": net.decoder(latent_dim + noise_dim, data.shape),
            "trunk": trunk,
            "head": spectral_norm(nn.Linear(128, 1)),
            "reader": nn.Linear(128, 2 * latent_dim),
            "critic": net.encoder(paired, latent_dim),
            "latent_dim": latent_dim,
            "noise_dim": noise_dim,
        }

    def players(self) -> Mapping[str, Player]:
        """Discriminator (with Q), generator, contrastive critic."""
        return {
            "discriminator": Player(
                (self.trunk, self.head, self.reader), self.discriminator_optimizer
            ),
            "generator": Player((self.generator,), self.generator_optimizer),
            "critic": Player((self.critic,), self.critic_optimizer),
        }

    def check_batch(self, batch: Any) -> None:
        """Refuses images of other values than those that the generator makes."""
        if batch.x.min() < 0 or batch.x.max() > 1:
            raise ValueError(
                f"x goes from {batch.x.min().item():g} to {batch.x.max().item():g}, but "
                "InfoGANCR generates images in [0, 1]: bring them there, (x - low) / (high - low)"
            )

    def prior(self) -> Distribution:
        """Codes, uniform in [-1, 1]."""
        one = torch.ones_like(self.typical[:1]).expand(self.latent_dim)
        return Independent(Uniform(-one, one, validate_args=False), 1, validate_args=False)

    def represent(self, batch: Batch | Observations) -> Distribution:
        """Q(c|x), a Gaussian; its mean is the code."""
        return Diagonal()(self.reader(self.trunk(Batch.of(batch).x)))

    def generate(self, c: Tensor, noise: Tensor) -> Tensor:
        """Images of codes ``(B, latent_dim)`` and noise ``(B, noise_dim)``, in [0, 1]."""
        return torch.sigmoid(self.generator(torch.cat([c, noise], -1)))

    def decode(
        self, z: Tensor, *, c: Tensor | None = None, y: Tensor | None = None
    ) -> Distribution:
        """The images of codes ``(B, latent_dim)``, all with the same typical noise."""
        return Point(self.generate(z, self.typical.expand(len(z), -1)))

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """``(n, ...)`` images of fresh codes and noise."""
        c = self.prior().sample((n,))
        return self.generate(c, torch.randn_like(self.typical.expand(n, -1)))

    def moves(self, batch: Any, ctx: Context) -> Moves:
        """The discriminator's turn, then generator and contrastive critic at once."""
        n = len(batch.x)
        c = self.prior().sample((n,))
        with torch.no_grad():
            fake = self.generate(c, self._noise(n))
        seen = self.trunk(fake)
        yield {
            "discriminator": Loss(
                real=F.softplus(-self.head(self.trunk(batch.x))),
                fake=F.softplus(self.head(seen)),
                info=(self.info, -Diagonal()(self.reader(seen)).log_prob(c)),
            )
        }
        first, second = self.prior().sample((2, n))
        which = torch.randint(self.latent_dim, (n,), device=c.device)
        same = one_hot(which, self.latent_dim).bool()
        second = torch.where(same, first, second)
        one, two = self.generate(first, self._noise(n)), self.generate(second, self._noise(n))
        seen = self.trunk(one)
        contrast = F.cross_entropy(self.critic(torch.cat([one, two], 1)), which, reduction="none")
        yield {
            "generator": Loss(
                fool=F.softplus(-self.head(seen)),
                info=(self.info, -Diagonal()(self.reader(seen)).log_prob(first)),
                contrast=(self.alpha, contrast),
            ),
            "critic": Loss(contrast=contrast),
        }

    def _noise(self, n: int) -> Tensor:
        return torch.randn(n, self.noise_dim, device=self.typical.device)
