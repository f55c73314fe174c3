"""Uniform distribution on an interval with Gaussian edges."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import (
    Distribution,
    Normal,
    constraints,
    register_kl,
)

__all__ = ["SoftUniform", "normal_to_soft_uniform"]


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
        # At most one of the two is positive: the distance from the interval.
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
