"""Activity of code dimensions: which are used, which are off, and why dimensions collapse."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..data import FactorDataset
from ..data.batches import Batch
from ..encoding import evaluating
from ..functional.fisher import NoInformation, fisher_information, parameters_of
from ..methods.abilities import Represents
from .estimates import Finding
from .geometry import metric_of
from .models import Encoded, NoDensity, beta_of, encode_for

__all__ = ["Activity", "activity", "activity_of"]

_ON = 0.1  # nats
_OFTEN = 0.9  # of the observations


@dataclass(frozen=True, repr=False, kw_only=True)
class Activity(Finding):
    r"""Which dimensions carry something.

    Attributes:
        kl: :math:`\mathbb{E}_x D_{KL}(q(z_j|x) \,\|\, p(z_j))`, nats, ``(D,)``.
        mean_variance: :math:`\mathrm{Var}_x[\mu_j(x)]`, ``(D,)``.
        variance: :math:`\mathbb{E}_x[\sigma_j^2(x)]`, ``(D,)``.
        share: For how many observations a dimension has 0.1 nats or more, ``(D,)``.
        state: ``"active"``, ``"passive"`` (below 0.1 nats on average), or ``"mixed"`` (off for more
            than a tenth of the observations), of each dimension.
        units: How many have :math:`\mathrm{Var}_x[\mu_j(x)] > 0.01`.
        cause: Why a passive dimension is passive, by its number.
        residual: The largest variance along a direction of what the code leaves unexplained, in
            units of the likelihood's own; ``None`` where that is not known.
        beta: :math:`\beta`.
    """

    kl: Tensor
    mean_variance: Tensor
    variance: Tensor
    share: Tensor
    state: tuple[str, ...]
    units: int
    cause: dict[int, str]
    residual: float | None
    beta: float

    @property
    def active(self) -> tuple[int, ...]:
        """Dimensions that are not passive."""
        return tuple(j for j, state in enumerate(self.state) if state != "passive")

    @property
    def summary(self) -> str:
        """How many dimensions are used, in words."""
        verb = "is" if len(self.active) == 1 else "are"
        return f"{len(self.active)} of {len(self.state)} dimensions {verb} used"

    def __str__(self) -> str:
        lines = [f"{self.summary}."]
        mixed = [f"z{j}" for j, state in enumerate(self.state) if state == "mixed"]
        if mixed:
            lines.append(f"{', '.join(mixed)} are off for some observations and on for others.")
        reasons: dict[str, list[str]] = {}
        for j, reason in self.cause.items():
            reasons.setdefault(reason, []).append(f"z{j}")
        lines += [f"{', '.join(names)}: {reason}." for reason, names in reasons.items()]
        return "\n".join(lines)


def activity(
    model: Represents,
    data: FactorDataset | Batch | Tensor,
    *,
    n: int = 1000,
    beta: float | None = None,
    seed: int = 0,
) -> Activity:
    r"""Which dimensions are used, and the likely cause where one is not.

    A dimension collapses for one of three reasons, which are told apart in this order:

    - the decoder uses it (:math:`P_{jj}` is well above 1), yet the posterior is the prior: the
      encoder lags behind;
    - the decoder ignores it, though what is left unexplained varies along some direction by more
      than :math:`\beta` times the likelihood's own variance, so that a dimension for it would pay
      (in the linear case exactly then): training stopped early, or in a local optimum;
    - the decoder ignores it, and no direction would pay: there is no use for it at this noise and
      :math:`\beta`.

    Args:
        model: Anything with ``represent``, ``decode`` and ``prior``.
        data: See `encode_for`.
        n: How many observations.
        beta: :math:`\beta`; by default what the method was trained with, 1 where that is unknown.
        seed: Of the choice of observations.

    Raises:
        NoDensity: for posteriors that are no Gaussians, or another prior.

    References:
        Burda et al., "Importance Weighted Autoencoders", 2016, https://arxiv.org/abs/1509.00519,
        section 5.2; Rolinek et al. 2019, https://arxiv.org/abs/1812.06775 (polarized regime);
        Lucas et al. 2019, https://arxiv.org/abs/1911.02469, section 4 (what collapses in the linear
        case); He, Spokoyny, Neubig, Berg-Kirkpatrick, "Lagging Inference Networks and Posterior
        Collapse in Variational Autoencoders", 2019, https://arxiv.org/abs/1901.05534
    """
    return activity_of(encode_for(model, data, n, seed), beta=beta)


@torch.no_grad()
def activity_of(encoded: Encoded, *, beta: float | None = None) -> Activity:
    """As `activity`, of observations that are encoded already."""
    encoded.need_gaussian("activity")
    if beta is None:
        beta = beta_of(encoded.model) or 1.0
    mean, variance = encoded.q.mean, encoded.q.variance
    each = 0.5 * (mean**2 + variance - 1 - variance.log())
    kl, share = each.mean(0), (each >= _ON).double().mean(0)
    state = tuple(
        "passive" if k < _ON else "active" if s >= _OFTEN else "mixed"
        for k, s in zip(kl.tolist(), share.tolist(), strict=True)
    )
    passive = [j for j, word in enumerate(state) if word == "passive"]
    residual = _residual(encoded)
    cause: dict[int, str] = {}
    if passive:
        try:
            used = metric_of(encoded).tensor.diagonal(dim1=1, dim2=2).mean(0) / beta
        except NoDensity:
            used = torch.zeros_like(kl)
        for j in passive:
            if used[j] > _paid(_ON):
                cause[j] = (
                    "used by the decoder, but not inferred by the encoder (which lags behind)"
                )
            elif residual is None:
                cause[j] = "not used by the decoder"
            elif residual > beta:
                cause[j] = (
                    "not used by the decoder, though a dimension would pay: a direction of what "
                    f"is left unexplained has {residual:.3g} times the likelihood's variance "
                    f"(train longer, or it is a local optimum)"
                )
            else:
                cause[j] = (
                    "there is no use for it at this noise and beta: no direction of what is left "
                    f"unexplained has more than {max(residual, 0):.3g} times the likelihood's "
                    "variance"
                )
    return Activity(
        kl=kl,
        mean_variance=mean.var(0),
        variance=variance.mean(0),
        share=share,
        state=state,
        units=int((mean.var(0) > 0.01).sum()),
        cause=cause,
        residual=residual,
        beta=beta,
    )


def _paid(nats: float) -> float:
    """The squared column length whose best posterior has so many nats, codes being N(0, 1)."""
    return math.expm1(2 * nats)


def _residual(encoded: Encoded) -> float | None:
    r"""The largest variance of residuals along a direction, in units of the likelihood's.

    Residuals are scores of the likelihood in units of their own deviation,
    :math:`F^{-1/2} \nabla_\eta \log p`, which for a Gaussian is :math:`(x - \mu) / \sigma`. The
    direction is found on one half of the observations and measured on the other.
    """
    if len(encoded) < 20:
        return None
    parts = []
    with evaluating(encoded.model):
        for rows in encoded.rows():
            p = encoded.decode(encoded.q.mean[rows], rows)
            base = p.base_dist if isinstance(p, torch.distributions.Independent) else p
            if not isinstance(base, torch.distributions.Normal):
                return None
            try:
                eta, information = parameters_of(p), fisher_information(p)
            except NoInformation:
                return None
            x = encoded.x[rows].flatten(1)
            if eta.shape != x.shape:
                return None
            parts.append(((x - eta) * information.sqrt()).double())
    residual = torch.cat(parts)
    residual = residual - residual.mean(0)
    one, two = residual[::2], residual[1::2]
    # Fewer observations than elements: the leading direction lies in their span.
    _, vectors = torch.linalg.eigh(one @ one.T)
    direction = one.T @ vectors[:, -1]
    direction = direction / direction.norm()
    return (two @ direction).square().mean().item()
