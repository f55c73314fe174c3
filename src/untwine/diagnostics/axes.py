"""Axes of any generator: local singular directions, and global ones (SeFa, GANSpace)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..checks import check_size
from ..encoding import evaluating, placement
from ..functional.jacobians import seam_gap
from ..methods.abilities import Decodes, HasPrior
from .estimates import Finding
from .geometry import metric_at, placement_of
from .level_decoder import LevelDecoder

__all__ = [
    "Axes",
    "Comparison",
    "Generator",
    "compare_axes",
    "decoded",
    "effective_rank",
    "ganspace_axes",
    "generator_gap",
    "global_axes",
    "leading",
    "local_axes",
    "sefa_axes",
    "walk",
]

Generator = Decodes | nn.Module | Callable[[Tensor], Tensor]


@dataclass(frozen=True, repr=False)
class Axes(Finding):
    """Directions of a code, the strongest first.

    Attributes:
        directions: Unit vectors as columns, ``(D, K)``.
        strength: What each does: a singular value, or the deviation of a principal component,
            ``(K,)``.
        source: How they were found.
    """

    directions: Tensor
    strength: Tensor
    source: str

    def __len__(self) -> int:
        return len(self.strength)

    def __str__(self) -> str:
        shares = self.strength.square() / self.strength.square().sum()
        lead = ", ".join(f"{share:.0%}" for share in shares[:5].tolist())
        return (
            f"{len(self)} axes by {self.source}; effective rank "
            f"{effective_rank(self.strength):.1f}; shares of the first: {lead}."
        )


def effective_rank(strength: Tensor) -> float:
    r"""How many axes matter: the exponential of the entropy of their shares.

    .. math::
        \exp\Big( -\sum_k p_k \log p_k \Big), \qquad p_k = \frac{s_k}{\sum_l s_l}

    Args:
        strength: :math:`s_k`, ``(K,)``.

    References:
        Roy, Vetterli, "The Effective Rank: A Measure of Effective Dimensionality", 2007.

    Example:
        >>> round(effective_rank(torch.tensor([2.0, 2.0, 0.0])), 6)
        2.0
    """
    share = strength.double() / strength.double().sum()
    return torch.exp(-torch.special.xlogy(share, share).sum()).item()


@torch.no_grad()
def local_axes(
    generator: Generator,
    z: Tensor,
    *,
    c: Tensor | None = None,
    k: int | None = None,
    sigma: float | None = 1.0,
) -> Axes:
    r"""The directions in which a generator changes most at one code.

    .. math::
        F^{1/2} J(z) = U S V^\top, \qquad \text{the columns of } V

    Args:
        generator: What decodes, see `metric_at`.
        z: The code, ``(D,)``.
        c: Its covariates, ``(C,)``.
        k: How many axes; all by default.
        sigma: See `metric_at`; 1, the lengths of differences of observations, by default.

    References:
        Ramesh, Choi, LeCun, "A Spectral Regularizer for Unsupervised Disentanglement", 2018,
        https://arxiv.org/abs/1812.01161 (the singular vectors of a generator's Jacobian).

    Example:
        >>> found = local_axes(lambda z: z * torch.tensor([1.0, 3.0]), torch.zeros(2))
        >>> found.strength.tolist(), found.directions[:, 0].abs().tolist()
        ([3.0, 1.0], [0.0, 1.0])
    """
    given = None if c is None else c.reshape(1, -1)
    metric = metric_at(generator, z.reshape(1, -1), c=given, sigma=sigma)
    return leading(metric.tensor[0], k, "local singular directions")


@torch.no_grad()
def global_axes(
    generator: Generator,
    z: Tensor,
    *,
    c: Tensor | None = None,
    k: int | None = None,
    sigma: float | None = 1.0,
) -> Axes:
    r"""The directions in which a generator changes most on average over codes.

    .. math::
        \mathbb{E}_z [ J^\top F J ] = V \Lambda V^\top

    Args:
        generator: What decodes, see `metric_at`.
        z: Codes, ``(N, D)``.
        c: Their covariates, ``(N, C)``.
        k: How many axes; all by default.
        sigma: See `local_axes`.
    """
    metric = metric_at(generator, z, c=c, sigma=sigma)
    return leading(metric.tensor.mean(0), k, f"the average metric of {len(z)} codes")


@torch.no_grad()
def sefa_axes(generator: nn.Module | Tensor, *, k: int | None = None) -> Axes:
    r"""Closed-form factorization of the layer that a generator gives the code to.

    .. math::
        A^\top A \, n_i = \lambda_i n_i, \qquad \text{the largest } \lambda_i \text{ first}

    Args:
        generator: A module, whose first layer with weights is taken (linear, or a transposed
            convolution); or its weight A, ``(M, D)``.
        k: How many axes; all by default.

    Raises:
        TypeError: for a module whose first layer with weights is none of these.

    References:
        Shen, Zhou, "Closed-Form Factorization of Latent Semantics in GANs", 2021,
        https://arxiv.org/abs/2007.06600, equation 6.
    """
    weight = generator if isinstance(generator, Tensor) else _first_weight(generator)
    weight = weight.detach().double()
    return leading(weight.T @ weight, k, "SeFa")


@torch.no_grad()
def ganspace_axes(
    generator: nn.Module,
    prior: Distribution | None = None,
    *,
    layer: nn.Module | None = None,
    k: int = 20,
    n: int = 2000,
    latent_dim: int | None = None,
    seed: int = 0,
) -> Axes:
    r"""Principal components of a layer's activations, carried back to the code by least squares.

    .. math::
        y_j = f(z_j), \qquad x_j = C^\top (y_j - \bar y), \qquad
        U = \arg\min_U \textstyle\sum_j \| U x_j - z_j \|^2

    Args:
        generator: A module of z, or a method that decodes.
        prior: Of the codes; the standard normal if not given, and the generator has none.
        layer: Whose activations; the first layer with weights if not given.
        k: How many components.
        n: How many codes.
        latent_dim: D, where neither prior nor layer says.
        seed: Of the codes.

    Raises:
        TypeError: if the layer is not reached, or D is not known.

    References:
        Härkönen, Hertzmann, Lehtinen, Paris, "GANSpace: Discovering Interpretable GAN Controls",
        2020, https://arxiv.org/abs/2004.02546, section 2.2 (BigGAN).
    """
    module, name = _first_layer(generator) if layer is None else (layer, type(layer).__name__)
    if prior is None and isinstance(generator, HasPrior):
        prior = generator.prior()
    if prior is not None:
        latent_dim = prior.event_shape[0]
    elif latent_dim is None:
        latent_dim = _inputs(module)
    device, dtype = placement(generator)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        z = torch.randn(n, latent_dim) if prior is None else prior.sample((n,))
    z = z.to(device, dtype)
    seen: list[Tensor] = []
    hook = module.register_forward_hook(lambda _, __, out: seen.append(out.flatten(1).double()))
    call = generator.decode if isinstance(generator, Decodes) else generator
    try:
        with evaluating(generator):
            for part in z.split(256):
                call(part)
    finally:
        hook.remove()
    if sum(map(len, seen)) != n:
        raise TypeError(f"the layer {name} is not passed once for each code")
    y = torch.cat(seen)
    y = y - y.mean(0)
    k = min(k, latent_dim, *y.shape)
    _, values, vectors = torch.linalg.svd(y, full_matrices=False)
    x = y @ vectors[:k].T
    directions = torch.linalg.lstsq(x, z.double()).solution.T
    directions = directions / directions.norm(dim=0)
    return Axes(directions, values[:k] / (n - 1) ** 0.5, f"GANSpace at {name}")


@dataclass(frozen=True, repr=False)
class Comparison(Finding):
    """Two sets of axes.

    Attributes:
        cosines: Principal cosines of the spaces that the leading axes span, the largest first,
            ``(K,)``.
        matches: For each axis of the first, the largest absolute cosine with one of the second.
        k: How many axes of each.
        sources: How they were found.
    """

    cosines: Tensor
    matches: Tensor
    k: int
    sources: tuple[str, str]

    def __str__(self) -> str:
        return (
            f"The leading {self.k} axes by {self.sources[0]} and by {self.sources[1]} span spaces "
            f"with principal cosines {self.cosines[0]:.2f} down to {self.cosines[-1]:.2f}; single "
            f"axes match by {self.matches.mean():.2f} on average."
        )


def compare_axes(one: Axes, two: Axes, *, k: int = 10) -> Comparison:
    """Compares the leading axes of two kinds, or of two places.

    Args:
        one: Axes.
        two: Others of the same code.
        k: How many of each.

    Raises:
        ValueError: for axes of different codes.
    """
    check_size("k", k)
    if len(one.directions) != len(two.directions):
        raise ValueError(
            f"the codes have {len(one.directions)} and {len(two.directions)} dimensions; expected "
            "axes of one code"
        )
    k = min(k, len(one), len(two))
    a, b = one.directions[:, :k].double(), two.directions[:, :k].double()
    cosines = torch.linalg.svdvals(torch.linalg.qr(a)[0].T @ torch.linalg.qr(b)[0]).clamp(max=1)
    return Comparison(cosines, (a.T @ b).abs().max(1).values, k, (one.source, two.source))


@torch.no_grad()
def walk(
    generator: Generator,
    z: Tensor,
    axes: Axes,
    *,
    c: Tensor | None = None,
    k: int = 5,
    span: float = 3.0,
    steps: int = 9,
) -> Tensor:
    """Observations along axes, from one code.

    Args:
        generator: What decodes.
        z: Where to begin, ``(D,)``.
        axes: Along which.
        c: Covariates of the code, ``(C,)``.
        k: How many of them.
        span: From ``-span`` to ``span``.
        steps: Positions on each.

    Returns:
        ``(K, S, ...)``, which `untwine.plots.traversal_grid` draws.
    """
    device, dtype = placement_of(generator, z)
    directions = axes.directions[:, :k].T.to(device, dtype)
    line = torch.linspace(-span, span, steps, device=device, dtype=dtype)
    codes = z.to(device, dtype) + line[:, None] * directions[:, None, :]
    many = codes.flatten(0, 1)
    given = None if c is None else c.to(device, dtype).expand(len(many), -1)
    return decoded(generator, many, given).unflatten(0, codes.shape[:2])


@torch.no_grad()
def decoded(generator: Generator, z: Tensor, c: Tensor | None = None) -> Tensor:
    """Observations of codes ``(N, D)``, means where the generator gives distributions."""
    call: Any = generator.decode if isinstance(generator, Decodes) else generator
    made = []
    with evaluating(generator):
        for rows in torch.arange(len(z)).split(64):
            value = call(z[rows]) if c is None else call(z[rows], c=c[rows])
            made.append(value.mean if isinstance(value, Distribution) else value)
    return torch.cat(made)


def generator_gap(generator: Generator, z: Tensor, sigma: float = 1.0) -> Tensor:
    r"""The seam gap of a generator at codes, were it the decoder of a VAE of this scale, nats.

    Args:
        generator: What decodes.
        z: Codes, ``(N, D)``, of a standard normal prior.
        sigma: :math:`\sigma`.

    Returns:
        ``(N,)``.
    """
    tensor = metric_at(generator, z, sigma=sigma).tensor
    return seam_gap(tensor + torch.eye(tensor.shape[-1]).to(tensor))


def leading(matrix: Tensor, k: int | None, source: str) -> Axes:
    """The eigenvectors of an average metric, ``(D, D)``, the strongest first."""
    values, vectors = torch.linalg.eigh(matrix)
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
    if k is not None:
        check_size("k", k)
        values, vectors = values[:k], vectors[:, :k]
    return Axes(vectors, values.sqrt(), source)


def _first_layer(generator: nn.Module) -> tuple[nn.Module, str]:
    if isinstance(generator, LevelDecoder):
        raise TypeError(
            f"the level {generator.level} enters the network after others: give a layer, or the "
            "weight of one"
        )
    start = generator
    for name in ("decoder", "model"):  # of a method: the generator is its decoder
        if isinstance(generator, Decodes) and isinstance(getattr(start, name, None), nn.Module):
            start = getattr(start, name)
            break
    for name, module in start.named_modules():
        if isinstance(module, nn.Linear | nn.ConvTranspose1d | nn.ConvTranspose2d):
            return module, name or type(module).__name__
        if any(True for _ in module.parameters(recurse=False)):
            raise TypeError(
                f"the first layer with weights, {name}, is a {type(module).__name__}; expected a "
                "linear layer or a transposed convolution: give its weight, (M, D)"
            )
    raise TypeError(f"generator is a {type(generator).__name__}, which has no layer with weights")


def _first_weight(generator: nn.Module) -> Tensor:
    """The matrix of the first layer, ``(M, D)``."""
    module, _ = _first_layer(generator)
    weight = module.weight
    assert isinstance(weight, Tensor)
    return weight if isinstance(module, nn.Linear) else weight.flatten(1).T


def _inputs(module: nn.Module) -> int:
    for name in ("in_features", "in_channels"):
        if hasattr(module, name):
            return int(getattr(module, name))
    kind = type(module).__name__
    raise TypeError(
        f"the first layer, a {kind}, does not say how wide the code is: give latent_dim"
    )
