r"""Mutual information from distances to nearest neighbors, in nats.

For real-valued codes without bins. Ties are broken by noise of 1e-8 deviations, seeded.
"""

from __future__ import annotations

import numpy as np

__all__ = ["enough", "kraskov", "neighbor_information", "spread_ties", "vector_information"]

#: Deviations of the noise that breaks ties.
_NOISE = 1e-8


def spread_ties(z: np.ndarray, seed: int) -> np.ndarray:
    """Centered columns of unit variance, with noise that makes their values distinct.

    Noise of 1e-8 deviations is less than what single precision resolves. Around zero, double
    precision has enough numbers of that size to tell many millions of equal values apart; far from
    it, it has not.

    Shape:
        ``(N, D)`` to ``(N, D)``; a constant column becomes the noise alone.
    """
    z = z.astype(np.float64)
    z = z - z[:1]  # exact zeros where nothing varies
    z -= z.mean(axis=0)
    spread = z.std(axis=0)
    z /= np.where(spread > 0, spread, 1.0)
    return z + _NOISE * np.random.default_rng(seed).standard_normal(z.shape)


def enough(k: int, points: int) -> None:
    """Raises if there are no ``k`` other points.

    Raises:
        ValueError: for no more than ``k`` points.
    """
    if points <= k:
        raise ValueError(
            f"{k} neighbors of each point need more than {k} points; got {points}: lower neighbors="
        )


def neighbor_information(z: np.ndarray, y: np.ndarray, k: int) -> float:
    r"""Mutual information of a real number and a class.

    .. math::
        I(z; y) \approx \psi(N) + \langle \psi(k_n) \rangle - \langle \psi(N_{y_n}) \rangle
        - \langle \psi(m_n) \rangle

    where :math:`m_n` counts the points, itself included, closer to point :math:`n` than its
    :math:`k`-th neighbor of the same class; :math:`k_n = \min(k, N_{y_n} - 1)`, and points that are
    alone in their class are left out. In one dimension the neighbors of a point are its neighbors
    in sorted order, so that this takes a sort and k + 1 passes instead of a tree.

    Args:
        z: Distinct numbers, see `spread_ties`.
        y: Classes, integers from 0.
        k: How many neighbors.

    Shape:
        - z, y: ``(N,)``

    Raises:
        ValueError: for no more than ``k`` points.

    References:
        Mutual Information between Discrete and Continuous Data Sets, Ross, 2014,
        https://doi.org/10.1371/journal.pone.0087357, equation 2.

    Example:
        >>> z = np.random.default_rng(0).uniform(size=4000)
        >>> round(neighbor_information(z, (z > 0.5).astype(int), k=10), 1)  # log 2
        0.7
    """
    from scipy.special import digamma

    enough(k, len(z))
    counts = np.bincount(y)
    alone = counts[y] < 2
    if alone.any():
        z, y = z[~alone], y[~alone]
        counts = np.bincount(y, minlength=len(counts))
    n = len(z)
    if n == 0:
        return 0.0
    order = np.argsort(z)
    z_sorted = z[order]
    by_class = np.argsort(y[order], kind="stable")  # class by class, sorted within
    x, label = z_sorted[by_class], y[order][by_class]
    ends = np.cumsum(counts)[label]
    starts = ends - counts[label]
    reach = np.minimum(k, counts[label] - 1)
    k = int(reach.max())
    place = np.arange(n)
    radius = np.full(n, np.inf)
    lower, upper = np.empty(n), np.empty(n)
    for before in range(k + 1):  # so many of the neighbors are smaller, the others larger
        low, high = place - before, place - before + reach
        inside = (low >= starts) & (high < ends) & (before <= reach)
        below, above = x[np.maximum(low, 0)], x[np.minimum(high, n - 1)]
        distance = np.maximum(x - below, above - x)
        closer = inside & (distance < radius)
        # One end of the open interval is the k-th neighbor itself, free of rounding.
        np.copyto(lower, np.where(x - below == distance, below, x - distance), where=closer)
        np.copyto(upper, np.where(above - x == distance, above, x + distance), where=closer)
        np.copyto(radius, distance, where=closer)
    within = np.searchsorted(z_sorted, upper, side="left")
    within -= np.searchsorted(z_sorted, lower, side="right")
    within = np.maximum(within, 1)
    value = digamma(n) + digamma(reach).mean() - digamma(counts[label]).mean()
    return max(0.0, float(value - digamma(within).mean()))


