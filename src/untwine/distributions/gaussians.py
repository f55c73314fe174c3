"""Gaussians without validation, and their batch in another shape."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.distributions import (
    Distribution,
    Independent,
    LowRankMultivariateNormal,
    MultivariateNormal,
    Normal,
)

__all__ = ["batched", "diagonal_normal"]


def diagonal_normal(loc: Tensor, scale: Tensor) -> Independent:
    """A Gaussian with independent dimensions, built without the checks that would wait for a GPU.

    Shape: ``(..., D)`` each; event shape ``(D,)``.
    """
    return Independent(Normal(loc, scale, validate_args=False), 1, validate_args=False)


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
