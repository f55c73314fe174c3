r"""Latent matching: values of a label that have a code dimension each (DRVI's nine scores)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.clusters import Labelled, labelled
from ._estimators.information import entropy, gap
from ._estimators.kinds import FactorKinds
from ._estimators.neighbors import neighbor_information, spread_ties
from ._mcc import correlations
from .ranges import one_of, whole
from .registry import metric
from .score import Score

__all__ = ["AGGREGATIONS", "MEASURES", "latent_matching"]

#: How a dimension is compared with a value of the label.
MEASURES = ("information", "neighbors", "spearman")

#: How a matrix of dimensions and values becomes a number.
AGGREGATIONS = ("matching", "averaging", "gap")


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("compactness",),
    paper="Moinfar and Theis 2024",
    link="https://doi.org/10.1101/2024.11.06.622266",
    source="scaled information, matching",
    needs=("label",),
    repeats=10,
    groups=("default",),
    ranges={
        "measure": one_of(*MEASURES),
        "aggregation": one_of(*AGGREGATIONS),
        "neighbors": whole(1),
    },
)
def latent_matching(
    codes: Any,
    factors: Any,
    *,
    measure: str = "information",
    aggregation: str = "matching",
    neighbors: int = 3,
    points: int | None = 10_000,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""How well each value of a label, such as a cell type, has a code dimension to itself.

    A measure :math:`m_{jv}` compares dimension :math:`j` with the indicator of value :math:`v`:

    .. math::
        \frac{I(z_j; \mathbb{1}_v)}{H(\mathbb{1}_v)}, \qquad
        \frac{1}{1 - p_v} \max\Big( 0, \frac{\#_{jv}}{N_v - 1} - p_v \Big), \qquad
        \lvert \mathrm{corr}_{\text{rank}}(z_j, \mathbb{1}_v) \rvert

    (scaled mutual information by nearest neighbors; nearest-neighbor alignment, with
    :math:`\#_{jv}` the neighboring pairs of value :math:`v` in the order of :math:`z_j`; Spearman's
    correlation). An aggregation makes it a number: the best one-to-one *matching* of dimensions and
    values, summed and divided by their number V; the *averaging* of each value's best dimension; or
    the mean *gap* between its best and its second. Averaged over factors. Range: 0 to 1.

    Args:
        codes: Codes, real or discrete.
        factors: The label; of several columns each is a label, and the scores are averaged.
        measure: ``"information"``, ``"neighbors"`` or ``"spearman"``.
        aggregation: ``"matching"``, ``"averaging"`` or ``"gap"``, for the score's value.
        neighbors: k of the information's estimator.
        points: Rows to use, a seeded draw of the given ones; all if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the draw, and of the noise that breaks ties.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - ``parts["per_factor"]``: ``(K,)``; ``parts["matching"]``, ``parts["averaging"]``,
          ``parts["gap"]``: the three aggregations; ``parts["matrices"]``: of each factor,
          ``(D, V)``.

    Raises:
        ValueError: for continuous or constant factors.

    References:
        Unsupervised Deep Disentangled Representation of Single-Cell Omics, Moinfar and Theis, 2024,
        https://doi.org/10.1101/2024.11.06.622266, methods.

    Deviations:
        A constant dimension measures 0, where the order of equal numbers would decide; so does a
        value with a single row, for alignment. Without a second dimension the second counts as 0.

    Example:
        >>> label = np.arange(300) % 3
        >>> codes = np.eye(3)[label] + 0.01 * np.random.default_rng(0).normal(size=(300, 3))
        >>> score = latent_matching(codes, label, measure="neighbors")
        >>> round(score.parts["matching"], 2), round(score.parts["gap"], 1)
        (1.0, 0.7)
    """
    near = None if measure == "spearman" else "latent_matching"  # ranks have no neighbors
    columns, protocol = labelled(
        codes, factors, points, seed, unknown=unknown, kinds=kinds, near=near
    )
    matrices = [_MEASURES[measure](column, neighbors, seed) for column in columns]
    results = {name: np.array([_AGGREGATIONS[name](m) for m in matrices]) for name in AGGREGATIONS}
    protocol |= {"measure": measure, "aggregation": aggregation}
    if measure == "information":
        protocol["neighbors"] = neighbors
    parts = {
        "per_factor": results[aggregation],
        **{name: float(values.mean()) for name, values in results.items()},
        "matrices": matrices,
    }
    return Score(float(results[aggregation].mean()), parts, protocol, "latent_matching")


def _information(column: Labelled, neighbors: int, seed: int) -> np.ndarray:
    """Mutual information over the entropy of each value's indicator, ``(D, V)``."""
    spread = spread_ties(column.z, seed)
    matrix = np.zeros((column.z.shape[1], column.values))
    for v in range(column.values):
        member = (column.label == v).astype(np.int64)
        total = entropy(np.bincount(member))
        for j in np.flatnonzero(np.ptp(column.z, axis=0) > 0):
            matrix[j, v] = min(1.0, neighbor_information(spread[:, j], member, neighbors) / total)
    return matrix


def _alignment(column: Labelled, neighbors: int, seed: int) -> np.ndarray:
    """How often the next row in a dimension's order has the same value, above chance."""
    counts = np.bincount(column.label)
    share = counts / len(column.label)
    matrix = np.zeros((column.z.shape[1], column.values))
    for j in np.flatnonzero(np.ptp(column.z, axis=0) > 0):
        sorted_labels = column.label[np.argsort(column.z[:, j], kind="stable")]
        pairs = np.bincount(
            sorted_labels[:-1][sorted_labels[:-1] == sorted_labels[1:]], minlength=column.values
        )
        matrix[j] = np.maximum(0.0, pairs / np.maximum(counts - 1, 1) - share) / (1 - share)
    return matrix


def _spearman(column: Labelled, neighbors: int, seed: int) -> np.ndarray:
    """Absolute rank correlation with each value's indicator."""
    indicators = np.eye(column.values)[column.label]
    dimensions = [[j] for j in range(column.z.shape[1])]
    return np.abs(correlations(column.z, indicators, dimensions, ranks=True))


def _matching(matrix: np.ndarray) -> float:
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(-matrix)
    return float(matrix[rows, columns].sum() / matrix.shape[1])


_MEASURES = dict(zip(MEASURES, (_information, _alignment, _spearman), strict=True))
_AGGREGATIONS = {
    "matching": _matching,
    "averaging": lambda matrix: float(matrix.max(axis=0).mean()),
    "gap": lambda matrix: float(gap(matrix, axis=0).mean()),
}
