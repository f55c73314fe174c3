r"""Adjusted mutual information of clusters and labels."""

from __future__ import annotations

from typing import Any

from ._estimators.clusters import clustered
from ._estimators.kinds import FactorKinds
from .registry import metric
from .score import Score

__all__ = ["ami"]


@metric(
    low=-1.0,
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
def ami(
    codes: Any,
    factors: Any,
    *,
    clusters: Any = None,
    restarts: int = 10,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Adjusted mutual information: what clusters and labels share above chance.

    .. math::
        \mathrm{AMI} = \frac{I(c; v) - \mathbb{E}[I]}{\frac12 (H(c) + H(v)) - \mathbb{E}[I]}

    of the clusters that k-means finds in the codes, as many as the factor has values; the
    expectation is over clusterings of the same sizes. Range: -1 to 1; 0 for clusters at random.
    Averaged over factors; give the one column that is the label.

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
        >>> round(float(ami(np.stack([label, 1 - label], 1) * 1.0, label)), 6)
        1.0
    """
    from sklearn.metrics import adjusted_mutual_info_score

    return clustered(
        codes,
        factors,
        clusters,
        adjusted_mutual_info_score,
        "ami",
        restarts=restarts,
        seed=seed,
        unknown=unknown,
        kinds=kinds,
    )
