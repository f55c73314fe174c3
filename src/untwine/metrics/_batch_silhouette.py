r"""Batch silhouette: whether codes lie together by batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.arrays import as_codes
from ._estimators.clusters import (
    ONE_LABEL,
    draw_rows,
    drawn,
    mixed,
)
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
    needs=(ONE_LABEL,),
    repeats=10,
)
def batch_silhouette(
    codes: Any,
    factors: Any,
    *,
    within: Any = None,
    points: int | None = 5_000,
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
        within: The label of each row, inside which batches are compared; without, all rows
            together.
        points: Rows to use, a seeded draw of the given ones; all if ``None``.
        seed: Of the draw.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - within: ``(N,)``
        - ``parts["per_factor"]``: ``(K,)``.

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
    label = None if within is None else np.unique(np.asarray(within), return_inverse=True)[1]
    if label is not None and label.shape != (len(as_codes(codes)),):
        raise ValueError(f"within has shape {label.shape}; expected one label for each row")
    z, y, stated = drawn(codes, factors, points, seed)
    if label is not None:
        label = label[draw_rows(len(label), points, seed)]
    per_factor = np.array([mixed(z, column, label) for column in y.T])
    stated["within"] = "each label" if within is not None else "all rows"
    return Score(float(per_factor.mean()), {"per_factor": per_factor}, stated, "batch_silhouette")
