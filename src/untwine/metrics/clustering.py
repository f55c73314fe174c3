r"""Clusters, and mixing: whether codes lie together by a label, and not by a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .arrays import as_codes, check
from .score import Score

__all__ = ["ari", "batch_silhouette", "cluster_accuracy", "lisi", "nmi", "silhouette"]


def ari(
    codes: Any, factors: Any, *, clusters: Any = None, restarts: int = 10, seed: int = 0
) -> Score:
    r"""Adjusted Rand index: pairs that clusters and labels agree about, above chance.

    .. math::
        \mathrm{ARI} = \frac{\mathrm{RI} - \mathbb{E}[\mathrm{RI}]}{1 - \mathbb{E}[\mathrm{RI}]}

    of the clusters that k-means finds in the codes, as many as the factor has values. Range: -0.5
    to 1; 0 for clusters at random. Averaged over factors; give the one column that is the label.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors; -1 or nan where unknown, which leaves those rows out.
        clusters: Cluster assignments of the rows, or responsibilities, instead of k-means.
        restarts: Of k-means; the best one counts.
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
        >>> label = np.arange(12) // 6
        >>> float(ari(np.stack([label, 1 - label], 1) * 1.0, label))
        1.0
    """
    from sklearn.metrics import adjusted_rand_score

    return _clustered(codes, factors, clusters, restarts, seed, adjusted_rand_score, "ari")


def nmi(
    codes: Any, factors: Any, *, clusters: Any = None, restarts: int = 10, seed: int = 0
) -> Score:
    r"""Normalized mutual information of clusters and labels.

    .. math::
        \mathrm{NMI} = \frac{2 \, I(c; v)}{H(c) + H(v)}

    of the clusters that k-means finds in the codes, as many as the factor has values. Range: 0 to
    1. Not corrected for chance: many clusters share information by accident. Averaged over factors.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors; -1 or nan where unknown, which leaves those rows out.
        clusters: Cluster assignments of the rows, or responsibilities, instead of k-means.
        restarts: Of k-means; the best one counts.
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
        >>> label = np.arange(12) // 6
        >>> float(nmi(np.stack([label, 1 - label], 1) * 1.0, label))
        1.0
    """
    from sklearn.metrics import normalized_mutual_info_score

    return _clustered(codes, factors, clusters, restarts, seed, normalized_mutual_info_score, "nmi")


def cluster_accuracy(
    codes: Any, factors: Any, *, clusters: Any = None, restarts: int = 10, seed: int = 0
) -> Score:
    r"""Accuracy of clusters as labels, under the best one-to-one naming of clusters.

    .. math::
        \mathrm{ACC} = \max_{\pi} \frac{1}{N} \sum_n [\, v_n = \pi(c_n) \,]

    over one-to-one :math:`\pi`, by the Hungarian algorithm, of the clusters that k-means finds, as
    many as the factor has values. With more clusters than values, those left over count as wrong.
    Range: 0 to 1; the largest label's share is reached without any information. Averaged over
    factors.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors; -1 or nan where unknown, which leaves those rows out.
        clusters: Cluster assignments of the rows, or responsibilities, instead of k-means.
        restarts: Of k-means; the best one counts.
        seed: Of k-means.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - clusters: ``(N,)``, or responsibilities ``(N, C)``
        - ``parts["per_factor"]``: ``(K,)``.

    Raises:
        ValueError: for continuous or constant factors, or clusters of another length.

    References:
        Variational Deep Embedding, Jiang et al., 2017, https://arxiv.org/abs/1611.05148,
        equation 25.

    Example:
        >>> label = np.arange(12) // 6
        >>> float(cluster_accuracy(np.stack([label, 1 - label], 1) * 1.0, label))
        1.0
    """
    return _clustered(codes, factors, clusters, restarts, seed, _matched, "cluster_accuracy")


def silhouette(codes: Any, factors: Any, *, points: int | None = 5_000, seed: int = 0) -> Score:
    r"""Silhouette: how much nearer a code is to its own label's codes than to the next label's.

    .. math::
        s_n = \frac{b_n - a_n}{\max(a_n, b_n)}

    with :math:`a_n` the mean distance to the codes of the same value, :math:`b_n` the least mean
    distance to those of another one; averaged over rows, then over factors. Range: -1 to 1. No
    clustering is made. ``parts["scaled"]`` is :math:`(s + 1) / 2`, as scIB reports it.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors; -1 or nan where unknown, which leaves those rows out.
        points: Rows to use, a seeded draw of the given ones; all if ``None``.
        seed: Of the draw.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - ``parts["per_factor"]``: ``(K,)``.

    Raises:
        ValueError: for continuous or constant factors.

    References:
        Silhouettes, Rousseeuw, 1987, https://doi.org/10.1016/0377-0427(87)90125-7.

    Example:
        >>> codes, label = np.array([0.0, 1.0, 8.0, 9.0]), np.array([0, 0, 1, 1])
        >>> round(float(silhouette(codes, label)), 4)
        0.8745
    """
    z, y, stated = _drawn(codes, factors, points, seed)
    per_factor = np.array([_silhouettes(*_known(z, column)).mean() for column in y.T])
    parts = {"per_factor": per_factor, "scaled": (per_factor + 1) / 2}
    return Score(float(per_factor.mean()), parts, stated, "silhouette")


def batch_silhouette(
    codes: Any,
    factors: Any,
    *,
    within: Any = None,
    points: int | None = 5_000,
    seed: int = 0,
) -> Score:
    r"""Batch silhouette: how little a batch is seen in the codes, label by label.

    .. math::
        \frac{1}{|L|} \sum_{l \in L} \frac{1}{N_l} \sum_{n \in l} \big( 1 - |s_n| \big)

    with :math:`s_n` the silhouette of the batch among the codes of label :math:`l`. Range: 0 to 1,
    1 for batches that are mixed perfectly. Labels whose codes are all of one batch are left out.

    Args:
        codes: Codes, real or discrete.
        factors: The batch; of several columns each is a batch, and the scores are averaged.
        within: The label of each row, inside which batches are compared; without, all rows
            together.
        points: Rows to use, a seeded draw of the given ones; all if ``None``.
        seed: Of the draw.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - within: ``(N,)``
        - ``parts["per_factor"]``: ``(K,)``.

    Raises:
        ValueError: for continuous or constant factors, or if no label has two batches.

    References:
        Benchmarking atlas-level data integration in single-cell genomics, Luecken et al., 2022,
        https://doi.org/10.1038/s41592-021-01336-8, methods.

    Example:
        >>> batch = np.arange(8) % 2
        >>> round(float(batch_silhouette(np.array([0.0, 0.0, 1.0, 1.0] * 2), batch)), 4)
        0.75
    """
    label = None if within is None else np.unique(np.asarray(within), return_inverse=True)[1]
    if label is not None and label.shape != (len(as_codes(codes)),):
        raise ValueError(f"within has shape {label.shape}; expected one label for each row")
    z, y, stated = _drawn(codes, factors, points, seed)
    if label is not None:
        label = label[_rows(len(label), points, seed)]
    per_factor = np.array([_mixed(z, column, label) for column in y.T])
    stated["within"] = "each label" if within is not None else "all rows"
    return Score(float(per_factor.mean()), {"per_factor": per_factor}, stated, "batch_silhouette")


def lisi(
    codes: Any,
    factors: Any,
    *,
    perplexity: float = 30.0,
    points: int | None = 10_000,
    seed: int = 0,
) -> Score:
    r"""Local inverse Simpson index: how many values of a factor a neighborhood has.

    .. math::
        \mathrm{LISI}_n = \Big( \sum_v p_n(v)^2 \Big)^{-1}

    with :math:`p_n(v)` the share of value :math:`v` among the neighbors of code :math:`n`, weighted
    by a Gaussian of the given perplexity; averaged over rows, then over factors. Range: 1 to the
    number of values. Of a batch (iLISI) more is better: neighbors are of all batches. Of a label
    (cLISI) less is better: neighbors are of one kind. ``parts["scaled"]`` is
    :math:`(\mathrm{LISI} - 1) / (V - 1)` for V values.

    Args:
        codes: Codes, real or discrete.
        factors: Discrete factors; -1 or nan where unknown, which leaves those rows out.
        perplexity: Effective number of neighbors; three times as many are looked at.
        points: Rows to use, a seeded draw of the given ones; all if ``None``.
        seed: Of the draw.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``
        - ``parts["per_factor"]``, ``parts["scaled"]``: ``(K,)``.

    Raises:
        ImportError: if harmonypy is not installed.
        ValueError: for continuous or constant factors, or too few rows for the perplexity.

    References:
        Fast, sensitive and accurate integration of single-cell data with Harmony, Korsunsky et al.,
        2019, https://doi.org/10.1038/s41592-019-0619-0, methods.

    Example:
        >>> label = np.arange(400) // 200
        >>> round(float(lisi(label + 0.1 * np.random.default_rng(0).random(400), label)), 2)
        1.0
    """
    try:
        from harmonypy.lisi import compute_lisi
    except ImportError as error:
        raise ImportError('LISI needs harmonypy: pip install "untwine[cells]"') from error
    z, y, stated = _drawn(codes, factors, points, seed)
    per_factor, scaled = [], []
    for column in y.T:
        known, label = _known(z, column)
        if len(known) <= 3 * perplexity:
            raise ValueError(
                f"a perplexity of {perplexity:g} looks at {3 * perplexity:g} neighbors of each "
                f"row; got {len(known)} rows: lower perplexity="
            )
        values = np.unique(label, return_inverse=True)[1]
        found = compute_lisi(known, {"value": values}, ["value"], perplexity)
        per_factor.append(float(np.mean(found)))
        scaled.append((per_factor[-1] - 1) / (values.max()))
    stated["perplexity"] = perplexity
    parts = {"per_factor": np.array(per_factor), "scaled": np.array(scaled)}
    return Score(float(np.mean(per_factor)), parts, stated, "lisi")


def _clustered(
    codes: Any,
    factors: Any,
    clusters: Any,
    restarts: int,
    seed: int,
    compare: Callable[[np.ndarray, np.ndarray], float],
    name: str,
) -> Score:
    """A comparison of clusters with each factor."""
    z, y = check(codes, factors, unknown=True)
    _refuse_continuous(y)
    stated: dict[str, Any] = {"points": len(z), "seed": seed}
    given = None
    if clusters is not None:
        given = np.asarray(clusters.detach().cpu() if hasattr(clusters, "detach") else clusters)
        given = given.argmax(1) if given.ndim == 2 else given
        if len(given) != len(z):
            raise ValueError(f"clusters has {len(given)} rows but codes has {len(z)}")
        stated["clusters"] = "given"
    else:
        stated |= {"clusters": "k-means, one per value", "restarts": restarts}
    per_factor = []
    for column in y.T:
        known = column >= 0
        label = np.unique(column[known], return_inverse=True)[1]
        found = (
            given[known]
            if given is not None
            else _k_means(z[known], label.max() + 1, restarts, seed)
        )
        per_factor.append(float(compare(label, found)))
    return Score(float(np.mean(per_factor)), {"per_factor": np.array(per_factor)}, stated, name)


def _k_means(z: np.ndarray, number: int, restarts: int, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans

    number = min(number, len(np.unique(z, axis=0)))  # scikit-learn warns where it finds fewer
    return KMeans(number, n_init=restarts, random_state=seed).fit_predict(z.astype(np.float64))


def _matched(label: np.ndarray, found: np.ndarray) -> float:
    """The largest share of rows that a one-to-one naming of clusters gets right."""
    from scipy.optimize import linear_sum_assignment

    found = np.unique(found, return_inverse=True)[1]
    table = np.zeros((label.max() + 1, found.max() + 1))
    np.add.at(table, (label, found), 1)
    rows, columns = linear_sum_assignment(-table)
    return float(table[rows, columns].sum() / len(label))


def _silhouettes(z: np.ndarray, label: np.ndarray) -> np.ndarray:
    from sklearn.metrics import silhouette_samples

    if len(np.unique(label)) >= len(label):
        raise ValueError(f"a silhouette needs two rows of some value; got {len(label)} rows, each "
                         "of a value of its own: too few rows")  # fmt: skip
    return silhouette_samples(z.astype(np.float64), label)


def _mixed(z: np.ndarray, batch: np.ndarray, label: np.ndarray | None) -> float:
    scores = []
    for value in [None] if label is None else np.unique(label):
        here = batch >= 0 if value is None else (batch >= 0) & (label == value)
        if 1 < len(np.unique(batch[here])) < np.count_nonzero(here):
            scores.append(float(np.mean(1 - np.abs(_silhouettes(z[here], batch[here])))))
    if not scores:
        raise ValueError("no label has rows of two batches: too few rows, or nothing to mix")
    return float(np.mean(scores))


def _drawn(
    codes: Any, factors: Any, points: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Checked codes and discrete factors, of at most ``points`` rows."""
    z, y = check(codes, factors, unknown=True)
    _refuse_continuous(y)
    rows = _rows(len(z), points, seed)
    return z[rows], y[rows], {"points": len(rows), "seed": seed}


def _rows(n: int, points: int | None, seed: int) -> np.ndarray:
    if points is None or points >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, points, replace=False))


def _known(z: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return z[column >= 0], column[column >= 0]


def _refuse_continuous(factors: np.ndarray) -> None:
    """Raises if a factor is no label."""
    if factors.dtype.kind != "f":
        return
    for k, column in enumerate(factors.T):
        known = column[~np.isnan(column)]
        if (known != np.round(known)).any():
            raise ValueError(f"factor {k} is continuous: a label has few values; bin it first")
