r"""Majority votes of the FactorVAE score: which dimension varies least while a factor is held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..score import Score
from .arrays import warn_of_scale
from .interventions import chunks

__all__ = ["Votes", "vote"]


@dataclass(frozen=True)
class Votes:
    """The outcome of a vote.

    Attributes:
        train: Accuracy of the map on the votes that it was learned from.
        test: Accuracy on new votes; ``None`` where there were none.
        counts: Votes of each dimension for each factor, ``(D, K)``.
        active: Which dimensions took part, ``(D,)``.
    """

    train: float
    test: float | None
    counts: np.ndarray
    active: np.ndarray

    def describe(
        self,
        name: str,
        rescale: bool,
        protocol: dict[str, Any],
        *,
        left_out: np.ndarray,
    ) -> Score:
        """The outcome as a score."""
        chance = 1.0 / self.counts.shape[1]
        scale = (lambda a: (a - chance) / (1.0 - chance)) if rescale else (lambda a: a)
        dead = not self.active.any()
        value = self.train if self.test is None else self.test
        parts = {
            "train_accuracy": self.train,
            "chance": chance,
            "votes": self.counts,
            "predicts": np.where(self.counts.any(axis=1), self.counts.argmax(axis=1), -1),
            "active": self.active,
            "values_left_out": left_out,
        }
        if self.test is not None:
            parts["test_accuracy"] = self.test
        protocol = protocol | {"rescale": rescale}
        return Score(0.0 if dead else scale(value), parts, protocol, name)


def vote(
    codes: np.ndarray,
    block_columns: list[list[int]],
    n_factors: int,
    draw: Callable[[int, int, int, np.random.Generator], np.ndarray],
    pick: Callable[..., Any],
    *,
    votes: int,
    test_votes: int,
    batch: int,
    threshold: float,
    variance_rows: int | None,
    rng: np.random.Generator,
    metric: str,
) -> Votes:
    """Learns the majority map on ``votes`` batches and judges it on ``test_votes`` new ones.

    Args:
        codes: ``(N, C)``.
        block_columns: The columns of each of D codes; their variance is the sum over columns.
        n_factors: K.
        draw: ``draw(k, batches, size, rng)`` gives rows ``(batches, size)`` for factor ``k``.
        pick: `numpy.argmin` or `numpy.argmax`, of the relative variances.
        votes: Votes to learn from.
        test_votes: Votes to judge on.
        batch: Rows per vote.
        threshold: Smallest standard deviation of a dimension that takes part.
        variance_rows: Rows that the variances over all rows are estimated from; all if ``None``.
        rng: The source of randomness.
        metric: Who asks, for the warning about the scale of codes.
    """
    if n_factors < 2:
        raise ValueError("votes tell factors apart: factors has 1 column, expected 2 or more")
    # Relative to a row, a constant dimension is exactly zero and so is its variance.
    codes = np.subtract(codes, codes[0], dtype=np.float64)
    sample = codes
    if variance_rows is not None and variance_rows < len(codes):
        sample = codes[rng.choice(len(codes), variance_rows, replace=False)]
    variance = sample.var(axis=0, ddof=1)
    variance = np.array([variance[block].sum() for block in block_columns])
    active = np.sqrt(variance) >= threshold
    warn_of_scale(metric, np.sqrt(variance), threshold)
    counts = np.zeros((len(block_columns), n_factors), dtype=np.int64)
    if not active.any():
        return Votes(0.0, 0.0 if test_votes else None, counts, active)
    safe = np.where(variance > 0, variance, 1.0)
    voting = [d for d, votes_too in enumerate(active) if votes_too]
    columns = [column for d in voting for column in block_columns[d]]
    width = np.array([len(block_columns[d]) for d in voting])
    first = np.cumsum(width) - width
    scale = np.sqrt(np.repeat(safe[voting], width))
    world = np.ascontiguousarray(codes[:, columns] / scale)

    def cast(total: int) -> np.ndarray:
        result = np.zeros((len(voting), n_factors), dtype=np.int64)
        for k, number in enumerate(np.bincount(rng.integers(n_factors, size=total))):
            for part in chunks(int(number), batch):
                groups = world[draw(k, part, batch, rng)]
                groups -= groups[:, :1].copy()  # exact zeros where nothing varies
                local = np.einsum("bld,bld->bd", groups, groups) - groups.sum(axis=1) ** 2 / batch
                local = np.add.reduceat(local, first, axis=1)
                result[:, k] += np.bincount(pick(local, axis=1), minlength=len(voting))
        return result

    vote_of_dimension = cast(votes)
    majority = vote_of_dimension.argmax(axis=1)
    dims = np.arange(len(voting))
    test = None
    if test_votes:
        fresh = cast(test_votes)
        test = float(fresh[dims, majority].sum() / test_votes)
    counts[active] = vote_of_dimension
    return Votes(float(vote_of_dimension[dims, majority].sum() / votes), test, counts, active)
