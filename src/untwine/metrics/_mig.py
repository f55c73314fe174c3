r"""MIG, the mutual information gap: how far the best dimension is ahead of the second."""

from __future__ import annotations

from typing import Any

from ._dimension_kl import dimension_kl
from ._estimators.information import gap, histogram_information
from ._estimators.kinds import FactorKinds
from ._estimators.posterior import posterior_information
from ._estimators.protocols import choose
from ._estimators.splits import Columns
from .ranges import one_of
from .registry import metric
from .score import Score

__all__ = ["ACTIVE", "PROTOCOLS", "mig"]

#: Settings of the literature's variants, by the name that ``protocol`` takes.
PROTOCOLS: dict[str, dict[str, Any]] = {
    "locatello2019": {"bins": 20, "normalizer": "factor"},
    "ubisoft": {"bins": 10, "normalizer": "code"},
    "chen2018": {"bins": 20, "normalizer": "factor"},
}


#: KL divergence, in nats, above which a dimension is active.
ACTIVE = 0.1


@metric(
    low=0.0,
    high=1.0,
    higher_is_better=True,
    captures=("compactness", "explicitness"),
    paper="Chen et al. 2018",
    link="https://arxiv.org/abs/1802.04942",
    groups=("classic", "default"),
    ranges={"protocol": one_of(*PROTOCOLS)},
)
def mig(
    codes: Any,
    factors: Any,
    *,
    protocol: str = "locatello2019",
    stddev: Any = None,
    bins: int | None = None,
    binning: str = "equal_width",
    normalizer: str | None = None,
    discrete_codes: bool = False,
    continuous_factors: bool | None = None,
    blocks: Columns | None = None,
    components: int | None = None,
    unknown: float | str | None = -1,
    kinds: FactorKinds = None,
) -> Score:
    r"""Mean gap between the two dimensions that say most about a factor, relative to its entropy.

    .. math::
        \mathrm{MIG} = \frac{1}{K} \sum_k \frac{1}{H(v_k)}
        \left( I(z_{(1)}; v_k) - I(z_{(2)}; v_k) \right)

    where :math:`z_{(1)}, z_{(2)}` are the dimensions of largest and second largest mutual
    information with factor :math:`v_k`. Range: 0 to 1. It captures compactness and, since a code
    must determine a factor to reach its entropy, explicitness; one dimension that holds two factors
    costs nothing. With bins of equal width a factor of more values than bins is never fully
    determined: a perfect code of dSprites scores 0.8955.

    Args:
        codes: Codes, real or discrete; all rows are used (the literature draws 10,000).
        factors: Factors, discrete or continuous; -1 or nan where unknown, which leaves those points
            out of that factor.
        protocol: ``"locatello2019"`` (20 bins), ``"chen2018"`` (the exact aggregate posterior
            instead of bins, see `posterior.posterior_information`; needs ``stddev``; its authors
            leave dSprites' shape out) or ``"ubisoft"`` (10 bins, divides by the code's entropy).
        stddev: Standard deviations of the Gaussian posteriors, for ``"chen2018"``; with another
            protocol the values over active dimensions and of ``"chen2018"`` are parts beside it.
        bins: Bins per dimension and per continuous factor, in place of the protocol's.
        binning: ``"equal_width"`` between a dimension's extremes, or ``"robust"``: between its
            quantiles of 1 % and 99 %, with what lies beyond in the first and the last bin.
        normalizer: ``"factor"`` or ``"code"``, whose entropy to divide by, in place of the
            protocol's.
        discrete_codes: Whether every distinct value of a code is its own bin.
        continuous_factors: Whether to bin all factors (``True``) or none; by default those with
            fractional values.
        blocks: Columns of vector-valued codes; their information is by nearest neighbors.
        components: Principal components to reduce each block to; none is reduced if ``None``.
        unknown: The value that means unknown, beside nan; -1 does in columns of labels from 0.
        kinds: What each factor is: ``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in
            radians, or ``None``: ordinal if its values are whole numbers, else real.

    Shape:
        - codes, stddev: ``(N, D)``; with ``D = 1`` the second largest counts as 0.
        - factors: ``(N, K)``
        - ``parts["per_factor"]``: ``(K,)``; ``parts["mutual_information"]``: ``(D, K)``, nats.
        - With ``stddev``: ``parts["active"]``, ``(D,)``: whose KL divergence from N(0, I) is above
          0.1 nats; ``parts["active_only"]`` and ``parts["chen2018"]``, a number each.

    Raises:
        ValueError: for an unknown protocol or normalizer, ``"chen2018"`` without ``stddev``, or
            a constant factor.

    References:
        Isolating Sources of Disentanglement in Variational Autoencoders, Chen, Li, Grosse and
        Duvenaud, 2018, https://arxiv.org/abs/1802.04942, equation 6. Challenging Common
        Assumptions in the Unsupervised Learning of Disentangled Representations, Locatello et al.,
        2019, https://arxiv.org/abs/1811.12359 (bins).

    Deviations:
        ``"chen2018"`` integrates in one dimension where the paper draws 10,000 posterior samples,
        and so gives the value that theirs fluctuates around.

    Example:
        >>> import numpy as np
        >>> factors = np.stack(np.meshgrid(range(4), range(3)), -1).reshape(-1, 2)
        >>> float(mig(factors * 1.0, factors))
        1.0
    """
    settings = choose(PROTOCOLS, protocol, {"bins": bins, "normalizer": normalizer})
    if protocol == "chen2018":
        if stddev is None:
            raise ValueError(
                "protocol 'chen2018' needs stddev=, the posteriors' standard deviations (N, D); "
                "for a deterministic code use protocol='locatello2019'"
            )
        if discrete_codes:
            raise ValueError("discrete codes have no density: protocol 'chen2018' cannot be used")
        information = posterior_information(
            codes,
            factors,
            stddev,
            bins=settings["bins"],
            continuous_factors=continuous_factors,
            blocks=blocks,
            components=components,
            unknown=unknown,
            kinds=kinds,
        )
    else:
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
    shares = information.normalized(settings["normalizer"])
    per_factor = gap(shares, axis=0)
    parts: dict[str, Any] = {"per_factor": per_factor, **information.parts}
    conditions: dict[str, Any] = {"protocol": protocol, "normalizer": settings["normalizer"]}
    conditions |= information.protocol
    if stddev is not None:
        kl = dimension_kl(codes, stddev, blocks=blocks).parts["kl"]
        parts["active"] = kl > ACTIVE
        active_shares = shares[parts["active"]]
        parts["active_only"] = (
            float(gap(active_shares, axis=0).mean()) if len(active_shares) else 0.0
        )
        conditions["active"] = f"KL above {ACTIVE:g} nats"
        single = blocks is None or components == 1
        if protocol != "chen2018" and single and not discrete_codes:
            exact = posterior_information(
                codes,
                factors,
                stddev,
                bins=settings["bins"],
                continuous_factors=continuous_factors,
                blocks=blocks,
                components=components,
                unknown=unknown,
                kinds=kinds,
            )
            parts["chen2018"] = float(gap(exact.normalized("factor"), axis=0).mean())
    return Score(per_factor.mean(), parts, conditions, "mig")
