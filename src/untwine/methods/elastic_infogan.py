"""Elastic-InfoGAN: InfoGAN whose classes need not be equally frequent."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.optim import Adam

from ..data.batches import Batch
from ..distributions import Block, CategoricalBlock, OneHotPrior, Posterior, Prior
from ..functional import nt_xent
from ..nets import Architecture, RandomAffine
from .infogan import InfoGAN, box_block
from .loss import Loss
from .method import Context, MakeOptimizer, Moves, Player

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["ElasticInfoGAN"]


class ElasticInfoGAN(InfoGAN):
    r"""InfoGAN with learned class probabilities, and classes that a transformation does not change.

    .. math::
        \min_{G, Q, \pi} \max_D \; \mathcal{L}_{adv}(G, D)
        - \lambda \, \mathbb{E}_{c \sim \pi, n}[\log Q(c \mid G(c, n))]
        - \eta \, H(\pi) + \mu \, \mathcal{L}_{NT}\big(f(x), f(\delta(x))\big)

    Classes are drawn by Gumbel-softmax, so that their probabilities :math:`\pi` have gradients of
    the adversarial and of the information term. The contrastive term (`functional.nt_xent`) draws
    the features f, from which Q reads the class, of a real image and of a transformed copy
    together, and those of different images apart.

    Args:
        generator: ``(B, D + noise_dim) -> (B, ...)`` logits of pixels; codes first.
        trunk: ``x -> (B, F)``, shared by the discriminator and Q.
        head: ``(B, F) -> (B, 1)``, the discriminator's logit.
        reader: ``(B, F) -> features`` of ``posterior``; f is what its last layer is given.
        posterior: The family of Q(c|x).
        prior: Of the codes; its probabilities are learned.
        noise_dim: Number of noise inputs, uniform in [-1, 1].
        transform: :math:`\delta`, ``x -> x``, what does not change the class; by default
            `nets.RandomAffine`.
        info: :math:`\lambda`, the weight of reading codes back from images. The defaults of the
            next two belong to 1: take all three in proportion.
        entropy: :math:`\eta`, the weight of the classes' entropy.
        contrast: :math:`\mu`, the weight of the contrastive term.
        contrast_temperature: :math:`\tau` of the contrastive term.
        augment: What is done to images before the trunk sees them, see `InfoGAN`.
        r1: Twice the weight of a penalty of the discriminator's gradient, see `InfoGAN`.
        generator_optimizer: Of the generator and of the class probabilities.
        discriminator_optimizer: Of the trunk and its two heads.

    Raises:
        TypeError: if the reader is no `torch.nn.Sequential`, or the prior has no learned classes.

    References:
        Ojha, Singh, Hsieh, Lee, "Elastic-InfoGAN: Unsupervised Disentangled Representation Learning
        in Class-Imbalanced Data", 2020, https://arxiv.org/abs/1910.01112; weights and rates as in
        the code released with it, https://github.com/WisconsinAIVision/elastic-infogan

    Deviations:
        The information term is the cross entropy of Q to the relaxed class itself. The released
        code takes the class of the largest entry, whose gradient to the probabilities is zero. Its
        contrastive term moves Q's last layers alone; here also the shared trunk. It has no
        continuous codes (``latent_dim=0``), and its transformations include an elastic distortion.
    """

    def __init__(
        self,
        generator: nn.Module,
        trunk: nn.Module,
        head: nn.Module,
        reader: nn.Module,
        posterior: Posterior,
        prior: Prior,
        noise_dim: int,
        *,
        transform: nn.Module | None = None,
        info: float = 1.0,
        entropy: float = 1.0,
        contrast: float = 10.0,
        contrast_temperature: float = 1.0,
        augment: nn.Module | None = None,
        r1: float = 0.0,
        generator_optimizer: MakeOptimizer = partial(Adam, lr=2e-4, betas=(0.5, 0.999), fused=True),
        discriminator_optimizer: MakeOptimizer = partial(
            Adam, lr=2e-4, betas=(0.5, 0.999), fused=True
        ),
    ) -> None:
        super().__init__(
            generator,
            trunk,
            head,
            reader,
            posterior,
            prior,
            noise_dim,
            info=info,
            augment=augment,
            r1=r1,
            generator_optimizer=generator_optimizer,
            discriminator_optimizer=discriminator_optimizer,
        )
        if not isinstance(reader, nn.Sequential):
            raise TypeError(f"reader is a {type(reader).__name__}; expected a torch.nn.Sequential")
        if not any(True for _ in prior.parameters()):
            raise TypeError(
                "the prior has no class probabilities to learn: give a CategoricalBlock the "
                "prior=OneHotPrior(classes, learned=True)"
            )
        self.transform = RandomAffine() if transform is None else transform
        self.entropy, self.contrast = entropy, contrast
        self.contrast_temperature = contrast_temperature

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        classes: int = 10,
        temperature: float = 0.1,
        blocks: Mapping[str, Block] | None = None,
        learned_variance: bool = False,
        net: Architecture | None = None,
        noise_dim: int = 62,
        spectral: bool = True,
    ) -> dict[str, object]:
        """Generator and discriminator of one architecture, and codes with learned classes.

        Args:
            data: What the method will learn from.
            latent_dim: The number of continuous codes, uniform in [-1, 1]; 0 for none.
            classes: The classes of the categorical code, equally likely at first.
            temperature: Of the relaxed classes.
            blocks: Instead, by name, any blocks; ``category`` and ``continuous`` by default.
            learned_variance: Whether Q tells the variance of continuous codes, too, in place of 1.
            net: The architecture of all networks; `nets.DCGAN` by default.
            noise_dim: The number of noise inputs beside the codes.
            spectral: Whether trunk and discriminator have spectral norm, see `InfoGAN.parts`.
        """
        if blocks is None:
            prior = OneHotPrior(classes, learned=True, temperature=temperature)
            blocks = {"category": CategoricalBlock(classes, prior=prior)}
            if latent_dim:
                blocks["continuous"] = box_block(latent_dim, learned_variance)
        return super().parts(
            data, latent_dim, blocks=blocks, net=net, noise_dim=noise_dim, spectral=spectral
        )

    def players(self) -> Mapping[str, Player]:
        """Discriminator (with Q), and generator with the class probabilities."""
        players = super().players()
        generator = Player((self.generator, self.prior), self.generator_optimizer)
        return {**players, "generator": generator}

    def draw(self, n: int) -> Tensor:
        """Codes ``(n, D)``, with gradients to the class probabilities."""
        return self.prior().rsample((n,))

    def features(self, x: Tensor) -> Tensor:
        """f, from which the reader's last layer reads the codes, ``(B, F)``."""
        return self.reader[:-1](self.trunk(x))  # type: ignore[index]

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """The discriminator's turn, with the contrastive term, then the generator's."""
        n = len(batch.x)
        (loss,) = self.judge(batch.tensor, self.draw(n).detach(), self.noise(n)).values()
        views = self.features(batch.tensor), self.features(self.transform(batch.tensor))
        contrast = nt_xent(*views, self.contrast_temperature)
        yield {"discriminator": loss + Loss(contrast=(self.contrast, contrast))}
        entropy = self.prior().entropy()
        loss = self.fooling(self.draw(n), self.noise(n))
        yield {"generator": loss + Loss(entropy=(-self.entropy, entropy))}
