r"""Wasserstein correlation: distance of the codes' Gaussian from independent dimensions."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from ._estimators.covariance import covariance_of
from ._estimators.splits import Columns
from .ranges import switch
from .registry import metric
from .score import Score

__all__ = ["wasserstein_correlation"]


@metric(
    low=0.0,
    high=inf,
    higher_is_better=False,
    captures=("independence",),
    paper="Xiao and Wang 2019",
    link="https://arxiv.org/abs/1912.12818",
    source="locatello2019",
    ranges={"normalized": switch()},
)
def wasserstein_correlation(
    codes: Any,
    factors: Any = None,
    *,
    normalized: bool = False,
    blocks: Columns | None = None,
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
    covariance, groups, protocol = covariance_of(codes, blocks)
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
