r"""Interventions by look-up: hold a factor at a value, let the rest vary, in a table of rows.

A model or a renderer is not needed: a table of codes with their factors holds the answers. To hold
factor :math:`v_k` is to draw, with replacement, from the rows that share a value of it. The
table need not be a full grid, and a factor may be unknown in some rows (they are never drawn for
that factor, though they are for others).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..score import NotApplicable
from .arrays import is_known
from .kinds import FactorKinds, kinds_of, whole
from .splits import equal_width

__all__ = ["FactorGroups", "Interventions", "chunks", "label"]

CHUNK = 1 << 18  # rows gathered at a time: bounds the memory, whatever the protocol


class FactorGroups:
    """Rows sorted by what they share; groups of fewer than two rows are left out.

    Args:
        labels: Which group each row belongs to, ``(N,)``; negative where none.
    """

    def __init__(self, labels: np.ndarray) -> None:
        order = np.argsort(labels, kind="stable")
        order = order[np.searchsorted(labels[order], 0) :]
        _, counts = np.unique(labels[order], return_counts=True)
        keep = counts >= 2
        self.left_out = int(np.count_nonzero(~keep))
        self.counts = counts[keep]
        self.order = order[np.repeat(keep, counts)]
        self.start = np.concatenate([[0], np.cumsum(self.counts)[:-1]]).astype(np.int64)

    def __len__(self) -> int:
        return len(self.counts)

    def positions(self, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Positions of random rows, and the groups that these belong to."""
        position = rng.integers(len(self.order), size=size)
        return position, np.searchsorted(self.start, position, side="right") - 1

    def draw(self, group: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
        """``size`` rows of each group, with replacement: ``(len(group), size)``."""
        within = rng.integers(self.counts[group][:, None], size=(len(group), size))
        return self.order[self.start[group][:, None] + within]


class Interventions:
    """Draws rows that share the value of one factor.

    A value is drawn as often as it occurs in the table. Values with a single row are left out,
    since nothing varies there.

    Args:
        factors: ``(N, K)``, checked; -1 or nan where unknown.
        metric: Who asks, for the error messages.
        bins: Hold factors in bins of equal width between their extremes instead of exact values.
        kinds: What each factor is; only of real ones with fractions it is sure that no two rows
            have one value.

    Raises:
        ValueError: for a continuous factor without ``bins``, and for a factor of which fewer than
            two values have two rows.

    Example:
        >>> factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> world = Interventions(factors, metric="example")
        >>> batch = world.hold(0, 3, 5, np.random.default_rng(0))
        >>> batch.shape, bool((factors[batch, 0] == factors[batch, 0][:, :1]).all())
        ((3, 5), True)
    """

    def __init__(
        self,
        factors: np.ndarray,
        *,
        metric: str,
        bins: int | None = None,
        kinds: FactorKinds = None,
    ) -> None:
        self.metric = metric
        self.labels = label(factors, bins, metric, kinds)
        self.groups = [FactorGroups(column) for column in self.labels.T]
        self.others: dict[int, FactorGroups] = {}
        for k, groups in enumerate(self.groups):
            if len(groups) < 2:
                raise ValueError(
                    f"{metric}: factor {k} has {len(groups)} value(s) with at least two rows "
                    f"({groups.left_out} with one); holding it at a value while the rest varies "
                    "needs two such values: give more rows, bins=, or drop that column"
                )

    @property
    def left_out(self) -> np.ndarray:
        """How many values of each factor have a single row, ``(K,)``."""
        return np.array([groups.left_out for groups in self.groups])

    def hold(self, k: int, batches: int, size: int, rng: np.random.Generator) -> np.ndarray:
        """Rows ``(batches, size)``; those of a batch share the value of factor ``k``."""
        _, group = self.groups[k].positions(batches, rng)
        return self.groups[k].draw(group, size, rng)

    def pairs(self, k: int, size: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Two rows ``(size,)`` and ``(size,)`` that share the value of factor ``k``.

        They are never the same row, whose codes would have no difference at all.
        """
        groups = self.groups[k]
        position, group = groups.positions(size, rng)
        start, count = groups.start[group], groups.counts[group]
        partner = start + (position - start + rng.integers(1, count)) % count
        return groups.order[position], groups.order[partner]

    def vary(self, k: int, batches: int, size: int, rng: np.random.Generator) -> np.ndarray:
        """Rows ``(batches, size)``; those of a batch share every factor but ``k``.

        Combinations of the others' values are drawn uniformly among those with two rows or more.

        Raises:
            ValueError: if there is no such combination.
        """
        if k not in self.others:
            self.others[k] = self._others(k)
        groups = self.others[k]
        if len(groups) == 0:
            raise ValueError(
                f"{self.metric}: no two rows share all factors but {k}, so that it never varies "
                "alone: give more rows, or coarser factors (bins=)"
            )
        return groups.draw(rng.integers(len(groups), size=batches), size, rng)

    def _others(self, k: int) -> FactorGroups:
        cell = np.zeros(len(self.labels), dtype=np.int64)
        missing = np.zeros(len(self.labels), dtype=bool)
        for factor, column in enumerate(self.labels.T):
            if factor != k:
                missing |= column < 0
                # Compressed at each step, so that the product of many sizes cannot overflow.
                cell = cell * (column.max() + 1) + np.maximum(column, 0)
                cell = np.unique(cell, return_inverse=True)[1]
        return FactorGroups(np.where(missing, -1, cell))


def label(
    factors: np.ndarray, bins: int | None, metric: str, kinds: FactorKinds = None
) -> np.ndarray:
    """Each factor's values as labels ``0, 1, ...``, -1 where unknown."""
    labels = np.empty(factors.shape, dtype=np.int64)
    for k, (column, kind) in enumerate(zip(factors.T, kinds_of(factors, kinds), strict=True)):
        if bins is not None:
            labels[:, k] = equal_width(column, bins)
            continue
        if kind == "real" and not whole(column):
            raise NotApplicable(
                f"{metric} holds factors at a value, but factor {k} is continuous: give bins= to "
                "hold it in a bin, or drop that column"
            )
        mask = is_known(column)
        labels[:, k] = -1
        labels[mask, k] = np.unique(column[mask], return_inverse=True)[1]
    return labels


def chunks(batches: int, size: int) -> Iterator[int]:
    """Splits ``batches`` into counts whose rows fit into memory together."""
    step = max(1, CHUNK // size)
    for start in range(0, batches, step):
        yield min(step, batches - start)
