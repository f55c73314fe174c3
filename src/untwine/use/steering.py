"""Directions of a code that a factor follows: conditional means, discriminants, held-out scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .factors import FactorScale

__all__ = ["Curve", "Lever", "fit_lever", "judge"]

_KNOTS = 12
_EDGE = 1.5  # of the largest eigenvalue that chance has: directions below it are none
_LEAST = 0.02  # of the first direction's eigenvalue
_FLOOR = 1e-6  # of a dimension's variance: what is certain is taken to be that uncertain


@dataclass(frozen=True)
class Curve:
    r"""The mean of a code at each value of a factor, :math:`\mu(v) = \mathbb{E}[z \mid v]`.

    Attributes:
        scale: Of the factor.
        knots: Values, ``(V,)``; of many, the means of twelve groups of as many rows.
        means: ``(V, D)``.
        counts: Rows of each, ``(V,)``.
    """

    scale: FactorScale
    knots: np.ndarray
    means: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, z: np.ndarray, values: np.ndarray, scale: FactorScale) -> Curve:
        """Of codes ``(N, D)`` and the factor's values ``(N,)``."""
        levels, group = np.unique(values, return_inverse=True)
        if scale.kind != "nominal" and len(levels) > _KNOTS:
            share = np.cumsum(np.bincount(group)) - np.bincount(group) / 2
            coarse = np.floor(_KNOTS * share / len(values)).astype(int)
            group = np.unique(coarse[group], return_inverse=True)[1]
        counts = np.bincount(group).astype(np.float64)
        knots = np.bincount(group, values) / counts
        means = np.zeros((len(counts), z.shape[1]))
        np.add.at(means, group, z)
        return cls(scale, knots, means / counts[:, None], counts)

    def at(self, values: np.ndarray) -> np.ndarray:
        """``(N,)`` values to means ``(N, D)``: between knots, and beyond the last, on a line."""
        values = np.asarray(values, np.float64)
        knots, means = self.knots, self.means
        if self.scale.kind == "nominal":
            return means[np.abs(values[:, None] - knots).argmin(1)]
        if self.scale.kind == "angle":
            turn = self.scale.size
            knots = np.concatenate([[knots[-1] - turn], knots, [knots[0] + turn]])
            means = np.concatenate([means[-1:], means, means[:1]])
            values = values % turn
        if len(knots) == 1:
            return np.repeat(means, len(values), 0)
        left = np.clip(np.searchsorted(knots, values) - 1, 0, len(knots) - 2)
        share = (values - knots[left]) / (knots[left + 1] - knots[left])
        return means[left] + share[:, None] * (means[left + 1] - means[left])


