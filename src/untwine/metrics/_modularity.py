r"""Modularity: each dimension's information about factors beside its best one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.information import histogram_information
from ._estimators.kinds import FactorKinds
from ._estimators.splits import Columns
from .registry import metric
from .score import Score

__all__ = ["modularity"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("modularity",),
    paper="Ridgeway and Mozer 2018",
    link="https://arxiv.org/abs/1802.05312",
    source="locatello2019",
    groups=("classic", "default"),
)
def modularity(
    codes: Any,
    factors: Any,
    *,
    bins: int = 20,
    binning: str = "equal_width",
    active: float | None = None,
    discrete_codes: bool = False,
    continuous_factors: bool | None = None,
    blocks: Columns | None = None,
    components: int | None = None,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
) -> Score:
    r"""Mean squared deviation of each dimension from one that informs about a single factor.

    .. math::
        \mathrm{modularity} = \frac{1}{D} \sum_j \left( 1 - \frac{
        \sum_k I(z_j; v_k)^2 - \max_k I(z_j; v_k)^2}{(K - 1) \max_k I(z_j; v_k)^2} \right)

    A dimension without information about any factor scores 0. Range: 0 to 1. It captures modularity
    alone: a code that holds one factor out of many, or every factor many times, can score 1. Bias
    of the estimate makes pure noise score 0.6 to 0.7.

    Args:
        codes: Codes, real or discrete; all rows are used (the literature draws 10,000).
        factors: Factors, discrete or continuous; -1 or nan where unknown, which leaves those points
            out of that factor.
        bins: Bins per dimension and per continuous factor (10 in Ubisoft's code).
        binning: ``"equal_width"`` between a dimension's extremes, or ``"robust"``: between its
            quantiles of 1 % and 99 %, with what lies beyond in the first and the last bin.
        active: Average only over dimensions that span more than this fraction of what the widest
            one does; over all by default.
        discrete_codes: Whether every distinct value of a code is its own bin.
        continuous_factors: Whether to bin all factors (``True``) or none; by default those with
            fractional values.
        blocks: Columns of vector-valued codes; their information is by nearest neighbors.
        components: Principal components to reduce each block to; none is reduced if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.

    Shape:
        - codes: ``(N, D)``
        - factors: ``(N, K)``, K at least 2.
        - ``parts["per_code"]``, ``parts["active"]``: ``(D,)``; ``parts["mutual_information"]``:
          ``(D, K)``, nats.

    Raises:
        ValueError: for a single factor, fewer than two bins, or a constant factor.

    References:
        Learning Deep Disentangled Embeddings with the F-Statistic Loss, Ridgeway and Mozer, 2018,
        https://arxiv.org/abs/1802.05312, equation 2. Challenging Common Assumptions in the
        Unsupervised Learning of Disentangled Representations, Locatello et al., 2019,
        https://arxiv.org/abs/1811.12359 (bins).

    Example:
        >>> import numpy as np
        >>> factors = np.stack(np.meshgrid(range(3), range(3)), -1).reshape(-1, 2)
        >>> float(modularity(factors * 1.0, factors))
        1.0
        >>> round(float(modularity(factors @ [3.0, 1.0], factors)), 4)  # both in one dimension
        0.0
    """
    information = histogram_information(
        codes,
        factors,
        bins=bins,
        binning=binning,
        discrete_codes=discrete_codes,
        continuous_factors=continuous_factors,
        blocks=blocks,
        components=components,
        unknown=unknown,
        kinds=kinds,
    )
    number = len(information.factor_entropy)
    if number < 2:
        raise ValueError(
            "modularity compares factors and got 1: give at least two columns of factors"
        )
    power = information.mutual**2
    largest = power.max(axis=1)
    spill = (power.sum(axis=1) - largest) / (np.where(largest > 0, largest, 1.0) * (number - 1))
    per_code = np.where(largest > 0, 1.0 - spill, 0.0)
    is_active = information.active(active)
    return Score(
        per_code[is_active].mean() if is_active.any() else np.float64(0.0),
        {"per_code": per_code, "active": is_active, **information.parts},
        {"protocol": "locatello2019", "active": active, **information.protocol},
        "modularity",
    )
