"""Distribution over the levels of a tree of Gaussian mixtures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import (
    Categorical,
    Distribution,
    constraints,
)

__all__ = ["Levels"]


class Levels(Distribution):
    """Mixtures over the same nodes, put together over levels; see `HierarchicalMixture`.

    Args:
        log_weights: Of the nodes, ``(M,)``.
        gaussians: The nodes, batch shape ``(M,)``.
        present: Which nodes are in which level, ``(L, M)``.
        level_weights: ``(L,)``.
        combine: ``"geometric"`` or ``"mixture"``.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    has_rsample = False

    def __init__(
        self,
        log_weights: Tensor,
        gaussians: Distribution,
        present: Tensor,
        level_weights: Tensor,
        combine: str,
    ) -> None:
        self.log_weights, self.gaussians, self.present = log_weights, gaussians, present
        self.level_weights, self.combine = level_weights, combine
        super().__init__(torch.Size(), gaussians.event_shape, validate_args=False)

    def log_levels(self, z: Tensor) -> Tensor:
        """The log density of every level, ``(..., D)`` to ``(..., L)``."""
        nodes = self.gaussians.log_prob(z.unsqueeze(-2)) + self.log_weights
        # The logarithm of 0 leaves nodes that are not in a level out of its sum.
        return torch.logsumexp(nodes.unsqueeze(-2) + self.present.log(), -1)

    def log_prob(self, value: Tensor) -> Tensor:
        """``(..., D)`` to ``(...)``; of a geometric mean of levels, not normalized."""
        levels = self.log_levels(value)
        if self.combine == "mixture":
            return torch.logsumexp(levels + self.level_weights.log(), -1)
        return (levels * self.level_weights).sum(-1)

    @property
    def mean(self) -> Tensor:
        """The mean over the levels' mixtures."""
        return self._node_weights() @ self.gaussians.mean

    @property
    def variance(self) -> Tensor:
        """The variance over the levels' mixtures."""
        second = self._node_weights() @ (self.gaussians.variance + self.gaussians.mean**2)
        return second - self.mean**2

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = (), proposals: int = 64) -> Tensor:
        """Draws a level, a node, and a code.

        For the geometric mean each sample is one of that many proposals, drawn with the ratio of
        the densities: the more, the nearer it is to the normalized density.
        """
        shape = torch.Size(sample_shape)
        if self.combine == "mixture":
            return self._draw(shape)
        z = self._draw(torch.Size((proposals, *shape)))
        levels = self.log_levels(z)
        mixed = torch.logsumexp(levels + self.level_weights.log(), -1)
        ratio = (levels * self.level_weights).sum(-1) - mixed
        # Gumbel noise on log ratios draws a proposal in proportion to its importance weight.
        gumbel = -torch.empty_like(ratio).exponential_().log()
        winner = (ratio + gumbel).argmax(0)
        return z.gather(0, winner[None, ..., None].expand(1, *shape, z.shape[-1]))[0]

    def _node_weights(self) -> Tensor:
        return (self.level_weights @ self.present) * self.log_weights.exp()

    def _draw(self, shape: torch.Size) -> Tensor:
        node = Categorical(probs=self._node_weights(), validate_args=False).sample(shape)
        z = self.gaussians.sample(shape)  # (..., M, D)
        at = node[..., None, None].expand(*shape, 1, z.shape[-1])
        return z.gather(-2, at).squeeze(-2)
