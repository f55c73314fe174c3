r"""Active units: how many dimensions' codes vary over the data."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from ._estimators.arrays import as_codes, warn_of_scale
from ._estimators.selection import columns_of
from ._estimators.splits import Columns
from .registry import metric
from .score import Score

__all__ = ["active_units"]


@metric(
    low=0.0,
    high=inf,
    higher_is_better=None,
    captures=("information",),
    paper="Burda et al. 2016",
    link="https://arxiv.org/abs/1509.00519",
    source="variance above 0.01",
    groups=("default",),
)
def active_units(
    codes: Any,
    factors: Any = None,
    *,
    threshold: float = 0.01,
    blocks: Columns | None = None,
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
    variance = z.var(axis=0, ddof=1, dtype=np.float64)
    variance[z.min(axis=0) == z.max(axis=0)] = 0.0  # whose mean may be off by rounding
    active = variance > threshold
    warn_of_scale("active_units", np.sqrt(variance), float(np.sqrt(threshold)))
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
