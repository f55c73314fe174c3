"""Distributions of rows of a table: columns of levels, and columns of several kinds."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributions as td
from torch import Tensor
from torch.distributions import (
    Distribution,
    constraints,
)

__all__ = ["ColumnLevels", "Columns"]


class ColumnLevels(Distribution):
    """Independent columns, each of which takes one of a few levels 0, 1, 2, ...

    Args:
        log_probs: Of the levels, one tensor per column.
        expected: Whether ``.mean`` is the expected level; otherwise it is the likeliest one.

    Shape:
        log_probs ``F`` times ``(B, levels)``. Batch shape ``(B,)``, event shape ``(F,)``.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    has_rsample = False

    def __init__(self, log_probs: Sequence[Tensor], expected: bool) -> None:
        self.log_probs, self.expected = tuple(log_probs), expected
        super().__init__(
            self.log_probs[0].shape[:-1], torch.Size([len(self.log_probs)]), validate_args=False
        )

    @property
    def probs(self) -> tuple[Tensor, ...]:
        """Probabilities of the levels, ``(B, levels)`` for each column."""
        return tuple(log_p.exp() for log_p in self.log_probs)

    @property
    def mean(self) -> Tensor:
        """Of each column, the expected level of ranks, the likeliest level of categories."""
        if not self.expected:
            return torch.stack([p.argmax(-1) for p in self.log_probs], -1).to(self.log_probs[0])
        return torch.stack([p @ torch.arange(p.shape[-1]).to(p) for p in self.probs], -1)

    def log_prob(self, value: Tensor) -> Tensor:
        """Summed over columns, in nats; a negative value is unknown and adds nothing."""
        total = torch.zeros_like(value[..., 0])
        for j, log_p in enumerate(self.log_probs):
            level = value[..., j]
            observed = level >= 0
            index = torch.where(observed, level, 0).long().unsqueeze(-1)
            shape = (*index.shape[:-1], log_p.shape[-1])
            log_level = log_p.expand(shape).gather(-1, index).squeeze(-1)
            total = total + torch.where(observed, log_level, torch.zeros_like(log_level))
        return total

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Levels, as numbers of the parameters' floating type."""
        size = torch.Size(sample_shape)
        levels = [td.Categorical(p, validate_args=False).sample(size) for p in self.probs]
        return torch.stack(levels, -1).to(self.log_probs[0])


class Columns(Distribution):
    """Independent groups of columns of one table, each with a distribution of its own.

    Args:
        parts: The distributions of the groups.
        columns: The columns of each group, ``(columns,)`` integers.

    Shape:
        Batch shape ``(B,)``, event shape ``(F,)``.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    has_rsample = False

    def __init__(self, parts: Sequence[Distribution], columns: Sequence[Tensor]) -> None:
        self.parts, self.columns = tuple(parts), tuple(columns)
        width = sum(len(column) for column in self.columns)
        super().__init__(self.parts[0].batch_shape, torch.Size([width]), validate_args=False)

    def _joined(self, values: Sequence[Tensor]) -> Tensor:
        columns = torch.empty_like(torch.cat(list(values), -1))
        for value, column in zip(values, self.columns, strict=True):
            columns = columns.index_copy(-1, column, value.to(columns.dtype))
        return columns

    @property
    def mean(self) -> Tensor:
        """The means of all columns, in the table's order."""
        return self._joined([part.mean for part in self.parts])

    def log_prob(self, value: Tensor) -> Tensor:
        """Summed over columns, in nats."""
        logs = [
            part.log_prob(value.index_select(-1, column))
            for part, column in zip(self.parts, self.columns, strict=True)
        ]
        return torch.stack(logs).sum(0)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Rows of the table."""
        size = torch.Size(sample_shape)
        return self._joined([part.sample(size) for part in self.parts])
