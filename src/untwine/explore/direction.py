"""Direction of the code that separates two groups of points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..data.seeds import check_seed

__all__ = ["Direction", "separate"]

_MOST = 5_000  # points of each group
_FOLDS = 5


@dataclass(frozen=True)
class Direction:
    r"""What separates group 0 from group 1.

    Attributes:
        step: :math:`\mu_1 - \mu_0`: moving a code along it takes the mean of one group to the
            other's.
        normal: :math:`\Sigma^{-1} (\mu_1 - \mu_0)`, scaled so that moving a code along it changes
            what tells the groups apart as much as ``step`` does, and as little else as possible.
        accuracy: Balanced accuracy of the linear discriminant on points that it was not fitted to;
            0.5 is chance, ``nan`` where a group has too few points.
        share: Of each dimension in ``step``, in units of its standard deviation; sums to 1.
    """

    step: np.ndarray
    normal: np.ndarray
    accuracy: float
    share: np.ndarray


def separate(first: np.ndarray, second: np.ndarray, seed: int = 0) -> Direction:
    r"""The direction from one group of codes to another, by linear discriminant analysis.

    .. math::
        w = \Sigma^{-1} (\mu_1 - \mu_0), \qquad
        \text{normal} = w \, \frac{w^\top (\mu_1 - \mu_0)}{w^\top w}

    with the covariance within groups :math:`\Sigma`, shrunk as Ledoit and Wolf say.

    Args:
        first: Codes of group 0; of more than 5,000, as many are drawn.
        second: Codes of group 1.
        seed: Of what is drawn, and of the folds that the accuracy is computed on.

    Shape:
        first ``(N, D)``, second ``(M, D)``.

    Raises:
        ValueError: for a group without points.

    References:
        Ledoit, Wolf, "A well-conditioned estimator for large-dimensional covariance matrices",
        2004, https://doi.org/10.1016/S0047-259X(03)00096-4. Haufe et al., "On the interpretation of
        weight vectors of linear models in multivariate neuroimaging", 2014,
        https://doi.org/10.1016/j.neuroimage.2013.10.067, on why ``step`` and not ``normal`` is the
        pattern that the groups differ in.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> codes = rng.normal(size=(200, 3))
        >>> direction = separate(codes, rng.normal(size=(200, 3)) + [4, 0, 0])
        >>> int(direction.share.argmax()), direction.accuracy > 0.95
        (0, True)
    """
    from sklearn.covariance import ledoit_wolf
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    if not len(first) or not len(second):
        raise ValueError(
            f"the groups have {len(first)} and {len(second)} points; expected at least 1 in each"
        )
    rng = np.random.default_rng(check_seed(seed))
    groups = [
        np.asarray(g if len(g) <= _MOST else rng.choice(g, _MOST, replace=False), np.float64)
        for g in (first, second)
    ]
    means = [g.mean(0) for g in groups]
    step = means[1] - means[0]
    within = np.concatenate([g - m for g, m in zip(groups, means, strict=True)])
    deviation = np.concatenate(groups).std(0)
    if len(within) > 2 and within.any():
        w = np.linalg.pinv(ledoit_wolf(within, assume_centered=True)[0]) @ step
    else:
        w = step
    norm = float(w @ w)
    normal = w * (w @ step) / norm if norm > 0 else step
    folds = min(_FOLDS, *map(len, groups))
    accuracy = float("nan")
    if folds > 1:
        y = np.repeat([0, 1], [len(g) for g in groups])
        judge = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[0.5, 0.5])
        cut = StratifiedKFold(folds, shuffle=True, random_state=seed)
        scores = cross_val_score(
            judge, np.concatenate(groups), y, cv=cut, scoring="balanced_accuracy"
        )
        accuracy = float(scores.mean())
    weight = np.where(deviation > 0, step / np.where(deviation > 0, deviation, 1), 0) ** 2
    total = float(weight.sum())
    return Direction(step, normal, accuracy, weight / total if total > 0 else weight)
