"""Observations of given factors: rendered, or looked up in a full grid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from ..data import FactorDataset, LightTunnel, Split, Subset
from ..data.lookup import FactorLookup

__all__ = ["renderer_of"]

Renderer = Callable[[np.ndarray], Tensor]
"""From factors ``(B, K)``, every column of the data's, to observations."""


def renderer_of(data: FactorDataset) -> Renderer:
    """What a data set's observation of any combination of its factors would be.

    Args:
        data: One that holds every combination of its factors once, a part of one, or a light
            tunnel.

    Raises:
        ValueError: for other data: it holds no truth of what was not observed.
    """
    whole = data
    while isinstance(whole, Split) or type(whole) is Subset:
        whole = whole.data
    if isinstance(whole, LightTunnel):
        return whole.images
    row_of = FactorLookup(whole.space, whole.factors).row_of
    if row_of is None:
        raise ValueError(
            f"{whole!r:.90} does not hold every combination of its factors once: what an edit "
            "should have made is not known. Give truth=, a function from factors to observations"
        )
    return lambda factors: whole.observations(row_of[whole.space.index(factors)])
