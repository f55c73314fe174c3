r"""IRS, the interventional robustness score: how far a code moves when other factors vary."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.arrays import as_codes, check, stated_unknown
from ._estimators.interventions import label
from ._estimators.kinds import FactorKinds
from ._estimators.protocols import choose
from ._estimators.splits import Columns, in_blocks, rows, stated_blocks
from .ranges import number, one_of
from .registry import metric
from .score import Score

__all__ = ["PROTOCOLS", "irs"]

#: Settings of the named protocols.
PROTOCOLS: dict[str, dict[str, Any]] = {
    "locatello2019": {"quantile": 0.99, "bins": 20},
    "suter2019": {"quantile": 1.0, "bins": None},
}


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("invariance",),
    paper="Suter et al. 2019",
    link="https://arxiv.org/abs/1811.00007",
    ranges={"protocol": one_of(*PROTOCOLS), "quantile": number(0, 1)},
)
def irs(
    codes: Any,
    factors: Any,
    *,
    protocol: str = "locatello2019",
    quantile: float | None = None,
    bins: int | None = None,
    exact: bool = False,
    points: int | None = 10_000,
    blocks: Columns | None = None,
    components: int | None = None,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Robustness of each code dimension, given its factor, to everything else.

    For dimension :math:`d` and factor :math:`k`, the deviation from the mean of all rows with the
    same value of :math:`k`, at its worst, averaged over the :math:`n_k` values and relative to the
    greatest deviation of the dimension altogether:

    .. math::
        \mathrm{IRS}_{dk} = 1 - \frac{\frac{1}{n_k} \sum_v q\big( \lvert z_d - \mathrm{E}[z_d \mid
        v_k = v] \rvert \big)} {\max \lvert z_d - \mathrm{E}[z_d] \rvert}

    A dimension belongs to the factor that makes it most robust, and the score is the mean of
    :math:`\max_k \mathrm{IRS}_{dk}` weighted by the greatest deviations. Range: 0 to 1. It
    captures modularity and robustness to noise; a dimension that is a noiseless function of one
    factor scores 1 whether or not others copy it.

    Args:
        codes: Codes, real or discrete. Constant dimensions are left out; if all are, the score
            is 0.
        factors: Discrete or continuous factors; -1 or nan where unknown, which leaves those rows
            out of that factor.
        protocol: ``"locatello2019"`` (quantile 0.99, factors in 20 bins of equal width, so that a
            perfect code of a factor with more values stays below 1) or ``"suter2019"`` (the paper:
            the maximum, exact values).
        quantile: Which quantile of the deviations counts as the worst; 1 is the maximum.
        bins: Bins of the factors, in place of the protocol's.
        exact: Group by exact factor values, whatever the protocol's bins.
        points: Rows to use, a seeded draw of the given ones; all if ``None``.
        blocks: Columns of vector-valued codes; a deviation is Euclidean.
        components: Principal components to reduce each block to; none is reduced if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the draw.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - ``parts["matrix"]``: ``(D, K)``, nan for constant dimensions.

    Raises:
        ValueError: for a quantile outside [0, 1], or exact values of continuous factors.

    References:
        Robustly Disentangled Causal Mechanisms: Validating Deep Representations for Interventional
        Robustness, Suter, Miladinovic, Schoelkopf and Bauer, 2019,
        https://arxiv.org/abs/1811.00007, section 4. disentanglement_lib, Locatello et al., 2019,
        https://arxiv.org/abs/1811.12359 (settings).

    Example:
        >>> factors = np.stack(np.meshgrid(range(3), range(4)), -1).reshape(-1, 2)
        >>> float(irs(factors * 1.0, factors))
        1.0
    """
    settings = choose(PROTOCOLS, protocol, {"quantile": quantile, "bins": bins})
    if exact:
        settings["bins"] = None
    q = settings["quantile"]
    _, y = check(codes, factors, unknown=unknown)
    z, block_columns = in_blocks(as_codes(codes), blocks, components)
    z, y = rows(np.random.default_rng(seed), points, z, y)
    z = z.astype(np.float64)
    extent = np.ptp(z, axis=0)
    moving = np.array([extent[block].max() > 0 for block in block_columns])
    center = z - z.mean(axis=0)
    farthest = np.array([length(center[:, block]).max() for block in block_columns])
    matrix = np.full((len(block_columns), y.shape[1]), np.nan)
    labels = label(y, settings["bins"], "irs", kinds)
    for k in range(y.shape[1]):
        mask = labels[:, k] >= 0
        moving_blocks = [block for block, moves in zip(block_columns, moving, strict=True) if moves]
        worst = deviations(z[mask], labels[mask, k], q, moving_blocks)
        matrix[moving, k] = 1.0 - worst / farthest[moving]
    value = 0.0
    robustness = np.full(len(matrix), np.nan)
    parents = np.full(len(matrix), -1)
    if moving.any():
        robustness[moving] = matrix[moving].max(axis=1)
        parents[moving] = matrix[moving].argmax(axis=1)
        value = float(np.average(robustness[moving], weights=farthest[moving]))
    conditions = {"protocol": protocol, **settings, "points": len(z), "seed": seed}
    conditions |= stated_blocks(blocks, components) | stated_unknown(y)
    parts = {
        "per_code": robustness,
        "factor_of_code": parents,
        "matrix": matrix,
        "max_deviation": farthest,
    }
    return Score(value, parts, conditions, "irs")


def length(vectors: np.ndarray) -> np.ndarray:
    """Euclidean lengths of vectors ``(N, D)``; of numbers, what they are without their sign."""
    return np.abs(vectors[:, 0]) if vectors.shape[1] == 1 else np.linalg.norm(vectors, axis=1)


def deviations(
    z: np.ndarray, labels: np.ndarray, quantile: float, block_columns: list[list[int]]
) -> np.ndarray:
    """Mean over the groups of a quantile of the distance to the group's mean, for each block.

    The quantile interpolates linearly between order statistics, as `numpy.quantile` does.
    """
    _, group, counts = np.unique(labels, return_inverse=True, return_counts=True)
    start = np.concatenate([[0], np.cumsum(counts)[:-1]])
    position = start + quantile * (counts - 1)
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, start + counts - 1)
    share = position - low
    order = np.argsort(group, kind="stable")
    few_groups = len(z) > 32 * len(counts)  # few large groups: each by itself, without a full sort
    result = np.empty(len(block_columns))
    for d, block in enumerate(block_columns):
        # Relative to a member, a group without spread has a mean of exactly zero.
        column = z[order][:, block] - np.repeat(z[order[start]][:, block], counts, axis=0)
        mean = np.add.reduceat(column, start, axis=0) / counts[:, None]
        distance = length(column - np.repeat(mean, counts, axis=0))
        if few_groups:
            sorted_distance = distance
            for a, n, i, j in zip(start, counts, low, high, strict=True):
                sorted_distance[a : a + n].partition((i - a, j - a))
        else:
            sorted_distance = distance[np.lexsort((distance, group[order]))]
        result[d] = (sorted_distance[low] * (1 - share) + sorted_distance[high] * share).mean()
    return result
