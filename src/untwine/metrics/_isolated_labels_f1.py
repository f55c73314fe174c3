r"""Isolated labels by F1: whether labels of few batches are clusters of their own."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.arrays import as_codes
from ._estimators.clusters import Labelled, assignment, isolated, labelled
from ._estimators.graph import ward_tree
from ._estimators.kinds import FactorKinds
from .ranges import whole
from .registry import metric
from .score import Score

__all__ = ["isolated_labels_f1"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("clusters",),
    paper="Luecken et al. 2022",
    link="https://doi.org/10.1038/s41592-021-01336-8",
    source="Ward tree of 15 neighbors",
    needs=("label",),
    repeats=10,
    groups=("default",),
    ranges={"most": whole(1), "neighbors": whole(2)},
)
def isolated_labels_f1(
    codes: Any,
    factors: Any,
    *,
    batch: Any,
    clusters: Any = None,
    most: int | None = None,
    neighbors: int = 15,
    points: int | None = 10_000,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Isolated labels: the best F1 that a cluster reaches for labels that few batches have.

    .. math::
        \frac{1}{|I|} \sum_{l \in I} \max_c \frac{2 \, |c \cap l|}{|c| + |l|}

    over the clusters :math:`c` of every resolution: all nodes of Ward's tree on the graph of
    nearest neighbors. :math:`I` are the labels that are in the fewest batches. Averaged over
    factors. Range: 0 to 1. It is never below that of all rows as one cluster,
    :math:`2 |l| / (N + |l|)`.

    Args:
        codes: Codes, real or discrete.
        factors: The label; of several columns each is a label, and the scores are averaged.
        batch: The batch of each row, -1 or nan where unknown.
        clusters: Cluster assignments of the rows, or responsibilities, instead of the tree.
        most: A label in no more batches than these is isolated; by default the smallest number of
            batches that a label is in.
        neighbors: Of each row in the graph, itself included.
        points: Rows to use, a seeded draw of the given ones; all if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of the draw.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - batch: ``(N,)``
        - clusters: ``(N,)``, or responsibilities ``(N, C)``
        - ``parts["per_factor"]``: ``(K,)``; ``parts["isolated"]``: of each factor, which of its
          values, in increasing order, are isolated.

    Raises:
        ValueError: for continuous or constant factors, a batch or clusters of another length, or if
            no label is isolated.

    References:
        Benchmarking atlas-level data integration in single-cell genomics, Luecken et al., 2022,
        https://doi.org/10.1038/s41592-021-01336-8, methods.

    Deviations:
        scIB takes the clusters of Louvain or Leiden at twenty resolutions; the tree holds those of
        every size, needs no seed, and gives a slightly larger best. Clusters of the other kind can
        be given by ``clusters``.

    Example:
        >>> codes, label = np.array([0.0, 1.0, 8.0, 9.0]), np.array([0, 0, 1, 1])
        >>> float(isolated_labels_f1(codes, label, batch=[0, 1, 1, 1], neighbors=3))
        1.0
    """
    columns, protocol = labelled(
        codes, factors, points, seed, unknown=unknown, kinds=kinds, near="isolated_labels_f1"
    )
    size = len(as_codes(codes))
    alone = [isolated(column, batch, most, size) for column in columns]
    cluster = None if clusters is None else assignment(clusters, size)
    per_factor = []
    for column, labels in zip(columns, alone, strict=True):
        if cluster is None:
            best = _best_of_tree(column, labels, neighbors)
        else:
            best = _best_of_clusters(column, labels, cluster[column.rows])
        per_factor.append(float(np.mean(best)))
    protocol |= {
        "clusters": "nodes of Ward's tree" if cluster is None else "given",
        "neighbors": neighbors,
        "most": most,
    }
    parts = {"per_factor": np.array(per_factor), "isolated": alone}
    return Score(float(np.mean(per_factor)), parts, protocol, "isolated_labels_f1")


def _best_of_tree(column: Labelled, labels: list[int], neighbors: int) -> np.ndarray:
    """The best F1 of any node, for each label."""
    children = ward_tree(column.z, min(neighbors, len(column.z)) - 1)
    n = len(column.z)
    size = np.concatenate([np.ones(n), np.zeros(len(children))])
    inside = np.zeros((n + len(children), len(labels)))
    inside[:n] = column.label[:, None] == np.array(labels)
    for node, (left, right) in enumerate(children, start=n):
        size[node] = size[left] + size[right]
        inside[node] = inside[left] + inside[right]
    return (2 * inside / (size[:, None] + inside[:n].sum(axis=0))).max(axis=0)


def _best_of_clusters(column: Labelled, labels: list[int], cluster: np.ndarray) -> np.ndarray:
    """The best F1 of a cluster, for each label."""
    size = np.bincount(cluster)
    best = []
    for value in labels:
        member = column.label == value
        inside = np.bincount(cluster[member], minlength=len(size))
        best.append((2 * inside / (size + member.sum())).max())
    return np.array(best)
