r"""Which latent dimensions carry anything at all."""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrays import as_codes, columns_of
from .heldout import Blocks
from .posterior import as_posterior, second_moments
from .score import Score

__all__ = ["active_units", "dimension_kl"]


def active_units(
    codes: Any,
    factors: Any = None,
    *,
    threshold: float = 0.01,
    blocks: Blocks | None = None,
) -> Score:
    r"""How many dimensions' codes vary over the data.

    .. math::
        A = \big| \{ j : \operatorname{Var}_x(\mathbb{E}_{q(z|x)}[z_j]) > \delta \} \big|

    From 0 to D. It sees no factors, and depends on the codes' scale: meant for latents with a
    standard normal prior.

    Args:
        codes: The posteriors' means; all rows are used.
        factors: Not used; taken so that metrics can be called alike.
        threshold: :math:`\delta`, the least variance.
        blocks: Columns of vector-valued codes: counts the blocks in which any dimension is active.

    Shape:
        - codes: ``(N, D)``
        - ``parts["variance"]``: ``(D,)``, with ``N - 1`` in the denominator; ``parts["active"]``:
          ``(D,)``, or one entry per block.

    Raises:
        ValueError: for a negative threshold, or fewer than two points.

    References:
        Importance Weighted Autoencoders, Burda, Grosse and Salakhutdinov, 2016,
        https://arxiv.org/abs/1509.00519, section 5.2.

    Example:
        >>> import numpy as np
        >>> float(active_units(np.array([[-1.0, 0.01], [1.0, 0.0]])))
        1.0
    """
    z = as_codes(codes)
    if len(z) < 2:
        raise ValueError("a variance needs at least two points; got 1")
    if not threshold >= 0:
        raise ValueError(f"threshold is {threshold}; expected a variance of at least 0")
    variance = z.var(axis=0, ddof=1, dtype=np.float64)
    variance[z.min(axis=0) == z.max(axis=0)] = 0.0  # whose mean may be off by rounding
    active = variance > threshold
    protocol: dict[str, Any] = {"threshold": threshold, "points": len(z)}
    if blocks is not None:
        columns = columns_of(blocks, z.shape[1]).values()
        active = np.array([active[block].any() for block in columns])
        protocol["blocks"] = len(blocks)
    return Score(
        float(np.count_nonzero(active)),
        {"variance": variance, "active": active},
        protocol,
        "active_units",
    )


def dimension_kl(mean: Any, stddev: Any, *, blocks: Blocks | None = None) -> Score:
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
