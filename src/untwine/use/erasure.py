r"""Erasure of an attribute from codes: dropped dimensions, null spaces, least squares (LEACE)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..checks import check_size
from .locating import coded, locate, of_width

__all__ = ["ERASERS", "Erasure", "erase"]

Way = Literal["least_squares", "nullspace", "drop"]


@dataclass(frozen=True)
class Erasure:
    r"""An affine map that takes an attribute out of codes, :math:`r(z) = z - P (z - \mu)`.

    Attributes:
        way: How it was made.
        mean: :math:`\mu`, ``(D,)``.
        projection: :math:`P`, ``(D, D)``, what is taken out.
        rank: How many directions that are.
    """

    way: str
    mean: np.ndarray
    projection: np.ndarray
    rank: int

    def __call__(self, codes: Any) -> np.ndarray:
        """Codes ``(N, D)`` without the attribute, ``(N, D)``; those of new rows, too.

        Raises:
            ValueError: for codes of another number of dimensions.
        """
        z = of_width(codes, len(self.mean))
        return z - (z - self.mean) @ self.projection.T


def erase(
    codes: Any,
    attribute: Any,
    way: Way = "least_squares",
    *,
    count: int | None = None,
    seed: int = 0,
) -> Erasure:
    r"""Learns to take an attribute out of codes.

    - ``"least_squares"`` (LEACE): of all affine maps after which no linear predictor of the
      attribute beats a constant, the one that moves codes least in the mean square,

      .. math::
          r(z) = z - W^+ \Pi W (z - \mu), \qquad W = (\Sigma_{zz}^{1/2})^+,

      where :math:`\Pi` projects orthogonally onto the columns of :math:`W \Sigma_{zs}`. On the rows
      it learns from, the covariance of :math:`r(z)` with the one-hot attribute is exactly 0.
    - ``"nullspace"`` (INLP): a logistic regression is fitted, codes are projected onto the null
      space of its weights, and so on, ``count`` times.
    - ``"drop"``: the ``count`` dimensions that tell most of the attribute become their mean.

    All are linear: what a curved probe reads afterwards, see `recover`. `censor` is not.

    Args:
        codes: Codes to learn from, not those that the result is judged on.
        attribute: A class of each row.
        way: Which of these.
        count: Rounds of ``"nullspace"``, by default 5, or of dimensions to drop, by default 1;
            ``"least_squares"`` takes none.
        seed: Of ``"drop"``'s `locate`.

    Shape:
        - codes: ``(N, D)``
        - attribute: ``(N,)``

    Raises:
        ValueError: for an unknown way, an attribute of one class, a count for least squares, or
            more dimensions than there are.

    References:
        LEACE: Perfect linear concept erasure in closed form, Belrose et al., 2023,
        https://arxiv.org/abs/2306.03819, theorem 4.3. Null It Out: Guarding Protected Attributes by
        Iterative Nullspace Projection, Ravfogel et al., 2020, https://arxiv.org/abs/2004.07667,
        algorithm 1.

    Deviations:
        INLP's classifiers here are logistic regressions on standardized codes.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> s = rng.integers(0, 3, 200)
        >>> z = rng.normal(size=(200, 4)) + np.eye(3, 4)[s]
        >>> r = erase(z, s)(z)
        >>> bool(np.abs(np.cov(r.T, np.eye(3)[s].T)[:4, 4:]).max() < 1e-12)
        True
    """
    if way not in ERASERS:
        raise ValueError(f"way is {way!r}; expected one of {', '.join(map(repr, ERASERS))}")
    z, s = coded(codes, attribute)
    if way == "least_squares" and count is not None:
        raise ValueError(f"count is {count}; expected None: least squares takes out what it must")
    if count is not None:
        check_size("count", count)
        if count > z.shape[1]:
            raise ValueError(f"count is {count}; expected at most {z.shape[1]}, the dimensions")
    z = z.astype(np.float64)
    projection = ERASERS[way](z, s, count, seed)
    rank = int(np.linalg.matrix_rank(projection, tol=1e-8))
    return Erasure(way, z.mean(0), projection, rank)


def _least_squares(z: np.ndarray, s: np.ndarray, count: int | None, seed: int) -> np.ndarray:
    one_hot = np.eye(s.max() + 1)[s]
    # The solution turns with any linear map, so that scales may be made equal first. What varies
    # by rounding alone is left out: a trace of the attribute in it is one that a probe would find.
    scale = z.std(0)
    alive = scale > 1e-6 * np.maximum(np.abs(z.mean(0)), scale.max() * 1e-3)
    standard = (z - z.mean(0))[:, alive] / scale[alive]
    cross = standard.T @ (one_hot - one_hot.mean(0)) / len(z)
    values, vectors = np.linalg.eigh(standard.T @ standard / len(z))
    large = values > values.max() * 1e-10
    vectors, deviations = vectors[:, large], np.sqrt(values[large])
    left, singular, _ = np.linalg.svd((vectors / deviations).T @ cross, full_matrices=False)
    # One-hot columns sum to 1, so that the last singular value is 0 but for rounding.
    onto = left[:, singular > max(singular.max(), 1e-12) * 1e-10]
    part = (vectors * deviations) @ onto @ onto.T @ (vectors / deviations).T
    projection = np.zeros((z.shape[1], z.shape[1]))
    projection[np.ix_(alive, alive)] = scale[alive][:, None] * part / scale[alive]
    return projection


def _nullspace(z: np.ndarray, s: np.ndarray, count: int | None, seed: int) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    scale = z.std(0)
    scale = np.where(scale > 0, scale, 1.0)
    standard = (z - z.mean(0)) / scale
    directions = np.zeros((0, z.shape[1]))
    for _ in range(min(5, z.shape[1]) if count is None else count):
        rest = np.eye(z.shape[1]) - directions.T @ directions
        weight = LogisticRegression(max_iter=1000).fit(standard @ rest, s).coef_ @ rest
        _, singular, right = np.linalg.svd(np.vstack([directions, weight]), full_matrices=False)
        directions = right[singular > singular.max() * 1e-8]
    return (scale[:, None] * (directions.T @ directions)) / scale


def _drop(z: np.ndarray, s: np.ndarray, count: int | None, seed: int) -> np.ndarray:
    projection = np.zeros((z.shape[1], z.shape[1]))
    for j in locate(z, s, seed=seed).order[: 1 if count is None else count]:
        projection[j, j] = 1.0
    return projection


ERASERS: dict[str, Callable[[np.ndarray, np.ndarray, int | None, int], np.ndarray]] = {
    "least_squares": _least_squares,
    "nullspace": _nullspace,
    "drop": _drop,
}
"""The ways of `erase`, by name."""
