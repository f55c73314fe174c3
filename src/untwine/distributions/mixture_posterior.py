"""Mixtures of Gaussians as posteriors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import (
    Categorical,
    Distribution,
    Independent,
    LowRankMultivariateNormal,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
)

from ..checks import check_scale, check_size
from .categorical import OneHot
from .posteriors import Diagonal, Posterior, diagonal_normal

__all__ = ["Mixture", "MixturePosterior", "batched"]


def batched(q: Distribution, shape: Sequence[int]) -> Distribution:
    """The same Gaussians with their batch in another shape, such as features by component.

    Raises:
        TypeError: for what is no diagonal, low-rank or full-covariance Gaussian.
    """
    dim = q.event_shape
    if isinstance(q, Independent) and isinstance(q.base_dist, Normal):
        base = q.base_dist
        return diagonal_normal(base.loc.reshape(*shape, *dim), base.scale.reshape(*shape, *dim))
    if isinstance(q, LowRankMultivariateNormal):
        return LowRankMultivariateNormal(
            q.loc.reshape(*shape, *dim),
            q.cov_factor.reshape(*shape, *dim, -1),
            q.cov_diag.reshape(*shape, *dim),
            validate_args=False,
        )
    if isinstance(q, MultivariateNormal):
        scale_tril = q.scale_tril.reshape(*shape, *dim, *dim)
        return MultivariateNormal(
            q.loc.reshape(*shape, *dim), scale_tril=scale_tril, validate_args=False
        )
    raise TypeError(
        f"a {type(q).__name__} is no Gaussian; expected a diagonal, low-rank or full-covariance one"
    )


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
        own = getattr(q, "covariance_matrix", None)
        own = torch.diag_embed(q.variance) if own is None else own
        away = q.mean - self.mean.unsqueeze(-2)
        whole = own + away.unsqueeze(-1) * away.unsqueeze(-2)
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
        y = self.choice.rsample(each.shape[: each.ndim - 2 - len(self.batch_shape)])
        return (y.unsqueeze(-1) * each).sum(-2)

    def expectation(self, f: Callable[[Tensor], Tensor]) -> Tensor:
        r""":math:`\sum_k \pi_k f(z_k)`, one sample of every component: unbiased, weights included.

        Args:
            f: ``(..., K, D) -> (..., K)``.
        """
        return (self.choice.probs * f(self.each())).sum(-1)


class MixturePosterior(Posterior):
    r"""A mixture of Gaussians.

    .. math::
        q(z|x) = \sum_k \pi_k(x) \, \mathcal{N}(z; \mu_k(x), \Sigma_k(x))

    Args:
        components: :math:`K`.
        posterior: The family of the components; independent Gaussians by default.
        temperature: Of the relaxed choice of a component; see `Mixture`.
        straight_through: Whether samples are exact samples of the mixture.

    Raises:
        ValueError: for fewer than one component, or a temperature that is not positive.
    """

    def __init__(
        self,
        components: int = 2,
        posterior: Posterior | None = None,
        temperature: float = 0.5,
        straight_through: bool = True,
    ) -> None:
        super().__init__()
        if components < 1:
            raise ValueError(f"a mixture has at least 1 component, got components={components}")
        check_size("components", components)
        check_scale("temperature", temperature)
        self.components = components
        self.posterior = Diagonal() if posterior is None else posterior
        self.temperature, self.straight_through = temperature, straight_through

    def features(self, latent_dim: int) -> int:
        """Those of every component, and with two or more a logit for each."""
        logits = self.components if self.components > 1 else 0
        return self.components * self.posterior.features(latent_dim) + logits

    def forward(self, h: Tensor) -> Mixture:
        """``(B, features)``, component after component, then logits, to a mixture over ``(D,)``."""
        k, batch = self.components, h.shape[:-1]
        each, logits = h.split([h.shape[-1] - (k if k > 1 else 0), k if k > 1 else 0], -1)
        if k == 1:
            logits = h.new_zeros(*batch, 1)
        flat = self.posterior(each.reshape(-1, each.shape[-1] // k))
        return Mixture(logits, batched(flat, (*batch, k)), self.temperature, self.straight_through)
