"""Index of a table of factors: its rows by the values of some factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .space import FactorSpace

__all__ = ["FactorLookup", "RowGroups"]

_KEPT = 64  # groupings that are remembered


@dataclass(frozen=True)
class RowGroups:
    """The rows of a table, sorted so that those with equal values in some columns are together.

    Rows that lack one of the values (-1) are in no block.

    Attributes:
        order: Row numbers, block after block.
        start: For every row of the table, where in ``order`` its block begins.
        count: For every row of the table, how many rows its block has; 0 if it is in none.
    """

    order: np.ndarray
    start: np.ndarray
    count: np.ndarray

    def pick(self, rows: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """A random row of each given row's block, which must not be empty."""
        return self.order[self.start[rows] + generator.integers(0, self.count[rows])]

    def members(self, row: int) -> np.ndarray:
        """All rows of a row's block."""
        return self.order[self.start[row] : self.start[row] + self.count[row]]


class FactorLookup:
    """What samplers ask of a table of factors; every answer is worked out once.

    Args:
        space: The factors' names and sizes.
        factors: The table, ``(N, K)``, -1 where unknown. It must not change afterwards.
    """

    def __init__(self, space: FactorSpace, factors: np.ndarray) -> None:
        self.space, self.factors = space, factors
        self.complete = np.flatnonzero((factors >= 0).all(axis=1))
        self.row_of = self._grid()
        self._groups: dict[tuple[int, ...], RowGroups] = {}
        if self.full:
            self.varying = np.flatnonzero(np.array(space.sizes) > 1)
        else:
            table = factors[self.complete]
            self.varying = np.flatnonzero((table != table[:1]).any(axis=0))

    @property
    def full(self) -> bool:
        """Whether every combination of the factors is there exactly once."""
        return self.row_of is not None

    def groups(self, columns: Sequence[int] | np.ndarray) -> RowGroups:
        """The rows grouped by their values in some columns; without columns, one block."""
        key = tuple(int(column) for column in columns)
        if key not in self._groups:
            if len(self._groups) >= _KEPT:
                self._groups.pop(next(iter(self._groups)))
            self._groups[key] = self._group(key)
        return self._groups[key]

    def keys(self, rows: np.ndarray, columns: Sequence[int] | np.ndarray) -> np.ndarray:
        """A number for each row, equal where the values in ``columns`` are."""
        key, distinct = np.zeros(len(rows), np.int64), 1
        for column in columns:
            size = self.space.sizes[column]
            if distinct * size > 2**62:
                key = np.unique(key, return_inverse=True)[1].astype(np.int64)
                distinct = len(rows)
            key = key * size + self.factors[rows, column]
            distinct *= size
        return key

    def _group(self, columns: tuple[int, ...]) -> RowGroups:
        n = len(self.factors)
        rows = np.flatnonzero((self.factors[:, list(columns)] >= 0).all(axis=1))
        key = self.keys(rows, columns)
        order = np.argsort(key, kind="stable")
        first = np.flatnonzero(np.diff(key[order], prepend=-1))
        count = np.diff(first, append=len(order))
        small = np.int32 if n < 2**31 else np.int64  # there is one grouping per choice of columns
        starts, counts = np.zeros(n, small), np.zeros(n, small)
        starts[rows[order]] = np.repeat(first, count)
        counts[rows[order]] = np.repeat(count, count)
        return RowGroups(rows[order].astype(small), starts, counts)

    def _grid(self) -> np.ndarray | None:
        """The row of each combination, if every one is there exactly once."""
        n = len(self.factors)
        if not self.space.names or len(self.complete) != n or n == 0:
            return None
        if n != np.prod([float(size) for size in self.space.sizes]):
            return None
        index = self.space.index(self.factors)
        row_of = np.full(n, -1, np.int64)
        row_of[index] = np.arange(n)
        return row_of if (row_of >= 0).all() else None
