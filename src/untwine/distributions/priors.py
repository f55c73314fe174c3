"""Priors: modules that take nothing and return a distribution over codes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributions import (
    Distribution,
    Independent,
    Laplace,
    Normal,
    constraints,
    register_kl,
)

from ..checks import check_scale, check_size
from ..spec import Recorded
from .posteriors import diagonal_normal

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = [
    "LaplacePrior",
    "LearnedNormal",
    "Prior",
    "SoftUniform",
    "StandardNormal",
    "UniformPrior",
]


class Prior(Recorded, nn.Module, ABC):
    """A distribution over codes, perhaps with parameters that are learned.

    Two hooks, which do nothing unless a prior overrides them, let it look at what it will meet.
    """

    @abstractmethod
    def forward(self) -> Distribution:
        """The distribution, with empty batch shape and event shape ``(D,)``."""

    def attach(self, data: FactorDataset, encoder: nn.Module) -> None:
        """Called once when a method is built, after its encoder has been made.

        Args:
            data: What the method will learn from.
            encoder: ``x -> q(z|x)``.
        """

    def start(self, codes: Tensor) -> None:
        """Called once before the first move of training; not again when a run is resumed.

        Args:
            codes: Posterior means of a few thousand examples, ``(N, D)``.
        """

    @property
    def starts(self) -> bool:
        """Whether `start` has something to do; if not, nothing is encoded for it."""
        return type(self).start is not Prior.start


class StandardNormal(Prior):
    r""":math:`p(z) = \mathcal{N}(0, I)`.

    Args:
        latent_dim: :math:`D`.
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        check_size("latent_dim", latent_dim)
        self.register_buffer("loc", torch.zeros(latent_dim), persistent=False)
        self.register_buffer("scale", torch.ones(latent_dim), persistent=False)

    def forward(self) -> Independent:
        """The prior."""
        return diagonal_normal(self.loc, self.scale)


class LearnedNormal(Prior):
    r"""A Gaussian whose mean and scales are learned, :math:`p(z) = \mathcal{N}(\mu, \sigma^2)`.

    It starts as the standard normal. An affine layer of the decoder can undo what it learns, so it
    changes the scale of codes rather than what a VAE can express.

    Args:
        latent_dim: :math:`D`.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        check_size("latent_dim", latent_dim)
        self.loc = nn.Parameter(torch.zeros(latent_dim))
        self.log_scale = nn.Parameter(torch.zeros(latent_dim))

    def forward(self) -> Independent:
        """The prior."""
        return diagonal_normal(self.loc, self.log_scale.exp())


class LaplacePrior(Prior):
    r"""Independent Laplace distributions, :math:`p(z) = \prod_j \frac{1}{2b} e^{-|z_j| / b}`.

    It is not rotationally symmetric, unlike the standard normal. The divergence of a diagonal
    Gaussian from it has a closed form.

    Args:
        latent_dim: :math:`D`.
        scale: :math:`b`; by default :math:`1/\sqrt 2`, which makes the variance one.

    Raises:
        ValueError: for a scale that is not positive.
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, latent_dim: int, scale: float = 0.5**0.5) -> None:
        super().__init__()
        check_size("latent_dim", latent_dim)
        check_scale("scale", scale)
        self.register_buffer("loc", torch.zeros(latent_dim), persistent=False)
        self.register_buffer("scale", torch.full((latent_dim,), float(scale)), persistent=False)

    def forward(self) -> Independent:
        """The prior."""
        base = Laplace(self.loc, self.scale, validate_args=False)
        return Independent(base, 1, validate_args=False)


