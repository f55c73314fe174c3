"""Regularizers of codes in blocks: one KL divergence for each."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..distributions import Blocks, OneHot
from ..functional import Schedule, at, block_information, kl_blocks, kl_rule
from .loss import Loss
from .method import Context
from .penalty import Penalty, Terms, Trace

__all__ = ["BlockKL"]


class BlockKL(Penalty):
    r"""A KL divergence for every block, with its own weight or led along its own capacity.

    .. math::
        \sum_{b \notin \mathcal{C}} \beta_b \, D_{KL}(q_b(z_b|x) \,\|\, p_b(z_b))
        + \sum_{b \in \mathcal{C}} \beta_b \, \Big| \overline{D_{KL}(q_b(z_b|x) \,\|\, p_b(z_b))}
        - \min(C_b(t), C_b^{max}) \Big| + \lambda \, TC(z_1, z_2, \dots)

    Terms: ``kl_NAME`` for every block (with weight 0, for the record, where the block has a
    capacity), ``capacity_NAME`` for those with one, and, of two blocks or more, ``block_tc``, their
    total correlation, and ``mi_NAME_NAME``, the mutual information of every two (weight 0). The
    last two are those of the batch's own aggregate posterior, see `functional.block_information`:
    at most :math:`\log B` for two blocks, so compare values of one batch size only.

    Args:
        weights: :math:`\beta_b` by name, numbers or schedules; 1 where not given.
        capacities: :math:`C_b` by name, in nats, numbers or schedules, for the blocks that follow
            one. Of a categorical block :math:`C^{max} = \log K`, all that it can hold.
        total_correlation: :math:`\lambda`; with 0 it is measured without gradient, and categorical
            samples are exact; otherwise at the samples that are decoded.
        measure: Whether to compute the last two kinds of terms.

    Raises:
        ValueError: for a negative capacity, or a weight of ``total_correlation`` without measuring
            it.

    References:
        Burgess et al., "Understanding disentangling in beta-VAE", 2018,
        https://arxiv.org/abs/1804.03599, equation 8 (capacity). Dupont, "Learning Disentangled
        Joint Continuous and Discrete Representations", 2018, https://arxiv.org/abs/1804.00104,
        equation 7 (one for each kind of variable).
    """

    def __init__(
        self,
        weights: Mapping[str, float | Schedule] | None = None,
        capacities: Mapping[str, float | Schedule] | None = None,
        total_correlation: float | Schedule = 0.0,
        measure: bool = True,
    ) -> None:
        self.weights = dict(weights or {})
        self.capacities = dict(capacities or {})
        for name, capacity in self.capacities.items():
            if not isinstance(capacity, Schedule) and capacity < 0:
                raise ValueError(f"the capacity of {name!r} is {capacity}; expected at least 0")
        if total_correlation != 0 and not measure:
            raise ValueError(
                f"total_correlation is {total_correlation} but measure is False: nothing would be "
                "penalized"
            )
        self.total_correlation, self.measure = total_correlation, measure

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """See the class."""
        q, prior = self._blocks(t.q, t.prior)
        terms: dict[str, Tensor | tuple[float | Tensor, Tensor]] = {}
        for name, divergence in kl_blocks(q, prior, t.z).items():
            weight = at(self.weights.get(name, 1.0), ctx.step)
            if name not in self.capacities:
                terms[f"kl_{name}"] = (weight, divergence)
                continue
            mean = divergence.mean()
            capacity = torch.as_tensor(at(self.capacities[name], ctx.step))
            capacity = capacity.clamp(max=_most(q[name]))
            terms[f"capacity_{name}"] = (weight, (mean - capacity).abs())
            terms[f"kl_{name}"] = (0.0, mean.detach())
        if self.measure and len(q.names) > 1:
            terms.update(self._information(q, t, ctx))
        return Loss(**terms)

    def rules(self, q: Distribution, prior: Distribution) -> dict[str, str]:
        """That of every block's divergence."""
        q, prior = self._blocks(q, prior)
        return {f"kl_{name}": kl_rule(q[name], prior[name]) for name in q.names}

    def _information(self, q: Blocks, t: Trace, ctx: Context) -> Terms:
        unused = not isinstance(self.total_correlation, Schedule) and self.total_correlation == 0
        with torch.set_grad_enabled(torch.is_grad_enabled() and not unused):
            total, pairs = block_information(q, q.snap(t.z) if unused else t.z)
        return Loss(
            block_tc=(at(self.total_correlation, ctx.step), total),
            **{f"mi_{a}_{b}": (0.0, v.detach()) for (a, b), v in pairs.items()},
        )

    def _blocks(self, q: Distribution, prior: Distribution) -> tuple[Blocks, Blocks]:
        if not (isinstance(q, Blocks) and isinstance(prior, Blocks)):
            raise TypeError(
                f"posterior and prior are a {type(q).__name__} and a {type(prior).__name__}; "
                "expected Blocks: build the method with blocks={...}"
            )
        for name in (*self.weights, *self.capacities):
            if name not in q.names:
                raise ValueError(f"there is no block {name!r}; there are {', '.join(q.names)}")
        return q, prior


def _most(q: Distribution) -> float:
    """The largest divergence that a block can have from a uniform prior, in nats."""
    return math.log(q.event_shape[0]) if isinstance(q, OneHot) else math.inf
