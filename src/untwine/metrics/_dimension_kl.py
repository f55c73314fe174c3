r"""Divergence of each dimension's posteriors from the standard normal prior."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from ._estimators.posterior import as_posterior, second_moments
from ._estimators.selection import columns_of
from ._estimators.splits import Columns
from .registry import metric
from .score import Score

__all__ = ["dimension_kl"]


@metric(
    low=0.0,
    high=inf,
    higher_is_better=None,
    captures=("information",),
    paper="Kingma and Welling 2014",
    link="https://arxiv.org/abs/1312.6114",
    source="standard normal prior",
    assumes=("standard normal prior",),
    groups=("default",),
)
def dimension_kl(mean: Any, stddev: Any, *, blocks: Columns | None = None) -> Score:
    r"""How far the posteriors are from the standard normal prior, dimension by dimension.

    .. math::
        \frac{1}{N} \sum_n \sum_j \tfrac{1}{2} \left(
        \mu_{nj}^2 + \sigma_{nj}^2 - 1 - \log \sigma_{nj}^2 \right)

    The value is the sum over dimensions, the average rate in nats; ``parts["kl"]`` holds its terms.
    From 0 upwards. A dimension that the encoder does not use has 0. It sees no factors, and
    neither direction is better.

    Args:
        mean: The posteriors' means; all rows are used.
        stddev: Their standard deviations.
        blocks: Columns of vector-valued latents: one term per block.

    Shape:
        - mean, stddev: ``(N, D)``
        - ``parts["kl"]``: ``(D,)``, or one entry per block.

    Raises:
        ValueError: for deviations that are not positive.

    References:
        Auto-Encoding Variational Bayes, Kingma and Welling, 2014,
        https://arxiv.org/abs/1312.6114, appendix B.

    Example:
        >>> import numpy as np
        >>> dimension_kl(np.array([[1.0, 0.0]]), np.ones((1, 2))).parts["kl"].tolist()
        [0.5, 0.0]
    """
    mu, sigma = as_posterior(mean, stddev)
    logs = np.array([np.log(column.astype(np.float64)).mean() for column in sigma.T])
    kl = 0.5 * (second_moments(mu, sigma) - 1) - logs
    protocol: dict[str, Any] = {"prior": "standard normal", "points": len(mu)}
    if blocks is not None:
        columns = columns_of(blocks, mu.shape[1]).values()
        kl = np.array([kl[block].sum() for block in columns])
        protocol["blocks"] = len(blocks)
    return Score(kl.sum(), {"kl": kl}, protocol, "dimension_kl")
