r"""Clustering of codes, silhouettes, and rows of one label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..score import Score
from .arrays import check

__all__ = [
    "ONE_LABEL",
    "clustered",
    "draw_rows",
    "drawn",
    "known_rows",
    "matched",
    "mixed",
    "refuse_continuous",
    "silhouettes",
]


#: What these metrics need, in words.
ONE_LABEL = "one factor that is the label or the batch"


def clustered(
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
    refuse_continuous(y)
    stated: dict[str, Any] = {"points": len(z), "seed": seed}
    assigned = None
    if clusters is not None:
        assigned = np.asarray(clusters.detach().cpu() if hasattr(clusters, "detach") else clusters)
        assigned = assigned.argmax(1) if assigned.ndim == 2 else assigned
        if len(assigned) != len(z):
            raise ValueError(f"clusters has {len(assigned)} rows but codes has {len(z)}")
        stated["clusters"] = "given"
    else:
        stated |= {"clusters": "k-means, one per value", "restarts": restarts}
    per_factor = []
    for column in y.T:
        mask = column >= 0
        label = np.unique(column[mask], return_inverse=True)[1]
        cluster = (
            assigned[mask]
            if assigned is not None
            else _k_means(z[mask], label.max() + 1, restarts, seed)
        )
        per_factor.append(float(compare(label, cluster)))
    return Score(float(np.mean(per_factor)), {"per_factor": np.array(per_factor)}, stated, name)


def _k_means(z: np.ndarray, number: int, restarts: int, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans

    number = min(number, len(np.unique(z, axis=0)))  # scikit-learn warns where it finds fewer
    return KMeans(number, n_init=restarts, random_state=seed).fit_predict(z.astype(np.float64))


def matched(label: np.ndarray, cluster: np.ndarray) -> float:
    """The largest share of rows that a one-to-one naming of clusters gets right."""
    from scipy.optimize import linear_sum_assignment

    cluster = np.unique(cluster, return_inverse=True)[1]
    table = np.zeros((label.max() + 1, cluster.max() + 1))
    np.add.at(table, (label, cluster), 1)
    rows, columns = linear_sum_assignment(-table)
    return float(table[rows, columns].sum() / len(label))


def silhouettes(z: np.ndarray, label: np.ndarray) -> np.ndarray:
    from sklearn.metrics import silhouette_samples

    if len(np.unique(label)) >= len(label):
        raise ValueError(f"a silhouette needs two rows of some value; got {len(label)} rows, each "
                         "of a value of its own: too few rows")  # fmt: skip
    return silhouette_samples(z.astype(np.float64), label)


def mixed(z: np.ndarray, batch: np.ndarray, label: np.ndarray | None) -> float:
    scores = []
    for value in [None] if label is None else np.unique(label):
        here = batch >= 0 if value is None else (batch >= 0) & (label == value)
        if 1 < len(np.unique(batch[here])) < np.count_nonzero(here):
            scores.append(float(np.mean(1 - np.abs(silhouettes(z[here], batch[here])))))
    if not scores:
        raise ValueError("no label has rows of two batches: too few rows, or nothing to mix")
    return float(np.mean(scores))


def drawn(
    codes: Any, factors: Any, points: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Checked codes and discrete factors, of at most ``points`` rows."""
    z, y = check(codes, factors, unknown=True)
    refuse_continuous(y)
    rows = draw_rows(len(z), points, seed)
    return z[rows], y[rows], {"points": len(rows), "seed": seed}


def draw_rows(n: int, points: int | None, seed: int) -> np.ndarray:
    if points is None or points >= n:
        return np.arange(n)
    return np.sort(np.random.default_rng(seed).choice(n, points, replace=False))


def known_rows(z: np.ndarray, column: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return z[column >= 0], column[column >= 0]


def refuse_continuous(factors: np.ndarray) -> None:
    """Raises if a factor is no label."""
    if factors.dtype.kind != "f":
        return
    for k, column in enumerate(factors.T):
        values = column[~np.isnan(column)]
        if (values != np.round(values)).any():
            raise ValueError(f"factor {k} is continuous: a label has few values; bin it first")
