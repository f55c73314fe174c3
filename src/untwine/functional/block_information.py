"""Mutual information and total correlation between the blocks of a code."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Literal

import torch
from torch import Tensor

from ..distributions.blocks import Blocks
from .decomposition import log_importance_weights

__all__ = ["block_information"]


def block_information(
    q: Blocks,
    z: Tensor,
    size: int | None = None,
    estimator: Literal["batch", "mws", "mss"] = "batch",
) -> tuple[Tensor, dict[tuple[str, str], Tensor]]:
    r"""Total correlation of the blocks, and the mutual information of every two of them.

    .. math::
        TC = \mathbb{E}_{q(z)} \log \frac{q(z)}{\prod_b q(z_b)}, \qquad
        I(s; p) = \mathbb{E}_{q(z)} \log \frac{q(z_s, z_p)}{q(z_s) \, q(z_p)}

    of an aggregate posterior :math:`q(z) = \sum_m w_m \, q(z | x_m)`. ``"batch"``: that of the
    batch itself, :math:`w_m = 1/B`: the estimate is unbiased for the batch's own mixture, near 0 if
    blocks are independent, and at most :math:`\log B` for two blocks; it grows with the batch
    wherever both blocks tell examples apart. ``"mws"`` and ``"mss"`` weigh as in
    `functional.decompose`, toward the whole training set.

    Args:
        q: Posteriors of the batch, batch shape ``(B,)``.
        z: One sample of each, ``(B, D)``; exact ones (`Blocks.snap`) where they are relaxed.
        size: The number of training examples, for ``"mws"`` and ``"mss"``.
        estimator: ``"batch"``, ``"mws"`` or ``"mss"``.

    Returns:
        TC ``(B,)`` and, by pair of names, mutual information ``(B,)``: one-sample estimates in
        nats, to be averaged over the batch.

    Raises:
        ValueError: for an unknown estimator, or no ``size`` where one is needed.
    """
    parts = q.split(z)
    each = {name: q[name].log_prob(parts[name].unsqueeze(1)) for name in q.names}
    weights: Tensor | float
    if estimator == "batch":
        weights = -math.log(len(z))
    elif size is None:
        raise ValueError(f"estimator={estimator!r} needs size, the number of training examples")
    elif estimator == "mws":
        weights = -math.log(size * len(z))
    elif estimator == "mss":
        weights = log_importance_weights(len(z), size, z.device).to(z.dtype)
    else:
        raise ValueError(f"estimator is {estimator!r}; expected 'batch', 'mws' or 'mss'")

    def aggregate(log_density: Tensor) -> Tensor:
        return torch.logsumexp(log_density + weights, 1)

    single = {name: aggregate(value) for name, value in each.items()}
    # Blocks are independent given x, so log densities add up before the aggregate is formed.
    joint = aggregate(torch.stack(list(each.values())).sum(0))
    total = joint - torch.stack(list(single.values())).sum(0)
    pairs = {
        (a, b): aggregate(each[a] + each[b]) - single[a] - single[b]
        for a, b in combinations(q.names, 2)
    }
    return total, pairs
