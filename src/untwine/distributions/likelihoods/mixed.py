"""Likelihood of a table with columns of several kinds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from ..columns import Columns
from .base import Likelihood

__all__ = ["Mixed"]


class Mixed(Likelihood):
    r"""A table whose columns are of several kinds: :math:`\log p(x|z) = \sum_g \log p_g(x_g|z)`.

    Args:
        parts: The likelihoods.
        columns: The columns of the table that each of them explains.

    Raises:
        ValueError: if a column has no likelihood or two.

    Example:
        >>> from untwine.data import FactorDataset
        >>> from untwine.distributions import Categorical, Ordinal, StudentT
        >>> table = torch.tensor([[0.3, 1.0, 2.0], [-1.2, 0.0, 0.0]])
        >>> kinds = Mixed([StudentT(), Categorical([2]), Ordinal([3])], [[0], [1], [2]])
        >>> p = kinds.adapted(FactorDataset.from_arrays(table))(torch.zeros(2, 4))
        >>> p.log_prob(table).shape, p.mean.shape
        (torch.Size([2]), torch.Size([2, 3]))
    """

    def __init__(self, parts: Sequence[Likelihood], columns: Sequence[Sequence[int]]) -> None:
        super().__init__()
        if not all(len(group) for group in columns):
            raise ValueError(f"a group of columns is empty: {[list(group) for group in columns]}")
        if len(parts) != len(columns) or not parts:
            raise ValueError(
                f"there are {len(parts)} likelihoods but {len(columns)} groups of columns"
            )
        all_columns = sorted(j for group in columns for j in group)
        if all_columns != list(range(len(all_columns))):
            raise ValueError(
                f"the columns are {all_columns}; expected every column from 0 once, in some group"
            )
        self.parts = nn.ModuleList(parts)
        self.takes_covariates = any(part.takes_covariates for part in parts)
        for i, group in enumerate(columns):
            self.register_buffer(f"columns{i}", torch.tensor(list(group)), persistent=False)

    @property
    def columns(self) -> list[Tensor]:
        """The columns of each part."""
        return [getattr(self, f"columns{i}") for i in range(len(self.parts))]

    def features(self, shape: Sequence[int]) -> tuple[int, ...]:
        """What all parts take together, one after another."""
        groups = self.columns
        width = sum(len(group) for group in groups)
        if tuple(shape) != (width,):
            raise ValueError(
                f"observations have shape {tuple(shape)}, but there are likelihoods for {width} "
                "columns"
            )
        return (sum(self._sizes()),)

    def _sizes(self) -> list[int]:
        return [
            math.prod(part.features((len(group),)))  # type: ignore[operator]
            for part, group in zip(self.parts, self.columns, strict=True)
        ]

    def adapted(self, data: Any, covariates: int = 0) -> Self:
        """A copy whose parts are fitted to their columns."""
        self.features(data.shape)
        head = super().adapted(data, covariates)
        head.parts = nn.ModuleList(
            part.adapted(_Part(data, group), covariates)  # type: ignore[operator]
            for part, group in zip(self.parts, self.columns, strict=True)
        )
        return head

    def problem(self, x: Tensor) -> str | None:
        """What the first part that refuses its columns says."""
        for part, group in zip(self.parts, self.columns, strict=True):
            problem = part.problem(x[..., group])  # type: ignore[operator]
            if problem is not None:
                return f"{problem} (counted within columns {group.tolist()} of the table)"
        return None

    def forward(self, h: Tensor, c: Tensor | None = None) -> Columns:
        """What the parts take, one after another, to rows of the table."""
        inputs = h.split(self._sizes(), -1)
        return Columns(
            [
                part(part_h, c) if part.takes_covariates else part(part_h)
                for part, part_h in zip(self.parts, inputs, strict=True)
            ],
            self.columns,
        )


class _Part:
    """Some columns of a data set, for a likelihood that looks at data."""

    def __init__(self, data: Any, columns: Tensor) -> None:
        self.data, self.columns, self.shape = data, columns, (len(columns),)

    def __len__(self) -> int:
        return len(self.data)

    def observations(self, index: Tensor) -> Tensor:
        return self.data.observations(index)[:, self.columns]
