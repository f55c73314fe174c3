"""StyleGAN: a generator whose layers each have their style, with a space of styles for its code."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam

from ..checks import check_scale, check_size
from ..data.batches import Batch, Images
from ..functional import path_lengths, r1_penalty
from ..nets import (
    AdaptiveAugment,
    Architecture,
    Features,
    MultiScale,
    StyleDiscriminator,
    StyleGenerator,
    StyleMapping,
    StyleSynthesis,
    default_architecture,
    follow,
    style_sizes,
)
from ..nets.style import Modulation
from .loss import Loss
from .method import Context, MakeOptimizer, Moves, Player, Stage
from .style_codes import StyleCodes
from .verdicts import verdicts

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["StyleGAN"]

_W_DECAY, _PATH_DECAY = 0.995, 0.99  # of the running means of w and of path lengths
_RISE = 0.05  # of the images seen so far: the most that the generator's average reaches back


def lazy_adam(every: int, lr: float = 0.002, beta2: float = 0.99) -> MakeOptimizer:
    """Adam without momentum that also steps for a regularizer of every n-th step.

    Rates and decays are as if its steps were one, in that n of them are n + 1: section B of the
    paper of 2020.
    """
    share = every / (every + 1)
    return partial(Adam, lr=share * lr, betas=(0.0, beta2**share), fused=True)


class StyleGAN(StyleCodes):
    r"""A generative adversarial network of styles, with an encoder of the space they come from.

    .. math::
        w = f(z), \quad z \sim \mathcal{N}(0, I), \qquad x = G(w_1, \ldots, w_L)

    Each of the L layers is modulated by a linear function of its w. In training two are mixed with
    probability ``mixing``: one up to a layer drawn at random, the other after it. Stage ``fit``:

    .. math::
        \min_D \; & \mathbb{E}_x[\log(1 + e^{-D(x)})] + \mathbb{E}_z[\log(1 + e^{D(G(z))})]
        + \frac{\gamma}{2} \, \mathbb{E}_x \| \nabla_x D(x) \|^2 \\
        \min_{f, G} \; & \mathbb{E}_z[\log(1 + e^{-D(G(z))})]
        + \eta \, \mathbb{E}_{w, y} \big( \| J_w^\top y \| - a \big)^2

    where :math:`a` is the running mean of path lengths, see `functional.path_lengths`. Both
    regularizers are lazy: they are due every n-th step, as moves of their own with n times the
    weight. What generates is the exponential moving average :math:`\bar G` of the generator.

    The code is w. Stage ``encode`` trains an encoder E to find it:

    .. math::
        \min_E \; \mathbb{E}_x \Big[ \tfrac12 \| x - \bar G(E(x)) \|^2
        + \rho \, d\big(x, \bar G(E(x))\big) \Big]
        + \mu \, \mathbb{E}_w \| w - E(\bar G(w)) \|^2

    with a perceptual distance d. `project` finds the code of single images by optimization.

    Args:
        generator: Mapping f and synthesis G.
        discriminator: ``x -> (B, 1)`` logits.
        encoder: ``x -> (B, D)``, added to the mean of w.
        features: What d compares.
        augment: ``x -> x``, what is done to real and generated images alike before the
            discriminator sees them, such as `nets.AdaptiveAugment` for small sets. Nothing by
            default.
        mixing: The probability that an image has two styles.
        r1: :math:`\gamma`, of images in [0, 1]; for images in [-1, 1] it would be four times that.
        r1_every: Steps from one turn of the discriminator's regularizer to the next.
        path_length: :math:`\eta`, of images in [-1, 1], as published.
        path_every: Steps from one turn of the generator's regularizer to the next. It is computed
            for half of a batch.
        half_life: Images after which a weight counts half in :math:`\bar G`; fewer at first,
            a twentieth of those seen.
        perceptual: :math:`\rho`; 0 leaves it out.
        imitation: :math:`\mu`.
        generator_optimizer: Of the generator; called with its parameters.
        discriminator_optimizer: Of the discriminator.
        encoder_optimizer: Of the encoder, in the second stage.

    Raises:
        ValueError: for weights below 0, or a probability outside [0, 1].

    References:
        Karras, Laine, Aila, "A Style-Based Generator Architecture for Generative Adversarial
        Networks", 2019, https://arxiv.org/abs/1812.04948; Karras, Laine, Aittala, Hellsten,
        Lehtinen, Aila, "Analyzing and Improving the Image Quality of StyleGAN", 2020,
        https://arxiv.org/abs/1912.04958, sections 2 and 3 and appendix B.

    Deviations:
        The networks are as wide as ``width`` and ``widest`` say, w has ``latent_dim`` dimensions
        (512 in the papers), and resolutions do not grow in training. ``modulation="adain"`` has the
        styles of the first paper in the networks of the second. The papers have no encoder.

    Example:
        >>> from untwine.data import FactorDataset
        >>> data = FactorDataset.from_arrays(torch.rand(8, 3, 16, 16))
        >>> method = StyleGAN.build(data, latent_dim=8, width=4)
        >>> method.sample(2, truncation=0.7).shape
        torch.Size([2, 3, 16, 16])
        >>> method.represent(torch.rand(3, 3, 16, 16)).mean.shape
        torch.Size([3, 8])
    """

    supervision = Images
    without_covariates = "noise is the only input of its generator"

    path_mean: Tensor
    """The running mean of path lengths, a scalar."""

    def __init__(
        self,
        generator: StyleGenerator,
        discriminator: nn.Module,
        encoder: nn.Module,
        features: Features | None = None,
        *,
        augment: nn.Module | None = None,
        mixing: float = 0.9,
        r1: float = 0.1,
        r1_every: int = 16,
        path_length: float = 2.0,
        path_every: int = 8,
        half_life: float = 10_000.0,
        perceptual: float = 1.0,
        imitation: float = 1.0,
        generator_optimizer: MakeOptimizer = lazy_adam(8),
        discriminator_optimizer: MakeOptimizer = lazy_adam(16),
        encoder_optimizer: MakeOptimizer = partial(Adam, lr=1e-3, fused=True),
    ) -> None:
        super().__init__(generator, encoder)
        for name, value in {
            "r1": r1,
            "path_length": path_length,
            "perceptual": perceptual,
            "imitation": imitation,
        }.items():
            check_scale(name, value, zero=True)
        check_scale("half_life", half_life)
        check_size("r1_every", r1_every)
        check_size("path_every", path_every)
        if not 0 <= mixing <= 1:
            raise ValueError(f"mixing is {mixing}; expected a probability, 0 to 1")
        self.discriminator = discriminator
        self.features = features
        self.augment = nn.Identity() if augment is None else augment
        self.mixing, self.half_life = mixing, half_life
        self.r1, self.r1_every = r1, r1_every
        self.path_length, self.path_every = path_length, path_every
        self.perceptual, self.imitation = perceptual, imitation
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.encoder_optimizer = encoder_optimizer
        self.register_buffer("path_mean", torch.zeros(()))

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        width: int = 32,
        widest: int = 128,
        depth: int = 8,
        modulation: Modulation = "demodulate",
        group: int = 4,
        net: Architecture | None = None,
        features: Features | None = None,
    ) -> dict[str, object]:
        """Generator, discriminator and encoder that fit the data's images.

        Args:
            data: What the method will learn from.
            latent_dim: D, the dimensions of z and w.
            width: Channels of generator and discriminator at the image's resolution; they double
                from each to the next coarser one.
            widest: The most channels.
            depth: Layers of the mapping network.
            modulation: How styles act: ``"demodulate"`` (2020) or ``"adain"`` (2019).
            group: Of `nets.batch_deviation` in the discriminator; 1 leaves it out.
            net: The architecture of the encoder; by default one for the images' size.
            features: What the encoder's reconstructions are compared by beside their pixels:
                `nets.VGG16`, a `nets.FrozenNet`, or by default `nets.MultiScale`.

        Raises:
            ValueError: for data other than images of at least 8x8.
        """
        check_size("latent_dim", latent_dim)
        for name, value in {"width": width, "widest": widest, "group": group}.items():
            check_size(name, value)
        channels = [
            min(width * 2**i, max(widest, width)) for i in range(len(style_sizes(data.shape)))
        ]
        net = default_architecture(data.shape) if net is None else net
        return {
            "generator": StyleGenerator(
                StyleMapping(latent_dim, depth),
                StyleSynthesis(data.shape, latent_dim, channels, modulation),
            ),
            "discriminator": StyleDiscriminator(data.shape, channels, group),
            "encoder": net.encoder(data.shape, latent_dim),
            "features": MultiScale() if features is None else features,
        }

    def players(self) -> Mapping[str, Player]:
        """Discriminator, generator, encoder."""
        return {
            "discriminator": Player((self.discriminator,), self.discriminator_optimizer),
            "generator": Player((self.generator,), self.generator_optimizer),
            "encoder": Player((self.encoder,), self.encoder_optimizer),
        }

    def stages(self) -> tuple[Stage, ...]:
        """First the game, with its lazy regularizers, then the encoder."""
        every: dict[int, Callable[[Batch, Context], Moves]] = {}
        if self.r1:
            every[self.r1_every] = self.regularize_discriminator
        if self.path_length:
            same = self.r1 and self.path_every == self.r1_every
            every[self.path_every] = self._regularize_both if same else self.regularize_generator
        return (
            Stage("fit", self.moves, players=("discriminator", "generator"), every=every),
            Stage("encode", self.encode, players=("encoder",)),
        )

    def check_batch(self, batch: Batch) -> None:
        """Refuses images of another shape or of other values than those that are generated."""
        shape, expected = tuple(batch.tensor.shape[1:]), self.generator.synthesis.shape
        if shape != expected:
            raise ValueError(
                f"x has shape {shape} for an example, but the networks were made for {expected}"
            )
        low, high = batch.tensor.min().item(), batch.tensor.max().item()
        if low < 0 or high > 1:
            raise ValueError(
                f"x goes from {low:g} to {high:g}, but StyleGAN generates images in [0, 1]: bring "
                "them there, (x - low) / (high - low)"
            )

    # Stage fit

    def styles(self, n: int) -> Tensor:
        """Codes by layer as in training, ``(n, L, D)``: some mixed of two."""
        coarse, fine = self.generator.mapping(self.draw(2 * n)).chunk(2)
        mean = coarse.detach().mean(0)
        self.w_mean.copy_(mean + _W_DECAY * (self.w_mean - mean))
        draws = torch.rand(2, n, device=coarse.device)
        layer = 1 + (draws[0] * (self.count - 1)).long()
        return self.mix(coarse, fine, torch.where(draws[1] < self.mixing, layer, self.count))

    def generate(self, n: int) -> Tensor:
        """Images by the generator that is being trained, ``(n, C, H, W)``."""
        return (self.generator.synthesis(self.styles(n)) + 1) / 2

    def judge(self, x: Tensor) -> Tensor:
        """The discriminator's logits of images, augmented, ``(B, 1)``."""
        return self.discriminator(self.augment(x))

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """The discriminator's turn, then the generator's, on codes of their own."""
        x, n = batch.tensor, len(batch)
        with torch.no_grad():
            fake = self.generate(n)
        real_logit, fake_logit = self.judge(x), self.judge(fake)
        loss = Loss(
            real=F.softplus(-real_logit).flatten(), fake=F.softplus(fake_logit).flatten()
        ) + verdicts(real_logit, fake_logit)
        if isinstance(self.augment, AdaptiveAugment):
            loss = loss + Loss(augmented=(0.0, self.augment.p.clone()))
        yield {"discriminator": loss}
        if isinstance(self.augment, AdaptiveAugment):
            self.augment.adapt(real_logit)
        yield {"generator": Loss(fool=F.softplus(-self.judge(self.generate(n))).flatten())}
        reach = (_RISE * n * (ctx.step + 1)).clamp(max=self.half_life)
        follow(self.averaged, self.generator, 0.5 ** (n / reach))

    def regularize_discriminator(self, batch: Batch, ctx: Context) -> Moves:
        """The squared slope at real images, with ``r1_every`` times its weight."""
        weight = self.r1_every * self.r1 / 2
        yield {"discriminator": Loss(r1=(weight, r1_penalty(self.judge, batch.tensor)))}

    def regularize_generator(self, batch: Batch, ctx: Context) -> Moves:
        """The distance of path lengths from their mean, with ``path_every`` times its weight."""
        with torch.enable_grad():
            w = self.styles(max(1, len(batch) // 2))
            lengths = path_lengths(self.generator.synthesis(w), w)
        now = lengths.detach().mean()
        mean = now + _PATH_DECAY * (self.path_mean - now)
        self.path_mean.copy_(mean)
        weight = self.path_every * self.path_length
        yield {"generator": Loss(path=(weight, (lengths - mean).square()), length=(0.0, now))}

    def _regularize_both(self, batch: Batch, ctx: Context) -> Moves:
        yield from self.regularize_discriminator(batch, ctx)
        yield from self.regularize_generator(batch, ctx)

    # Stage encode

    def encode(self, batch: Batch, ctx: Context) -> Moves:
        """The encoder's turn: real images rebuilt, and codes of generated ones found."""
        x = batch.tensor
        with torch.no_grad():
            w = self.averaged.mapping(self.draw(len(x)))
            made = self.paint(w, "fresh").clamp(0, 1)
        codes = (self.represent(made).mean - w).square().sum(1)
        terms = self.reconstruction(x, self.paint(self.represent(x).mean))
        yield {"encoder": terms + Loss(codes=(self.imitation, codes))}

    def reconstruction(self, x: Tensor, painted: Tensor) -> Loss:
        """How far images are from those that should be them, in pixels and in features."""
        terms = Loss(pixels=(x - painted).square().flatten(1).sum(1) / 2)
        if self.features is not None and self.perceptual:
            terms += Loss(perceptual=(self.perceptual, self.features.distance(x, painted)))
        return terms
