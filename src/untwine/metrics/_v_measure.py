r"""V-measure: clusters of one label each (homogeneity), labels of one cluster each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ._estimators.clusters import clustered
from ._estimators.kinds import FactorKinds
from .ranges import number
from .registry import metric
from .score import Score

__all__ = ["v_measure"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("clusters",),
    paper="Rosenberg and Hirschberg 2007",
    link="https://aclanthology.org/D07-1043/",
    source="k-means",
    needs=("label",),
    repeats=10,
    groups=("default",),
    ranges={"beta": number(0)},
)
def v_measure(
    codes: Any,
    factors: Any,
    *,
    clusters: Any = None,
    beta: float = 1.0,
    restarts: int = 10,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Harmonic mean of homogeneity and completeness of clusters.

    .. math::
        h = 1 - \frac{H(v | c)}{H(v)}, \qquad k = 1 - \frac{H(c | v)}{H(c)}, \qquad
        V = \frac{(1 + \beta) \, h \, k}{\beta \, h + k}

    of the clusters that k-means finds in the codes, as many as the factor has values. Homogeneity
    asks that a cluster has one label, completeness that a label is in one cluster (DCI's
    completeness is another thing). Range: 0 to 1. With :math:`\beta = 1` it is the normalized
    mutual information `nmi`, and is not corrected for chance either. Averaged over factors; give
    the one column that is the label.

    Args:
        codes: Codes, real or discrete; may be ``None`` where ``clusters`` are given.
        factors: Discrete factors; -1 or nan where unknown, which leaves those rows out.
        clusters: Cluster assignments of the rows, or responsibilities, instead of k-means.
        beta: Weight of completeness; above 1 it counts more.
        restarts: Of k-means; the best one counts.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.
        seed: Of k-means.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - clusters: ``(N,)``, or responsibilities ``(N, C)``
        - ``parts["per_factor"]``, ``parts["homogeneity_per_factor"]``,
          ``parts["completeness_per_factor"]``: ``(K,)``; ``parts["homogeneity"]``,
          ``parts["completeness"]``: their means.

    Raises:
        ValueError: for continuous or constant factors, clusters of another length, or a negative
            ``beta``.

    References:
        V-Measure: A Conditional Entropy-Based External Cluster Evaluation Measure, Rosenberg and
        Hirschberg, 2007, https://aclanthology.org/D07-1043/, equations 1 to 3.

    Example:
        >>> label = np.arange(12) // 6
        >>> score = v_measure(None, label, clusters=np.arange(12) // 3)
        >>> round(score.parts["homogeneity"], 6), round(score.parts["completeness"], 6)
        (1.0, 0.5)
    """
    from sklearn.metrics import homogeneity_completeness_v_measure

    homogeneity, completeness = [], []

    def compare(label: np.ndarray, cluster: np.ndarray) -> float:
        h, c, v = homogeneity_completeness_v_measure(label, cluster, beta=beta)
        homogeneity.append(h)
        completeness.append(c)
        return float(v)

    score = clustered(
        codes,
        factors,
        clusters,
        compare,
        "v_measure",
        restarts=restarts,
        seed=seed,
        unknown=unknown,
        kinds=kinds,
    )
    parts = {
        **score.parts,
        "homogeneity": float(np.mean(homogeneity)),
        "completeness": float(np.mean(completeness)),
        "homogeneity_per_factor": np.array(homogeneity),
        "completeness_per_factor": np.array(completeness),
    }
    return replace(score, parts=parts, protocol={**score.protocol, "beta": beta})
