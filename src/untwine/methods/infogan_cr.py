"""InfoGAN-CR: InfoGAN with a contrastive regularizer of pairs that share one code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from torch.optim import Adam

from ..checks import check_scale, check_size
from ..data.batches import Batch
from ..distributions import BoxPrior, Diagonal, FixedScale
from ..functional import one_hot
from ..nets import DCGAN, Architecture
from ..spec import Recorded
from .infogan import InfoGAN, box_block, spectrally_normalized
from .loss import Loss
from .method import Context, MakeOptimizer, Moves, Player, Stage

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["Contrast", "InfoGANCR"]


class Contrast(Recorded):
    """A phase of `InfoGANCR`'s training: how much the contrast weighs, and how hard it is.

    Args:
        name: Of the stage.
        alpha: The weight of the contrastive regularizer; 0 trains without.
        gap: The least distance between the codes of a pair where they differ.

    Raises:
        ValueError: for a weight below 0, or a gap that is not in [0, 2).
    """

    def __init__(self, name: str, alpha: float, gap: float = 0.0) -> None:
        check_scale("alpha", alpha, zero=True)
        if not 0 <= gap < 2:
            raise ValueError(f"gap is {gap}; expected 0 to less than 2: codes are in [-1, 1]")
        self.name, self.alpha, self.gap = name, alpha, gap


class InfoGANCR(InfoGAN):
    r"""InfoGAN with a contrastive regularizer.

    .. math::
        \min_{G, Q, H} \max_D \; \mathcal{L}_{adv}(G, D) - \lambda \, \mathcal{L}_I(G, Q)
        - \alpha \, \mathcal{L}_c(G, H), \qquad
        \mathcal{L}_c = \mathbb{E}[\log H_I(x, x')]

    where the images :math:`x, x'` were generated from codes that agree in dimension I, drawn at
    random, that differ everywhere else by at least a gap, and from one noise.

    Three players, in the released order: the contrastive critic H, the discriminator (with Q, on
    the same trunk), and the generator, which moves twice.

    The paper trains in phases (`LATE`, `NARROWING`), each with a critic that is made anew; without
    ``phases`` there is one, with ``alpha`` and ``gap``.

    Args:
        generator: ``(B, latent_dim + noise_dim) -> (B, ...)`` logits of pixels.
        trunk: ``x -> (B, F)``, shared by the discriminator and Q.
        head: ``(B, F) -> (B, 1)``, the discriminator's logit.
        reader: ``(B, F) -> features`` of Q.
        critic: H, a pair of images stacked as channels to ``(B, latent_dim)`` logits.
        latent_dim: Number of codes, each uniform in [-1, 1].
        noise_dim: Number of noise inputs, uniform in [-1, 1].
        info: :math:`\lambda`, the weight of reading codes back from images.
        alpha: :math:`\alpha`, the weight of the contrastive regularizer.
        gap: The least distance between the codes of a pair where they differ.
        phases: Instead of ``alpha`` and ``gap``, those of each stage of training in turn.
        learned_variance: Whether Q tells a variance, too, in place of 1.
        generator_steps: Moves of the generator in a step.
        generator_optimizer: Of the generator; called with its parameters.
        discriminator_optimizer: Of the trunk and its two heads.
        critic_optimizer: Of the contrastive critic.

    Raises:
        ValueError: for an impossible ``alpha`` or ``gap``, or fewer than two codes.

    References:
        Lin, Thekumparampil, Fanti, Oh, "InfoGAN-CR and ModelCentrality: Self-supervised Model
        Training and Selection for Disentangling GANs", 2020, https://arxiv.org/abs/1906.06034,
        equations 2 and 4; defaults and phases as in the code released with it,
        https://github.com/fjxmlzn/InfoGAN-CR

    Deviations:
        Networks are those of the data's architecture, with spectral norm in trunk and critic; the
        released generator has batch norm. Optimizers start anew with each phase.
    """

    LATE: ClassVar[tuple[Contrast, ...]] = (Contrast("info", 0.0), Contrast("contrast", 2.0))
    """dSprites and CelebA: 288,000 steps without, then 34,560 with the contrast (28 epochs)."""

    NARROWING: ClassVar[tuple[Contrast, ...]] = (
        Contrast("info", 0.0, gap=1.9),
        Contrast("wide", 3.0, gap=1.9),
        Contrast("narrow", 3.0, gap=0.0),
    )
    """3D teapots, with ``info=0.2``: 50,000 steps, 35,000 more, and the rest of 40 epochs."""

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
        gap: float = 0.0,
        phases: Sequence[Contrast] | None = None,
        learned_variance: bool = False,
        generator_steps: int = 2,
        generator_optimizer: MakeOptimizer = partial(Adam, lr=1e-3, betas=(0.5, 0.999), fused=True),
        discriminator_optimizer: MakeOptimizer = partial(
            Adam, lr=2e-3, betas=(0.5, 0.999), fused=True
        ),
        critic_optimizer: MakeOptimizer = partial(Adam, lr=2e-3, betas=(0.5, 0.999), fused=True),
    ) -> None:
        if latent_dim < 2:
            raise ValueError(f"latent_dim is {latent_dim}; a contrast needs at least 2 codes")
        super().__init__(
            generator,
            trunk,
            head,
            reader,
            Diagonal() if learned_variance else FixedScale(),
            BoxPrior(latent_dim),
            noise_dim,
            info=info,
            generator_optimizer=generator_optimizer,
            discriminator_optimizer=discriminator_optimizer,
        )
        self.critic, self.latent_dim = critic, latent_dim
        self.alpha, self.gap, self.learned_variance = alpha, gap, learned_variance
        self.phases = (Contrast("fit", alpha, gap),) if phases is None else tuple(phases)
        check_size("generator_steps", generator_steps)
        self.generator_steps, self.critic_optimizer = generator_steps, critic_optimizer

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        net: Architecture | None = None,
        noise_dim: int = 5,
        learned_variance: bool = False,
    ) -> dict[str, object]:
        """Generator, discriminator and critic of one architecture.

        Args:
            data: What the method will learn from.
            latent_dim: The number of codes; the paper takes 5 for dSprites.
            net: The architecture of all three; `nets.DCGAN` by default.
            noise_dim: The number of noise inputs beside the codes.
            learned_variance: Whether Q tells a variance, too.

        Raises:
            ValueError: for data other than images.
        """
        blocks = {"continuous": box_block(latent_dim, learned_variance)}
        parts = super().parts(data, latent_dim, blocks=blocks, net=net, noise_dim=noise_dim)
        net = DCGAN() if net is None else net
        critic = net.encoder((2 * data.shape[0], *data.shape[1:]), latent_dim)
        keep = ("generator", "trunk", "head", "reader", "noise_dim")
        return {
            **{name: parts[name] for name in keep},
            "critic": spectrally_normalized(critic, last=False),
            "latent_dim": latent_dim,
            "learned_variance": learned_variance,
        }

    def players(self) -> Mapping[str, Player]:
        """Discriminator (with Q), generator, contrastive critic."""
        return {**super().players(), "critic": Player((self.critic,), self.critic_optimizer)}

    def stages(self) -> tuple[Stage, ...]:
        """One for each phase; all but the first begin with a critic that is made anew."""
        without = ("discriminator", "generator")
        return tuple(
            Stage(
                phase.name,
                partial(self.play_phase, phase),
                begin=self.renew_critic if number else None,
                players=None if phase.alpha else without,
            )
            for number, phase in enumerate(self.phases)
        )

    def renew_critic(self, batches: Iterable[Batch]) -> None:
        """Draws the critic's weights again, as its layers draw them when they are made."""
        for layer in self.critic.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.reset_parameters()
                if is_parametrized(layer):  # then what was reset is not what is learned
                    for name, weight in layer.named_parameters():
                        if name.endswith("original"):
                            nn.init.kaiming_uniform_(weight, a=5**0.5)

    def pair(self, n: int, gap: float) -> tuple[Tensor, Tensor, Tensor]:
        r"""Codes of pairs that share one dimension, and which one.

        Where they differ, the two are :math:`m - g/2` and :math:`m' + g/2` for the smaller m and
        the larger m' of two uniform draws from :math:`[-1 + g/2, 1 - g/2]`, in either order.

        Shape: two of ``(n, latent_dim)``, and ``(n,)`` integers.
        """
        common, *draws = self.prior().sample((3, n))
        which = torch.randint(self.latent_dim, (n,), device=common.device)
        low, high = ((1 - gap / 2) * d for d in (torch.minimum(*draws), torch.maximum(*draws)))
        low, high = low - gap / 2, high + gap / 2
        swapped = torch.rand_like(common) < 0.5
        first, second = torch.where(swapped, high, low), torch.where(swapped, low, high)
        same = one_hot(which, self.latent_dim).bool()
        return torch.where(same, common, first), torch.where(same, common, second), which

    def contrast(self, first: Tensor, second: Tensor, noise: Tensor, which: Tensor) -> Tensor:
        """How badly the critic tells the dimension that two images share, ``(B,)``, nats."""
        images = torch.cat([self.generate(first, noise), self.generate(second, noise)], 1)
        return F.cross_entropy(self.critic(images), which, reduction="none")

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """Those of the last phase."""
        return self.play_phase(self.phases[-1], batch, ctx)

    def play_phase(self, phase: Contrast, batch: Batch, ctx: Context) -> Moves:
        """Critic, discriminator, generator; all on the same codes, as released."""
        n = len(batch.x)
        c, noise = self.draw(n), self.noise(n)
        first, second, which = self.pair(n, phase.gap)
        shared = self.noise(n)
        if phase.alpha:
            yield {"critic": Loss(contrast=self.contrast(first, second, shared, which))}
        yield self.judge(batch.tensor, c, noise)
        for _ in range(self.generator_steps):
            loss = self.fooling(c, noise)
            if phase.alpha:
                contrast = self.contrast(first, second, shared, which)
                loss = loss + Loss(contrast=(phase.alpha, contrast))
            yield {"generator": loss}
