"""LORD: codes are optimized directly, an encoder is learned afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.optim import Adam, Optimizer

from ..data.batches import Indexed
from ..distributions import Conditional, Likelihood, Point
from ..distributions.likelihoods import Bernoulli, Gaussian
from ..nets import Architecture, default_architecture
from .method import Context, Loss, Method, Moves, Player, Stage

if TYPE_CHECKING:
    from ..data import FactorDataset, Sampler

__all__ = ["LORD"]


class LORD(Method):
    r"""Latent optimization for representation disentanglement, with a likelihood for its loss.

    Stage ``optimize`` learns a content code per example, a class code per class, and a generator:

    .. math::
        \min_{c_i, e_y, G} \; -\log p(x_i \mid G(c_i + \epsilon, e_{y_i})) + \lambda \|c_i\|^2,
        \qquad \epsilon \sim \mathcal{N}(0, \sigma^2 I)

    The noise and the decay of contents leave what a class has in common to its class code. Stage
    ``amortize`` learns encoders that find the codes of new examples:

    .. math::
        \min_{E_c, E_y, G} \; -\log p(x_i \mid G(E_c(x_i), E_y(x_i)))
        + \|E_c(x_i) - c_i\|^2 + \|E_y(x_i) - e_{y_i}\|^2

    Args:
        decoder: ``(content, class code) -> p(x|c, e)``.
        content_encoder: ``x -> (B, latent_dim)``.
        class_encoder: ``x -> (B, class_dim)``.
        contents: Embedding of N content codes.
        classes: Embedding of the class codes.
        label: Name of the factor that is the class.
        sigma: :math:`\sigma`, the noise on contents.
        decay: :math:`\lambda`. With a log-likelihood summed over pixels and :math:`\sigma = 1`, 0.5
            is the KL divergence of a unit Gaussian around the code from the standard normal.
        code_optimizer: Of the codes, in the first stage; called with them.
        generator_optimizer: Of the generator, in both stages.
        encoder_optimizer: Of the encoders, in the second stage.

    References:
        Gabbay, Hoshen, "Demystifying Inter-Class Disentanglement", 2020,
        https://arxiv.org/abs/1906.11796, equations 1 to 6.

    Deviations:
        The reconstruction loss is a log-likelihood of pixels, not a perceptual distance; class
        codes enter the generator as inputs, not through adaptive normalization.
    """

    supervision = Indexed

    def __init__(
        self,
        decoder: nn.Module,
        content_encoder: nn.Module,
        class_encoder: nn.Module,
        contents: nn.Embedding,
        classes: nn.Embedding,
        label: str,
        *,
        sigma: float = 1.0,
        decay: float = 0.5,
        code_optimizer: Callable[..., Optimizer] = partial(
            Adam, lr=1e-3, betas=(0.5, 0.999), fused=True
        ),
        generator_optimizer: Callable[..., Optimizer] = partial(
            Adam, lr=1e-4, betas=(0.5, 0.999), fused=True
        ),
        encoder_optimizer: Callable[..., Optimizer] = partial(
            Adam, lr=1e-4, betas=(0.5, 0.999), fused=True
        ),
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.content_encoder, self.class_encoder = content_encoder, class_encoder
        self.contents, self.classes, self.label = contents, classes, label
        self.sigma, self.decay = sigma, decay
        self.code_optimizer = code_optimizer
        self.generator_optimizer = generator_optimizer
        self.encoder_optimizer = encoder_optimizer

    @classmethod
    def parts(
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        label: str | None = None,
        class_dim: int = 16,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
    ) -> dict[str, Any]:
        """Codes for every example and class, and networks that fit the data.

        Args:
            data: What the method will learn from; a content code is kept for each example.
            latent_dim: The number of content dimensions.
            label: Name of the factor that is the class; by default the first.
            class_dim: The number of class dimensions.
            net: The architecture of generator and encoders.
            likelihood: The family of p(x|c,e), see `VAE.parts`.
        """
        label = data.space.names[0] if label is None else label
        net = default_architecture(data.shape) if net is None else net
        if likelihood is None:
            likelihood = Bernoulli() if len(data.shape) == 3 else Gaussian()
        contents = nn.Embedding(len(data), latent_dim)
        classes = nn.Embedding(data.space.sizes[data.space.position(label)], class_dim)
        for codes in (contents, classes):
            nn.init.normal_(codes.weight, std=0.05)
        return {
            "decoder": Conditional(net.decoder(latent_dim, data.shape, class_dim), likelihood),
            "content_encoder": net.encoder(data.shape, latent_dim),
            "class_encoder": net.encoder(data.shape, class_dim),
            "contents": contents,
            "classes": classes,
            "label": label,
        }

    def sampler(self) -> Sampler:
        """Examples with their index and their class."""
        from ..data import IndexedSampler

        return IndexedSampler(label=self.label)

    def players(self) -> Mapping[str, Player]:
        """Codes, generator, encoders."""
        return {
            "codes": Player((self.contents, self.classes), self.code_optimizer),
            "generator": Player((self.decoder,), self.generator_optimizer),
            "encoders": Player((self.content_encoder, self.class_encoder), self.encoder_optimizer),
        }

    def stages(self) -> tuple[Stage, ...]:
        """First the codes, then encoders that find them."""
        return (
            Stage("optimize", self.moves, players=("codes", "generator")),
            Stage("amortize", self.amortize, players=("generator", "encoders")),
        )

    def represent(self, x: Tensor) -> Distribution:
        """Content and class code side by side, ``(B, latent_dim + class_dim)``, by the encoders."""
        return Point(torch.cat([self.content_encoder(x), self.class_encoder(x)], -1))

    def decode(self, z: Tensor) -> Distribution:
        """p(x|c, e) of codes as `represent` returns them."""
        dim = self.contents.embedding_dim
        return self.decoder(z[:, :dim], z[:, dim:])

    def moves(self, batch: Any, ctx: Context) -> Moves:
        """First stage: codes and generator at once."""
        c, e = self.contents(batch.index), self.classes(batch.label)
        p = self.decoder(c + self.sigma * torch.randn_like(c), e)
        nll, size = -p.log_prob(batch.x), (c**2).sum(1)
        yield {
            "codes": Loss(nll=nll, size=(self.decay, size)),
            "generator": Loss(nll=nll),
        }

    def amortize(self, batch: Any, ctx: Context) -> Moves:
        """Second stage: encoders and generator at once."""
        c, e = self.content_encoder(batch.x), self.class_encoder(batch.x)
        nll = -self.decoder(c, e).log_prob(batch.x)
        content = ((c - self.contents(batch.index).detach()) ** 2).sum(1)
        label = ((e - self.classes(batch.label).detach()) ** 2).sum(1)
        yield {
            "encoders": Loss(nll=nll, content=content, label=label),
            "generator": Loss(nll=nll),
        }
