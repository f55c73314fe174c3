r"""Nearest neighbors of rows, exact, and weights of a given perplexity among them."""

from __future__ import annotations

import warnings

import numpy as np

from .sharing import once

__all__ = ["REACH", "local_inverse_simpson", "nearest", "perplexity_weights", "ward_tree"]

#: Neighbors that a search looks for at least, so that metrics which ask for fewer share it.
REACH = 89

_CHUNK = 1 << 22


def nearest(z: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The ``k`` nearest other rows of each row, nearest first; of equal distances the first row.

    Args:
        z: ``(N, D)``.
        k: How many, the row itself not counted.

    Returns:
        Euclidean distances and row numbers, ``(N, k)`` each.

    Raises:
        ValueError: for no more than ``k`` rows.

    Example:
        >>> distance, row = nearest(np.array([[0.0], [1.0], [3.0]]), 2)
        >>> row.tolist(), distance.tolist()
        ([[1, 2], [0, 2], [1, 0]], [[1.0, 3.0], [1.0, 2.0], [2.0, 3.0]])
    """
    if len(z) <= k:
        raise ValueError(f"{k} neighbors of each row need more than {k} rows; got {len(z)}")
    distance, row = _search(z, min(max(k, REACH), len(z) - 1))
    return distance[:, :k], row[:, :k]


@once
def _search(z: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.neighbors import NearestNeighbors

    z = z.astype(np.float64)
    z = z - z.mean(axis=0)  # the search squares distances from the origin
    search = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(z)
    row = search.kneighbors(z, return_distance=False)
    # Of more than k rows in the same place, the row itself need not be among those returned.
    itself = row == np.arange(len(z))[:, None]
    itself[~itself.any(axis=1), -1] = True
    row = np.sort(row[~itself].reshape(len(z), k), axis=1)
    distance = np.empty(row.shape)
    step = max(1, _CHUNK // (k * z.shape[1]))
    for start in range(0, len(z), step):
        part = slice(start, start + step)
        distance[part] = np.linalg.norm(z[row[part]] - z[part, None], axis=2)
    order = np.argsort(distance, axis=1, kind="stable")
    return np.take_along_axis(distance, order, 1), np.take_along_axis(row, order, 1)


@once
def perplexity_weights(distance: np.ndarray, perplexity: float) -> np.ndarray:
    r"""Weights of each row's neighbors whose entropy is that of as many equal ones.

    .. math::
        p_m \propto e^{-\beta d_m}, \qquad -\sum_m p_m \log p_m = \log(\text{perplexity})

    with :math:`\beta` of each row by bisection. Where the neighbors' distances are all equal, so
    are the weights.

    Args:
        distance: To the neighbors, ``(N, k)``, k above the perplexity.
        perplexity: Effective number of neighbors, at least 1.

    Shape:
        ``(N, k)``; rows add up to 1.

    Example:
        >>> p = perplexity_weights(np.array([[1.0, 2.0, 3.0]]), 2.0)
        >>> round(float(np.exp(-(p * np.log(p)).sum())), 6)
        2.0
    """
    d = distance - distance.min(axis=1, keepdims=True)
    scale = d.mean(axis=1, keepdims=True)
    d = d / np.where(scale > 0, scale, 1.0)
    target = np.log(perplexity)
    low, high = np.zeros((len(d), 1)), np.full((len(d), 1), np.inf)
    beta = np.ones((len(d), 1))
    for _ in range(60):
        p = np.exp(-beta * d)
        total = p.sum(axis=1, keepdims=True)
        excess = np.log(total) + beta * (d * p).sum(axis=1, keepdims=True) / total - target
        if (np.abs(excess) < 1e-9).all():
            break
        wide = excess > 0
        low, high = np.where(wide, beta, low), np.where(wide, high, beta)
        beta = np.where(np.isinf(high), np.minimum(2 * beta, 1e12), (low + high) / 2)
    return p / total


def local_inverse_simpson(z: np.ndarray, label: np.ndarray, perplexity: float) -> np.ndarray:
    """How many values of the label each row's neighbors have, see `untwine.metrics.lisi`.

    Args:
        z: ``(N, D)``.
        label: ``(N,)``, integers from 0.
        perplexity: Effective number of neighbors; three times as many, less the row itself, count.

    Shape:
        ``(N,)``
    """
    distance, row = nearest(z, max(1, int(3 * perplexity) - 1))
    weight = perplexity_weights(distance, perplexity)
    values = int(label.max()) + 1
    cell = label[row] + values * np.arange(len(z))[:, None]
    share = np.bincount(cell.ravel(), weight.ravel(), values * len(z)).reshape(len(z), values)
    return 1.0 / (share**2).sum(axis=1)


@once
def ward_tree(z: np.ndarray, k: int) -> np.ndarray:
    """Clusters of every size: the tree that merges neighbors at the least growth of variance.

    Args:
        z: ``(N, D)``.
        k: Neighbors of each row, the row itself not counted, that may be merged with it.

    Shape:
        ``(N - 1, 2)``: the children of node ``N + i``; nodes below N are the rows.

    Example:
        >>> ward_tree(np.array([[0.0], [1.0], [5.0]]), 2).tolist()
        [[0, 1], [2, 3]]
    """
    from scipy.sparse import coo_matrix
    from sklearn.cluster import ward_tree as tree

    z = z.astype(np.float64)
    row = nearest(z, k)[1]
    arrows = (np.ones(row.size), (np.repeat(np.arange(len(row)), k), row.ravel()))
    graph = coo_matrix(arrows, shape=(len(row), len(row)))
    with warnings.catch_warnings():
        # Pieces that are not connected are joined where they are nearest.
        warnings.filterwarnings("ignore", message="the number of connected components")
        return np.asarray(tree(z - z.mean(axis=0), connectivity=graph + graph.T)[0])
