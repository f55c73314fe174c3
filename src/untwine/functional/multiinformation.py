"""Multiinformation (total correlation) of a batch of codes, by kernel density estimates."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

__all__ = ["kernel_multiinformation"]

_LEAST = 1e-6  # of a standard deviation, so that a constant dimension has a density


def kernel_multiinformation(
    z: Tensor,
    spread: Tensor | None = None,
    *,
    bandwidth: Literal["shared", "released"] = "shared",
) -> Tensor:
    r"""How far the codes of a batch are from independent, nats; one value per example.

    .. math::
        \log \hat q(z_i) - \sum_k \log \hat q(z_{ik}), \qquad
        \hat q(z_i) = \frac1B \sum_j \prod_k \mathcal{N}(z_{ik}; z_{jk}, h_k^2), \quad
        \hat q(z_{ik}) = \frac1B \sum_j \mathcal{N}(z_{ik}; z_{jk}, h_k^2)

    with Silverman's :math:`h_k = \sigma_k \, (4 / ((D + 2) B))^{1 / (D + 4)}`. Its mean is the
    total correlation of the estimated density. With one bandwidth for joint and marginals it is
    zero for a batch whose dimensions are independent.

    Args:
        z: Codes, ``(B, D)``.
        spread: :math:`\sigma`, ``(D,)``; by default the standard deviations of ``z``.
        bandwidth: ``"shared"``, or ``"released"``: the marginals' is :math:`\sigma_k`, as in the
            code that was released with the paper. That is larger than the joint's, and the value
            is then not zero for independent dimensions.

    Returns:
        ``(B,)``.

    Raises:
        ValueError: for another ``bandwidth``.

    References:
        Hsu, Hamid, Burns, Finn, Wu, "Tripod: Three Complementary Inductive Biases for Disentangled
        Representation Learning", 2024, https://arxiv.org/abs/2404.10282

    Example:
        >>> square = torch.cartesian_prod(torch.arange(4.0), torch.arange(4.0))
        >>> kernel_multiinformation(square).abs().max().item() < 1e-5
        True
    """
    if bandwidth not in ("shared", "released"):
        raise ValueError(f"bandwidth is {bandwidth!r}; expected 'shared' or 'released'")
    size, dim = z.shape
    spread = z.std(0, correction=0) if spread is None else spread
    spread = spread + _LEAST
    silverman = (4 / ((dim + 2) * size)) ** (1 / (dim + 4))
    joint = _log_kernels(z, spread * silverman)
    marginal = joint if bandwidth == "shared" else _log_kernels(z, spread)
    # Of a product of D densities and of D products, log B is taken once and D times.
    log_joint = joint.sum(-1).logsumexp(1) - math.log(size)
    log_marginals = (marginal.logsumexp(1) - math.log(size)).sum(-1)
    return log_joint - log_marginals


def _log_kernels(z: Tensor, h: Tensor) -> Tensor:
    """Log densities of every example under the kernel of every other, ``(B, B, D)``."""
    return torch.distributions.Normal(z, h, validate_args=False).log_prob(z[:, None])
