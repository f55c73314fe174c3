r"""Batch silhouette: whether codes lie together by batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.arrays import as_codes
from ._estimators.clusters import column_of, labelled, mixed, per_row
from ._estimators.kinds import FactorKinds
from .registry import metric
from .score import Score

__all__ = ["batch_silhouette"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=None,
    captures=("mixing",),
    paper="Luecken et al. 2022",
    link="https://doi.org/10.1038/s41592-021-01336-8",
    source="Euclidean",
    needs=("batch",),
    repeats=10,
    groups=("default",),
)
def batch_silhouette(
    codes: Any,
    factors: Any,
    *,
    within: Any = None,
    points: int | None = 5_000,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Batch silhouette: how little a batch is seen in the codes, label by label.

    .. math::
        \frac{1}{|L|} \sum_{l \in L} \frac{1}{N_l} \sum_{n \in l} \big( 1 - |s_n| \big)

    with :math:`s_n` the silhouette of the batch among the codes of label :math:`l`. Range: 0 to 1,
    1 for batches that are mixed perfectly. Labels whose codes are all of one batch are left out.

    Args:
        codes: Codes, real or discrete.
        factors: The batch; of several columns each is a batch, and the scores are averaged.
        within: The label of each row, inside which batches are compared, -1 or nan where unknown;
            without, all rows together.
        points: Rows to use, a seeded draw of the given ones; all if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the draw.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - within: ``(N,)``
        - ``parts["per_factor"]``: ``(K,)``; ``parts["per_row"]``: ``(N, K)``, nan for rows
          that were not used.

    Raises:
        ValueError: for continuous or constant factors, or if no label has two batches.

    References:
        Benchmarking atlas-level data integration in single-cell genomics, Luecken et al., 2022,
        https://doi.org/10.1038/s41592-021-01336-8, methods.

    Example:
        >>> batch = np.arange(8) % 2
        >>> round(float(batch_silhouette(np.array([0.0, 0.0, 1.0, 1.0] * 2), batch)), 4)
        0.75
    """
    size = len(as_codes(codes))
    label = None if within is None else column_of(within, size, "within")
    columns, protocol = labelled(codes, factors, points, seed, unknown=unknown, kinds=kinds)
    values = [mixed(column, label) for column in columns]
    per_factor = np.array([mean for mean, _ in values])
    protocol["within"] = "each label" if within is not None else "all rows"
    parts = {
        "per_factor": per_factor,
        "per_row": per_row(size, [(c.rows, v) for c, (_, v) in zip(columns, values, strict=True)]),
    }
    return Score(float(per_factor.mean()), parts, protocol, "batch_silhouette")
