r"""JEMMIG: MIG less what else the best dimension holds, by joint entropy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ._estimators.information import gap, histogram_information
from ._estimators.kinds import FactorKinds
from ._estimators.splits import Columns
from .registry import metric
from .score import Score

__all__ = ["jemmig"]


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("modularity", "compactness", "explicitness"),
    paper="Do and Tran 2020",
    link="https://arxiv.org/abs/1908.09961",
    source="20 bins",
)
def jemmig(
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
    r"""Joint entropy minus mutual information gap, normalized so that 1 is best.

    .. math::
        \mathrm{JEMMIG} = \frac{1}{K} \sum_k \left( 1 -
        \frac{H(z_{(1)}, v_k) - I(z_{(1)}; v_k) + I(z_{(2)}; v_k)}{H(v_k) + \log B} \right)

    where :math:`z_{(1)}, z_{(2)}` are the dimensions of largest and second largest mutual
    information with factor :math:`v_k` and :math:`B` is the number of bins. Range: 0 to 1. The
    joint entropy is least where :math:`z_{(1)}` and :math:`v_k` determine each other, so it
    captures modularity, compactness and explicitness. Where a factor has more values than there are
    bins, what the bins lose counts twice: once as missing information, once as joint entropy.

    Args:
        codes: Codes, real or discrete; all rows are used.
        factors: Factors, discrete or continuous; -1 or nan where unknown, which leaves those points
            out of that factor.
        bins: Bins per dimension and per continuous factor (10 in Ubisoft's code, 100 in the paper).
        binning: ``"equal_width"`` between a dimension's extremes, or ``"robust"``: between its
            quantiles of 1 % and 99 %, with what lies beyond in the first and the last bin.
        discrete_codes: Whether every distinct value of a code is its own bin; B is then the number
            of values of :math:`z_{(1)}`.
        continuous_factors: Whether to bin all factors (``True``) or none; by default those with
            fractional values.
        blocks: Columns of vector-valued codes, which have bins if discrete, or if reduced.
        components: Principal components to reduce each block to; none is reduced if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.

    Shape:
        - codes: ``(N, D)``; with ``D = 1`` the second largest counts as 0.
        - factors: ``(N, K)``
        - ``parts["per_factor"]``: ``(K,)``; ``parts["unnormalized"]``: ``(K,)``, the numerators,
          nats, of which less is better.

    Raises:
        ValueError: for fewer than two bins, or a constant factor.

    References:
        Theory and Evaluation Metrics for Learning Disentangled Representations, Do and Tran, 2020,
        https://arxiv.org/abs/1908.09961, section 4.3.

    Example:
        >>> import numpy as np
        >>> factors = np.stack(np.meshgrid(range(5), range(5)), -1).reshape(-1, 2)
        >>> round(float(jemmig(factors * 1.0, factors)), 4)
        1.0
        >>> round(float(jemmig(factors[:, [0, 1, 0, 1]] * 1.0, factors, bins=5)), 4)  # redundant
        0.5
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
    if information.code_entropy is None or information.levels is None:
        raise ValueError(
            "jemmig bins each code, and a block of several columns has no bins: reduce it by "
            "components=1, or give discrete_codes=True"
        )
    best = information.mutual.argmax(axis=0)
    dimension = np.arange(len(best))
    largest = information.mutual[best, dimension]
    joint = information.code_entropy[best, dimension] + information.factor_entropy - largest
    raw = joint - gap(information.mutual, axis=0)
    alphabet = information.levels[best] if discrete_codes else np.full(len(best), bins)
    per_factor = 1.0 - raw / (information.factor_entropy + np.log(alphabet))
    return Score(
        per_factor.mean(),
        {"per_factor": per_factor, "unnormalized": raw, **information.parts},
        {"protocol": "do2020", **information.protocol},
        "jemmig",
    )
