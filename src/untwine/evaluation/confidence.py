r"""Confidence intervals of scores, from half-samples.

The ordinary bootstrap draws rows with replacement. The repeated rows make a plug-in mutual
information grow by about as much again as its own bias, and give nearest-neighbor estimators and
classifiers points that they have already seen: intervals so made can miss the score itself. Here
each replicate is the metric on half of the rows, drawn *without* replacement. For a smooth
statistic with :math:`\sqrt{n}` rate the replicates' variance around their mean is

.. math::
    \sigma^2 \left( \frac{1}{m} - \frac{1}{n} \right) ,

which at :math:`m = n / 2` is :math:`\sigma^2 / n`, the variance of the score itself: no rescaling
is left to be done. Their mean is not the score's (a score of fewer points has more bias), so the
interval uses their spread alone and stays centered at the score.

References:
    Large sample confidence regions based on subsamples under minimal assumptions, Politis and
    Romano, 1994, https://doi.org/10.1214/aos/1176325770. A general theory for jackknife variance
    estimation, Shao and Wu, 1989, https://doi.org/10.1214/aos/1176347263 (delete-d).
"""

from __future__ import annotations

import numpy as np

__all__ = ["half_sample", "interval"]


def half_sample(n: int, seed: int, replicate: int) -> np.ndarray:
    """Half of ``n`` rows, without repetition, in increasing order.

    Args:
        n: How many rows there are.
        seed: Of the replicates.
        replicate: Which one; the rows are a function of ``(n, seed, replicate)``.

    Example:
        >>> len(half_sample(7, seed=0, replicate=1))
        3
    """
    rng = np.random.default_rng([seed, replicate])
    return np.sort(rng.permutation(n)[: n // 2])


def interval(
    value: float,
    replicates: np.ndarray,
    confidence: float = 0.95,
    *,
    n: int | None = None,
    low: float = -np.inf,
    high: float = np.inf,
) -> tuple[float, float]:
    r"""The interval around a score that its half-sample replicates give.

    .. math::
        \hat s \pm t_{R - 1,\,(1 + c) / 2} \sqrt{\tfrac{m}{n - m}}\; \mathrm{sd}(s^*_1 .. s^*_R),
        \qquad m = \lfloor n / 2 \rfloor

    cut to the score's range. It covers the value that the same protocol, with the same number of
    points, gives on average over samples (and seeds, where the replicates have their own).

    Args:
        value: The score of all rows, :math:`\hat s`.
        replicates: The scores of half-samples ``(R,)``; those that are not finite do not count.
        confidence: The interval's level :math:`c`, above 0 and below 1.
        n: Rows of the whole sample; even if not given.
        low: Lower end of the score's range.
        high: Upper end of the score's range.

    Raises:
        ValueError: for fewer than two finite replicates, and for a level outside (0, 1).

    Example:
        >>> low, high = interval(0.5, np.array([0.4, 0.5, 0.6, 0.5]), 0.95)
        >>> round(low, 3), round(high, 3)
        (0.24, 0.76)
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence is {confidence}; expected a level between 0 and 1: 0.95")
    replicates = np.asarray(replicates, dtype=np.float64)
    replicates = replicates[np.isfinite(replicates)]
    if len(replicates) < 2:
        raise ValueError(f"{len(replicates)} replicates are too few for an interval: at least 2")
    from scipy.stats import t

    scale = 1.0
    if n is not None:
        m = n // 2
        scale = float(np.sqrt(m / (n - m)))
    width = float(t.ppf((1 + confidence) / 2, len(replicates) - 1))
    width *= scale * float(replicates.std(ddof=1))
    return max(low, value - width), min(high, value + width)
