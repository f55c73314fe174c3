"""The divergence of a mixture posterior from a mixture prior, in a stated way."""

from __future__ import annotations

from typing import Literal

from torch.distributions import Distribution

from ..functional import (
    Schedule,
    at,
    convexity_upper_bound,
    matched_upper_bound,
    mixture_log_ratio,
    variational_approximation,
    variational_upper_bound,
)
from .loss import Loss
from .method import Context
from .penalty import Penalty, Terms, Trace

__all__ = ["MixtureKL"]

_HOW = {
    "monte_carlo": "monte carlo, a sample of every component",
    "variational": "upper bound (variational)",
    "convexity": "upper bound (convexity)",
    "matched": "upper bound (matched components)",
    "approximation": "approximation (variational)",
}


class MixtureKL(Penalty):
    r"""The KL divergence of a mixture from a mixture, :math:`\beta \, D_{KL}(q(z|x) \,\|\, p(z))`.

    There is no closed form. ``"monte_carlo"`` is unbiased (`functional.mixture_log_ratio`); the
    rest are computed from the divergences of the components: the upper bounds ``"variational"``
    (`functional.variational_upper_bound`, ten iterations, after which it may still lie above the
    next two), ``"convexity"`` (`functional.convexity_upper_bound`) and ``"matched"``
    (`functional.matched_upper_bound`: component k of the posterior against component k of the
    prior), with which the ELBO stays a lower bound of the likelihood; and ``"approximation"``
    (`functional.variational_approximation`), which is neither bound.

    Args:
        how: One of these.
        beta: :math:`\beta`; a number or a schedule.

    Raises:
        ValueError: for an unknown way.

    References:
        Hershey, Olsen, "Approximating the Kullback Leibler Divergence Between Gaussian Mixture
        Models", 2007, https://doi.org/10.1109/ICASSP.2007.366913; each function says which part.
    """

    def __init__(
        self,
        how: Literal[
            "monte_carlo", "variational", "convexity", "matched", "approximation"
        ] = "monte_carlo",
        beta: float | Schedule = 1.0,
    ) -> None:
        if how not in _HOW:
            raise ValueError(f"how is {how!r}; expected one of {', '.join(_HOW)}")
        self.how, self.beta = how, beta

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """One term, ``kl``."""
        if self.how == "monte_carlo":
            value = mixture_log_ratio(t.q, t.prior)
        elif self.how == "variational":
            value = variational_upper_bound(t.q, t.prior)
        elif self.how == "convexity":
            value = convexity_upper_bound(t.q, t.prior)
        elif self.how == "matched":
            value = matched_upper_bound(t.q, t.prior)
        else:
            value = variational_approximation(t.q, t.prior)
        return Loss(kl=(at(self.beta, ctx.step), value))

    def rules(self, q: Distribution, prior: Distribution) -> dict[str, str]:
        """The way that was chosen."""
        return {"kl": _HOW[self.how]}
