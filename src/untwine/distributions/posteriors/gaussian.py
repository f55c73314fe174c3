"""Gaussian posteriors: diagonal, full-covariance and low-rank."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import (
    Independent,
    LowRankMultivariateNormal,
    MultivariateNormal,
)

from ...checks import check_scale, check_size
from ..gaussians import bounded, diagonal_normal
from .base import Posterior

__all__ = ["Diagonal", "FixedScale", "FullCovariance", "LowRank"]


class Diagonal(Posterior):
    r"""Independent Gaussians, from means and log variances.

    .. math::
        q(z|x) = \prod_j \mathcal{N}(z_j; \mu_j(x), \sigma_j(x)^2)

    Example:
        >>> q = Diagonal()(torch.zeros(5, 6))
        >>> q.batch_shape, q.event_shape, q.stddev[0, 0].item()
        (torch.Size([5]), torch.Size([3]), 1.0)
    """

    def features(self, latent_dim: int) -> int:
        """Means and log variances."""
        return 2 * latent_dim

    def forward(self, h: Tensor) -> Independent:
        """``(B, 2 D)``, means first, to a Gaussian over ``(D,)``."""
        loc, log_variance = h.chunk(2, -1)
        return diagonal_normal(loc, (0.5 * bounded(log_variance)).exp())


class FixedScale(Posterior):
    r"""Independent Gaussians of one fixed scale.

    .. math::
        q(z|x) = \prod_j \mathcal{N}(z_j; \mu_j(x), \sigma^2)

    Args:
        scale: :math:`\sigma`.

    Raises:
        ValueError: for a scale that is not positive.
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        check_scale("scale", scale)
        self.scale = float(scale)

    def features(self, latent_dim: int) -> int:
        """Means."""
        return latent_dim

    def forward(self, h: Tensor) -> Independent:
        """``(B, D)`` means to a Gaussian over ``(D,)``."""
        return diagonal_normal(h, torch.full_like(h, self.scale))


class FullCovariance(Posterior):
    r"""A Gaussian with any covariance, from its mean and Cholesky factor.

    .. math::
        q(z|x) = \mathcal{N}(z; \mu(x), L(x) L(x)^\top), \qquad L_{jj} = e^{l_j} > 0
    """

    def features(self, latent_dim: int) -> int:
        """Means, log diagonal, and what is below the diagonal."""
        return 2 * latent_dim + latent_dim * (latent_dim - 1) // 2

    def forward(self, h: Tensor) -> MultivariateNormal:
        """``(B, 2 D + D (D - 1) / 2)`` to a Gaussian over ``(D,)``."""
        # The root of 2 D + D (D - 1) / 2 = features.
        dim = round(((9 + 8 * h.shape[-1]) ** 0.5 - 3) / 2)
        loc, log_diagonal, below = h.split([dim, dim, h.shape[-1] - 2 * dim], -1)
        rows, columns = torch.tril_indices(dim, dim, -1, device=h.device)
        factor = torch.diag_embed((0.5 * bounded(2 * log_diagonal)).exp()).index_put(
            (torch.arange(len(h), device=h.device)[:, None], rows, columns), below
        )
        return MultivariateNormal(loc, scale_tril=factor, validate_args=False)


class LowRank(Posterior):
    r"""A Gaussian whose covariance is a diagonal and a factor of few columns.

    .. math::
        q(z|x) = \mathcal{N}(z; \mu(x), \Sigma(x)), \qquad
        \Sigma(x) = \mathrm{diag}(\sigma(x)^2) + W(x) W(x)^\top, \; W \in \mathbb{R}^{D \times r}

    Args:
        rank: :math:`r`, the columns of the factor.

    Raises:
        ValueError: for a rank below 1.

    References:
        Ong, Nott, Smith, "Gaussian Variational Approximation with a Factor Covariance Structure",
        2018, https://arxiv.org/abs/1701.03208, section 3.

    Example:
        >>> q = LowRank(2)(torch.zeros(5, 4 * 3))
        >>> q.event_shape, q.covariance_matrix[0].diagonal().tolist()
        (torch.Size([3]), [1.0, 1.0, 1.0])
    """

    def __init__(self, rank: int = 1) -> None:
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank is {rank}; expected at least 1, or a Diagonal posterior")
        check_size("rank", rank)
        self.rank = rank

    def features(self, latent_dim: int) -> int:
        """Means, log variances of the diagonal, and the factor."""
        return (2 + self.rank) * latent_dim

    def forward(self, h: Tensor) -> LowRankMultivariateNormal:
        """``(B, (2 + r) D)``, means first, then log variances, to a Gaussian over ``(D,)``."""
        dim = h.shape[-1] // (2 + self.rank)
        loc, log_variance, factor = h.split([dim, dim, self.rank * dim], -1)
        return LowRankMultivariateNormal(
            loc,
            factor.unflatten(-1, (dim, self.rank)),
            bounded(log_variance).exp(),
            validate_args=False,
        )
