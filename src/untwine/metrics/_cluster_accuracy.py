r"""Accuracy of clusters as labels, under the best one-to-one naming."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ._estimators.clusters import clustered, matched
from ._estimators.kinds import FactorKinds
from .registry import metric
from .score import Score

__all__ = ["cluster_accuracy"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("clusters",),
    paper="Jiang et al. 2017",
    link="https://arxiv.org/abs/1611.05148",
    source="k-means",
    needs=("label",),
    repeats=10,
    groups=("default",),
)
def cluster_accuracy(
    codes: Any,
    factors: Any,
    *,
    clusters: Any = None,
    restarts: int = 10,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Accuracy of clusters as labels, under the best one-to-one naming of clusters.

    .. math::
        \mathrm{ACC} = \max_{\pi} \frac{1}{N} \sum_n [\, v_n = \pi(c_n) \,]

    over one-to-one :math:`\pi`, by the Hungarian algorithm, of the clusters that k-means finds, as
    many as the factor has values. With more clusters than values, those left over count as wrong.
    Range: 0 to 1; the largest label's share is reached without any information. Averaged over
    factors.

    Args:
        codes: Codes, real or discrete; may be ``None`` where ``clusters`` are given.
        factors: Discrete factors; -1 or nan where unknown, which leaves those rows out.
        clusters: Cluster assignments of the rows, or responsibilities, instead of k-means.
        restarts: Of k-means; the best one counts.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of k-means.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - clusters: ``(N,)``, or responsibilities ``(N, C)``
        - ``parts["per_factor"]``, ``parts["chance_per_factor"]``,
          ``parts["balanced_per_factor"]``: ``(K,)``; chance is the share of the commonest value,
          balanced the accuracy of the same naming with all values of equal weight.

    Raises:
        ValueError: for continuous or constant factors, or clusters of another length.

    References:
        Variational Deep Embedding, Jiang et al., 2017, https://arxiv.org/abs/1611.05148,
        equation 25.

    Example:
        >>> import numpy as np
        >>> label = np.arange(12) // 6
        >>> float(cluster_accuracy(np.stack([label, 1 - label], 1) * 1.0, label))
        1.0
    """
    largest: list[float] = []
    balanced: list[float] = []

    def compare(label: np.ndarray, cluster: np.ndarray) -> float:
        counts = np.bincount(label)
        right = matched(label, cluster)
        largest.append(float(counts.max() / len(label)))
        balanced.append(float((right / counts).mean()))
        return float(right.sum() / len(label))

    score = clustered(
        codes,
        factors,
        clusters,
        compare,
        "cluster_accuracy",
        restarts=restarts,
        seed=seed,
        unknown=unknown,
        kinds=kinds,
    )
    beside = {"chance_per_factor": np.array(largest), "balanced_per_factor": np.array(balanced)}
    return replace(score, parts={**score.parts, **beside})
