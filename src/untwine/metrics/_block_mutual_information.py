r"""Mutual information between blocks of a code, such as I(s; p) of style and content."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from ._estimators.arrays import as_codes
from ._estimators.neighbors import kraskov, spread_ties
from ._estimators.selection import columns_of, without_copies
from ._estimators.splits import Columns, rows
from ._gaussian_total_correlation import gaussian_total_correlation
from .ranges import one_of
from .registry import metric
from .score import Score

__all__ = ["block_mutual_information"]


@metric(
    low=0.0,
    high=inf,
    higher_is_better=False,
    captures=("independence",),
    paper="Kraskov et al. 2004",
    link="https://arxiv.org/abs/cond-mat/0305641",
    source="3 nearest neighbors",
    repeats=10,
    ranges={"estimator": one_of("knn", "gaussian")},
)
def block_mutual_information(
    codes: Any,
    blocks: Columns,
    *,
    estimator: str = "knn",
    neighbors: int = 3,
    points: int | None = 10_000,
    seed: int = 0,
) -> Score:
    r"""Mutual information between vector-valued parts of a code, in nats.

    .. math::
        I(s; p) = \mathbb{E} \log \frac{q(s, p)}{q(s)\, q(p)}

    the mean over pairs if there are more than two blocks. From 0 (independent) upwards; lower is
    better. It sees no factors.

    ``"knn"`` is the nearest-neighbor estimator of Kraskov et al. on columns of unit variance: it
    finds any dependence, and falls short for strong ones in many dimensions, where no number of
    points suffices. ``"gaussian"`` is the value that a Gaussian with the codes' covariance has:
    exact for linear dependence, blind to others, and fit for many dimensions.

    Args:
        codes: Codes.
        blocks: The columns of each block, at least two blocks; columns that no block names are left
            out.
        estimator: ``"knn"`` or ``"gaussian"``.
        neighbors: How many nearest neighbors.
        points: At most how many rows, drawn without replacement, the ``"knn"`` estimator uses, or
            ``None`` for all. Its time grows faster than linearly in many dimensions.
        seed: Of that draw, and of the noise that breaks ties.

    Shape:
        - codes: ``(N, D)``
        - ``parts["mutual_information"]``: ``(B, B)``, symmetric, nan on the diagonal.

    Raises:
        ValueError: for an unknown estimator, fewer than two blocks, blocks that overlap, or no more
            points than neighbors.

    References:
        Estimating Mutual Information, Kraskov, Stoegbauer and Grassberger, 2004,
        https://arxiv.org/abs/cond-mat/0305641, equation 8.

    Example:
        >>> z = np.random.default_rng(0).standard_normal((2000, 2))
        >>> s_p = np.stack([z[:, 0], 0.8 * z[:, 0] + 0.6 * z[:, 1]], axis=1)
        >>> round(float(block_mutual_information(s_p, [[0], [1]])), 1)  # -log(1 - 0.64) / 2 = 0.51
        0.5
    """
    z = as_codes(codes)
    columns = list(columns_of(blocks, z.shape[1]).values())
    if len(columns) < 2:
        raise ValueError("mutual information needs at least two blocks; got 1")
    protocol: dict[str, Any] = {"estimator": estimator, "blocks": len(columns)}
    if estimator == "knn":
        size = len(z)
        (z,) = without_copies("block_mutual_information", z, split=False) or (z,)
        if len(z) < size:
            protocol["copies_left_out"] = size - len(z)
        (z,) = rows(np.random.default_rng(seed), points, z)
        # A column that does not vary tells nothing, and would be noise at the scale of the others.
        varies = z.min(axis=0) < z.max(axis=0)
        z = spread_ties(z, seed)
        columns = [[j for j in block if varies[j]] for block in columns]
        protocol |= {"neighbors": neighbors, "seed": seed}
    protocol["points"] = len(z)
    matrix = np.full((len(columns), len(columns)), np.nan)
    for i, first in enumerate(columns):
        for j, second in enumerate(columns[:i]):
            if not first or not second:
                value = 0.0
            elif estimator == "knn":
                value = kraskov(z[:, first], z[:, second], neighbors)
            else:
                value = float(gaussian_total_correlation(z, blocks=[first, second]))
            matrix[i, j] = matrix[j, i] = value
    return Score(
        np.nanmean(matrix),
        {"mutual_information": matrix},
        protocol,
        "block_mutual_information",
    )
