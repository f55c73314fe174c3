"""Samplers of groups that share factors, of clips and of successive pairs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch

from ..checks import check_size
from .batches import Clips, Groups, Pairs
from .lookup import FactorLookup
from .modalities import Data
from .sampler import Draw, Sampler, covariates_at, one_modality, paired, stacked, uniform
from .space import FactorSpace

__all__ = ["ClipsSampler", "GroupsSampler", "SuccessivePairsSampler"]


class GroupsSampler(Sampler[tuple[np.ndarray, ...]]):
    """Groups of rows that share the values of some factors; makes `Groups`.

    The first row is drawn uniformly, and the others independently among all rows with the same
    values of the shared factors: where these are few, a row can be in its group twice.

    Args:
        size: The rows of a group; or the least and the most, between which the size of every group
            is drawn uniformly. Groups are padded to the largest size then, with a mask that says
            which rows count. From a least size of 1 on, groups of one are among them: they tell a
            method what an observation has on its own, and nothing of what is shared. A row whose
            values no other row shares is then a group of one, and is left out otherwise.
        shared: The name of the factor that a group shares, or several; by default one factor is
            drawn for each group.

    Raises:
        ValueError: for a size below 2 (groups of one only), for a least size below 1 or above the
            most, a name that no factor has, and a table in which no two rows share the factors.

    References:
        Multi-Level Variational Autoencoder: Learning Disentangled Representations from Grouped
        Observations, Bouchacourt et al., 2018, https://arxiv.org/abs/1705.08841, Section 3.

    Example:
        >>> space = FactorSpace(("a", "b", "c"), (3, 4, 5))
        >>> factors = space.factors(np.arange(60))
        >>> draw = GroupsSampler(3, shared="b").bind(space, factors)
        >>> groups, shared = draw(10, np.random.default_rng(0))
        >>> groups.shape, shared[0].tolist()
        ((10, 3), [False, True, False])
        >>> draw = GroupsSampler((2, 8), shared="b").bind(space, factors)
        >>> groups, shared, present = draw(10, np.random.default_rng(0))
        >>> groups.shape, bool(present.sum(1).min() >= 2)
        ((10, 8), True)
    """

    supervision = Groups

    def __init__(
        self,
        size: int | tuple[int, int] = 2,
        shared: str | Sequence[str] | None = None,
    ) -> None:
        least, most = (size, size) if isinstance(size, int) else size
        if most < 2:
            raise ValueError(
                f"size is {size}; a group has at least 2 rows (groups of one can be among others: "
                "size=(1, 4))"
            )
        if not 1 <= least <= most:
            raise ValueError(f"size is {size}; expected the least and the most rows, from 1 on")
        if shared is not None and not shared:
            raise ValueError("shared is empty; name at least one factor, or give None")
        self.least, self.size = least, most
        self.shared = (shared,) if isinstance(shared, str) else shared and tuple(shared)

    def bind(self, space: FactorSpace, factors: np.ndarray) -> Draw[tuple[np.ndarray, ...]]:
        if not space.names:
            raise ValueError("groups share factors, but the data has none")
        table = FactorLookup(space, factors)
        if self.shared is None:
            choices = np.eye(len(space.names), dtype=np.bool_)
            choices = choices[table.varying] if len(table.varying) else choices
        else:
            choices = np.zeros((1, len(space.names)), np.bool_)
            choices[0, [space.position(name) for name in self.shared]] = True
        for mask in choices:  # refuses a table without such groups
            self._groups(table, mask, 1, np.random.default_rng(0))
        return partial(self._draw, table, choices)

    def _draw(
        self, table: FactorLookup, choices: np.ndarray, n: int, generator: np.random.Generator
    ) -> tuple[np.ndarray, ...]:
        """Groups that share the factors of one of the ``choices``, ``(C, K)``, each."""
        if self.shared is None:
            shared = choices[generator.integers(0, len(choices), size=n)]
        else:
            shared = np.repeat(choices, n, axis=0)
        groups = np.empty((n, self.size), np.int64)
        alone = np.zeros(n, np.bool_)
        kinds, kind = np.unique(shared, axis=0, return_inverse=True)
        for i, mask in enumerate(kinds):
            of_kind = np.flatnonzero(kind.reshape(-1) == i)
            groups[of_kind], alone[of_kind] = self._groups(table, mask, len(of_kind), generator)
        if self.least == self.size:
            return groups, shared
        sizes = np.where(alone, 1, generator.integers(self.least, self.size + 1, size=n))
        return groups, shared, np.arange(self.size) < sizes[:, None]

    def batch(self, data: Data, indices: tuple[np.ndarray, ...], draw: int = 0) -> Groups:
        groups, shared, *present = indices
        label = np.zeros(len(groups), np.int64)
        values = data.factors[groups[:, 0]].astype(np.int64)
        for k, size in enumerate(data.space.sizes):
            label = np.where(shared[:, k], label * size + values[:, k], label)
        return Groups(
            stacked(data, groups, draw),
            torch.from_numpy(shared),
            torch.from_numpy(present[0]) if present else None,
            torch.from_numpy(label),
            covariates_at(data, groups),
        )

    def _groups(
        self, table: FactorLookup, mask: np.ndarray, n: int, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows ``(n, size)``, and whether the first one is alone with its values, ``(n,)``."""
        names = [name for name, is_shared in zip(table.space.names, mask, strict=True) if is_shared]
        if table.row_of is not None and not mask[table.varying].all():
            first = generator.integers(0, len(table.factors), size=n)
            members = table.space.sample(n * self.size, generator).reshape(n, self.size, -1)
            members[:, :, mask] = table.factors[first][:, None, mask]
            members[:, 0] = table.factors[first]
            return table.row_of[table.space.index(members)], np.zeros(n, np.bool_)
        blocks = table.groups(np.flatnonzero(mask))
        if not (blocks.count > 1).any():
            raise ValueError(
                f"no two of the {len(table.factors)} rows share {names}, so that there are no "
                "groups: share other factors, or fewer"
            )
        several = np.flatnonzero(blocks.count > (0 if self.least == 1 else 1))
        first = several[generator.integers(0, len(several), size=n)]
        others = [blocks.pick(first, generator) for _ in range(self.size - 1)]
        return np.stack([first, *others], axis=1), blocks.count[first] == 1


