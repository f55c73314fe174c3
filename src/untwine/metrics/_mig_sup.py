r"""MIG-sup: how far a dimension's best factor is ahead of its second, the complement of MIG."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.information import gap, histogram_information
from ._estimators.kinds import FactorKinds
from ._estimators.protocols import choose
from ._estimators.splits import Columns
from .ranges import one_of
from .registry import metric
from .score import Score

__all__ = ["PROTOCOLS", "mig_sup"]

#: Settings of the literature's variants, by the name that ``protocol`` takes.
PROTOCOLS: dict[str, dict[str, Any]] = {
    "li2020": {"bins": 20, "normalizer": "factor"},
    "ubisoft": {"bins": 10, "normalizer": "code"},
}


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("modularity",),
    paper="Li et al. 2020",
    link="https://arxiv.org/abs/2002.10549",
    ranges={"protocol": one_of(*PROTOCOLS)},
)
def mig_sup(
    codes: Any,
    factors: Any,
    *,
    protocol: str = "li2020",
    bins: int | None = None,
    binning: str = "equal_width",
    normalizer: str | None = None,
    active: float | None = None,
    discrete_codes: bool = False,
    continuous_factors: bool | None = None,
    blocks: Columns | None = None,
    components: int | None = None,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
) -> Score:
    r"""Mean gap between the two factors that a dimension says most about, relative to entropies.

    .. math::
        \text{MIG-sup} = \frac{1}{D} \sum_j \left( I_n(z_j; v_{(1)}) - I_n(z_j; v_{(2)}) \right),
        \qquad I_n(z_j; v_k) = \frac{I(z_j; v_k)}{H(v_k)}

    where :math:`v_{(1)}, v_{(2)}` are the factors of largest and second largest normalized mutual
    information with dimension :math:`z_j`. Range: 0 to 1. It captures modularity and explicitness;
    a factor that is spread over several dimensions costs nothing. A dimension that holds nothing
    scores 0, so that unused dimensions pull the mean down unless ``active`` leaves them out.

    Args:
        codes: Codes, real or discrete; all rows are used.
        factors: Factors, discrete or continuous; -1 or nan where unknown, which leaves those points
            out of that factor.
        protocol: ``"li2020"`` (20 bins, divides by the factor's entropy) or ``"ubisoft"`` (10 bins,
            divides by the code's entropy).
        bins: Bins per dimension and per continuous factor, in place of the protocol's.
        binning: ``"equal_width"`` between a dimension's extremes, or ``"robust"``: between its
            quantiles of 1 % and 99 %, with what lies beyond in the first and the last bin.
        normalizer: ``"factor"`` or ``"code"``, in place of the protocol's.
        active: Average only over dimensions that span more than this fraction of what the widest
            one does (1/8 in the code of InfoMEC's authors); over all by default.
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
        - factors: ``(N, K)``; with ``K = 1`` the second largest counts as 0.
        - ``parts["per_code"]``, ``parts["active"]``: ``(D,)``; ``parts["mutual_information"]``:
          ``(D, K)``, nats.

    Raises:
        ValueError: for an unknown protocol or normalizer, or a constant factor.

    References:
        Progressive Learning and Disentanglement of Hierarchical Representations, Li, Murkute,
        Gyawali and Wang, 2020, https://arxiv.org/abs/2002.10549, section 4.

    Deviations:
        The paper estimates mutual information from the aggregate posterior, and its code averages
        over dimensions whose means vary by more than 0.01.

    Example:
        >>> import numpy as np
        >>> factors = np.stack(np.meshgrid(range(4), range(3)), -1).reshape(-1, 2)
        >>> float(mig_sup(factors * 1.0, factors))
        1.0
    """
    settings = choose(PROTOCOLS, protocol, {"bins": bins, "normalizer": normalizer})
    information = histogram_information(
        codes,
        factors,
        bins=settings["bins"],
        binning=binning,
        discrete_codes=discrete_codes,
        continuous_factors=continuous_factors,
        blocks=blocks,
        components=components,
        unknown=unknown,
        kinds=kinds,
    )
    per_code = gap(information.normalized(settings["normalizer"]), axis=1)
    is_active = information.active(active)
    return Score(
        per_code[is_active].mean() if is_active.any() else np.float64(0.0),
        {"per_code": per_code, "active": is_active, **information.parts},
        {
            "protocol": protocol,
            "normalizer": settings["normalizer"],
            "active": active,
            **information.protocol,
        },
        "mig_sup",
    )
