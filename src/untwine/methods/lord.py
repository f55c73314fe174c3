"""LORD: codes are optimized directly, an encoder is learned afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.optim import Adam

from ..checks import check_scale, check_size
from ..data.batches import Batch, Indexed
from ..distributions import Blocks, Conditional, Likelihood, Point
from ..distributions.conditional import check_observations
from ..distributions.likelihoods import Bernoulli, Gaussian
from ..nets import AdaIN, Architecture, Features, MultiScale, default_architecture
from .conditions import check_condition, repeated
from .loss import Loss
from .method import Context, MakeOptimizer, Moves, Observations, Player, Stage
from .swaps import Swaps, swap_grid

if TYPE_CHECKING:
    from ..data import FactorDataset, Sampler

__all__ = ["LORD"]


class LORD(Swaps):
    r"""Latent optimization for representation disentanglement.

    Stage ``optimize`` learns a content code per example, a class code per class, and a generator:

    .. math::
        \min_{c_i, e_y, G} \; \ell(x_i, G(c_i + \epsilon, e_{y_i})) + \lambda \|c_i\|^2,
        \qquad \epsilon \sim \mathcal{N}(0, \sigma^2 I)

    The noise and the decay act on contents alone, and so leave what a class has in common to its
    class code. Stage ``amortize`` learns encoders that find the codes of new examples, also of
    classes that were never seen:

    .. math::
        \min_{E_c, E_y, G} \; \ell(x_i, G(E_c(x_i), E_y(x_i)))
        + \mu \|E_c(x_i) - c_i\|^2 + \mu \|E_y(x_i) - e_{y_i}\|^2

    Images are compared by their pixels and by features:
    :math:`\ell = -\log p(x|c,e) + w \, d(x, \hat x)`, where d is a `nets.Features` distance between
    the image and the mean of p(x|c,e).

    Args:
        decoder: ``(content, class code) -> p(x|c, e)``.
        content_encoder: ``x -> (B, latent_dim)``.
        class_encoder: ``x -> (B, class_dim)``.
        contents: Embedding of N content codes.
        classes: Embedding of the class codes.
        label: Name of the factor that is the class.
        features: What images are compared by beside their pixels; ``None`` for pixels alone.
        sigma: :math:`\sigma`, the noise on contents.
        decay: :math:`\lambda`. With a log-likelihood summed over pixels and :math:`\sigma = 1`, 0.5
            is the KL divergence of a unit Gaussian around the code from the standard normal.
        perceptual: :math:`w`, the weight of the distance between features; 0 leaves it out.
        imitation: :math:`\mu`, the weight of the encoders' distance from the optimized codes.
        code_optimizer: Of the codes, in the first stage; called with them.
        generator_optimizer: Of the generator, in both stages.
        encoder_optimizer: Of the encoders, in the second stage.

    References:
        Gabbay, Hoshen, "Demystifying Inter-Class Disentanglement", 2020,
        https://arxiv.org/abs/1906.11796, equations 1 to 6; weights and layers as in the code
        released with it, https://github.com/avivga/lord-pytorch

    Deviations:
        Losses are sums over an image's values where the released code takes means, so that its
        :math:`\lambda = 10^{-4}` is :math:`10^{-4} D` here for images of D values, and its 10 for
        the mean over a code of K entries is :math:`\mu = 10 D / K`. With `distributions.Laplace`
        for the likelihood and ``nets.VGG16(normalized=False)`` for features, :math:`\ell` of the
        same two images is D times its loss, plus :math:`D \log 2`; its generator ends in a sigmoid,
        a Laplace likelihood's does not. Learning rates stay constant (cosine schedules there).
        Bernoulli pixels and the pyramid of `nets.MultiScale` are the defaults, since they need no
        trained net; 64 channels, 10 content and 16 class dimensions (256, 128 and 256 there); and
        3e-4 for the encoders (1e-4 there).
    """

    supervision = Indexed
    of_rows, of_columns = "class", "content"
    without_covariates = "let the factor that they hold be the class (label=...)"

    def __init__(
        self,
        decoder: nn.Module,
        content_encoder: nn.Module,
        class_encoder: nn.Module,
        contents: nn.Embedding,
        classes: nn.Embedding,
        label: str,
        features: Features | None = None,
        *,
        sigma: float = 1.0,
        decay: float = 0.5,
        perceptual: float = 1.0,
        imitation: float = 1.0,
        code_optimizer: MakeOptimizer = partial(Adam, lr=3e-3, betas=(0.5, 0.999), fused=True),
        generator_optimizer: MakeOptimizer = partial(Adam, lr=3e-4, betas=(0.5, 0.999), fused=True),
        encoder_optimizer: MakeOptimizer = partial(Adam, lr=3e-4, betas=(0.5, 0.999), fused=True),
    ) -> None:
        super().__init__()
        self.decoder = decoder
        self.content_encoder, self.class_encoder = content_encoder, class_encoder
        self.contents, self.classes, self.label = contents, classes, label
        self.features = features
        for name, value in {
            "sigma": sigma,
            "decay": decay,
            "perceptual": perceptual,
            "imitation": imitation,
        }.items():
            check_scale(name, value, zero=True)
        self.sigma, self.decay = sigma, decay
        self.perceptual, self.imitation = perceptual, imitation
        self.code_optimizer = code_optimizer
        self.generator_optimizer = generator_optimizer
        self.encoder_optimizer = encoder_optimizer

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        label: str | None = None,
        class_dim: int = 16,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        features: Features | None = None,
    ) -> dict[str, object]:
        """Codes for every example and class, and networks that fit the data.

        Args:
            data: What the method will learn from; a content code is kept for each example.
            latent_dim: The number of content dimensions.
            label: Name of the factor that is the class; by default the first.
            class_dim: The number of class dimensions.
            net: The architecture of generator and encoders; for images by default `nets.AdaIN`,
                in which the class code modulates every layer.
            likelihood: The family of p(x|c,e), see `Model.of`.
            features: What images are compared by beside their pixels: `nets.VGG16`, a
                `nets.FrozenNet`, or by default `nets.MultiScale`. Vectors are compared by their
                likelihood alone.
        """
        check_size("class_dim", class_dim)
        label = data.space.names[0] if label is None else label
        images = len(data.shape) == 3
        if net is None:
            large = images and min(data.shape[1:]) >= 8
            net = AdaIN() if large else default_architecture(data.shape)
        if likelihood is None:
            likelihood = Bernoulli() if images else Gaussian()
        likelihood = likelihood.adapted(data, class_dim)
        outputs = likelihood.features(data.shape)
        if features is None and images:
            features = MultiScale()
        contents = nn.Embedding(len(data), latent_dim)
        classes = nn.Embedding(data.space.sizes[data.space.position(label)], class_dim)
        for codes in (contents, classes):
            nn.init.uniform_(codes.weight, -0.05, 0.05)
        return {
            "decoder": Conditional(net.decoder(latent_dim, outputs, class_dim), likelihood),
            "content_encoder": net.encoder(data.shape, latent_dim),
            "class_encoder": net.encoder(data.shape, class_dim),
            "contents": contents,
            "classes": classes,
            "label": label,
            "features": features,
        }

    def check_batch(self, batch: Batch) -> None:
        """Refuses observations that p(x|z) gives no density."""
        check_observations(self.decoder, batch.observations())

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

    def represent(self, batch: Batch | Observations) -> Distribution:
        """Content and class code by the encoders, points in blocks ``content`` and ``class``."""
        x = Batch.of(batch).x
        content, class_code = self.content_encoder(x), self.class_encoder(x)
        return Blocks({"content": Point(content), "class": Point(class_code)})

    def decode(
        self, z: Tensor, *, c: Tensor | None = None, y: Tensor | None = None
    ) -> Distribution:
        """p(x|c, e) of codes as `represent` returns them."""
        return self.decoder(*self.split(z))

    def split(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Contents ``(B, latent_dim)`` and class codes ``(B, class_dim)`` of codes ``(B, D)``."""
        dim = self.contents.embedding_dim
        return z[..., :dim], z[..., dim:]

    def reconstruction(self, x: Tensor, p: Distribution) -> Loss:
        r""":math:`\ell`, in its terms: ``nll`` and, if there are features, ``perceptual``."""
        terms = Loss(nll=-p.log_prob(x))
        if self.features is not None and self.perceptual:
            terms += Loss(perceptual=(self.perceptual, self.features.distance(x, p.mean)))
        return terms

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """First stage: codes and generator at once."""
        batch = Indexed.check(batch)
        c, e = self.contents(batch.index), self.classes(batch.label)
        p = self.decoder(c + self.sigma * torch.randn_like(c), e)
        terms, size = self.reconstruction(batch.x, p), (c**2).sum(1)
        yield {("codes", "generator"): terms + Loss(size=(self.decay, size))}

    def amortize(self, batch: Batch, ctx: Context) -> Moves:
        """Second stage: encoders and generator at once."""
        batch = Indexed.check(batch)
        c, e = self.content_encoder(batch.x), self.class_encoder(batch.x)
        terms = self.reconstruction(batch.x, self.decoder(c, e))
        content = ((c - self.contents(batch.index).detach()) ** 2).sum(1)
        label = ((e - self.classes(batch.label).detach()) ** 2).sum(1)
        imitation = Loss(content=(self.imitation, content), label=(self.imitation, label))
        yield {("encoders", "generator"): terms + imitation}

    def conditions(self) -> Mapping[str, int]:
        """The class, by the name of its factor."""
        return {str(self.label): self.classes.num_embeddings}

    @torch.no_grad()
    def sample_given(
        self, n: int, condition: Mapping[str, int], *, c: Tensor | None = None
    ) -> Tensor:
        """``(n, ...)`` means of p(x|c,e): a class in contents of training examples at random.

        Raises:
            ValueError: for a name or a value that there is not, and for covariates.
        """
        check_condition(condition, self.conditions())
        if c is not None:
            raise ValueError("the generator takes no covariates: leave c out")
        contents, classes = self.contents.weight, self.classes.weight
        rows = torch.randint(len(contents), (n,), device=contents.device)
        y = torch.randint(len(classes), (n,), device=contents.device)
        if condition:
            y = repeated(condition[str(self.label)], n, contents)
        return self.decoder(contents[rows], classes[y]).mean

    @torch.no_grad()
    def swap(self, content_of: Tensor, class_of: Tensor) -> Tensor:
        """Every content in every class: a grid whose rows are classes.

        Args:
            content_of: Images whose contents are taken.
            class_of: Images whose classes are taken.

        Shape:
            content_of ``(N, ...)``; class_of ``(M, ...)``; returns ``(M, N, ...)``, means of
            p(x|c,e).
        """
        return swap_grid(self, class_of, content_of, "content")

    @torch.no_grad()
    def one_shot(
        self, x: Tensor, content_of: Tensor, *, steps: int = 0, lr: float = 0.01
    ) -> Tensor:
        """The class of one image, which need not have been seen in training, in other contents.

        Args:
            x: One image of the class, or several, whose class codes are averaged.
            content_of: Images whose contents are taken.
            steps: How often the class code is refined, see `fit_codes`.
            lr: The learning rate of the refinement.

        Shape:
            x ``(...)`` or ``(K, ...)``; content_of ``(N, ...)``; returns ``(N, ...)``.
        """
        x = x[None] if x.ndim == content_of.ndim - 1 else x
        e = self.split(self.fit_codes(x, steps, lr=lr, one_class=True))[1][:1]
        return self.decoder(self.content_encoder(content_of), e.expand(len(content_of), -1)).mean

    def fit_codes(
        self, x: Tensor, steps: int = 100, *, lr: float = 0.01, one_class: bool = False
    ) -> Tensor:
        r"""The codes of new images by latent optimization, from what the encoders say.

        The first stage's loss is minimized over the codes, without noise; the generator stays.

        Args:
            x: The images.
            steps: Of Adam; 0 keeps what the encoders say.
            lr: Its learning rate.
            one_class: Whether all images share one class code, which begins as their average.

        Shape:
            x ``(B, ...)``; returns ``(B, latent_dim + class_dim)``, as `represent` does.
        """
        with torch.no_grad():
            c, e = (part.clone() for part in self.split(self.represent(x).mean))
        if one_class:
            e = e.mean(0, keepdim=True)
        codes = [c.requires_grad_(), e.requires_grad_()]
        optimizer = Adam(codes, lr=lr)
        with torch.enable_grad():
            for _ in range(steps):
                terms = self.reconstruction(x, self.decoder(c, e.expand(len(x), -1)))
                loss = (terms + Loss(size=(self.decay, (c**2).sum(1)))).total
                c.grad, e.grad = torch.autograd.grad(len(x) * loss, codes)
                optimizer.step()
        return torch.cat([c, e.expand(len(x), -1)], -1).detach()
