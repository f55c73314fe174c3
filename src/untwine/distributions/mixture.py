"""Mixture distribution with a reparameterized sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import (
    Categorical,
    Distribution,
    MixtureSameFamily,
)

from .one_hot import OneHot

__all__ = ["Mixture"]


class Mixture(MixtureSameFamily):
    r"""A mixture :math:`q(z) = \sum_k \pi_k q_k(z)` with a reparameterized sample.

    .. math::
        z = \sum_k y_k z_k, \qquad z_k \sim q_k \text{ each reparameterized}, \qquad
        y = \mathrm{softmax}\big((\log \pi + g) / \tau\big)

    With ``straight_through`` the *value* of y is the unit vector of its largest entry, so that z is
    an exact sample of the mixture, and its *gradient* with respect to :math:`\log \pi` is that of
    the relaxed y (biased; the bias vanishes with the temperature, while the variance grows).
    Without, z is the convex combination itself: it lies between the components and is no sample of
    the mixture, except in the limit of temperature 0, and `log_prob` at it is the density there,
    nothing more. Densities, `mean` and `variance` are always the mixture's own.

    `expectation` needs no choice: it sums over the components.

    Args:
        logits: :math:`\log \pi` up to a constant.
        components: The :math:`q_k`.
        temperature: :math:`\tau > 0`.
        straight_through: Whether samples are exact.

    Shape:
        ``logits`` ``(..., K)``; ``components`` with batch shape ``(..., K)``, event ``(D,)``.

    References:
        Jang, Gu, Poole, "Categorical Reparameterization with Gumbel-Softmax", 2017,
        https://arxiv.org/abs/1611.01144, section 2.

    Example:
        >>> from untwine.distributions import diagonal_normal
        >>> q = Mixture(torch.zeros(5, 2), diagonal_normal(torch.zeros(5, 2, 3), torch.ones(3)))
        >>> q.rsample().shape, q.expectation(lambda z: z.sum(-1) ** 0)[0].item()
        (torch.Size([5, 3]), 1.0)
    """

    has_rsample = True

    def __init__(
        self,
        logits: Tensor,
        components: Distribution,
        temperature: float = 0.5,
        straight_through: bool = True,
    ) -> None:
        super().__init__(
            Categorical(logits=logits, validate_args=False), components, validate_args=False
        )
        self.choice = OneHot(logits, temperature, straight_through)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Mixture:
        """The same mixtures for a larger batch."""
        count = self.choice.logits.shape[-1]
        return Mixture(
            self.choice.logits.expand(*batch_shape, count),
            self.component_distribution.expand(torch.Size([*batch_shape, count])),
            self.choice.temperature,
            self.choice.straight_through,
        )

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Samples with gradients to components and weights; with one component, the component's."""
        return self.choose(self.each(sample_shape))

    @property
    def covariance_matrix(self) -> Tensor:
        r""":math:`\sum_k \pi_k [\Sigma_k + (\mu_k - \mu)(\mu_k - \mu)^\top]`, ``(..., D, D)``."""
        q = self.component_distribution
        covariance = getattr(q, "covariance_matrix", None)
        covariance = torch.diag_embed(q.variance) if covariance is None else covariance
        # The law of total covariance: within components, plus between their means.
        away = q.mean - self.mean.unsqueeze(-2)
        whole = covariance + away.unsqueeze(-1) * away.unsqueeze(-2)
        return (self.choice.probs[..., None, None] * whole).sum(-3)

    def each(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """One reparameterized sample of every component, ``(..., K, D)``."""
        return self.component_distribution.rsample(torch.Size(sample_shape))

    def choose(self, each: Tensor) -> Tensor:
        """A sample of the mixture made of one of every component, ``(..., K, D)`` to ``(..., D)``.

        Of a single component there is nothing to choose, and no noise is drawn for it.
        """
        if each.shape[-2] == 1:
            return each.squeeze(-2)
        # The choice is drawn for the same sample shape as the components, one for each z.
        y = self.choice.rsample(each.shape[: each.ndim - 2 - len(self.batch_shape)])
        return (y.unsqueeze(-1) * each).sum(-2)

    def expectation(self, f: Callable[[Tensor], Tensor]) -> Tensor:
        r""":math:`\sum_k \pi_k f(z_k)`, one sample of every component: unbiased, weights included.

        Args:
            f: ``(..., K, D) -> (..., K)``.
        """
        return (self.choice.probs * f(self.each())).sum(-1)
