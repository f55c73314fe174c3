"""Repulsion of cluster heads that are near to each other."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["head_repulsion"]

_TINY = 1e-12


def head_repulsion(heads: Tensor, distance: float) -> Tensor:
    r"""How much nearer than a distance cluster heads are to each other, a scalar.

    .. math::
        \sum_{j < k} \big(\eta - \min(\|W_j - W_k\|, \eta)\big)

    To minimize it is to maximize the capped distances: heads further apart than :math:`\eta` have
    no gradient, and nearer ones all the same, of length 1, away from each other.

    Args:
        heads: :math:`W`.
        distance: :math:`\eta`.

    Shape: ``(K, D)``.

    References:
        Makhzani, Shlens, Jaitly, Goodfellow, Frey, "Adversarial Autoencoders", 2015,
        https://arxiv.org/abs/1511.05644, section 7.

    Example:
        >>> head_repulsion(torch.tensor([[0.0, 0.0], [3.0, 4.0], [9.0, 0.0]]), 6.0).item()
        1.0
    """
    j, k = torch.triu_indices(len(heads), len(heads), 1, device=heads.device)
    # Where two heads coincide the square root would have no gradient.
    lengths = (heads[j] - heads[k]).square().sum(-1).clamp(min=_TINY).sqrt()
    return (distance - lengths).clamp(min=0).sum()
