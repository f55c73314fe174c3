r"""Labels of rows, clusters of codes, and silhouettes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..score import NotApplicable, Score
from .arrays import UNKNOWN, as_codes, as_factors, check, is_known, stated_unknown
from .kinds import CLASSES, FactorKinds, kinds_of
from .selection import without_copies
from .sharing import once

__all__ = [
    "Labelled",
    "assignment",
    "clustered",
    "column_of",
    "isolated",
    "labelled",
    "matched",
    "mixed",
    "per_row",
    "refuse_continuous",
    "silhouettes",
]


@dataclass(frozen=True)
class Labelled:
    """Codes of the rows where one label is known.

    Attributes:
        z: Their codes, ``(n, D)``.
        label: ``(n,)``, integers from 0.
        rows: Which of the given rows these are, ``(n,)``.
    """

    z: np.ndarray
    label: np.ndarray
    rows: np.ndarray

    @property
    def values(self) -> int:
        """How many values the label has."""
        return int(self.label.max()) + 1


def labelled(
    codes: Any,
    factors: Any,
    points: int | None,
    seed: int,
    *,
    unknown: float | str | None = UNKNOWN,
    kinds: FactorKinds = None,
    near: str | None = None,
    within: np.ndarray | None = None,
) -> tuple[list[Labelled], dict[str, Any]]:
    """For each factor the rows where it is known, of at most ``points``; and the protocol.

    Args:
        codes: Codes, as metrics take them.
        factors: Labels, likewise.
        points: Rows to draw; all if ``None``.
        seed: Of the draw.
        unknown: See `arrays.as_factors`.
        kinds: See `kinds.kinds_of`.
        near: The metric that asks, if it looks at nearest neighbors: copies of rows are left out or
            warned of, see `arrays.without_copies`.
        within: A label that copies have in common, too, ``(N,)``.
    """
    z, y = check(codes, factors, unknown=unknown)
    refuse_continuous(y, kinds)
    rows_drawn = np.arange(len(z)) if near is None else _first_of_copies(near, z, y, within)
    copies = {"copies_left_out": len(z) - len(rows_drawn)} if len(rows_drawn) < len(z) else {}
    if points is not None and points < len(rows_drawn):
        chosen = np.random.default_rng(seed).choice(len(rows_drawn), points, replace=False)
        rows_drawn = rows_drawn[np.sort(chosen)]
    parts = []
    for column in y.T:
        rows = rows_drawn[is_known(column[rows_drawn])]
        is_all = len(rows) == len(z)
        label = np.unique(column[rows], return_inverse=True)[1]
        parts.append(Labelled(z if is_all else z[rows], label, rows))
    return parts, {
        "points": len(rows_drawn),
        "seed": seed,
        **copies,
        **stated_unknown(y[rows_drawn]),
    }


def _first_of_copies(
    metric: str, z: np.ndarray, y: np.ndarray, within: np.ndarray | None
) -> np.ndarray:
    """The rows to use: one of each where all occur equally often, else all of them."""
    number = np.arange(len(z))
    labels = y if within is None else np.column_stack([y, within])
    distinct = without_copies(metric, z, labels, split=False, number=number)
    return number if distinct is None else distinct[-1]


def per_row(size: int, values: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Values of some rows as columns of ``size`` rows, nan elsewhere.

    Args:
        size: How many rows there are.
        values: Of each factor, the rows and their values.
    """
    columns = []
    for rows, value in values:
        column = np.full(size, np.nan)
        column[rows] = value
        columns.append(column)
    return np.stack(columns, axis=1)


def column_of(values: Any, size: int, name: str) -> np.ndarray:
    """One label for each row, as integers from 0; text is coded, unknown becomes -1.

    Raises:
        ValueError: for another number of rows, or fractional values.
    """
    array = np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (size,):
        raise ValueError(
            f"{name} has shape {np.shape(values)}; expected one label for each of {size} rows"
        )
    column = as_factors(array, name)
    refuse_continuous(column)
    mask = is_known(column[:, 0])
    codes = np.full(size, -1)
    codes[mask] = np.unique(column[mask, 0], return_inverse=True)[1]
    return codes


def clustered(
    codes: Any,
    factors: Any,
    clusters: Any,
    compare: Callable[[np.ndarray, np.ndarray], float],
    name: str,
    *,
    restarts: int,
    seed: int,
    unknown: float | str | None,
    kinds: FactorKinds,
) -> Score:
    """A comparison of clusters with each factor."""
    if codes is None:
        if clusters is None:
            raise ValueError(f"{name} needs codes to cluster, or clusters=")
        codes = np.zeros(len(clusters))
    parts, protocol = labelled(codes, factors, None, seed, unknown=unknown, kinds=kinds)
    cluster = None if clusters is None else assignment(clusters, len(as_codes(codes)))
    if cluster is not None:
        protocol["clusters"] = "given"
    else:
        protocol |= {"clusters": "k-means, one per value", "restarts": restarts}
    per_factor = np.array(
        [
            compare(
                part.label,
                k_means(part.z, part.values, restarts, seed)
                if cluster is None
                else cluster[part.rows],
            )
            for part in parts
        ],
        dtype=np.float64,
    )
    return Score(per_factor.mean(), {"per_factor": per_factor}, protocol, name)


