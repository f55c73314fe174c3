"""Categorical distribution over one-hot vectors, with a Gumbel-softmax sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import (
    Distribution,
    constraints,
)

__all__ = ["OneHot", "gumbel_like"]


def gumbel_like(x: Tensor) -> Tensor:
    """Standard Gumbel noise of the shape, dtype and device of ``x``."""
    # An exponential draw may be 0, whose logarithm is infinite.
    tiny = torch.finfo(x.dtype).tiny
    return -torch.empty_like(x).exponential_().clamp(min=tiny).log()


class OneHot(Distribution):
    r"""A categorical variable over the unit vectors, with a relaxed sample for gradients.

    .. math::
        P(e_k) = \pi_k, \qquad
        y = \mathrm{softmax}\big((\log \pi + g) / \tau\big), \; g_k \sim \mathrm{Gumbel}(0, 1)

    The *distribution* is that of the unit vectors: `mean`, `variance`, `entropy`, `sample` and the
    KL divergence are exact. Only `rsample` is relaxed: it returns y, inside the simplex, whose
    gradient is biased by an amount that vanishes with the temperature while its variance grows;
    with ``straight_through`` it returns the unit vector of the largest entry of y, which is an
    exact sample, with the gradient of y.

    Args:
        logits: Unnormalized log probabilities.
        temperature: :math:`\tau > 0`.
        straight_through: Whether `rsample` returns unit vectors.

    Shape:
        ``logits`` ``(..., K)``: batch shape ``(...)``, event shape ``(K,)``.

    References:
        Jang, Gu, Poole, "Categorical Reparameterization with Gumbel-Softmax", 2017,
        https://arxiv.org/abs/1611.01144, equation 2 and section 2.2 (straight-through). Maddison,
        Mnih, Teh, "The Concrete Distribution", 2017, https://arxiv.org/abs/1611.00712.

    Example:
        >>> q = OneHot(torch.tensor([[0.0, 0.0], [0.0, 3.0]]))
        >>> q.mean[0].tolist(), q.rsample().sum(-1).round().tolist()
        ([0.5, 0.5], [1.0, 1.0])
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    has_rsample = True

    def __init__(
        self, logits: Tensor, temperature: float = 0.67, straight_through: bool = False
    ) -> None:
        self.logits = logits.log_softmax(-1)
        self.temperature, self.straight_through = temperature, straight_through
        super().__init__(logits.shape[:-1], logits.shape[-1:], validate_args=False)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> OneHot:
        """The same variables for a larger batch."""
        logits = self.logits.expand(*batch_shape, *self.event_shape)
        return OneHot(logits, self.temperature, self.straight_through)

    @property
    def probs(self) -> Tensor:
        r""":math:`\pi`."""
        return self.logits.exp()

    @property
    def mean(self) -> Tensor:
        r"""The mean of the unit vectors: :math:`\pi`."""
        return self.probs

    @property
    def mode(self) -> Tensor:
        """The most probable unit vector."""
        return self.snap(self.logits)

    @property
    def variance(self) -> Tensor:
        r""":math:`\pi_k (1 - \pi_k)`."""
        return self.probs * (1 - self.probs)

    @property
    def covariance_matrix(self) -> Tensor:
        r""":math:`\mathrm{diag}(\pi) - \pi \pi^\top`, ``(..., K, K)``."""
        return torch.diag_embed(self.probs) - self.probs.unsqueeze(-1) * self.probs.unsqueeze(-2)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """A relaxed sample, or with ``straight_through`` an exact one with its gradient."""
        logits = self.logits.expand(torch.Size(sample_shape) + self.logits.shape)
        y = ((logits + gumbel_like(logits)) / self.temperature).softmax(-1)
        # Value: the unit vector. Gradient: that of the relaxed y.
        return self.snap(y) + (y - y.detach()) if self.straight_through else y

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Unit vectors, exactly distributed."""
        logits = self.logits.expand(torch.Size(sample_shape) + self.logits.shape)
        return self.snap(logits + gumbel_like(logits))

    @staticmethod
    def snap(z: Tensor) -> Tensor:
        """The exact sample that a relaxed one stands for: the unit vector of its largest entry."""
        classes = torch.arange(z.shape[-1], device=z.device)
        return (z.argmax(-1, keepdim=True) == classes).to(z.dtype)

    def log_prob(self, value: Tensor) -> Tensor:
        r""":math:`\sum_k z_k \log \pi_k`: exact for unit vectors, extended linearly to others."""
        return (value * self.logits).sum(-1)

    def entropy(self) -> Tensor:
        r""":math:`-\sum_k \pi_k \log \pi_k`, in nats."""
        return -(self.probs * self.logits).sum(-1)
