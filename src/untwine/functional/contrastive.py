"""Contrastive objectives: which of all examples is the other view of one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["nt_xent"]


def nt_xent(a: Tensor, b: Tensor, temperature: float = 0.5) -> Tensor:
    r"""Normalized, temperature-scaled cross entropy of two views of a batch.

    .. math::
        -\log \frac{\exp(\cos(a_i, b_i) / \tau)}{\sum_{v \ne a_i} \exp(\cos(a_i, v) / \tau)}

    averaged over both directions, where v goes over all other vectors of both views.

    Args:
        a: Vectors of one view, ``(B, F)``.
        b: Of the other, ``(B, F)``.
        temperature: :math:`\tau`.

    Returns:
        ``(B,)``, nats; :math:`\log (2 B - 1)` where all vectors are alike.

    References:
        Chen, Kornblith, Norouzi, Hinton, "A Simple Framework for Contrastive Learning of Visual
        Representations", 2020, https://arxiv.org/abs/2002.05709, equation 1.
    """
    points = F.normalize(torch.cat([a, b]), dim=-1)
    similar = points @ points.mT / temperature
    itself = torch.eye(len(points), device=points.device, dtype=torch.bool)
    log_p = similar.masked_fill(itself, -torch.inf).log_softmax(-1)
    return -(log_p.diagonal(len(a)) + log_p.diagonal(-len(a))) / 2