class ClipsSampler(Sampler[np.ndarray]):
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
        >>> draw = ClipsSampler("frame", 3).bind(space, factors)
        >>> clips = draw(2, np.random.default_rng(0))
        >>> np.diff(clips).tolist()
        [[1, 1], [1, 1]]
    """

    supervision = Clips

    def __init__(self, time: str | None = None, length: int | None = None) -> None:
        if (time is None) != (length is None):
            raise ValueError(f"time is {time!r} and length {length!r}; give both or neither")
        if length is not None and length < 1:
            raise ValueError(f"length is {length}; a clip has at least 1 row")
        if length is not None:
            check_size("length", length)
        self.time, self.length = time, length

    def bind(self, space: FactorSpace, factors: np.ndarray) -> Draw[np.ndarray]:
        if self.time is None or self.length is None:
            return uniform(np.arange(len(factors)))
        order, starts = _sequences(FactorLookup(space, factors), self.time, self.length)
        frames = np.arange(self.length)
        first = uniform(starts)

        def draw(n: int, generator: np.random.Generator) -> np.ndarray:
            return order[first(n, generator)[:, None] + frames]

        return draw

    def batch(self, data: Data, indices: np.ndarray, draw: int = 0) -> Clips:
        if self.time is not None:
            return Clips(stacked(data, indices, draw), covariates_at(data, indices))
        if len(data.shape) not in (2, 4):
            raise ValueError(
                f"observations of data have shape {data.shape}, which is no clip (T, F) or "
                "(T, C, H, W): name the factor that is time, and a length, as "
                "ClipsSampler(time=..., length=...) does"
            )
        return Clips(one_modality(data).observations(indices, draw), covariates_at(data, indices))


class SuccessivePairsSampler(Sampler[np.ndarray]):
    """Rows at a time and at the next one, all other factors equal; makes `Pairs`.

    Args:
        time: The factor that is time.

    Raises:
        ValueError: for a table without any such pair.
    """

    supervision = Pairs

    def __init__(self, time: str) -> None:
        self.time = time

    def bind(self, space: FactorSpace, factors: np.ndarray) -> Draw[np.ndarray]:
        return ClipsSampler(self.time, 2).bind(space, factors)

    def batch(self, data: Data, indices: np.ndarray, draw: int = 0) -> Pairs:
        return paired(data, indices, draw)


def _sequences(table: FactorLookup, time: str, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows in the order of time, and the places in it where a clip can begin."""
    column = table.space.position(time)
    others = [k for k in range(len(table.space.names)) if k != column]
    times = table.factors[table.complete, column]
    key = table.keys(table.complete, others)
    sort = np.lexsort((times, key))
    follows = (np.diff(key[sort]) == 0) & (np.diff(times[sort]) == 1)
    before = np.concatenate([[0], np.cumsum(follows)])
    whole = before[length - 1 :] - before[: len(before) - length + 1] == length - 1
    starts = np.flatnonzero(whole) if len(sort) >= length else np.empty(0, np.int64)
    if not len(starts):
        raise ValueError(
            f"no {length} rows have successive values of factor {time!r} and equal values "
            f"of all others, among {len(table.factors)} rows: choose a shorter length"
        )
    return table.complete[sort], starts
