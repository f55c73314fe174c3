"""Groups of rows that share the values of some factors, and clips of successive rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .batches import Clips, Groups
from .rows import Rows
from .sampler import Sampler, stacked
from .space import FactorSpace

__all__ = ["ClipsSampler", "GroupsSampler"]


class GroupsSampler(Sampler):
    """Groups of rows that share the values of some factors; makes `Groups`.

    The first row is drawn uniformly, and the others independently among all rows with the same
    values of the shared factors.

    Args:
        size: The rows of a group.
        shared: The name of the factor that a group shares, or several; by default one factor is
            drawn for each group.

    Raises:
        ValueError: for a size below 2, a name that no factor has, and a table in which no two rows
            share the factors.

    References:
        Multi-Level Variational Autoencoder: Learning Disentangled Representations from Grouped
        Observations, Bouchacourt et al., 2018, https://arxiv.org/abs/1705.08841, Section 3.

    Example:
        >>> space = FactorSpace(("a", "b", "c"), (3, 4, 5))
        >>> factors = space.factors(np.arange(60))
        >>> sampler = GroupsSampler(3, shared="b")
        >>> groups, shared = sampler(space, factors, 10, np.random.default_rng(0))
        >>> groups.shape, shared[0].tolist()
        ((10, 3), [False, True, False])
    """

    supervision = Groups

    def __init__(self, size: int = 2, shared: str | Sequence[str] | None = None) -> None:
        if size < 2:
            raise ValueError(f"size is {size}; a group has at least 2 rows")
        if shared is not None and not shared:
            raise ValueError("shared is empty; name at least one factor, or give None")
        self.size = size
        self.shared = (shared,) if isinstance(shared, str) else shared and tuple(shared)

    def __call__(
        self, space: FactorSpace, factors: np.ndarray, n: int, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        rows = self.rows(space, factors)
        if not space.names:
            raise ValueError("groups share factors, but the data has none")
        if self.shared is None:
            which = rows.varying if len(rows.varying) else np.arange(len(space.names))
            kind = which[generator.integers(0, len(which), size=n)]
            shared = np.eye(len(space.names), dtype=np.bool_)[kind]
        else:
            shared = np.zeros((n, len(space.names)), np.bool_)
            shared[:, [space.position(name) for name in self.shared]] = True
        groups = np.empty((n, self.size), np.int64)
        kinds, kind = np.unique(shared, axis=0, return_inverse=True)
        for i, mask in enumerate(kinds):
            of_kind = np.flatnonzero(kind.reshape(-1) == i)
            groups[of_kind] = self._groups(rows, mask, len(of_kind), generator)
        return groups, shared

    def batch(self, data: Any, indices: tuple[np.ndarray, np.ndarray], draw: int = 0) -> Groups:
        groups, shared = indices
        return Groups(stacked(data, groups, draw), torch.from_numpy(shared))

    def _groups(
        self, rows: Rows, mask: np.ndarray, n: int, generator: np.random.Generator
    ) -> np.ndarray:
        names = [name for name, is_shared in zip(rows.space.names, mask, strict=True) if is_shared]
        if rows.row_of is not None and not mask[rows.varying].all():
            first = generator.integers(0, len(rows.factors), size=n)
            members = rows.space.sample(n * self.size, generator).reshape(n, self.size, -1)
            members[:, :, mask] = rows.factors[first][:, None, mask]
            members[:, 0] = rows.factors[first]
            return rows.row_of[rows.space.index(members)]
        blocks = rows.blocks(np.flatnonzero(mask))
        several = np.flatnonzero(blocks.count > 1)
        if not len(several):
            raise ValueError(
                f"no two of the {len(rows.factors)} rows share {names}, so that there are no "
                "groups: share other factors, or fewer"
            )
        first = several[generator.integers(0, len(several), size=n)]
        others = [blocks.pick(first, generator) for _ in range(self.size - 1)]
        return np.stack([first, *others], axis=1)


class ClipsSampler(Sampler):
    """Sequences of rows, one time after another; makes `Clips`.

    Args:
        time: The factor that is time: a clip has its values t, t + 1, ... while all other factors
            stay. Without it every observation of the data is a clip already.
        length: The rows of a clip; needed with ``time``.

    Raises:
        ValueError: for ``time`` without ``length`` or the reverse, for a length below 1, and for a
            table without any such sequence.

    Example:
        >>> space = FactorSpace(("scene", "frame"), (2, 6))
        >>> factors = space.factors(np.arange(12))
        >>> clips = ClipsSampler("frame", 3)(space, factors, 2, np.random.default_rng(0))
        >>> np.diff(clips).tolist()
        [[1, 1], [1, 1]]
    """

    supervision = Clips

    def __init__(self, time: str | None = None, length: int | None = None) -> None:
        if (time is None) != (length is None):
            raise ValueError(f"time is {time!r} and length {length!r}; give both or neither")
        if length is not None and length < 1:
            raise ValueError(f"length is {length}; a clip has at least 1 row")
        self.time, self.length = time, length
        self._table: tuple[Rows, np.ndarray, np.ndarray] | None = None

    def __call__(
        self, space: FactorSpace, factors: np.ndarray, n: int, generator: np.random.Generator
    ) -> np.ndarray:
        if self.time is None or self.length is None:
            return generator.integers(0, len(factors), size=n)
        order, starts = self._sequences(self.rows(space, factors), self.time, self.length)
        first = starts[generator.integers(0, len(starts), size=n)]
        return order[first[:, None] + np.arange(self.length)]

    def batch(self, data: Any, indices: np.ndarray, draw: int = 0) -> Clips:
        if self.time is not None:
            return Clips(stacked(data, indices, draw))
        if len(data.shape) not in (2, 4):
            raise ValueError(
                f"an observation of {type(data).__name__} has shape {data.shape}, which is no "
                "clip (T, F) or (T, C, H, W): name the factor that is time, and a length, as "
                "ClipsSampler(time=..., length=...) does"
            )
        return Clips(data.observations(indices, draw))

    def _sequences(self, rows: Rows, time: str, length: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows in the order of time, and the places in it where a clip can begin."""
        if self._table is None or self._table[0] is not rows:
            column = rows.space.position(time)
            others = [k for k in range(len(rows.space.names)) if k != column]
            times = rows.factors[rows.known, column]
            key = rows.keys(rows.known, others)
            sort = np.lexsort((times, key))
            follows = (np.diff(key[sort]) == 0) & (np.diff(times[sort]) == 1)
            before = np.concatenate([[0], np.cumsum(follows)])
            whole = before[length - 1 :] - before[: len(before) - length + 1] == length - 1
            starts = np.flatnonzero(whole) if len(sort) >= length else np.empty(0, np.int64)
            if not len(starts):
                raise ValueError(
                    f"no {length} rows have successive values of factor {time!r} and equal values "
                    f"of all others, among {len(rows.factors)} rows: choose a shorter length"
                )
            self._table = rows, rows.known[sort], starts
        return self._table[1:]
