r"""Adjusted Rand index: pairs that clusters and labels agree about, above chance."""

from __future__ import annotations

from typing import Any

from ._estimators.clusters import clustered
from ._estimators.kinds import FactorKinds
from .registry import metric
from .score import Score

__all__ = ["ari"]


@metric(
    low=-0.5,
    high=1.0,
    higher_is_better=True,
    captures=("clusters",),
    paper="Hubert and Arabie 1985",
    link="https://doi.org/10.1007/BF01908075",
    source="k-means",
    needs=("label",),
    repeats=10,
    groups=("default",),
)
def ari(
    codes: Any,
    factors: Any,
    *,
    clusters: Any = None,
    restarts: int = 10,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
    seed: int = 0,
) -> Score:
    r"""Adjusted Rand index: pairs that clusters and labels agree about, above chance.

    .. math::
        \mathrm{ARI} = \frac{\mathrm{RI} - \mathbb{E}[\mathrm{RI}]}{1 - \mathbb{E}[\mathrm{RI}]}

    of the clusters that k-means finds in the codes, as many as the factor has values. Range: -0.5
    to 1; 0 for clusters at random. Averaged over factors; give the one column that is the label.

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
        Comparing partitions, Hubert and Arabie, 1985, https://doi.org/10.1007/BF01908075.

    Example:
        >>> import numpy as np
        >>> label = np.arange(12) // 6
        >>> float(ari(np.stack([label, 1 - label], 1) * 1.0, label))
        1.0
    """
    from sklearn.metrics import adjusted_rand_score

    return clustered(
        codes,
        factors,
        clusters,
        adjusted_rand_score,
        "ari",
        restarts=restarts,
        seed=seed,
        unknown=unknown,
        kinds=kinds,
    )
