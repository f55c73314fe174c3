r"""The aggregate posterior :math:`q(z) = \frac{1}{N} \sum_n q(z|x_n)`, taken exactly.

What holds for one dimension is integrated; what holds for several is an average over posterior
samples of exact densities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from .gaussian_sums import GaussianSum
from .information import Labels
from .posterior import as_posterior, second_moments
from .selection import columns_of
from .splits import Columns

__all__ = ["AggregatePosterior", "aggregate_posterior", "minibatch_parts"]

_COMPONENTS, _SAMPLES = 1 << 12, 1 << 9  # whose densities are held at once


@dataclass(frozen=True)
class AggregatePosterior:
    r"""The parts of the average KL of Gaussian posteriors from N(0, I), in nats.

    .. math::
        \frac{1}{N} \sum_n D_{KL}(q(z|x_n) \,\|\, p(z)) = I(z; n)
        + D_{KL}(q(z) \,\|\, \textstyle\prod_j q(z_j)) + \sum_j D_{KL}(q(z_j) \,\|\, p(z_j))

    The total correlation is :math:`\sum_j I(z_j; n) - I(z; n)`, so that the identity holds exactly.

    Attributes:
        mutual_information: Index-code mutual information :math:`I(z; n)`, at most log N.
        total_correlation: Between dimensions, or between blocks where they were given.
        dimension_kl: :math:`D_{KL}(q(z_j) \,\|\, p(z_j))`, ``(D,)``.
        dimension_information: :math:`I(z_j; n)`, ``(D,)``.
        kl: The average KL of each dimension, ``(D,)``.
        standard_error: Of the total correlation, from the posterior samples.
    """

    mutual_information: float
    total_correlation: float
    dimension_kl: np.ndarray
    dimension_information: np.ndarray
    kl: np.ndarray
    standard_error: float


def aggregate_posterior(
    mean: Any,
    stddev: Any,
    *,
    samples: int = 10_000,
    blocks: Columns | None = None,
    seed: int = 0,
) -> AggregatePosterior:
    r"""Decomposes the average KL of Gaussian posteriors with the exact aggregate posterior.

    Dimension-wise terms are integrals. The joint one is an average over posterior samples,

    .. math::
        I(z; n) = \mathbb{E}_{n,\, z \sim q(z|x_n)} \Big[ \log q(z|x_n)
        - \log \tfrac{1}{N} \textstyle\sum_m q(z|x_m) \Big] ,

    with all N components in every density. Time grows as N times ``samples``.

    Args:
        mean: The posteriors' means.
        stddev: Their standard deviations.
        samples: How many posterior samples, spread evenly over the points.
        blocks: Columns of vector-valued latents: the total correlation is then the one between
            blocks (which must name every column).
        seed: Of the samples.

    Shape:
        - mean, stddev: ``(N, D)``

    Raises:
        ValueError: for deviations that are not positive, fewer than two samples, or blocks that
            leave out a column.

    References:
        Isolating Sources of Disentanglement in Variational Autoencoders, Chen, Li, Grosse and
        Duvenaud, 2018, https://arxiv.org/abs/1802.04942, equation 2 and appendix C.

    Example:
        >>> import numpy as np
        >>> corners = 9.0 * np.array([[-1.0, -1.0], [1.0, 1.0]])
        >>> parts = aggregate_posterior(corners, np.ones((2, 2)))
        >>> round(parts.mutual_information, 4), round(parts.total_correlation, 4)
        (0.6931, 0.6931)
    """
    mu, sigma = as_posterior(mean, stddev)
    if samples < 2:
        raise ValueError(f"samples is {samples}; expected at least 2")
    d = mu.shape[1]
    groups = _groups(blocks, d)
    marginal = np.empty(d)
    for j in range(d):
        mixture = GaussianSum.of(mu[:, j], sigma[:, j])
        everyone = Labels(np.zeros(len(mu), dtype=np.int64), 1)
        marginal[j] = mixture.entropies(mixture.densities([everyone])[0])[0]
    gaussian = 0.5 * math.log(2 * math.pi)
    conditional = gaussian + 0.5 + np.array([np.log(s.astype(np.float64)).mean() for s in sigma.T])
    cross = gaussian + 0.5 * second_moments(mu, sigma)
    information = np.maximum(0.0, marginal - conditional)
    kl = cross - conditional
    single = [len(group) == 1 for group in groups]
    if d == 1:
        joint, error, per_block = float(information[0]), 0.0, information
    else:
        whole = list(range(d))
        column_sets = [whole] + [
            g for g, is_column in zip(groups, single, strict=True) if not is_column
        ]
        pointwise = _pointwise(mu, sigma, column_sets, samples, seed)
        joint = float(pointwise[0].mean())
        terms = iter(pointwise[1:])
        per_block = np.array(
            [
                information[g[0]] if is_column else next(terms).mean()
                for g, is_column in zip(groups, single, strict=True)
            ]
        )
        difference = pointwise[1:].sum(axis=0) - pointwise[0]
        error = float(difference.std(ddof=1) / math.sqrt(samples))
    return AggregatePosterior(
        mutual_information=joint,
        total_correlation=float(per_block.sum() - joint) if len(groups) > 1 else 0.0,
        dimension_kl=cross - marginal,
        dimension_information=information,
        kl=kl,
        standard_error=error if len(groups) > 1 else 0.0,
    )


def minibatch_parts(
    mu: np.ndarray, sigma: np.ndarray, estimator: Any, samples: int, batch_size: int, seed: int
) -> dict[str, Any]:
    from torch.distributions import Independent, Normal

    from ...functional.decomposition import decompose

    if not 2 <= batch_size <= len(mu):
        raise ValueError(f"batch_size is {batch_size}; expected 2 to {len(mu)}, the points given")
    rng = np.random.default_rng(seed)
    sums = np.zeros((-(-samples // batch_size), 3))
    for row in sums:
        part = rng.choice(len(mu), batch_size, replace=False)
        loc = torch.from_numpy(mu[part].astype(np.float64))
        scale = torch.from_numpy(sigma[part].astype(np.float64))
        z = loc + scale * torch.from_numpy(rng.standard_normal(loc.shape))
        prior = Independent(Normal(torch.zeros_like(loc[0]), torch.ones_like(loc[0])), 1)
        terms = decompose(Independent(Normal(loc, scale), 1), prior, z, len(mu), estimator)
        row[:] = [
            float(terms.mutual_information.mean()),
            float(terms.total_correlation.mean()),
            float(terms.dimension_kl.mean()),
        ]
    average = sums.mean(axis=0)
    error = sums[:, 1].std(ddof=1) / math.sqrt(len(sums)) if len(sums) > 1 else math.nan
    return {
        "mutual_information": average[0],
        "total_correlation": average[1],
        "dimension_kl_total": average[2],
        "standard_error": float(error),
    }


def _pointwise(
    mu: np.ndarray, sigma: np.ndarray, groups: list[list[int]], samples: int, seed: int
) -> np.ndarray:
    r""":math:`\log q(z_g|x_n) - \log q(z_g)` at posterior samples, ``(len(groups), samples)``."""
    n, d = mu.shape
    rng = np.random.default_rng(seed)
    rounds, remainder = divmod(samples, n)
    rows = np.concatenate([np.tile(np.arange(n), rounds), rng.choice(n, remainder, replace=False)])
    noise = rng.standard_normal((samples, d))
    center = mu.mean(axis=0, dtype=np.float64)
    scale = sigma[rows].astype(np.float64)
    z = (mu[rows] - center) + scale * noise
    log_q = -0.5 * noise**2 - np.log(scale) - 0.5 * math.log(2 * math.pi)
    aggregate = torch.full((len(groups), samples), -torch.inf, dtype=torch.float64)
    points = torch.from_numpy(z)
    for start in range(0, n, _COMPONENTS):
        part = slice(start, start + _COMPONENTS)
        mean, precision = mu[part] - center, sigma[part].astype(np.float64) ** -2
        constant = 0.5 * (np.log(precision) - mean**2 * precision - math.log(2 * math.pi))
        # log q(z|x) = z^2 a + z b + c: two matrix products instead of N x S x D numbers.
        a, b = torch.from_numpy(-0.5 * precision), torch.from_numpy(mean * precision)
        for g, group in enumerate(groups):
            offset = torch.from_numpy(constant[:, group].sum(axis=1))
            square, linear = a[:, group].T, b[:, group].T
            for rows in torch.arange(samples).split(_SAMPLES):
                x = points[rows][:, group]
                logs = torch.addmm(offset, x**2, square).addmm_(x, linear)
                aggregate[g, rows] = torch.logaddexp(aggregate[g, rows], logs.logsumexp(dim=1))
    conditional = np.stack([log_q[:, group].sum(axis=1) for group in groups])
    return conditional - (aggregate.numpy() - math.log(n))


def _groups(blocks: Columns | None, d: int) -> list[list[int]]:
    if blocks is None:
        return [[j] for j in range(d)]
    groups = list(columns_of(blocks, d).values())
    missing = sorted(set(range(d)) - {j for group in groups for j in group})
    if missing:
        raise ValueError(
            f"no block names columns {missing}: the KL has parts for every column, so blocks must "
            "name them all"
        )
    return groups
