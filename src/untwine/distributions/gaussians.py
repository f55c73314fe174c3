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

__all__ = ["batched", "bounded", "diagonal_normal"]

_SMALLEST, _LARGEST = -40.0, 40.0


def diagonal_normal(loc: Tensor, scale: Tensor) -> Independent:
    """A Gaussian with independent dimensions, built without the checks that would wait for a GPU.

    Shape: ``(..., D)`` each; event shape ``(D,)``.
    """
    return Independent(Normal(loc, scale, validate_args=False), 1, validate_args=False)


def bounded(log_variance: Tensor) -> Tensor:
    r"""Log variances between -40 and 40, deviations between :math:`e^{-20}` and :math:`e^{20}`.

    Inputs of 10,000s would otherwise make the first posterior of an untrained network infinite.
    Within the bounds nothing changes.

    Example:
        >>> import torch
        >>> bounded(torch.tensor([-1.5, 2000.0])).tolist()
        [-1.5, 40.0]
    """
    return log_variance.clamp(_SMALLEST, _LARGEST)


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
        f"the posterior is a {type(q).__name__}; expected a diagonal, low-rank or full-covariance "
        "Gaussian"
    )
