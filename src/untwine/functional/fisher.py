"""Fisher information of likelihoods: how well one observation tells the decoder's output."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import (
    Bernoulli,
    ContinuousBernoulli,
    Distribution,
    Independent,
    Laplace,
    LowRankMultivariateNormal,
    MultivariateNormal,
    Normal,
    Poisson,
    StudentT,
)

from ..distributions.counts import CountDistribution
from ..distributions.optimal_normal import OptimalNormal

__all__ = ["NoInformation", "fisher_information", "parameters_of"]


class NoInformation(TypeError):
    """A likelihood whose Fisher information is not known here, or is not finite."""


def parameters_of(p: Distribution) -> Tensor:
    r"""What the Fisher information of p(x|z) is about, :math:`\eta`, as one row per example.

    Locations of Gaussians, Laplace and Student's t; logits of (continuous) Bernoullis; logarithms
    of the means of counts. A Gaussian whose scale differs from element to element has the
    logarithms of its scales behind its means.

    Args:
        p: Batch shape ``(B,)``, or ``(B, ...)`` where it is not wrapped in `Independent`.

    Returns:
        ``(B, M)``.

    Raises:
        NoInformation: for another family.
    """
    return _of(p)[0]


def fisher_information(p: Distribution, sigma: float | Tensor | None = None) -> Tensor:
    r"""The diagonal of the Fisher information with respect to `parameters_of`.

    .. math::
        F = \mathbb{E}_{p(x|z)}\big[ \nabla_\eta \log p \; \nabla_\eta \log p^\top \big]

    Then :math:`J_\eta^\top F J_\eta` is the metric that the decoder pulls back to the code, which
    is :math:`J^\top J / \sigma^2` for a Gaussian of scale :math:`\sigma`.

    Args:
        p: See `parameters_of`.
        sigma: The scale of a Gaussian that has none of its own: of one at the optimal scale.

    Returns:
        ``(B, M)``.

    Raises:
        NoInformation: for another family.

    References:
        Information of exponential families in their natural parameters is the variance of the
        observation; of Student's t, Lange, Little, Taylor, "Robust Statistical Modeling Using the t
        Distribution", 1989, appendix B.

    Example:
        >>> fisher_information(Bernoulli(logits=torch.zeros(1, 2))).tolist()
        [[0.25, 0.25]]
    """
    return _of(p, sigma)[1]


def _of(p: Distribution, sigma: float | Tensor | None = None) -> tuple[Tensor, Tensor]:
    base = p.base_dist if isinstance(p, Independent) else p
    if isinstance(base, Normal):
        precision = base.scale**-2
        if _constant(base.scale):
            return _rows(base.loc, precision)
        one = _rows(base.loc, precision), _rows(base.scale.log(), torch.full_like(base.loc, 2.0))
        return torch.cat([one[0][0], one[1][0]], 1), torch.cat([one[0][1], one[1][1]], 1)
    if isinstance(base, OptimalNormal):
        if sigma is None:
            raise NoInformation("the likelihood has the optimal scale of its observations: give it")
        return _rows(base.loc, torch.as_tensor(sigma).to(base.loc) ** -2)
    if isinstance(base, Bernoulli | ContinuousBernoulli):
        return _rows(base.logits, base.variance)
    if isinstance(base, Laplace):
        return _rows(base.loc, base.scale**-2)
    if isinstance(base, StudentT):
        return _rows(base.loc, (base.df + 1) / (base.df + 3) / base.scale**2)
    if isinstance(base, Poisson):
        return _rows(base.rate.log(), base.rate)
    if isinstance(base, CountDistribution) and base.zero_logits is None:
        mean = base.log_mean.exp()
        dispersed = 0 if base.log_theta is None else mean * (-base.log_theta).exp()
        return _rows(base.log_mean, mean / (1 + dispersed))
    if isinstance(base, MultivariateNormal | LowRankMultivariateNormal):
        name = f"{type(base).__name__}, whose elements are dependent"
    else:
        name = type(base).__name__
    raise NoInformation(
        f"the Fisher information of a {name} is not known here; expected Normal, Laplace, "
        "StudentT, Bernoulli, ContinuousBernoulli, Poisson or negative binomial"
    )


def _rows(eta: Tensor, information: Tensor) -> tuple[Tensor, Tensor]:
    return eta.flatten(1), information.expand_as(eta).flatten(1)


def _constant(scale: Tensor) -> bool:
    """Whether a scale is one number, repeated."""
    return scale.numel() == 1 or not any(scale.stride())
