r"""kBET: whether a neighborhood has the batches in the shares that all rows have."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.arrays import as_codes
from ._estimators.clusters import Labelled, column_of, labelled, per_row
from ._estimators.graph import nearest
from ._estimators.kinds import FactorKinds
from .ranges import number, whole
from .registry import metric
from .score import Score

__all__ = ["kbet"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=None,
    captures=("mixing",),
    paper="Buettner et al. 2019",
    link="https://doi.org/10.1038/s41592-018-0254-1",
    source="alpha 0.05",
    needs=("batch",),
    repeats=10,
    groups=("default",),
    ranges={"neighbors": whole(2), "alpha": number(0, 1, above=True, below=True)},
)
def kbet(
    codes: Any,
    factors: Any,
    *,
    within: Any = None,
    neighbors: int | None = None,
    alpha: float = 0.05,
    points: int | None = 10_000,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Batch effect test of nearest neighbors: the share of neighborhoods that look well mixed.

    .. math::
        \chi^2_n = \sum_b \frac{(k_{nb} - k f_b)^2}{k f_b}, \qquad
        \frac{1}{N} \sum_n \mathbb{1}\big[ P(\chi^2_{B - 1} \ge \chi^2_n) \ge \alpha \big]

    with :math:`k_{nb}` the rows of batch :math:`b` among the :math:`k` nearest of row :math:`n`,
    itself included, and :math:`f_b` the batch's share of all rows. Range: 0 to 1; about
    :math:`1 - \alpha` for batches that are mixed at random. With ``within`` it is computed on the
    rows of each label and averaged over the labels that have several batches.

    Args:
        codes: Codes, real or discrete.
        factors: The batch; of several columns each is a batch, and the scores are averaged.
        within: The label of each row, inside which batches are compared, -1 or nan where unknown;
            without, all rows together.
        neighbors: k, the row itself included; by default a quarter of the mean number of rows of a
            batch, at least 10 and at most 70.
        alpha: Level of the test.
        points: Rows to use, a seeded draw of the given ones; all if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the draw.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - within: ``(N,)``
        - ``parts["per_factor"]``: ``(K,)``; ``parts["per_row"]``: the p-value of each row,
          ``(N, K)``, nan for rows that were not used.

    Raises:
        ValueError: for continuous or constant factors, a level outside (0, 1), fewer than two
            neighbors, or if no label has two batches and enough rows.

    References:
        A test metric for assessing single-cell RNA-seq batch correction, Buettner et al., 2019,
        https://doi.org/10.1038/s41592-018-0254-1. Benchmarking atlas-level data integration in
        single-cell genomics, Luecken et al., 2022, https://doi.org/10.1038/s41592-021-01336-8
        (each label by itself, the number of neighbors).

    Deviations:
        Within a label the neighbors are the nearest of its codes, where scIB takes those by
        diffusion on the label's part of a graph; and every row is tested, not a sample.

    Example:
        >>> batch = np.arange(200) % 2
        >>> float(kbet(np.arange(200.0), batch)), float(kbet(batch * 9.0 + np.arange(200), batch))
        (1.0, 1.0)
        >>> float(kbet(batch * 900.0 + np.arange(200), batch))
        0.0
    """
    size = len(as_codes(codes))
    label = np.zeros(size, int) if within is None else column_of(within, size, "within")
    columns, protocol = labelled(
        codes, factors, points, seed, unknown=unknown, kinds=kinds, near="kbet", within=label
    )
    values = [_tested(column, label[column.rows], neighbors, alpha) for column in columns]
    per_factor = np.array([mean for mean, _ in values])
    protocol |= {
        "within": "each label" if within is not None else "all rows",
        "neighbors": neighbors if neighbors is not None else "by the size of batches, 10 to 70",
        "alpha": alpha,
    }
    parts = {
        "per_factor": per_factor,
        "per_row": per_row(size, [(c.rows, p) for c, (_, p) in zip(columns, values, strict=True)]),
    }
    return Score(float(per_factor.mean()), parts, protocol, "kbet")


def _tested(
    column: Labelled, label: np.ndarray, neighbors: int | None, alpha: float
) -> tuple[float, np.ndarray]:
    """Mean over the labels of the share of rows that pass; and the p-value of each row."""
    from scipy.special import chdtrc

    p = np.full(len(label), np.nan)
    shares = []
    for value in np.unique(label[label >= 0]):
        members = label == value
        batch = np.unique(column.label[members], return_inverse=True)[1]
        counts = np.bincount(batch)
        k = neighbors or int(min(70, max(10, counts.mean() // 4)))
        if len(counts) < 2 or len(batch) <= k:
            continue
        near = np.column_stack([np.arange(len(batch)), nearest(column.z[members], k - 1)[1]])
        mean_count = k * counts / len(batch)
        cell = batch[near] + len(counts) * np.arange(len(batch))[:, None]
        near_counts = np.bincount(cell.ravel(), minlength=len(batch) * len(counts))
        statistic = ((near_counts.reshape(len(batch), -1) - mean_count) ** 2 / mean_count).sum(
            axis=1
        )
        p[members] = chdtrc(len(counts) - 1, statistic)
        shares.append((p[members] >= alpha).mean())
    if not shares:
        raise ValueError(
            "no label has two batches and enough rows: too few rows, or nothing to mix"
        )
    return float(np.mean(shares)), p
