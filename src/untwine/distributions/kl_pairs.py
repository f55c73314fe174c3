"""Kullback-Leibler divergences that torch does not register."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import (
    Independent,
    LowRankMultivariateNormal,
    MultivariateNormal,
    Normal,
    kl_divergence,
    register_kl,
)

from .angles import Angles
from .blocks import Blocks
from .mixture import Mixture
from .one_hot import OneHot
from .quantized import Quantized, UniformGrid

__all__ = [
    "angles_to_angles",
    "blocks_to_blocks",
    "diagonal_to_full",
    "diagonal_to_low_rank",
    "full_to_diagonal",
    "low_rank_to_diagonal",
    "mixture_of_one",
    "one_hot_to_one_hot",
    "quantized_to_grid",
]


@register_kl(MultivariateNormal, Independent)
def full_to_diagonal(q: MultivariateNormal, p: Independent) -> Tensor:
    r"""KL of a full-covariance Gaussian from a diagonal one.

    .. math::
        \tfrac12 \sum_j \Big[ \frac{\Sigma_{jj} + (m_j - \mu_j)^2}{s_j^2} - 1
        + \log s_j^2 \Big] - \sum_j \log L_{jj}, \qquad \Sigma = L L^\top

    Raises:
        NotImplementedError: if ``p`` is not made of normals.
    """
    log_det = torch.diagonal(q.scale_tril, dim1=-2, dim2=-1).log().sum(-1)
    return _to_diagonal(q, p) - log_det


@register_kl(LowRankMultivariateNormal, Independent)
def low_rank_to_diagonal(q: LowRankMultivariateNormal, p: Independent) -> Tensor:
    r"""KL of a low-rank Gaussian from a diagonal one, as `full_to_diagonal`.

    .. math::
        \log |\Sigma| = \log \big| I + W^\top \mathrm{diag}(\sigma^2)^{-1} W \big|
        + \textstyle\sum_j \log \sigma_j^2

    Raises:
        NotImplementedError: if ``p`` is not made of normals.
    """
    capacitance = torch.diagonal(q._capacitance_tril, dim1=-2, dim2=-1)
    log_det = capacitance.log().sum(-1) + 0.5 * q.cov_diag.log().sum(-1)
    return _to_diagonal(q, p) - log_det


@register_kl(Independent, MultivariateNormal)
def diagonal_to_full(q: Independent, p: MultivariateNormal) -> Tensor:
    """KL of a diagonal Gaussian from a full-covariance one.

    Raises:
        NotImplementedError: if ``q`` is not made of normals.
    """
    return kl_divergence(_as_low_rank(q, p), p)


@register_kl(Independent, LowRankMultivariateNormal)
def diagonal_to_low_rank(q: Independent, p: LowRankMultivariateNormal) -> Tensor:
    """KL of a diagonal Gaussian from a low-rank one.

    Raises:
        NotImplementedError: if ``q`` is not made of normals.
    """
    return kl_divergence(_as_low_rank(q, p), p)


@register_kl(OneHot, OneHot)
def one_hot_to_one_hot(q: OneHot, p: OneHot) -> Tensor:
    r""":math:`\sum_k \pi_k \log (\pi_k / \rho_k)`, of the unit vectors, not of relaxed samples."""
    return (q.probs * (q.logits - p.logits)).sum(-1)


@register_kl(Angles, Angles)
def angles_to_angles(q: Angles, p: Angles) -> Tensor:
    r"""KL of von Mises angles; from the uniform circle it is :math:`\kappa A(\kappa) - \log I_0`.

    .. math::
        \log \frac{I_0(\kappa_p)}{I_0(\kappa_q)}
        + A(\kappa_q) \big( \kappa_q - \kappa_p \cos(\mu_q - \mu_p) \big)
    """
    a, b = q.concentration, p.concentration
    cos = (q.direction * p.direction).sum(-1)
    # i0e is scaled by exp(-k): the logarithm of I0 is finite for any concentration.
    volume = torch.special.i0e(b).log() + b - torch.special.i0e(a).log() - a
    return (volume + q.resultant * (a - b * cos)).sum(-1)


@register_kl(Blocks, Blocks)
def blocks_to_blocks(q: Blocks, p: Blocks) -> Tensor:
    """The sum over the blocks, where each has a closed form.

    Raises:
        NotImplementedError: where one has none.
        ValueError: if the blocks are not the same.
    """
    same_blocks(q, p)
    each = [kl_divergence(q[name], p[name]) for name in q.names]
    return sum(each[1:], each[0])


@register_kl(Mixture, Independent)
@register_kl(Mixture, MultivariateNormal)
def mixture_of_one(q: Mixture, p: Any) -> Tensor:
    """The component's divergence, if there is one component.

    Raises:
        NotImplementedError: for several components: there is no closed form.
    """
    if q.choice.logits.shape[-1] > 1:
        raise NotImplementedError("the KL divergence of a mixture has no closed form")
    return kl_divergence(q.component_distribution, p).squeeze(-1)


def same_blocks(q: Blocks, p: Blocks) -> None:
    """Refuses two distributions whose blocks differ.

    Raises:
        ValueError: if names or widths differ.
    """
    if q.slices != p.slices or q.names != p.names:
        raise ValueError(
            f"the posterior has blocks {q.slices} and the prior has {p.slices}; make both from the "
            "same specification"
        )


def _to_diagonal(q: Any, p: Independent) -> Tensor:
    """All of the divergence but half the log determinant of the covariance of ``q``."""
    if not (isinstance(p.base_dist, Normal) and p.reinterpreted_batch_ndims == 1):
        raise NotImplementedError(f"no closed form for {type(q).__name__} and {p}")
    loc, scale = p.base_dist.loc, p.base_dist.scale
    spread = (q.variance + (q.loc - loc) ** 2) / scale**2
    return 0.5 * (spread - 1 + 2 * scale.log()).sum(-1)


def _as_low_rank(q: Independent, p: Any) -> LowRankMultivariateNormal:
    """A diagonal Gaussian with a factor of one column of zeros."""
    if not (isinstance(q.base_dist, Normal) and q.reinterpreted_batch_ndims == 1):
        raise NotImplementedError(f"no closed form for {q} and {type(p).__name__}")
    loc, scale = torch.broadcast_tensors(q.base_dist.loc, q.base_dist.scale)
    return LowRankMultivariateNormal(
        loc, torch.zeros_like(loc).unsqueeze(-1), scale**2, validate_args=False
    )


@register_kl(Quantized, UniformGrid)
def quantized_to_grid(q: Quantized, p: UniformGrid) -> Tensor:
    r"""KL of a point of a grid from the uniform distribution over it, :math:`D \log V`."""
    return p.entropy().expand(q.batch_shape)
