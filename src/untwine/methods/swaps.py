"""What methods have in common whose code falls into two parts that can be exchanged."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

__all__ = ["Swaps", "every_pair"]


class Swaps:
    """Combines one part of the code of some observations with the other part of others'.

    Reports show a grid of such swaps, and `plots.swap_grid` draws one.
    """

    of_rows: ClassVar[str]
    """What a row's observation gives."""

    of_columns: ClassVar[str]
    """What a column's observation gives."""

    @abstractmethod
    def swap_grid(self, rows: Tensor, columns: Tensor) -> Tensor:
        """Every row's ``of_rows`` with every column's ``of_columns``, decoded.

        Shape:
            rows ``(M, ...)``; columns ``(N, ...)``; returns ``(M, N, ...)``, means of the
            likelihood.
        """


@torch.no_grad()
def every_pair(
    combine: Callable[[Tensor, Tensor], Tensor], rows: Tensor, columns: Tensor
) -> Tensor:
    """``combine(row, column)`` of every row with every column.

    Args:
        combine: From two batches of equal size, ``(B, ...)``, to what each pair gives.
        rows: ``(M, ...)``.
        columns: ``(N, ...)``.

    Shape:
        Output: ``(M, N, ...)``.
    """
    m, n = len(rows), len(columns)
    beside = columns.repeat(m, *[1] * (columns.ndim - 1))
    found = combine(rows.repeat_interleave(n, 0), beside)
    return found.reshape(m, n, *found.shape[1:])
