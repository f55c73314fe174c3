r"""Graph connectivity: whether the rows of a label hang together among nearest neighbors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.clusters import Labelled, labelled
from ._estimators.graph import nearest
from ._estimators.kinds import FactorKinds
from .ranges import one_of, whole
from .registry import metric
from .score import Score

__all__ = ["graph_connectivity"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("clusters",),
    paper="Luecken et al. 2022",
    link="https://doi.org/10.1038/s41592-021-01336-8",
    source="15 neighbors",
    needs=("label",),
    repeats=10,
    groups=("default",),
    ranges={"neighbors": whole(2), "connection": one_of("strong", "weak")},
)
def graph_connectivity(
    codes: Any,
    factors: Any,
    *,
    neighbors: int = 15,
    connection: str = "strong",
    points: int | None = 10_000,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Graph connectivity: the share of a label's rows in its largest component.

    .. math::
        \frac{1}{|L|} \sum_{l \in L} \frac{|\mathrm{LCC}(G_l)|}{|G_l|}

    with :math:`G_l` the part of the graph of nearest neighbors whose nodes have label :math:`l`,
    and LCC its largest connected component. Averaged over factors. Range: 0 to 1; 1 where each
    label is one piece, as it is where batches of a label have been brought together. Labels may
    overlap: it does not ask that they are apart.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors; -1 or nan where unknown, which leaves those rows out.
        neighbors: Of each row in the graph, itself included.
        connection: ``"strong"`` (there is a way along the arrows to and back, as in scib-metrics)
            or ``"weak"`` (arrows lead both ways, as in scIB).
        points: Rows to use, a seeded draw of the given ones; all if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the draw.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - ``parts["per_factor"]``: ``(K,)``; ``parts["per_label"]``: of each factor, the share of
          each of its values in increasing order.

    Raises:
        ValueError: for continuous or constant factors, an unknown connection, fewer than two
            neighbors, or no more rows than neighbors.

    References:
        Benchmarking atlas-level data integration in single-cell genomics, Luecken et al., 2022,
        https://doi.org/10.1038/s41592-021-01336-8, methods. Settings: scib-metrics 0.5.

    Example:
        >>> codes, label = np.array([0.0, 1.0, 8.0, 9.0, 30.0, 31.0]), np.array([0, 0, 0, 0, 1, 1])
        >>> float(graph_connectivity(codes, label, neighbors=2))
        0.75
    """
    columns, protocol = labelled(
        codes, factors, points, seed, unknown=unknown, kinds=kinds, near="graph_connectivity"
    )
    per_label = [_largest(column, neighbors, connection) for column in columns]
    per_factor = np.array([np.mean(shares) for shares in per_label])
    protocol |= {"neighbors": neighbors, "connection": connection}
    parts = {"per_factor": per_factor, "per_label": per_label}
    return Score(float(per_factor.mean()), parts, protocol, "graph_connectivity")


def _largest(column: Labelled, neighbors: int, connection: str) -> list[float]:
    """The share of each value's rows in the largest component of its part of the graph."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    row = nearest(column.z, neighbors - 1)[1]
    source = np.repeat(np.arange(len(row)), row.shape[1])
    is_same = column.label[source] == column.label[row.ravel()]
    arrows = (np.ones(np.count_nonzero(is_same)), (source[is_same], row.ravel()[is_same]))
    graph = coo_matrix(arrows, shape=(len(row), len(row)))
    component = connected_components(graph, connection=connection)[1]
    return [
        float(np.bincount(component[column.label == value]).max() / count)
        for value, count in enumerate(np.bincount(column.label))
    ]