@dataclass(frozen=True)
class Lever:
    r"""How codes are read for a factor, and how they are moved along with it.

    With the covariance of codes at one value :math:`\Sigma` and the directions of the curve of
    means P, scaled so that :math:`P^\top \Sigma^{-1} P = I`, and :math:`W = \Sigma^{-1} P`,

    .. math::
        z' = z + P \, (W^\top \mu(v) - W^\top z)

    is the change of a code, least in the metric :math:`\Sigma^{-1}`, that gives it the readings of
    the value v.

    Attributes:
        curve: The means.
        pattern: P, ``(D, R)``.
        weight: W, ``(D, R)``.
    """

    curve: Curve
    pattern: np.ndarray
    weight: np.ndarray

    def read(self, z: np.ndarray) -> np.ndarray:
        """Expected coordinates of the factor given codes, ``(N, M)``, see `FactorScale`."""
        grid = self.curve.scale.grid
        if self.curve.scale.kind == "nominal":
            grid = self.curve.knots
        places = self.curve.at(grid) @ self.weight
        scores = z @ self.weight
        away = ((scores[:, None] - places[None]) ** 2).sum(-1)
        share = np.exp(-0.5 * (away - away.min(1, keepdims=True)))
        share /= share.sum(1, keepdims=True)
        return share @ self.curve.scale.coordinates(grid)

    def moved(self, z: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Codes ``(N, D)`` with the readings of other values ``(N,)``."""
        return z + (self.curve.at(values) - z) @ self.weight @ self.pattern.T

    def like(self, z: np.ndarray, donors: np.ndarray) -> np.ndarray:
        """Codes with the readings of other codes."""
        return z + (donors - z) @ self.weight @ self.pattern.T


def fit_lever(
    z: np.ndarray, values: np.ndarray, scale: FactorScale, columns: Sequence[int]
) -> Lever | None:
    r"""The discriminant directions of a factor among some dimensions of a code.

    Directions are the singular vectors of :math:`\Sigma^{-1/2} (\mu(v) - \bar \mu) \sqrt{n_v}`
    whose squared singular value is above what independence gives, about
    :math:`(\sqrt{V - 1} + \sqrt{D})^2`. The covariance is shrunk as Ledoit and Wolf say.

    Args:
        z: ``(N, D)``.
        values: ``(N,)``.
        scale: Of the factor.
        columns: Which dimensions may move.

    Returns:
        ``None`` where no direction is above chance.

    References:
        Ledoit, Wolf, "A well-conditioned estimator for large-dimensional covariance matrices",
        2004, https://doi.org/10.1016/S0047-259X(03)00096-4.
    """
    from sklearn.covariance import ledoit_wolf

    spread = z.std(0)
    alive = [j for j in columns if spread[j] > 1e-6 * max(spread.max(), 1e-12)]
    if not alive:
        return None
    width = spread[alive]
    u = z[:, alive] / width
    near = Curve.of(u, values, scale)
    residual = u - near.at(values)
    if len(alive) == 1:
        covariance = (residual**2).mean(keepdims=True)
    elif residual.any():
        covariance = ledoit_wolf(residual, assume_centered=True)[0]
    else:
        covariance = np.zeros((len(alive), len(alive)))
    variance, axes = np.linalg.eigh(covariance + _FLOOR * np.eye(len(alive)))
    root = (axes * np.sqrt(variance)) @ axes.T
    inverse = (axes / np.sqrt(variance)) @ axes.T
    center = np.average(near.means, axis=0, weights=near.counts)
    steps = inverse @ ((near.means - center) * np.sqrt(near.counts)[:, None]).T
    directions, sizes, _ = np.linalg.svd(steps, full_matrices=False)
    chance = _EDGE * (np.sqrt(len(near.knots) - 1) + np.sqrt(len(alive))) ** 2
    strong = (sizes**2 > chance) & (sizes**2 > _LEAST * sizes[:1] ** 2)
    if not strong.any():
        return None
    pattern = np.zeros((z.shape[1], int(strong.sum())))
    weight = np.zeros_like(pattern)
    pattern[alive] = width[:, None] * (root @ directions[:, strong])
    weight[alive] = (inverse @ directions[:, strong]) / width[:, None]
    return Lever(Curve.of(z, values, scale), pattern, weight)


def judge(
    lever: Lever | None, z: np.ndarray, values: np.ndarray, resamples: int, seed: int
) -> tuple[float, float, float]:
    """How well a lever reads held-out codes, with a bootstrap interval of 95%.

    Of names the accuracy above that of the commonest, over what is left to it; of others the share
    of the spread of their coordinates that is explained. 0 is chance, 1 is perfect.
    """
    if lever is None:
        return 0.0, 0.0, 0.0
    scale = lever.curve.scale
    y, guess = scale.coordinates(values), lever.read(z)
    if scale.kind == "nominal":
        wrong = (guess.argmax(1) != y.argmax(1)).astype(np.float64)
        by_chance = 1.0 - y[:, y.sum(0).argmax()]
    else:
        wrong = ((y - guess) ** 2).sum(1)
        by_chance = ((y - y.mean(0)) ** 2).sum(1)

    def score(rows: np.ndarray) -> float:
        total = by_chance[rows].sum()
        return float(1 - wrong[rows].sum() / total) if total > 0 else 0.0

    rng = np.random.default_rng([seed, 7])
    n = len(values)
    drawn = [score(rng.integers(0, n, n)) for _ in range(resamples)]
    low, high = np.quantile(drawn, [0.025, 0.975]) if drawn else (np.nan, np.nan)
    return score(np.arange(n)), float(low), float(high)
