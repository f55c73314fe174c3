r"""Normalized mutual information of clusters and labels."""

from __future__ import annotations

from typing import Any

from ._estimators.clusters import clustered
from ._estimators.kinds import FactorKinds
from .registry import metric
from .score import Score

__all__ = ["nmi"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("clusters",),
    paper="Vinh et al. 2010",
    link="https://www.jmlr.org/papers/v11/vinh10a.html",
    source="k-means",
    needs=("label",),
    repeats=10,
    groups=("default",),
)
def nmi(
    codes: Any,
    factors: Any,
    *,
    clusters: Any = None,
    restarts: int = 10,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Normalized mutual information of clusters and labels.

    .. math::
        \mathrm{NMI} = \frac{2 \, I(c; v)}{H(c) + H(v)}

    of the clusters that k-means finds in the codes, as many as the factor has values. Range: 0 to
    1. Not corrected for chance: many clusters share information by accident. Averaged over factors.

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
        - ``parts["per_factor"]``: ``(K,)``.

    Raises:
        ValueError: for continuous or constant factors, or clusters of another length.

    References:
        Information Theoretic Measures for Clusterings Comparison, Vinh, Epps and Bailey, 2010,
        https://www.jmlr.org/papers/v11/vinh10a.html, table 2 (sum).

    Example:
        >>> import numpy as np
        >>> label = np.arange(12) // 6
        >>> float(nmi(np.stack([label, 1 - label], 1) * 1.0, label))
        1.0
    """
    from sklearn.metrics import normalized_mutual_info_score

    return clustered(
        codes,
        factors,
        clusters,
        normalized_mutual_info_score,
        "nmi",
        restarts=restarts,
        seed=seed,
        unknown=unknown,
        kinds=kinds,
    )
