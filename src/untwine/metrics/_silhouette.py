r"""Silhouette: whether codes lie nearer to those of their own label."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.arrays import as_codes
from ._estimators.clusters import labelled, per_row, silhouettes
from ._estimators.kinds import FactorKinds
from .registry import metric
from .score import Score

__all__ = ["silhouette"]


@metric(
    low=-1.0,
    high=1.0,
    higher_is_better=True,
    captures=("clusters",),
    paper="Rousseeuw 1987",
    link="https://doi.org/10.1016/0377-0427(87)90125-7",
    source="Euclidean",
    needs=("label",),
    repeats=10,
    groups=("default",),
)
def silhouette(
    codes: Any,
    factors: Any,
    *,
    points: int | None = 5_000,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Silhouette: how much nearer a code is to its own label's codes than to the next label's.

    .. math::
        s_n = \frac{b_n - a_n}{\max(a_n, b_n)}

    with :math:`a_n` the mean distance to the codes of the same value, :math:`b_n` the least mean
    distance to those of another one; averaged over rows, then over factors. Range: -1 to 1. No
    clustering is made. ``parts["scaled"]`` is :math:`(s + 1) / 2`, as scIB reports it.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors; -1 or nan where unknown, which leaves those rows out.
        points: Rows to use, a seeded draw of the given ones; all if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the draw.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - ``parts["per_factor"]``, ``parts["scaled"]``: ``(K,)``; ``parts["per_row"]``: ``(N, K)``,
          nan for rows that were not used.

    Raises:
        ValueError: for continuous or constant factors.

    References:
        Silhouettes, Rousseeuw, 1987, https://doi.org/10.1016/0377-0427(87)90125-7.

    Example:
        >>> codes, label = np.array([0.0, 1.0, 8.0, 9.0]), np.array([0, 0, 1, 1])
        >>> round(float(silhouette(codes, label)), 4)
        0.8745
    """
    columns, protocol = labelled(codes, factors, points, seed, unknown=unknown, kinds=kinds)
    values = [silhouettes(column.z, column.label) for column in columns]
    per_factor = np.array([value.mean() for value in values])
    parts = {
        "per_factor": per_factor,
        "scaled": (per_factor + 1) / 2,
        "per_row": per_row(
            len(as_codes(codes)), zip((c.rows for c in columns), values, strict=True)
        ),
    }
    return Score(float(per_factor.mean()), parts, protocol, "silhouette")
