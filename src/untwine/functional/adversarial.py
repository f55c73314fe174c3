"""Adversarial objectives: cross entropies, density ratio, permuted dimensions."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["cross_entropy_to", "cross_entropy_to_uniform", "density_ratio", "permute_dims"]


def permute_dims(z: Tensor) -> Tensor:
    r"""Permutes each dimension across the batch, independently of the others.

    The result has the marginals of the batch and, as the batch grows, independent dimensions: a
    sample of :math:`\prod_j q(z_j)`.

    Shape: ``(B, D)`` to ``(B, D)``.

    References:
        Kim, Mnih, "Disentangling by Factorising", 2018, https://arxiv.org/abs/1802.05983,
        algorithm 1.
    """
    # Sorting uniform numbers gives one random permutation per dimension in a single call.
    order = torch.rand(z.shape, device=z.device).argsort(0)
    return z.gather(0, order)


def density_ratio(logits: Tensor) -> Tensor:
    r""":math:`\log \frac{p(\text{class } 0)}{p(\text{class } 1)}` of a two-way critic.

    Shape: ``(B, 2)`` to ``(B,)``.
    """
    return logits[..., 0] - logits[..., 1]


def cross_entropy_to(logits: Tensor, target: int) -> Tensor:
    """Cross entropy of a critic's verdict to one and the same class for all of a batch.

    Shape: ``(B, C)`` to ``(B,)``, in nats.
    """
    return -F.log_softmax(logits, -1)[..., target]


def cross_entropy_to_uniform(logits: Tensor) -> Tensor:
    r"""Cross entropy of a critic's verdict to all classes in equal parts.

    .. math::
        -\frac{1}{C} \sum_c \log p_c \;\ge\; \log C

    with equality where the critic cannot tell; there its gradient is zero.

    Shape: ``(B, C)`` to ``(B,)``, in nats.

    References:
        Denton, Birodkar, "Unsupervised Learning of Disentangled Representations from Video", 2017,
        https://arxiv.org/abs/1705.10915, equation 4 (two classes).
    """
    return -F.log_softmax(logits, -1).mean(-1)
