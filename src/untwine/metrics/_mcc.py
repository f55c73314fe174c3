r"""MCC, the mean correlation coefficient of matched dimensions and factors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.arrays import as_codes, check, is_known, stated_unknown
from ._estimators.kinds import FactorKinds, coordinates, explained, kinds_of
from ._estimators.splits import Columns, in_blocks, same_rows, stated_blocks
from .ranges import one_of
from .registry import metric
from .score import Score

__all__ = ["correlations", "mcc"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("compactness", "modularity"),
    paper="Hyvarinen and Morioka 2016",
    link="https://arxiv.org/abs/1605.06336",
    source="Pearson",
    ranges={"correlation": one_of("pearson", "spearman")},
    orders=True,
)
def mcc(
    codes: Any,
    factors: Any,
    *,
    correlation: str = "pearson",
    points: int | None = None,
    blocks: Columns | None = None,
    components: int | None = None,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Mean absolute correlation of factors and codes under the best one-to-one assignment.

    .. math::
        \mathrm{MCC} = \max_{\pi} \frac{1}{K} \sum_k \lvert \mathrm{corr}(v_k, z_{\pi(k)}) \rvert

    over injective :math:`\pi`, found by the Hungarian algorithm. A factor that is left without a
    dimension, because there are fewer dimensions than factors, counts as 0. Range: 0 to 1. It
    captures recovery of the factors up to permutation and scale (Pearson) or up to monotone maps
    (Spearman). An angle's correlation is the multiple one with its cosine and sine, a nominal
    factor's that with the indicators of its classes (the correlation ratio); neither has a sign.

    Args:
        codes: Codes, real or discrete. The correlation with a constant dimension is 0.
        factors: Discrete or continuous factors; -1 or nan where unknown, which leaves those rows
            out of that factor. A discrete factor's values are taken as numbers.
        correlation: ``"pearson"`` or ``"spearman"``.
        points: Rows to use, a seeded draw of the given ones; all if ``None``.
        blocks: Columns of vector-valued codes; the multiple correlation of a block counts.
        components: Principal components to reduce each block to; none is reduced if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the draw.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - ``parts["matrix"]``: ``(D, K)``; ``parts["code_of_factor"]``: ``(K,)``, -1 for none.

    Raises:
        ValueError: for an unknown correlation, or a constant factor.

    References:
        Unsupervised Feature Extraction by Time-Contrastive Learning and Nonlinear ICA, Hyvarinen
        and Morioka, 2016, https://arxiv.org/abs/1605.06336. Variational Autoencoders and Nonlinear
        ICA: A Unifying Framework, Khemakhem et al., 2020, https://arxiv.org/abs/1907.04809,
        section 5.

    Example:
        >>> factors = np.arange(12).reshape(6, 2) % 5
        >>> round(float(mcc(-2.0 * factors[:, ::-1], factors)), 6)
        1.0
    """
    from scipy.optimize import linear_sum_assignment

    _, y = check(codes, factors, unknown=unknown)
    z, block_columns = in_blocks(as_codes(codes), blocks, components)
    if points is not None and points < len(z):
        rows = np.random.default_rng(seed).choice(len(z), points, replace=False)
        z, y = z[rows], y[rows]
    matrix = np.empty((len(block_columns), y.shape[1]))
    ranks = correlation == "spearman"
    factor_kinds = kinds_of(y, kinds)
    for columns in same_rows(y):
        mask = is_known(y[:, columns[0]])
        numbers = [k for k in columns if factor_kinds[k] in ("ordinal", "real")]
        matrix[:, numbers] = correlations(z[mask], y[mask][:, numbers], block_columns, ranks=ranks)
        for k in set(columns).difference(numbers):
            matrix[:, k] = multiple_correlations(
                z[mask], coordinates(y[mask, k], factor_kinds[k]), block_columns, ranks=ranks
            )
    dims, factors_matched = linear_sum_assignment(-np.abs(matrix))
    per_factor = np.zeros(y.shape[1])
    per_factor[factors_matched] = np.abs(matrix[dims, factors_matched])
    code_of_factor = np.full(y.shape[1], -1)
    code_of_factor[factors_matched] = dims
    protocol = {"correlation": correlation, "matching": "Hungarian", "points": len(z), "seed": seed}
    protocol |= stated_blocks(blocks, components) | stated_unknown(y)
    parts = {"per_factor": per_factor, "code_of_factor": code_of_factor, "matrix": matrix}
    return Score(per_factor.mean(), parts, protocol, "mcc")


def correlations(
    z: np.ndarray, y: np.ndarray, block_columns: list[list[int]], *, ranks: bool
) -> np.ndarray:
    """Correlations of codes and factors, ``(D, K)``; 0 where one of them is constant.

    That of a block of several columns is multiple: of the factor and its linear regression.
    """
    if ranks:
        from scipy.stats import rankdata

        z, y = rankdata(z, axis=0), rankdata(y, axis=0)
    unit = []
    for values in (z, y):
        # Relative to a row, what is constant is exactly zero.
        values = np.subtract(values, values[:1], dtype=np.float64)
        values -= values.mean(axis=0)
        norm = np.sqrt((values * values).sum(axis=0))
        values /= np.where(norm > 0, norm, np.inf)
        unit.append(values)
    result = np.empty((len(block_columns), y.shape[1]))
    for i, block in enumerate(block_columns):
        if len(block) == 1:
            result[i] = unit[0][:, block[0]] @ unit[1]
        else:
            result[i] = [np.sqrt(explained(z, factor[:, None], [block])[0]) for factor in y.T]
    return result


def multiple_correlations(
    z: np.ndarray, y: np.ndarray, block_columns: list[list[int]], *, ranks: bool
) -> np.ndarray:
    """Canonical correlation of each code, or of its ranks, with coordinates ``(N, M)``."""
    if ranks:
        from scipy.stats import rankdata

        z = rankdata(z, axis=0)
    return np.sqrt(explained(z, y, block_columns))
