r"""DCIMIG: modularity and compactness in one number."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.information import gap, histogram_information
from ._estimators.kinds import FactorKinds
from ._estimators.splits import Columns
from .registry import metric
from .score import Score

__all__ = ["dcimig"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("modularity", "explicitness"),
    paper="Sepliarskaia et al. 2019",
    link="https://arxiv.org/abs/1910.05587",
    source="20 bins",
)
def dcimig(
    codes: Any,
    factors: Any,
    *,
    bins: int = 20,
    binning: str = "equal_width",
    discrete_codes: bool = False,
    continuous_factors: bool | None = None,
    blocks: Columns | None = None,
    components: int | None = None,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
) -> Score:
    r"""Each factor's best gap among the dimensions that prefer it, over the factors' entropy.

    .. math::
        \mathrm{DCIMIG} = \frac{\sum_k \max_{j : k_j = k} R_j}{\sum_k H(v_k)}, \qquad
        R_j = I(z_j; v_{(1)}) - I(z_j; v_{(2)}), \qquad k_j = \arg\max_k I(z_j; v_k)

    where :math:`v_{(1)}, v_{(2)}` are the factors of largest and second largest mutual information
    with dimension :math:`z_j`; a factor that no dimension prefers adds 0. Range: 0 to 1. It
    captures modularity and explicitness. Redundant dimensions cost nothing, which distinguishes
    it from MIG; several factors in one dimension do.

    Args:
        codes: Codes, real or discrete; all rows are used.
        factors: Factors, discrete or continuous; -1 or nan where unknown, which leaves those points
            out of that factor.
        bins: Bins per dimension and per continuous factor (10 in Ubisoft's code).
        binning: ``"equal_width"`` between a dimension's extremes, or ``"robust"``: between its
            quantiles of 1 % and 99 %, with what lies beyond in the first and the last bin.
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
        - ``parts["per_factor"]``: ``(K,)``, best gaps in nats; ``parts["per_code"]``: ``(D,)``,
          gaps in nats; ``parts["preferred"]``: ``(D,)``, each dimension's factor.

    Raises:
        ValueError: for fewer than two bins, or a constant factor.

    References:
        Evaluating Disentangled Representations, Sepliarskaia, Kiseleva and de Rijke, 2019,
        https://arxiv.org/abs/1910.05587. Measuring Disentanglement: A Review of Metrics, Carbonneau
        et al., 2020, https://arxiv.org/abs/2012.09276 (normalization).

    Example:
        >>> import numpy as np
        >>> factors = np.stack(np.meshgrid(range(4), range(3)), -1).reshape(-1, 2)
        >>> float(dcimig(factors[:, [0, 1, 0]] * 1.0, factors))
        1.0
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
    per_code = gap(information.mutual, axis=1)
    best_factor = information.mutual.argmax(axis=1)
    per_factor = np.zeros(len(information.factor_entropy))
    np.maximum.at(per_factor, best_factor, per_code)
    return Score(
        per_factor.sum() / information.factor_entropy.sum(),
        {
            "per_factor": per_factor,
            "per_code": per_code,
            "preferred": best_factor,
            **information.parts,
        },
        {"protocol": "carbonneau2020", **information.protocol},
        "dcimig",
    )