class UniformPrior(Prior):
    r"""Flat in a box, with Gaussian edges that make it comparable with a Gaussian posterior.

    .. math::
        p(z) = \prod_j \frac{1}{b - a + \sqrt{2 \pi} s} \,
        e^{-\mathrm{dist}(z_j, [a, b])^2 / 2 s^2}

    A Gaussian posterior has mass outside of any box, so its divergence from the uniform
    distribution on the box itself is infinite and nothing could be learned. Here the density
    falls off outside like a Gaussian of scale s instead of to zero. It is normalized, the
    divergence of a diagonal Gaussian from it has a closed form, and the uniform distribution is
    its limit for :math:`s \to 0`. The share of the prior's mass outside is
    :math:`\sqrt{2 \pi} s / (b - a + \sqrt{2 \pi} s)` per dimension, 11 % at the default.

    Args:
        latent_dim: :math:`D`.
        low: :math:`a`, the same in every dimension.
        high: :math:`b`.
        edge: :math:`s`. The smaller, the steeper what holds codes in the box.

    Raises:
        ValueError: for an empty box, or an edge that is not positive.
    """

    low: Tensor
    high: Tensor
    edge: Tensor

    def __init__(
        self, latent_dim: int, low: float = -1.0, high: float = 1.0, edge: float = 0.1
    ) -> None:
        super().__init__()
        check_size("latent_dim", latent_dim)
        if not -math.inf < low < high < math.inf:
            raise ValueError(f"the box from low={low} to high={high} is empty; low must be below")
        if not 0 < edge < math.inf:
            raise ValueError(
                f"edge is {edge}; expected a positive number: with a sharp edge the divergence of "
                "a Gaussian posterior would be infinite"
            )
        for name, value in {"low": low, "high": high, "edge": edge}.items():
            self.register_buffer(name, torch.full((latent_dim,), float(value)), persistent=False)

    def forward(self) -> Independent:
        """The prior."""
        return Independent(SoftUniform(self.low, self.high, self.edge), 1, validate_args=False)


class SoftUniform(Distribution):
    r"""One-dimensional: constant in an interval, with half a Gaussian on either side of it.

    Args:
        low: Where the interval begins.
        high: Where it ends.
        edge: The scale of the Gaussians outside.

    Shape:
        Three tensors of one shape, which is the batch shape.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    has_rsample = False

    def __init__(self, low: Tensor, high: Tensor, edge: Tensor) -> None:
        self.low, self.high, self.edge = low, high, edge
        super().__init__(low.shape, validate_args=False)

    @property
    def support(self) -> constraints.Constraint:
        """All real numbers."""
        return constraints.real

    @property
    def outside(self) -> Tensor:
        """The share of the mass outside of the interval."""
        tails = math.sqrt(2 * math.pi) * self.edge
        return tails / (self.high - self.low + tails)

    @property
    def mean(self) -> Tensor:
        """The middle of the interval."""
        return (self.low + self.high) / 2

    @property
    def variance(self) -> Tensor:
        """Of both parts together."""
        half = (self.high - self.low) / 2
        fold = math.sqrt(2 / math.pi) * self.edge
        tail = half**2 + 2 * half * fold + self.edge**2
        return (1 - self.outside) * half**2 / 3 + self.outside * tail

    def log_prob(self, value: Tensor) -> Tensor:
        """Elementwise."""
        beyond = torch.relu(value - self.high) + torch.relu(self.low - value)
        return -0.5 * (beyond / self.edge) ** 2 - self._log_mass()

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws the part first: inside, or on either side."""
        shape = torch.Size(sample_shape) + self.batch_shape
        inside = self.low + (self.high - self.low) * torch.rand(shape, device=self.low.device)
        noise = self.edge * torch.randn(shape, device=self.low.device)
        beyond = torch.where(noise > 0, self.high, self.low) + noise
        return torch.where(torch.rand_like(inside) < self.outside, beyond, inside)

    def _log_mass(self) -> Tensor:
        return (self.high - self.low + math.sqrt(2 * math.pi) * self.edge).log()


@register_kl(Normal, SoftUniform)
def normal_to_soft_uniform(q: Normal, p: SoftUniform) -> Tensor:
    r"""KL of a Gaussian from an interval with Gaussian edges.

    .. math::
        \log Z - \tfrac12 \log 2 \pi e \sigma^2 + \tfrac{1}{2 s^2} \big( E[(z - b)_+^2]
        + E[(a - z)_+^2] \big), \quad
        E[(z - b)_+^2] = (\sigma^2 + d^2) \Phi(d / \sigma) + d \sigma \phi(d / \sigma),
        \; d = \mu - b
    """

    def squared(d: Tensor) -> Tensor:
        t = d / q.scale
        density = torch.exp(-0.5 * t**2) / math.sqrt(2 * math.pi)
        return (q.scale**2 + d**2) * torch.special.ndtr(t) + d * q.scale * density

    beyond = squared(q.loc - p.high) + squared(p.low - q.loc)
    return p._log_mass() - q.entropy() + 0.5 * beyond / p.edge**2