def assignment(clusters: Any, size: int) -> np.ndarray:
    """Clusters of ``size`` rows as integers from 0, of responsibilities the largest.

    Raises:
        ValueError: for another number of rows.
    """
    array = np.asarray(clusters.detach().cpu() if hasattr(clusters, "detach") else clusters)
    if array.ndim == 2:
        array = array[:, 0] if array.shape[1] == 1 else array.argmax(axis=1)
    if len(array) != size:
        raise ValueError(f"clusters has {len(array)} rows but codes has {size}")
    return np.unique(array, return_inverse=True)[1]


def isolated(column: Labelled, batch: Any, most: int | None, size: int) -> list[int]:
    """The values of a label that no more than ``most`` batches have.

    Args:
        column: The label.
        batch: Of each of ``size`` rows.
        most: How many batches; by default the smallest number that a value is in.
        size: How many rows there are.

    Raises:
        ValueError: for a batch of another length, or if there is no such value.
    """
    source = column_of(batch, size, "batch")[column.rows]
    is_labeled = source >= 0
    pairs = np.unique(np.stack([column.label[is_labeled], source[is_labeled]]), axis=1)
    counts = np.bincount(pairs[0], minlength=column.values)
    least = min(counts[counts > 0].tolist(), default=0)
    limit = least if most is None else most
    values = np.flatnonzero((counts > 0) & (counts <= limit))
    if len(values) == 0:
        raise ValueError(
            f"no label is in at most {limit} batches; the least is {least}: raise most=, or give "
            "the batch of more rows"
        )
    return [int(value) for value in values]


@once
def k_means(z: np.ndarray, number: int, restarts: int, seed: int) -> np.ndarray:
    """The cluster of each row, of the best of several runs of k-means."""
    from sklearn.cluster import KMeans

    number = min(number, len(np.unique(z, axis=0)))  # scikit-learn warns where it finds fewer
    return KMeans(number, n_init=restarts, random_state=seed).fit_predict(z.astype(np.float64))


def matched(label: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """How many rows of each value the one-to-one naming of clusters that is best gets right."""
    from scipy.optimize import linear_sum_assignment

    cluster = np.unique(cluster, return_inverse=True)[1]
    table = np.zeros((label.max() + 1, cluster.max() + 1))
    np.add.at(table, (label, cluster), 1)
    rows, columns = linear_sum_assignment(-table)
    right = np.zeros(len(table))
    right[rows] = table[rows, columns]
    return right


@once
def silhouettes(z: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The silhouette of each row, ``(N,)``."""
    from sklearn import config_context
    from sklearn.metrics import silhouette_samples

    if len(np.unique(label)) >= len(label):
        raise ValueError(f"a silhouette needs two rows of some value; got {len(label)} rows, each "
                         "of a value of its own: too few rows")  # fmt: skip
    z = z.astype(np.float64)
    z = z - z.mean(axis=0)  # it squares distances from the origin
    with config_context(working_memory=16):  # MB: new pages for all distances cost five times more
        return silhouette_samples(z, label)


def mixed(part: Labelled, within: np.ndarray | None) -> tuple[float, np.ndarray]:
    """Mean over the values of ``within`` of 1 - abs(silhouette of the batch); and of each row."""
    values = np.full(len(part.rows), np.nan)
    inside = np.zeros(len(part.rows), int) if within is None else within[part.rows]
    scores = []
    for value in np.unique(inside[inside >= 0]):
        members = inside == value
        if 1 < len(np.unique(part.label[members])) < np.count_nonzero(members):
            values[members] = 1 - np.abs(silhouettes(part.z[members], part.label[members]))
            scores.append(values[members].mean())
    if not scores:
        raise ValueError("no label has rows of two batches: too few rows, or nothing to mix")
    return float(np.mean(scores)), values


def refuse_continuous(factors: np.ndarray, kinds: FactorKinds = None) -> None:
    """Raises if a factor is no label."""
    for k, kind in enumerate(kinds_of(factors, kinds)):
        if kind not in CLASSES:
            words = "an angle" if kind == "angle" else "continuous"
            raise NotApplicable(f"factor {k} is {words}: a label has few values; bin it first")