def vector_information(z: np.ndarray, y: np.ndarray, k: int) -> float:
    r"""Mutual information of a real vector and a class; see `neighbor_information`.

    Distances are by the maximum norm.

    Args:
        z: Distinct vectors, see `spread_ties`.
        y: Classes, integers from 0.
        k: How many neighbors.

    Shape:
        - z: ``(N, D)``
        - y: ``(N,)``

    Raises:
        ValueError: for no more than ``k`` points.

    Example:
        >>> angle = np.random.default_rng(0).uniform(0, 2 * np.pi, 4000)
        >>> z = np.stack([np.cos(angle), np.sin(angle)], axis=1)
        >>> round(vector_information(z, (angle > np.pi).astype(int), k=3), 1)  # log 2
        0.7
    """
    from scipy.spatial import cKDTree
    from scipy.special import digamma

    if z.shape[1] == 1:
        return neighbor_information(z[:, 0], y, k)
    enough(k, len(z))
    keep = np.bincount(y)[y] > 1
    z, y = z[keep], y[keep]
    if not len(z):
        return 0.0
    counts = np.bincount(y)[y]
    reach = np.minimum(k, counts - 1)
    radius = np.empty(len(z))
    for value in np.unique(y):
        members = y == value
        k_here = int(reach[members][0])
        distance = cKDTree(z[members]).query(z[members], k=[k_here + 1], p=np.inf)[0][:, 0]
        radius[members] = np.nextafter(distance, 0)
    closer = np.maximum(_closer(z, radius), 1)
    value = digamma(len(z)) + (digamma(reach) - digamma(counts) - digamma(closer)).mean()
    return max(0.0, float(value))


def kraskov(x: np.ndarray, y: np.ndarray, k: int) -> float:
    r"""Mutual information of two real vectors.

    .. math::
        I(x; y) \approx \psi(N) + \psi(k) - \langle \psi(n_x + 1) + \psi(n_y + 1) \rangle

    where :math:`n_x` counts the other points whose :math:`x` is closer than the :math:`k`-th
    neighbor in the joint space, by the maximum norm. Scales of the columns matter little
    but should be alike, see `spread_ties`.

    Args:
        x: One vector per point.
        y: The other one.
        k: How many neighbors.

    Shape:
        - x: ``(N, D)``
        - y: ``(N, E)``

    Raises:
        ValueError: for no more than ``k`` points.

    References:
        Estimating Mutual Information, Kraskov, Stoegbauer and Grassberger, 2004,
        https://arxiv.org/abs/cond-mat/0305641, equation 8.

    Example:
        >>> z = np.random.default_rng(0).standard_normal((4000, 2))
        >>> round(kraskov(z[:, :1], z[:, 1:], k=3), 1)
        0.0
    """
    from scipy.spatial import cKDTree
    from scipy.special import digamma

    n = len(x)
    enough(k, n)
    joint = np.concatenate([x, y], axis=1)
    distance = cKDTree(joint).query(joint, k=[k + 1], p=np.inf)[0][:, 0]
    radius = np.nextafter(distance, 0)
    counts = [_closer(part, radius) for part in (x, y)]
    value = digamma(n) + digamma(k) - sum(digamma(count).mean() for count in counts)
    return max(0.0, float(value))


def _closer(x: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """How many points, itself included, lie within each point's radius, by the maximum norm."""
    from scipy.spatial import cKDTree

    return cKDTree(x).query_ball_point(x, radius, p=np.inf, return_length=True)
