r"""Mutual information of Gaussian posteriors and factors, by integration."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import UNKNOWN, as_codes, check
from .gaussian_sums import GaussianSum
from .information import Information, binning_protocol, entropy, factor_labels
from .kinds import FactorKinds, kinds_of
from .selection import columns_of, reduce_blocks
from .splits import Columns, stated_blocks, wide

__all__ = ["as_posterior", "posterior_information", "second_moments"]


def as_posterior(mean: Any, stddev: Any) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations of diagonal Gaussian posteriors, checked, ``(N, D)`` each.

    Raises:
        ValueError: for unequal shapes, or deviations that are not positive.
    """
    mean, stddev = as_codes(mean, "mean"), as_codes(stddev, "stddev")
    if mean.shape != stddev.shape:
        raise ValueError(
            f"stddev has shape {stddev.shape} but the codes have {mean.shape}: expected one "
            "standard deviation per point and dimension"
        )
    if not (stddev > 0).all():
        row, column = np.argwhere(~(stddev > 0))[0]
        raise ValueError(
            f"stddev[{row}, {column}] is {stddev[row, column]}; expected positive standard "
            "deviations (not log variances): a deterministic code has no posterior density"
        )
    return mean, stddev


def posterior_information(
    codes: Any,
    factors: Any,
    stddev: Any,
    *,
    bins: int = 20,
    continuous_factors: bool | None = None,
    blocks: Columns | None = None,
    components: int | None = None,
    unknown: float | str | None = UNKNOWN,
    kinds: FactorKinds = None,
) -> Information:
    r"""Mutual information of each latent variable and factor under Gaussian posteriors.

    .. math::
        I(z_j; v_k) = H\Big[ \tfrac{1}{N} \textstyle\sum_n q(z_j | x_n) \Big]
        - \sum_v p(v)\, H\Big[ \tfrac{1}{N_v} \textstyle\sum_{n : v_k = v} q(z_j | x_n) \Big]

    The entropies are integrals over one dimension, see `GaussianSum`; linear in N.

    Args:
        codes: The posteriors' means.
        factors: Factors; -1 or nan where unknown, which leaves those points out of that factor.
        stddev: The posteriors' standard deviations.
        bins: Bins of a continuous factor.
        continuous_factors: Whether to bin all factors (``True``) or none; by default those with
            fractional values.
        blocks: Columns of vector-valued codes, of one column each, or reduced.
        components: 1 projects each posterior on its block's first principal component, where it
            stays Gaussian.
        unknown: The value that means unknown, see `arrays.as_factors`.
        kinds: What each factor is, see `kinds.kinds_of`: classes are counted, others are binned.

    Shape:
        - codes, stddev: ``(N, D)``
        - factors: ``(N, K)``

    Raises:
        ValueError: for deviations that are not positive, or a constant factor.

    References:
        Isolating Sources of Disentanglement in Variational Autoencoders, Chen, Li, Grosse and
        Duvenaud, 2018, https://arxiv.org/abs/1802.04942, equation 5 and appendix B.

    Example:
        >>> import numpy as np
        >>> mean, stddev = np.array([[-9.0], [9.0]]), np.ones((2, 1))
        >>> posterior_information(mean, np.array([0, 1]), stddev).mutual.round(4)
        array([[0.6931]])
    """
    mean, stddev = as_posterior(codes, stddev)
    _, y = check(mean, factors, unknown=unknown)
    protocol: dict[str, Any] = {
        "estimator": "aggregate posterior, integrated",
        "bins": bins,
        "points": len(mean),
    }
    if blocks is not None:
        if components not in (None, 1) or (
            components is None and wide(list(columns_of(blocks, mean.shape[1]).values()))
        ):
            raise ValueError(
                "a posterior is integrated in one dimension: reduce each block by components=1"
            )
        mean, stddev = _projected(mean, stddev, blocks)
        protocol |= stated_blocks(blocks, components)
    factor_kinds = kinds_of(y, kinds, continuous_factors)
    labels = factor_labels(y, bins, factor_kinds)
    counts = [np.bincount(v.values[slice(None) if v.known is None else v.known]) for v in labels]
    mutual, widening = np.empty((mean.shape[1], len(labels))), 0.0
    for j in range(mean.shape[1]):
        mixture = GaussianSum.of(mean[:, j], stddev[:, j])
        widening = max(widening, mixture.widened)
        for k, density in enumerate(mixture.densities(labels)):
            share = counts[k] / counts[k].sum()
            conditional = share @ mixture.entropies(density)
            mutual[j, k] = max(0.0, float(mixture.entropies(share @ density) - conditional))
    if widening > 0:
        protocol["widened"] = f"up to {widening:.2%} of a dimension's posteriors, to be resolved"
    return Information(
        mutual,
        np.array([entropy(count) for count in counts]),
        np.array([int(count.sum()) for count in counts]),
        np.ptp(mean, axis=0),
        protocol | binning_protocol(y, factor_kinds),
    )


def second_moments(mu: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Mean of ``mu^2 + sigma^2`` of each column, in double precision without a copy of all."""
    return np.array(
        [
            np.square(m, dtype=np.float64).mean() + np.square(s, dtype=np.float64).mean()
            for m, s in zip(mu.T, sigma.T, strict=True)
        ]
    )


def _projected(
    mean: np.ndarray, stddev: np.ndarray, blocks: Columns
) -> tuple[np.ndarray, np.ndarray]:
    """Means and deviations of each block's first principal component, ``(N, len(blocks))``."""
    d = mean.shape[1]
    origin = reduce_blocks(np.zeros((1, d)), blocks, basis=mean)
    axes = reduce_blocks(np.eye(d), blocks, basis=mean) - origin
    return reduce_blocks(mean, blocks), np.sqrt(stddev.astype(np.float64) ** 2 @ axes**2)
