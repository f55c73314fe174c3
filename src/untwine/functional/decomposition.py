"""The parts of the average KL: index-code mutual information, total correlation, dimension-wise KL.

All estimators need the density of each sample under the posterior of every example of the batch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.distributions import (
    Distribution,
    Independent,
    LowRankMultivariateNormal,
    MultivariateNormal,
    Normal,
)

__all__ = ["Decomposition", "decompose", "log_densities", "log_importance_weights"]

Estimator = Literal["mws", "mss"]


@dataclass(frozen=True)
class Decomposition:
    r"""Per-sample terms, each ``(B,)`` in nats, whose sum is a one-sample estimate of the KL.

    .. math::
        \mathbb{E}_{p(x)} D_{KL}(q(z|x) \,\|\, p(z)) = I_q(z; n)
        + D_{KL}(q(z) \,\|\, \textstyle\prod_j q(z_j))
        + \textstyle\sum_j D_{KL}(q(z_j) \,\|\, p(z_j))

    Attributes:
        mutual_information: Index-code mutual information.
        total_correlation: Of the aggregate posterior.
        dimension_kl: Dimension-wise KL divergence from the prior.
    """

    mutual_information: Tensor
    total_correlation: Tensor
    dimension_kl: Tensor


def log_densities(q: Distribution, z: Tensor) -> tuple[Tensor, Tensor]:
    r"""Log densities of every sample under every posterior of the batch.

    Args:
        q: A diagonal, low-rank or full-covariance Gaussian with batch shape ``(M,)`` over ``D``
            dimensions.
        z: Samples, ``(B, D)``.

    Returns:
        ``joint``, ``(B, M)``: :math:`\log q(z_i | x_m)`, and ``marginal``, ``(B, M, D)``:
        :math:`\log q(z_{ij} | x_m)`.

    Raises:
        TypeError: for another family, whose one-dimensional marginals are not known.
    """
    if isinstance(q, Independent) and isinstance(q.base_dist, Normal):
        marginal = _normal(z, q.base_dist.loc, q.base_dist.scale)
        return marginal.sum(-1), marginal
    if isinstance(q, MultivariateNormal | LowRankMultivariateNormal):
        joint = q.log_prob(z.unsqueeze(1))
        return joint, _normal(z, q.loc, q.variance.sqrt())
    raise TypeError(
        f"the posterior is a {type(q).__name__}; expected a diagonal, low-rank or full-covariance "
        "Gaussian, whose marginals are known"
    )


def log_importance_weights(batch: int, size: int, device: torch.device | None = None) -> Tensor:
    r"""Log weights of minibatch stratified sampling, ``(B, B)``; each row of weights sums to one.

    For the sample of example :math:`i` in a batch of :math:`M + 1` different examples out of
    :math:`N`, example :math:`i` itself, the one that is in the batch for certain, weighs
    :math:`1/N`; of the other :math:`M`, one weighs :math:`(N - M) / (N M)` and the rest
    :math:`1/M` each. The weight :math:`1/N` is on the diagonal.

    Raises:
        ValueError: if the batch is larger than the set, or has a single example.

    References:
        Chen, Li, Grosse, Duvenaud, "Isolating Sources of Disentanglement in VAEs", 2018,
        https://arxiv.org/abs/1802.04942, appendix C.2.
    """
    count = batch - 1
    if count < 1 or count >= size:
        raise ValueError(
            f"stratified sampling needs 2 <= batch <= training examples, got a batch of {batch} "
            f"and {size} examples; use a smaller batch, or estimator='mws'"
        )
    weights = torch.full((batch, batch), 1 / count, device=device, dtype=torch.float64)
    row = torch.arange(batch, device=device)
    weights[row, row] = 1 / size
    weights[row, (row + 1) % batch] = (size - count) / (size * count)
    return weights.log()


def decompose(
    q: Distribution, prior: Distribution, z: Tensor, size: int, estimator: Estimator = "mws"
) -> Decomposition:
    r"""Minibatch estimate of the three parts of the average KL.

    ``"mws"`` is minibatch weighted sampling (biased, cheap),
    :math:`\log q(z_i) \approx \log \frac{1}{NB} \sum_m q(z_i | x_m)`; ``"mss"`` is minibatch
    stratified sampling, whose estimate of :math:`q(z_i)` is unbiased, see
    `log_importance_weights`.

    Args:
        q: Posteriors of the batch, batch shape ``(B,)``.
        prior: The prior of ``z``.
        z: One sample of each posterior, ``(B, D)``.
        size: :math:`N`, the number of training examples.
        estimator: ``"mws"`` or ``"mss"``.

    Raises:
        ValueError: for an unknown estimator, or a batch that is larger than the set (mss).
        TypeError: for a posterior whose one-dimensional marginals are not known.

    References:
        Chen, Li, Grosse, Duvenaud, "Isolating Sources of Disentanglement in VAEs", 2018,
        https://arxiv.org/abs/1802.04942, equations 2 and S6.
    """
    # joint[i, m] = log q(z_i | x_m): the diagonal is each sample under its own posterior.
    joint, marginal = log_densities(q, z)
    conditional = joint.diagonal()
    if estimator == "mss":
        weights = log_importance_weights(len(z), size, z.device).to(z.dtype)
        aggregate = torch.logsumexp(joint + weights, 1)
        # The same weights for every dimension: each q(z_j) is the marginal of the one q(z).
        product = torch.logsumexp(marginal + weights.unsqueeze(-1), 1).sum(-1)
    elif estimator == "mws":
        constant = math.log(size * len(z))
        aggregate = torch.logsumexp(joint, 1) - constant
        product = (torch.logsumexp(marginal, 1) - constant).sum(-1)
    else:
        raise ValueError(f"estimator is {estimator!r}; expected 'mss' or 'mws'")
    return Decomposition(
        mutual_information=conditional - aggregate,
        total_correlation=aggregate - product,
        dimension_kl=product - prior.log_prob(z),
    )


def _normal(z: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Log density of ``(B, D)`` under ``(M, D)`` Gaussians of one dimension each, ``(B, M, D)``."""
    standard = (z.unsqueeze(1) - loc) / scale
    return -0.5 * (standard**2 + math.log(2 * math.pi)) - scale.log()
