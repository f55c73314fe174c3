"""InfoGAN: a generator whose codes can be read back from its images."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.utils.parametrizations import spectral_norm
from torch.optim import Adam

from ..checks import check_scale, check_size
from ..data.batches import Batch, Images
from ..distributions import (
    Block,
    BlocksPosterior,
    BlocksPrior,
    BoxPrior,
    CategoricalBlock,
    Diagonal,
    FixedScale,
    Point,
    Posterior,
    Prior,
)
from ..functional import r1_penalty
from ..nets import DCGAN, Architecture
from .conditions import check_condition
from .loss import Loss
from .method import Context, MakeOptimizer, Method, Move, Moves, Observations, Player
from .verdicts import verdicts

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["InfoGAN"]

_WIDTH = 128  # of the features that discriminator and Q share


class InfoGAN(Method):
    r"""A generative adversarial network that maximizes the information of its codes.

    .. math::
        \min_{G, Q} \max_D \; \mathbb{E}_x[\log D(x)] + \mathbb{E}_{c, n}[\log (1 - D(G(c, n)))]
        - \lambda \, \mathcal{L}_I(G, Q), \qquad
        \mathcal{L}_I = \mathbb{E}_{c, n}[\log Q(c \mid G(c, n))] + H(c) \le I(c; G(c, n))

    The generator minimizes the non-saturating :math:`-\log D(G(c, n))`. The information term moves
    the generator, Q, and the trunk that Q shares with the discriminator. Q is factored: a softmax
    for classes, a Gaussian for continuous codes.

    Two players: the discriminator with Q, and the generator.

    Args:
        generator: ``(B, D + noise_dim) -> (B, ...)`` logits of pixels; codes first.
        trunk: ``x -> (B, F)``, shared by the discriminator and Q.
        head: ``(B, F) -> (B, 1)``, the discriminator's logit.
        reader: ``(B, F) -> features`` of ``posterior``.
        posterior: The family of Q(c|x).
        prior: Of the codes.
        noise_dim: Number of noise inputs, uniform in [-1, 1].
        info: :math:`\lambda`, the weight of reading codes back from images.
        augment: ``x -> x``, what is done to real and generated images alike before the trunk sees
            them in training, such as `nets.DiffAugment`, or `nets.GaussianNoise` for instance
            noise; gradients flow through it. Nothing by default.
        r1: :math:`\gamma`; half of it is the weight of `functional.r1_penalty` at real images. The
            trunk must treat images separately then, and have no batch norm.
        generator_optimizer: Of the generator; called with its parameters.
        discriminator_optimizer: Of the trunk and its two heads.

    References:
        Chen, Duan, Houthooft, Schulman, Sutskever, Abbeel, "InfoGAN: Interpretable Representation
        Learning by Information Maximizing Generative Adversarial Nets", 2016,
        https://arxiv.org/abs/1606.03657, equations 5 and 6; rates as in the code released with it,
        https://github.com/openai/InfoGAN

    Deviations:
        The networks are those of the data's architecture, by default with spectral norm in the
        trunk, where the released ones have batch norm.

    Example:
        >>> from untwine.data import FactorDataset
        >>> data = FactorDataset.from_arrays(torch.rand(8, 1, 16, 16))
        >>> method = InfoGAN.build(data, latent_dim=2, classes=10)
        >>> q = method.represent(torch.rand(3, 1, 16, 16))
        >>> q["category"].mean.shape, q["continuous"].mean.shape
        (torch.Size([3, 10]), torch.Size([3, 2]))
    """

    supervision = Images
    without_covariates = "its generator has codes and noise for inputs"

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
        info: float = 1.0,
        augment: nn.Module | None = None,
        r1: float = 0.0,
        generator_optimizer: MakeOptimizer = partial(Adam, lr=1e-3, betas=(0.5, 0.999), fused=True),
        discriminator_optimizer: MakeOptimizer = partial(
            Adam, lr=2e-4, betas=(0.5, 0.999), fused=True
        ),
    ) -> None:
        super().__init__()
        self.generator, self.trunk, self.head, self.reader = generator, trunk, head, reader
        self.posterior, self.prior, self.noise_dim = posterior, prior, noise_dim
        check_scale("info", info, zero=True)
        check_scale("r1", r1, zero=True)
        self.info, self.r1 = info, r1
        self.augment = nn.Identity() if augment is None else augment
        self.generator_optimizer = generator_optimizer
        self.discriminator_optimizer = discriminator_optimizer
        self.register_buffer("typical", 2 * torch.rand(noise_dim) - 1)

    typical: Tensor
    """The noise that `decode` uses, so that a traversal changes the codes alone."""

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        classes: int = 10,
        blocks: Mapping[str, Block] | None = None,
        learned_variance: bool = False,
        net: Architecture | None = None,
        noise_dim: int = 62,
        spectral: bool = True,
    ) -> dict[str, object]:
        """Generator and discriminator of one architecture, and the codes.

        Args:
            data: What the method will learn from.
            latent_dim: The number of continuous codes, uniform in [-1, 1]; 0 for none.
            classes: The classes of the categorical code, all equally likely; 0 for none.
            blocks: Instead, by name, any blocks; ``category`` and ``continuous`` by default.
            learned_variance: Whether Q tells the variance of continuous codes, too, in place of 1.
            net: The architecture of all networks; `nets.DCGAN` by default.
            noise_dim: The number of noise inputs beside the codes.
            spectral: Whether trunk and discriminator have spectral norm. Without it they have batch
                norm, as released: in the default net, after it, and in the reader.

        Raises:
            ValueError: for data other than images, or for no codes at all.
        """
        if len(data.shape) != 3:
            raise ValueError(
                f"{cls.__name__} generates images (C, H, W); the data's observations have shape "
                f"{tuple(data.shape)}"
            )
        check_size("noise_dim", noise_dim, least=0)
        if blocks is None:
            blocks = {"category": CategoricalBlock(classes)} if classes else {}
            if latent_dim:
                blocks["continuous"] = box_block(latent_dim, learned_variance)
        if not blocks:
            raise ValueError("latent_dim and classes are 0: there are no codes to learn")
        net = DCGAN(norm=not spectral) if net is None else net
        posterior, width = BlocksPosterior(blocks), sum(b.dim for b in blocks.values())
        norm = [] if spectral else [nn.BatchNorm1d(_WIDTH)]
        trunk = nn.Sequential(net.encoder(data.shape, _WIDTH), *norm, nn.LeakyReLU(0.1))
        features = posterior.features(width)
        again = [] if spectral else [nn.BatchNorm1d(_WIDTH)]
        normalized = spectral_norm if spectral else nn.Identity()
        return {
            "generator": net.decoder(width + noise_dim, data.shape),
            "trunk": spectrally_normalized(trunk) if spectral else trunk,
            "head": normalized(nn.Linear(_WIDTH, 1)),
            "reader": nn.Sequential(
                nn.Linear(_WIDTH, _WIDTH), *again, nn.LeakyReLU(0.1), nn.Linear(_WIDTH, features)
            ),
            "posterior": posterior,
            "prior": BlocksPrior(blocks),
            "noise_dim": noise_dim,
        }

    def players(self) -> Mapping[str, Player]:
        """Discriminator (with Q) and generator."""
        return {
            "discriminator": Player(
                (self.trunk, self.head, self.reader), self.discriminator_optimizer
            ),
            "generator": Player((self.generator,), self.generator_optimizer),
        }

    def check_batch(self, batch: Batch) -> None:
        """Refuses images of other values than those that the generator makes."""
        low, high = batch.tensor.min().item(), batch.tensor.max().item()
        if low < 0 or high > 1:
            raise ValueError(
                f"x goes from {low:g} to {high:g}, but {type(self).__name__} generates images in "
                "[0, 1]: bring them there, (x - low) / (high - low)"
            )

    def represent(self, batch: Batch | Observations) -> Distribution:
        """Q(c|x), in blocks; its mean is the code."""
        return self.read(self.trunk(Batch.of(batch).x))

    def read(self, features: Tensor) -> Distribution:
        """Q of the trunk's features."""
        return self.posterior(self.reader(features))

    def generate(self, c: Tensor, noise: Tensor) -> Tensor:
        """Images of codes ``(B, D)`` and noise ``(B, noise_dim)``, in [0, 1]."""
        return torch.sigmoid(self.generator(torch.cat([c, noise], -1)))

    def decode(
        self, z: Tensor, *, c: Tensor | None = None, y: Tensor | None = None
    ) -> Distribution:
        """The images of codes ``(B, D)``, all with the same typical noise."""
        return Point(self.generate(z, self.typical.expand(len(z), -1)))

    @torch.no_grad()
    def sample(self, n: int) -> Tensor:
        """``(n, ...)`` images of fresh codes and noise."""
        return self.generate(self.prior().sample((n,)), self.noise(n))

    def conditions(self) -> Mapping[str, int]:
        """The categorical codes, by their names."""
        return self.prior.conditions()

    @torch.no_grad()
    def sample_given(
        self, n: int, condition: Mapping[str, int], *, c: Tensor | None = None
    ) -> Tensor:
        """``(n, ...)`` images of classes that are given, of fresh other codes and noise.

        Raises:
            ValueError: for a name or a value that there is not, and for covariates.
        """
        check_condition(condition, self.conditions())
        if c is not None:
            raise ValueError("the generator takes no covariates: leave c out")
        return self.generate(self.prior.sample_given(n, condition), self.noise(n))

    def noise(self, n: int) -> Tensor:
        """``(n, noise_dim)``, uniform in [-1, 1]."""
        return 2 * torch.rand_like(self.typical.expand(n, -1)) - 1

    @torch.no_grad()
    def information(self, n: int = 10_000, batch_size: int = 500) -> Tensor:
        r"""The bound :math:`\mathcal{L}_I` on the information of codes in images, nats.

        Args:
            n: How many images it is averaged over.
            batch_size: How many are generated at once.
        """
        total = self.typical.new_zeros(())
        for start in range(0, n, batch_size):
            c = self.draw(min(batch_size, n - start))
            q = self.read(self.trunk(self.generate(c, self.noise(len(c)))))
            total = total + q.log_prob(c).sum()
        return total / n + self.prior().entropy()

    def draw(self, n: int) -> Tensor:
        """Codes that the generator is given, ``(n, D)``."""
        return self.prior().sample((n,))

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """The discriminator's turn, then the generator's, on codes of their own."""
        n = len(batch.x)
        yield self.judge(batch.tensor, self.draw(n), self.noise(n))
        yield {"generator": self.fooling(self.draw(n), self.noise(n))}

    def judge(self, x: Tensor, c: Tensor, noise: Tensor) -> Move:
        """The discriminator's turn: real, generated, and the codes of what was generated."""
        fake = self.generate(c, noise).detach()
        real_logit = self.head(self.trunk(self.augment(x)))
        features = self.trunk(self.augment(fake))
        fake_logit = self.head(features)
        loss = Loss(
            real=F.softplus(-real_logit).flatten(),
            fake=F.softplus(fake_logit).flatten(),
            info=(self.info, -self.read(features).log_prob(c)),
        )
        if self.r1:
            penalty = r1_penalty(lambda image: self.head(self.trunk(self.augment(image))), x)
            loss = loss + Loss(r1=(self.r1 / 2, penalty))
        return {"discriminator": loss + verdicts(real_logit, fake_logit)}

    def fooling(self, c: Tensor, noise: Tensor) -> Loss:
        """The generator's loss at codes and noise."""
        features = self.trunk(self.augment(self.generate(c, noise)))
        return Loss(
            fool=F.softplus(-self.head(features)).flatten(),
            info=(self.info, -self.read(features).log_prob(c)),
        )


def box_block(dim: int, learned_variance: bool = False) -> Block:
    """Continuous codes: uniform in [-1, 1], read back by a Gaussian."""
    return Block(dim, Diagonal() if learned_variance else FixedScale(), BoxPrior(dim))


def spectrally_normalized(net: nn.Module, last: bool = True) -> nn.Module:
    """The network, every layer's largest singular value held at 1; ``last``: of the last, too."""
    layers = [part for part in net.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    for layer in layers if last else layers[:-1]:
        spectral_norm(layer)
    return net
