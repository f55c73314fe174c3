"""Losses that tie the first code dimensions to labelled factors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

__all__ = ["label_covariance", "label_cross_entropy", "label_squares"]


def label_cross_entropy(codes: Tensor, labels: Tensor, sizes: Tensor) -> Tensor:
    r"""Binary cross entropy of factor values against the sigmoid of codes.

    .. math::
        R_s = -\sum_{k=1}^{K} v_k \log \sigma(\mu_k) + (1 - v_k) \log (1 - \sigma(\mu_k)),
        \qquad v_k = y_k / n_k

    Labels that are unknown (-1) count for nothing.

    Args:
        codes: Means of the codes; factor k is compared with dimension k.
        labels: The factors' values.
        sizes: How many values each factor has, :math:`n_k`.

    Shape: ``(B, D)``, ``(B, K)`` of integers with K up to D, and ``(K,)``; returns ``(B,)``, in
    nats.

    References:
        Locatello et al., "Disentangling Factors of Variation Using Few Labels", 2020,
        https://arxiv.org/abs/1905.01258, section 4.

    Example:
        >>> codes, labels = torch.zeros(1, 3), torch.tensor([[1, -1]])
        >>> round(label_cross_entropy(codes, labels, torch.tensor([2, 5])).item(), 4)
        0.6931
    """
    labelled, values = _values(labels, sizes, codes)
    each = binary_cross_entropy_with_logits(codes[:, : labels.shape[1]], values, reduction="none")
    return (labelled * each).sum(1)


def label_squares(codes: Tensor, labels: Tensor, sizes: Tensor) -> Tensor:
    r"""Squared distance of factor values from the sigmoid of codes.

    .. math::
        R_s = \sum_{k=1}^{K} (\sigma(\mu_k) - v_k)^2, \qquad v_k = y_k / n_k

    Arguments, shapes and what is unknown are those of `label_cross_entropy`.

    Example:
        >>> label_squares(torch.zeros(1, 3), torch.tensor([[1, 0]]), torch.tensor([2, 5])).item()
        0.25
    """
    labelled, values = _values(labels, sizes, codes)
    return (labelled * (codes[:, : labels.shape[1]].sigmoid() - values) ** 2).sum(1)


def label_covariance(codes: Tensor, labels: Tensor, sizes: Tensor) -> Tensor:
    r"""Squared covariances of codes with factors that other codes are for.

    .. math::
        R_s = \sum_{j=1}^{D} \sum_{k \ne j} \mathrm{Cov}(\mu_j, v_k)^2, \qquad v_k = y_k / n_k

    The covariance is that of the batch (divided by B); a factor's covariances are over the examples
    in which it is known. Shapes are those of `label_cross_entropy`, but for the result, a scalar.

    Example:
        >>> codes = torch.tensor([[0.0, 1.0], [0.0, -1.0]])
        >>> label_covariance(codes, torch.tensor([[1], [0]]), torch.tensor([2])).item()
        0.0625
    """
    labelled, values = _values(labels, sizes, codes)
    count = labelled.sum(0).clamp(min=1)
    values = labelled * (values - (labelled * values).sum(0) / count)
    covariance = codes.mT @ values / count  # values are centered, so that codes need not be
    of_others = 1 - torch.eye(*covariance.shape, dtype=codes.dtype, device=codes.device)
    return (of_others * covariance**2).sum()


def _values(labels: Tensor, sizes: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
    """Which labels are known, and the values in [0, 1), both like codes."""
    labelled = labels >= 0
    return labelled.to(codes.dtype), labels.clamp(min=0).to(codes.dtype) / sizes
