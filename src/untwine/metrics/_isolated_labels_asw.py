r"""Isolated labels by silhouette: whether labels of few batches lie apart."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.arrays import as_codes
from ._estimators.clusters import isolated, labelled, silhouettes
from ._estimators.kinds import FactorKinds
from .ranges import whole
from .registry import metric
from .score import Score

__all__ = ["isolated_labels_asw"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("clusters",),
    paper="Luecken et al. 2022",
    link="https://doi.org/10.1038/s41592-021-01336-8",
    source="Euclidean",
    needs=("label",),
    repeats=10,
    groups=("default",),
    ranges={"most": whole(1)},
)
def isolated_labels_asw(
    codes: Any,
    factors: Any,
    *,
    batch: Any,
    most: int | None = None,
    points: int | None = 5_000,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Isolated labels: the silhouette of labels that few batches have.

    .. math::
        \frac{1}{|I|} \sum_{l \in I} \frac{1}{N_l} \sum_{n \in l} \frac{s_n + 1}{2}

    with :math:`s_n` the silhouette of the label at row :math:`n` and :math:`I` the labels that are
    in the fewest batches. Averaged over factors. Range: 0 to 1. A method that mixes batches by
    force loses the kinds that one batch has alone; this is where it shows.

    Args:
        codes: Codes, real or discrete.
        factors: The label; of several columns each is a label, and the scores are averaged.
        batch: The batch of each row, -1 or nan where unknown.
        most: A label in no more batches than these is isolated; by default the smallest number of
            batches that a label is in.
        points: Rows to use, a seeded draw of the given ones; all if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the draw.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - batch: ``(N,)``
        - ``parts["per_factor"]``: ``(K,)``; ``parts["isolated"]``: of each factor, which of its
          values, in increasing order, are isolated.

    Raises:
        ValueError: for continuous or constant factors, a batch of another length, or if no label is
            isolated.

    References:
        Benchmarking atlas-level data integration in single-cell genomics, Luecken et al., 2022,
        https://doi.org/10.1038/s41592-021-01336-8, methods.

    Example:
        >>> codes, label = np.array([0.0, 1.0, 8.0, 9.0]), np.array([0, 0, 1, 1])
        >>> score = isolated_labels_asw(codes, label, batch=[0, 1, 1, 1])
        >>> round(float(score), 4), score.parts["isolated"]
        (0.9373, [[1]])
    """
    columns, protocol = labelled(codes, factors, points, seed, unknown=unknown, kinds=kinds)
    size = len(as_codes(codes))
    alone = [isolated(column, batch, most, size) for column in columns]
    per_factor = []
    for column, labels in zip(columns, alone, strict=True):
        width = silhouettes(column.z, column.label)
        means = [(width[column.label == value].mean() + 1) / 2 for value in labels]
        per_factor.append(np.mean(means))
    protocol["most"] = most
    parts = {"per_factor": np.array(per_factor), "isolated": alone}
    return Score(float(np.mean(per_factor)), parts, protocol, "isolated_labels_asw")
