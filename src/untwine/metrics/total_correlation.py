r"""How far a code is from independent dimensions, if it were Gaussian."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .arrays import as_codes, columns_of
from .heldout import Blocks
from .score import Score

__all__ = ["gaussian_total_correlation", "wasserstein_correlation"]

#: Eigenvalues of a correlation matrix below this are zero but for rounding.
_SINGULAR = 1e-13

#: Rows that are held in double precision at once.
_ROWS = 1 << 16


def gaussian_total_correlation(
    codes: Any, factors: Any = None, *, blocks: Blocks | None = None
) -> Score:
    r"""Total correlation of the Gaussian with the codes' covariance, in nats.

    .. math::
        \mathrm{TC} = D_{KL}\Big( \mathcal{N}(0, \Sigma) \,\Big\|\,
        \prod_b \mathcal{N}(0, \Sigma_{bb}) \Big)
        = \tfrac{1}{2} \Big( \sum_b \log \det \Sigma_{bb} - \log \det \Sigma \Big)

    where the blocks :math:`b` are single dimensions unless given. From 0 (uncorrelated) upwards,
    infinite where dimensions of different blocks are linearly dependent; lower is better. A
    dimension that does not vary is independent of all others and adds nothing. Scale-free.

    Args:
        codes: Codes; all rows are used (the literature draws 10,000).
        factors: Not used; taken so that metrics can be called alike.
        blocks: Columns of vector-valued codes, whose inner dependence does not count; columns that
            no block names are left out.

    Shape:
        - codes: ``(N, D)``
        - ``parts["covariance"]``: ``(D, D)``.

    Raises:
        ValueError: for fewer than two points, or blocks that overlap.

    References:
        Information Theoretical Analysis of Multivariate Correlation, Watanabe, 1960,
        https://doi.org/10.1147/rd.41.0066 (the measure). Challenging Common Assumptions in the
        Unsupervised Learning of Disentangled Representations, Locatello et al., 2019,
        https://arxiv.org/abs/1811.12359, section 5.1 (for codes).

    Deviations:
        The reference implementation returns nan where a dimension does not vary.

    Example:
        >>> import numpy as np
        >>> z = np.stack(np.meshgrid([-1, 1], [-1, 1]), -1).reshape(-1, 2) @ [[1.0, 0.8], [0, 0.6]]
        >>> round(float(gaussian_total_correlation(z)), 6)  # -log(1 - 0.64) / 2
        0.510826
    """
    covariance, groups, protocol = _covariance(codes, blocks)
    # With blocks whitened, what is left in the joint covariance is dependence between them.
    white = np.concatenate([_whitening(covariance, group) for group in groups], axis=1)
    value = 0.0
    if white.shape[1]:
        spectrum = np.linalg.eigvalsh(white.T @ covariance @ white)
        singular = spectrum[0] <= _SINGULAR
        value = math.inf if singular else max(0.0, -0.5 * float(np.log(spectrum).sum()))
    return Score(value, {"covariance": covariance}, protocol, "gaussian_total_correlation")


def wasserstein_correlation(
    codes: Any,
    factors: Any = None,
    *,
    normalized: bool = False,
    blocks: Blocks | None = None,
) -> Score:
    r"""Squared Wasserstein distance of the Gaussian with the codes' covariance from independence.

    .. math::
        W_2^2\Big( \mathcal{N}(0, \Sigma), \prod_b \mathcal{N}(0, \Sigma_{bb}) \Big)
        = 2 \operatorname{tr} \Sigma
        - 2 \operatorname{tr} \big( \Lambda^{1/2} \Sigma \Lambda^{1/2} \big)^{1/2}, \qquad
        \Lambda = \operatorname{diag}_b(\Sigma_{bb})

    where the blocks :math:`b` are single dimensions unless given. From 0 (uncorrelated) to
    :math:`2 \operatorname{tr} \Sigma`; lower is better. It grows with the codes' variance;
    normalized, it is divided by :math:`\operatorname{tr} \Sigma` and at most 2.

    Args:
        codes: Codes; all rows are used (the literature draws 10,000).
        factors: Not used; taken so that metrics can be called alike.
        normalized: Whether to divide by the total variance.
        blocks: Columns of vector-valued codes, whose inner dependence does not count; columns that
            no block names are left out.

    Shape:
        - codes: ``(N, D)``
        - ``parts["covariance"]``: ``(D, D)``; ``parts["distance"]``, ``parts["normalized"]``: both
          forms.

    Raises:
        ValueError: for fewer than two points, or blocks that overlap.

    References:
        Disentangled Representation Learning with Wasserstein Total Correlation, Xiao and Wang,
        2019, https://arxiv.org/abs/1912.12818 (the measure). Challenging Common Assumptions in the
        Unsupervised Learning of Disentangled Representations, Locatello et al., 2019,
        https://arxiv.org/abs/1811.12359, section 5.1 (its Gaussian form).

    Example:
        >>> import numpy as np
        >>> z = np.array([[-1.0, -1.0], [1.0, 1.0]])
        >>> round(float(wasserstein_correlation(z, normalized=True)), 6)  # 2 - sqrt 2
        0.585786
    """
    covariance, groups, protocol = _covariance(codes, blocks)
    root = np.zeros_like(covariance)
    for group in groups:
        values, vectors = np.linalg.eigh(covariance[np.ix_(group, group)])
        root[np.ix_(group, group)] = (vectors * np.sqrt(values.clip(0.0))) @ vectors.T
    total = float(np.trace(covariance))
    overlap = np.sqrt(np.linalg.eigvalsh(root @ covariance @ root).clip(0.0)).sum()
    distance = max(0.0, 2 * total - 2 * float(overlap))
    relative = distance / total if total > 0 else 0.0
    return Score(
        relative if normalized else distance,
        {"covariance": covariance, "distance": distance, "normalized": relative},
        {"normalized": normalized, **protocol},
        "wasserstein_correlation",
    )


def _covariance(
    codes: Any, blocks: Blocks | None
) -> tuple[np.ndarray, list[list[int]], dict[str, Any]]:
    """The covariance of those columns that are in a block, and each block's rows in it."""
    z = as_codes(codes)
    if len(z) < 2:
        raise ValueError("a covariance needs at least two points; got 1")
    protocol: dict[str, Any] = {"estimator": "sample covariance", "points": len(z)}
    if blocks is None:
        chosen = [[j] for j in range(z.shape[1])]
    else:
        chosen = list(columns_of(blocks, z.shape[1]).values())
        protocol["blocks"] = len(blocks)
        z = z[:, [j for block in chosen for j in block]]
    ends = np.cumsum([len(block) for block in chosen])
    groups = [list(range(end - len(b), end)) for b, end in zip(chosen, ends, strict=True)]
    constant = z.min(axis=0) == z.max(axis=0)  # whose mean may be off by rounding
    center = np.where(constant, z[0], z.mean(axis=0, dtype=np.float64))
    covariance = np.zeros((z.shape[1], z.shape[1]))
    for part in np.array_split(z, -(-len(z) // _ROWS)):
        part = part - center
        covariance += part.T @ part
    return covariance / (len(z) - 1), groups, protocol


def _whitening(covariance: np.ndarray, group: list[int]) -> np.ndarray:
    """A map from all columns to a block's uncorrelated ones of unit variance, ``(D, rank)``."""
    inner = covariance[np.ix_(group, group)]
    scale = np.sqrt(np.diag(inner))
    varies = scale > 0
    scale = scale[varies]
    values, vectors = np.linalg.eigh(inner[np.ix_(varies, varies)] / np.outer(scale, scale))
    kept = values > _SINGULAR
    white = np.zeros((len(covariance), int(kept.sum())))
    white[np.array(group)[varies]] = vectors[:, kept] / np.sqrt(values[kept]) / scale[:, None]
    return white
