"""Mixtures and products of experts: Gaussian posteriors of several modalities as one."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import (
    Categorical,
    Distribution,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
)

from ..distributions import diagonal_normal
from .sharing import pool

__all__ = ["mixture_of_experts", "product_of_experts"]


def mixture_of_experts(experts: Sequence[Distribution], weights: Tensor) -> Distribution:
    r"""The mixture :math:`q(z) = \sum_m w_m \, q_m(z)` of Gaussian posteriors of one thing.

    Args:
        experts: Gaussians of one kind, diagonal or with full covariance, batch shape ``(B,)``.
        weights: Not negative; rows are divided by their sums.

    Shape: weights ``(B, M)``. Batch shape ``(B,)``, event shape ``(D,)``.

    Raises:
        TypeError: for posteriors of other families.
    """
    # Logarithms, since torch lifts probabilities of 0 to the smallest positive number.
    choice = Categorical(logits=weights.log(), validate_args=False)
    return MixtureSameFamily(choice, _stacked(experts), validate_args=False)


def product_of_experts(experts: Sequence[Distribution], present: Tensor) -> Distribution:
    r"""The normalized product of Gaussian posteriors with a standard normal expert.

    .. math::
        q(z) \propto \mathcal{N}(z; 0, I) \prod_{m \in S} \mathcal{N}(z; \mu_m, \sigma_m^2)

    Args:
        experts: Diagonal Gaussians, batch shape ``(B,)``.
        present: Which of them are in :math:`S`.

    Shape: present ``(B, M)`` of bool. Batch shape ``(B,)``, event shape ``(D,)``.

    References:
        Wu, Goodman, "Multimodal Generative Models for Scalable Weakly-Supervised Learning", 2018,
        https://arxiv.org/abs/1802.05335, section 2.2.

    Raises:
        TypeError: for posteriors of another family.
    """
    stacked = _stacked(experts)
    if not isinstance(stacked, Independent):
        raise TypeError(f"a product of experts takes diagonal Gaussians, not {stacked}")
    loc, scale = stacked.base_dist.loc, stacked.base_dist.scale
    # The prior is one more expert, which is always there: a product of none is the prior.
    prior = loc.new_zeros(len(loc), 1, loc.shape[-1])
    every = diagonal_normal(torch.cat([prior, loc], 1), torch.cat([prior + 1, scale], 1))
    always = torch.ones_like(present[:, :1])
    return pool(every, torch.cat([always, present], 1), "product")


def _stacked(experts: Sequence[Distribution]) -> Distribution:
    """Gaussians of one kind as one, batch shape ``(B, M)``."""
    if all(isinstance(q, Independent) and isinstance(q.base_dist, Normal) for q in experts):
        bases = [q.base_dist for q in experts]  # type: ignore[attr-defined]
        return diagonal_normal(
            torch.stack([base.loc for base in bases], 1),
            torch.stack([base.scale for base in bases], 1),
        )
    if all(isinstance(q, MultivariateNormal) for q in experts):
        return MultivariateNormal(
            torch.stack([q.loc for q in experts], 1),  # type: ignore[attr-defined]
            scale_tril=torch.stack([q.scale_tril for q in experts], 1),  # type: ignore[attr-defined]
            validate_args=False,
        )
    kinds = sorted({type(q).__name__ for q in experts})
    raise TypeError(
        f"posteriors of the modalities are {', '.join(kinds)}; expected Gaussians, diagonal or of "
        "full covariance"
    )
