"""Parts of the ELBO: reconstruction, information, total correlation, dimension-wise KL."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..checks import check_size
from ..data import FactorDataset
from ..data.batches import Batch
from ..encoding import evaluating
from ..functional import kl, kl_rule, log_densities
from ..methods.abilities import Represents
from .estimates import Estimate, Finding
from .models import Encoded, NoDensity, encode_for

__all__ = ["ElboParts", "drawn", "elbo_parts", "elbo_parts_of", "log_likelihoods"]

_HELD = 1 << 21  # densities that are held at once


@dataclass(frozen=True, repr=False, kw_only=True)
class ElboParts(Finding):
    r"""The ELBO and its parts, each averaged over the observations, in nats.

    Attributes:
        elbo: :math:`-D - R`.
        reconstruction: :math:`-D = \mathbb{E}_q \log p(x|z)`.
        kl: The rate :math:`R = D_{KL}(q(z|x) \,\|\, p(z))`.
        mutual_information: :math:`I_q(z; n)`, index-code information over the observations that
            q(z) is made of; ``None``, like the parts below, for posteriors without known marginals.
        information_above: An upper bound of the information over the population, by leaving each
            observation out of q(z); ``mutual_information`` is a lower one. Infinite where
            posteriors hardly overlap: a finite set says nothing of a higher one then.
        marginal_kl: :math:`D_{KL}(q(z) \,\|\, p(z))`.
        total_correlation: :math:`D_{KL}(q(z) \,\|\, \prod_j q(z_j))`.
        dimension_kl: :math:`\sum_j D_{KL}(q(z_j) \,\|\, p(z_j))`.
        halved: Information, total correlation and dimension-wise KL with half of the observations
            in q(z): how far they still move is the estimators' bias.
        kl_per_dim: The rate of each dimension, ``(D,)``; ``None`` unless both are diagonal.
        size: Of how many observations q(z) is made.
        exact: Whether these are all there are, so that only samples of z are left to chance.
        rule: How the rate is computed, ``"closed form"`` or ``"monte carlo"``.
    """

    elbo: Estimate
    reconstruction: Estimate
    kl: Estimate
    mutual_information: Estimate | None
    information_above: Estimate | None
    marginal_kl: Estimate | None
    total_correlation: Estimate | None
    dimension_kl: Estimate | None
    halved: tuple[float, float, float] | None
    kl_per_dim: Tensor | None
    size: int
    exact: bool
    rule: str

    @property
    def rate(self) -> float:
        """R, nats."""
        return self.kl.value

    @property
    def distortion(self) -> float:
        """D, nats."""
        return -self.reconstruction.value

    def __str__(self) -> str:
        lines = [
            f"ELBO {self.elbo} nats = reconstruction {self.reconstruction} - KL {self.kl} "
            f"({self.rule})."
        ]
        if self.mutual_information is not None:
            lines.append(
                f"KL = information {self.mutual_information} + total correlation "
                f"{self.total_correlation} + dimension-wise KL {self.dimension_kl}."
            )
            if self.exact:
                lines.append(f"q(z) is that of all {self.size} observations.")
            else:
                assert self.halved is not None
                assert self.total_correlation is not None
                lines.append(
                    f"q(z) is that of {self.size} observations, whose information is at most "
                    f"{math.log(self.size):.2f}; with half of them information is "
                    f"{self.halved[0]:.3g}, total correlation {self.halved[1]:.3g}."
                )
        return "\n".join(lines)


def elbo_parts(
    model: Represents,
    data: FactorDataset | Batch | Tensor,
    *,
    n: int = 1000,
    samples: int = 8,
    seed: int = 0,
) -> ElboParts:
    r"""The ELBO, and where its KL divergence goes.

    .. math::
        \mathbb{E}_{p(x)} D_{KL}(q(z|x) \,\|\, p(z)) = I_q(z; n) + D_{KL}(q(z) \,\|\, p(z))
        = I_q(z; n) + D_{KL}(q(z) \,\|\, \textstyle\prod_j q(z_j))
        + \textstyle\sum_j D_{KL}(q(z_j) \,\|\, p(z_j))

    :math:`q(z) = \frac1N \sum_n q(z|x_n)` is taken with all observations that were drawn. On a set
    that is drawn whole the parts are those of the set, up to samples of z; otherwise the
    information, which is at most log N, is biased downwards, and the total correlation upwards by
    as much: the more the fewer they are, which ``halved`` and ``information_above`` show.

    Args:
        model: Anything with ``represent``, ``decode`` and ``prior``.
        data: See `encode_for`.
        n: How many observations.
        samples: Of each posterior.
        seed: Of observations and samples.

    Raises:
        NoDensity: for a model without densities.

    References:
        Hoffman, Johnson, "ELBO surgery: yet another way to carve up the variational evidence lower
        bound", 2016, http://approximateinference.org/accepted/HoffmanJohnson2016.pdf; Chen, Li,
        Grosse, Duvenaud, "Isolating Sources of Disentanglement in VAEs", 2018,
        https://arxiv.org/abs/1802.04942, equation 2; Poole et al., "On Variational Bounds of Mutual
        Information", 2019, https://arxiv.org/abs/1905.06922 (bounds from a known conditional).
    """
    return elbo_parts_of(encode_for(model, data, n, seed), samples=samples, seed=seed)


@torch.no_grad()
def elbo_parts_of(encoded: Encoded, *, samples: int = 8, seed: int = 0) -> ElboParts:
    """As `elbo_parts`, of observations that are encoded already."""
    check_size("samples", samples)
    z = drawn(encoded.q, samples, seed)
    exact = len(encoded) == encoded.size

    def estimate(values: Tensor, within: bool = True) -> Estimate:
        """Of ``(S, N)`` values; on a whole set chance is in the samples alone."""
        if not exact:
            return Estimate.of(values.mean(0))
        if samples < 2 or not within:
            return Estimate(values.mean().item(), 0.0 if not within else math.nan)
        spread = (values.var(0) / samples).sum().sqrt() / values.shape[1]
        return Estimate(values.mean().item(), spread.item())

    fit = log_likelihoods(encoded, z)
    rule = kl_rule(encoded.q, encoded.prior)
    closed = rule == "closed form"
    if closed:
        rate = kl(encoded.q, encoded.prior).unsqueeze(0)
    else:
        rate = encoded.q.log_prob(z) - encoded.prior.log_prob(z)
    parts: dict[str, Estimate | None] = dict.fromkeys(
        (
            "mutual_information", "information_above", "marginal_kl", "total_correlation",
            "dimension_kl",
        )
    )  # fmt: skip
    halved, per_dim = None, None
    if encoded.gaussian:
        information, above, correlation, dimensions = _parts(encoded.q, encoded.prior, z)
        parts["mutual_information"] = estimate(information)
        parts["information_above"] = estimate(above)
        parts["total_correlation"] = estimate(correlation)
        parts["dimension_kl"] = estimate(dimensions)
        parts["marginal_kl"] = estimate(correlation + dimensions)
        if len(encoded) >= 4:
            some = torch.arange(0, len(encoded), 2)
            half = _parts(_rows(encoded.q, some), encoded.prior, z[:, some])
            halved = half[0].mean().item(), half[2].mean().item(), half[3].mean().item()
        if encoded.standard_prior:
            variance = encoded.q.variance
            per_dim = 0.5 * (encoded.q.mean**2 + variance - 1 - variance.log()).mean(0)
    return ElboParts(
        elbo=estimate(fit - rate),
        reconstruction=estimate(fit),
        kl=estimate(rate, within=not closed),
        halved=halved,
        kl_per_dim=per_dim,
        size=len(encoded),
        exact=exact,
        rule=rule,
        **parts,
    )


def drawn(q: Distribution, samples: int, seed: int) -> Tensor:
    """Samples of each posterior, ``(S, N, D)``, that a seed decides."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return q.sample((samples,))


