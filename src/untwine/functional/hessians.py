"""Hessian penalties: how much one dimension changes what another does, by finite differences."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["hessian_penalty", "second_differences"]

_LEAST = 1e-10


def second_differences(f: Callable[[Tensor], Tensor], z: Tensor, directions: Tensor) -> Tensor:
    r"""Second derivatives along directions, by central differences.

    .. math::
        f(z + v) - 2 f(z) + f(z - v) = v^\top H v + O(\|v\|^4)

    Args:
        f: ``(B, D)`` to ``(B, ...)``.
        z: Where, ``(B, D)``.
        directions: :math:`v`, ``(K, B, D)``.

    Returns:
        ``(K, B, M)``, the outputs of each example in one row.
    """
    value = 2 * f(z).flatten(1)
    return torch.stack([f(z + v).flatten(1) + f(z - v).flatten(1) - value for v in directions])


def hessian_penalty(
    f: Callable[[Tensor], Tensor],
    z: Tensor,
    spread: Tensor | float = 1.0,
    *,
    probes: int = 2,
    epsilon: float = 0.1,
    normalized: bool = False,
) -> Tensor:
    r"""The off-diagonal part of a function's Hessians, one value per example.

    .. math::
        \frac1M \sum_m \mathrm{Var}_{v \sim \{-1, 1\}^D}\big[v^\top H_m v\big]
        = \frac1M \sum_m 2 \sum_{i \ne j} (H_m)_{ij}^2,
        \qquad (H_m)_{ij} = \sigma_i \sigma_j \frac{\partial^2 f_m}{\partial z_i \partial z_j}

    Normalized, it is divided by the same with :math:`v \sim \mathcal{N}(0, I)`, which is
    :math:`2 \|H_m\|^2`: the share of the off-diagonal in the whole, from 0 to 1 in expectation, so
    that a flat function is no way to make it small.

    Args:
        f: ``(B, D)`` to ``(B, ...)``, each example by itself.
        z: Where, ``(B, D)``.
        spread: :math:`\sigma`, what one step is in each dimension, ``(D,)``, such as the codes'
            standard deviations; for a Hessian in units of the code, 1.
        probes: How many directions the variances are estimated from.
        epsilon: The length of a finite difference, in units of ``spread``.
        normalized: Whether the share is returned.

    Returns:
        ``(B,)``.

    Raises:
        ValueError: for fewer than two probes, which have no variance.

    References:
        Peebles, Peebles, Zhu, Efros, Torralba, "The Hessian Penalty: A Weak Prior for Unsupervised
        Disentanglement", 2020, https://arxiv.org/abs/2008.10599 (there the largest output counts,
        here the mean over outputs); normalized as in Hsu et al., "Tripod", 2024,
        https://arxiv.org/abs/2404.10282
    """
    if probes < 2:
        raise ValueError(f"probes is {probes}; expected at least 2, whose variance is taken")
    shape = (probes, *z.shape)
    signs = 2.0 * torch.randint(2, shape, device=z.device, dtype=z.dtype) - 1

    def variance(v: Tensor) -> Tensor:
        along = second_differences(f, z, epsilon * spread * v) / epsilon**2
        return along.var(0).mean(-1)

    off_diagonal = variance(signs)
    if not normalized:
        return off_diagonal
    return off_diagonal / (variance(torch.randn(shape, device=z.device, dtype=z.dtype)) + _LEAST)
