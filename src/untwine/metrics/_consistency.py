r"""Consistency: how well runs with other seeds agree, up to a class of maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._estimators.arrays import same_observations
from .ranges import one_of
from .registry import metric
from .score import Score

__all__ = ["MAPS", "consistency"]

#: Classes of maps, each within the next.
MAPS = ("identity", "permutation", "linear", "affine")


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("agreement",),
    paper="Roeder et al. 2021",
    link="https://arxiv.org/abs/2007.00810",
    source="permutations",
    ranges={"up_to": one_of(*MAPS)},
)
def consistency(runs: Sequence[Any], *, up_to: str = "permutation", seed: int = 0) -> Score:
    r"""How much of one run's codes another run's tell, after the best map of a class.

    .. math::
        R^2_{ab} = \max\Big( 0,\; 1 - \frac{\sum_n \lVert z^b_n - f(z^a_n) \rVert^2}
        {\sum_n \lVert z^b_n - \bar z^b \rVert^2} \Big)

    averaged over ordered pairs of runs, with :math:`f` the identity, a permutation of dimensions
    with signs, a linear or an affine map, fitted on half of the rows and judged on the others.
    Range: 0 to 1. What a method is identified up to shows in the first class whose value is near
    1: a rotation of the latent space leaves permutations behind linear maps.

    Dimensions count by their variance, so that dead ones hardly do. Where runs differ in width, a
    dimension without a partner is told by its mean.

    Args:
        runs: Codes of at least two runs on the same observations in the same order.
        up_to: ``"identity"``, ``"permutation"``, ``"linear"`` or ``"affine"``, for the score's
            value.
        seed: Of the halves.

    Shape:
        - runs: R times ``(N, D)``, D may differ.
        - ``parts["pairs"]``: ``(R, R)``, from the row's run to the column's, of ``up_to``;
          ``parts["identity"]``, ``parts["permutation"]``, ``parts["linear"]``,
          ``parts["affine"]``: a number each.

    Raises:
        ValueError: for a single run, runs of unequal length, or a run whose codes do not vary.

    References:
        On Linear Identifiability of Learned Representations, Roeder, Metz and Kingma, 2021,
        https://arxiv.org/abs/2007.00810, section 5 (runs compared up to linear maps). ICE-BeeM,
        Khemakhem et al., 2020, https://arxiv.org/abs/2002.11537, section 3 (up to linear maps, up
        to permutations).

    Deviations:
        Explained variance instead of canonical correlations, which no affine map changes.

    Example:
        >>> z = np.random.default_rng(0).normal(size=(500, 2))
        >>> turned = z @ np.array([[0.6, 0.8], [-0.8, 0.6]])
        >>> score = consistency([z, turned + 3.0])
        >>> round(score.parts["affine"], 6), score.parts["linear"] < 1, score.parts["permutation"]
        (1.0, True, 0.0)
    """
    codes = same_observations(runs, "consistency")
    n, count = len(codes[0]), len(codes)
    order = np.random.default_rng(seed).permutation(n)
    learn, judge = order[: n - n // 2], order[n - n // 2 :]
    for i, z in enumerate(codes):
        if len(judge) < 2 or not (np.ptp(z[judge], axis=0) > 0).any():
            raise ValueError(f"consistency: the codes of runs[{i}] do not vary in {n} rows")
    pairs = {name: np.full((count, count), np.nan) for name in MAPS}
    for a in range(count):
        for b in range(count):
            if a == b:
                continue
            for name in MAPS:
                prediction = _MAPPED[name](codes[a][learn], codes[b][learn], codes[a][judge])
                target = codes[b][judge]
                spread = ((target - target.mean(axis=0)) ** 2).sum()
                pairs[name][a, b] = max(0.0, 1 - ((target - prediction) ** 2).sum() / spread)
    means = {name: float(np.nanmean(matrix)) for name, matrix in pairs.items()}
    protocol = {"up_to": up_to, "points": n, "runs": count, "seed": seed}
    return Score(means[up_to], {"pairs": pairs[up_to], **means}, protocol, "consistency")


def _identity(z: np.ndarray, target: np.ndarray, new: np.ndarray) -> np.ndarray:
    prediction = np.tile(target.mean(axis=0), (len(new), 1))
    width = min(new.shape[1], target.shape[1])
    prediction[:, :width] = new[:, :width]
    return prediction


def _permutation(z: np.ndarray, target: np.ndarray, new: np.ndarray) -> np.ndarray:
    """The permutation with signs of least squared error."""
    from scipy.optimize import linear_sum_assignment

    products = z.T @ target
    rows, columns = linear_sum_assignment(
        (z**2).sum(axis=0)[:, None] - 2 * np.abs(products) + (target**2).sum(axis=0)
    )
    prediction = np.tile(target.mean(axis=0), (len(new), 1))
    prediction[:, columns] = new[:, rows] * np.where(products[rows, columns] < 0, -1.0, 1.0)
    return prediction


def _linear(z: np.ndarray, target: np.ndarray, new: np.ndarray) -> np.ndarray:
    return new @ np.linalg.lstsq(z, target, rcond=None)[0]


def _affine(z: np.ndarray, target: np.ndarray, new: np.ndarray) -> np.ndarray:
    center = z.mean(axis=0)
    return target.mean(axis=0) + _linear(z - center, target - target.mean(axis=0), new - center)


_MAPPED = dict(zip(MAPS, (_identity, _permutation, _linear, _affine), strict=True))