def log_likelihoods(encoded: Encoded, z: Tensor) -> Tensor:
    """Log p(x|z) of samples ``(S, N, D)``, ``(S, N)`` in float64.

    Raises:
        NoDensity: for a likelihood of something else than the observations.
    """
    with evaluating(encoded.model):
        values = encoded.log_likelihood(z)
    if not torch.isfinite(values).all():
        raise NoDensity("p(x|z) gives some observations no finite density: is the model trained?")
    return values


def _parts(
    q: Distribution, prior: Distribution, z: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Information, its upper bound, total correlation and dimension-wise KL of each sample."""
    samples, size, dim = z.shape
    flat = z.reshape(-1, dim)
    own = torch.arange(size, device=z.device).repeat(samples)
    joint, others, product, conditional = (torch.empty_like(flat[:, 0]) for _ in range(4))
    for rows in torch.arange(len(flat), device=z.device).split(max(1, _HELD // (size * dim))):
        whole, marginal = log_densities(q, flat[rows])
        joint[rows] = whole.logsumexp(1) - math.log(size)
        product[rows] = (marginal.logsumexp(1) - math.log(size)).sum(-1)
        here = torch.arange(len(rows), device=z.device), own[rows]
        conditional[rows] = whole[here]
        whole[here] = -math.inf
        others[rows] = whole.logsumexp(1) - math.log(max(size - 1, 1))
    values = (
        conditional - joint,
        conditional - others,
        joint - product,
        product - prior.log_prob(flat),
    )
    information, above, correlation, dimensions = (v.reshape(samples, size) for v in values)
    return information, above, correlation, dimensions


def _rows(q: Distribution, rows: Tensor) -> Distribution:
    """Some of the posteriors."""
    from ..distributions import diagonal_normal

    if isinstance(q, torch.distributions.MultivariateNormal):
        return torch.distributions.MultivariateNormal(
            q.loc[rows], scale_tril=q.scale_tril[rows], validate_args=False
        )
    return diagonal_normal(q.mean[rows], q.stddev[rows])
