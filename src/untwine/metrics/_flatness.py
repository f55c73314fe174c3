r"""Flatness: whether codes move along an axis, and straight, while one factor moves."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.arrays import as_codes, check, is_known, stated_unknown
from ._estimators.clusters import refuse_continuous
from ._estimators.kinds import FactorKinds
from ._estimators.splits import Columns, in_blocks, stated_blocks
from .ranges import whole
from .registry import metric
from .score import NotApplicable, Score

__all__ = ["flatness"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("compactness",),
    paper="Michlo 2021",
    link="https://github.com/nmichlo/disent",
    source="disent",
    rows="table",
    repeats=10,
    ranges={"lines": whole(1)},
)
def flatness(
    codes: Any,
    factors: Any,
    *,
    lines: int = 64,
    blocks: Columns | None = None,
    components: int | None = None,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""How far apart the ends of a factor's traversal are, over the way along it.

    A traversal holds all factors but one and takes that one through all of its :math:`V_k` values.
    With :math:`w_2` the largest Euclidean distance of two of its codes, and :math:`\ell_1` the mean
    distance of successive ones, by absolute values, times :math:`V_k - 1`,

    .. math::
        \frac{1}{K} \sum_k \frac{\mathbb{E}[w_2]}{\mathbb{E}[\ell_1]}

    over traversals. The last value is followed by the first, and the longest step of each traversal
    does not count, so that factors may be cyclic. Range: 0 to 1; 1 for a factor that moves one
    dimension only, and straight. A factor that moves no dimension counts as 0.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors; rows where one is -1 or nan are left out.
        lines: Traversals per factor, a seeded draw of those that the table holds; all if there are
            fewer.
        blocks: Columns of vector-valued codes; within a block, distances are Euclidean.
        components: Principal components to reduce each block to; none is reduced if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the draw.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - ``parts["per_factor"]``, ``parts["lines"]``: ``(K,)``; ``parts["l1"]``, ``parts["l2"]``:
          width over length with one norm for both, a number each.

    Raises:
        ValueError: for continuous or constant factors, and if a factor has no complete traversal.

    References:
        disent, Michlo, 2021, https://github.com/nmichlo/disent (``flatness.ave_flatness``).

    Deviations:
        Traversals are looked up in the table, without repetition, where disent renders them.

    Example:
        >>> factors = np.stack(np.meshgrid(range(4), range(3)), -1).reshape(-1, 2)
        >>> float(flatness(factors * 1.0, factors))
        1.0
        >>> turned = factors @ np.array([[1.0, 1.0], [1.0, -1.0]])
        >>> round(float(flatness(turned, factors)), 4)
        0.7071
    """
    _, y = check(codes, factors, unknown=unknown)
    refuse_continuous(y, kinds)
    z, block_columns = in_blocks(as_codes(codes), blocks, components)
    z = z.astype(np.float64)
    protocol = {"lines": lines, "points": len(z), "seed": seed}
    protocol |= stated_blocks(blocks, components) | stated_unknown(y)
    mask = np.all([is_known(column) for column in y.T], axis=0)
    z, y = z[mask], y[mask].astype(np.int64)
    rng = np.random.default_rng(seed)
    ratios, numbers = [], []
    for k in range(y.shape[1]):
        rows = _traversals(y, k)
        if len(rows) > lines:
            rows = rows[np.sort(rng.choice(len(rows), lines, replace=False))]
        ratios.append(_ratios(z[rows], block_columns))
        numbers.append(len(rows))
    ratio, ratio_l1, ratio_l2 = np.array(ratios).T
    parts = {
        "per_factor": ratio,
        "lines": np.array(numbers),
        "l1": float(ratio_l1.mean()),
        "l2": float(ratio_l2.mean()),
    }
    return Score(float(ratio.mean()), parts, protocol, "flatness")


def _traversals(y: np.ndarray, k: int) -> np.ndarray:
    """Rows of complete traversals of factor ``k``, ``(L, V)``, the values in increasing order."""
    value = np.unique(y[:, k], return_inverse=True)[1]
    number = int(value.max(initial=-1)) + 1
    other_factors = np.delete(y, k, axis=1)
    line = (
        np.unique(other_factors, axis=0, return_inverse=True)[1].reshape(-1)
        if other_factors.shape[1]
        else np.zeros(len(y), int)
    )
    cell, first = np.unique(line * number + value, return_index=True)
    complete = (
        np.bincount(cell // number, minlength=1) == number if number > 1 else np.zeros(1, bool)
    )
    if not complete.any():
        raise NotApplicable(
            f"factor {k} has no complete traversal: nowhere do all of its {number} values occur "
            "with the other factors alike; give the whole grid"
        )
    return first[complete[cell // number]].reshape(-1, number)


def _ratios(z: np.ndarray, block_columns: list[list[int]]) -> tuple[float, float, float]:
    """Width over length of traversals ``(L, V, D)``: of norms 2 and 1, 1 and 1, 2 and 2."""
    difference = _lengths(z[:, :, None] - z[:, None], block_columns)
    steps = _lengths(z - np.roll(z, -1, axis=1), block_columns)
    width, length = {}, {}
    for p in (1, 2):
        width[p] = np.linalg.norm(difference, ord=p, axis=-1).max(axis=(1, 2)).mean()
        step = np.sort(np.linalg.norm(steps, ord=p, axis=-1), axis=1)[:, :-1]
        length[p] = step.mean() * step.shape[1]
    if length[1] == 0:
        return 0.0, 0.0, 0.0
    return width[2] / length[1], width[1] / length[1], width[2] / length[2]


def _lengths(z: np.ndarray, block_columns: list[list[int]]) -> np.ndarray:
    """The absolute value of each code, or the Euclidean length of its block: ``(..., B)``."""
    return np.stack([np.linalg.norm(z[..., block], axis=-1) for block in block_columns], axis=-1)
