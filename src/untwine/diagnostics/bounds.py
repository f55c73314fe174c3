"""Tighter bounds of log p(x) by importance sampling, and the gaps between them and the ELBO."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution, MultivariateNormal

from ..checks import check_scale, check_size
from ..data import FactorDataset
from ..data.batches import Batch
from ..distributions import diagonal_normal
from ..encoding import evaluating
from ..functional import kl
from ..methods.abilities import Represents
from .elbo import drawn, log_likelihoods
from .estimates import Estimate, Finding
from .linear import RatePoint
from .models import Encoded, encode_for

__all__ = [
    "ImportanceBound",
    "InferenceGaps",
    "importance_bound",
    "inference_gaps",
    "local_posteriors",
    "rate_distortion",
]


@dataclass(frozen=True, repr=False)
class ImportanceBound(Finding):
    r"""The importance-weighted bound of log p(x).

    Attributes:
        values: Of each observation, nats, ``(N,)``.
        samples: K.
        effective: Of the K samples, how many weigh, on average: :math:`(\sum w)^2 / \sum w^2`.
    """

    values: Tensor
    samples: int
    effective: float

    @property
    def bound(self) -> Estimate:
        """Averaged over the observations, nats."""
        return Estimate.of(self.values)

    def __str__(self) -> str:
        return (
            f"log p(x) is at least {self.bound} nats by {self.samples} samples, of which "
            f"{self.effective:.3g} weigh."
        )


def importance_bound(
    model: Represents,
    data: FactorDataset | Batch | Tensor,
    *,
    samples: int = 100,
    n: int = 200,
    seed: int = 0,
) -> ImportanceBound:
    r"""The importance-weighted bound of log p(x).

    .. math::
        \log p(x) \ge \mathbb{E} \log \frac1K \sum_k \frac{p(x, z_k)}{q(z_k|x)}, \qquad
        z_k \sim q(z|x)

    It rises with K, to log p(x) if the posterior covers p(z|x); with K = 1 it is the ELBO.

    Args:
        model: Anything with ``represent``, ``decode`` and ``prior``.
        data: See `encode_for`.
        samples: K.
        n: How many observations.
        seed: Of observations and samples.

    References:
        Burda, Grosse, Salakhutdinov, "Importance Weighted Autoencoders", 2016,
        https://arxiv.org/abs/1509.00519, equation 8.
    """
    encoded = encode_for(model, data, n, seed)
    return _importance(encoded, encoded.q, samples, seed)


@torch.no_grad()
def _importance(encoded: Encoded, q: Distribution, samples: int, seed: int) -> ImportanceBound:
    check_size("samples", samples)
    z = drawn(q, samples, seed)
    weights = log_likelihoods(encoded, z) + encoded.prior.log_prob(z) - q.log_prob(z)
    bound = weights.logsumexp(0) - math.log(samples)
    effective = (2 * weights.logsumexp(0) - (2 * weights).logsumexp(0)).exp()
    return ImportanceBound(bound, samples, effective.mean().item())


@dataclass(frozen=True, repr=False)
class InferenceGaps(Finding):
    r"""Why the ELBO is below log p(x), averaged over observations, nats.

    Attributes:
        approximation: :math:`\log p(x) - \mathcal{L}[q^*]`: no posterior of the family is better.
        amortization: :math:`\mathcal{L}[q^*] - \mathcal{L}[q]`: the encoder does not find the best.
        elbo: :math:`\mathcal{L}[q]`.
        log_likelihood: log p(x), from below, by importance samples of :math:`q^*`.
    """

    approximation: Estimate
    amortization: Estimate
    elbo: Estimate
    log_likelihood: Estimate

    def __str__(self) -> str:
        return (
            f"The ELBO is {self.elbo}, log p(x) at least {self.log_likelihood} nats.\n"
            f"{self.approximation} nats are lost because no posterior of the family fits, "
            f"{self.amortization} because the encoder does not find the best one."
        )


def inference_gaps(
    model: Represents,
    data: FactorDataset | Batch | Tensor,
    *,
    n: int = 50,
    steps: int = 200,
    samples: int = 200,
    lr: float = 0.03,
    seed: int = 0,
) -> InferenceGaps:
    r"""The approximation gap and the amortization gap.

    .. math::
        \log p(x) - \mathcal{L}[q] =
        \underbrace{\log p(x) - \mathcal{L}[q^*]}_{\text{approximation}}
        + \underbrace{\mathcal{L}[q^*] - \mathcal{L}[q]}_{\text{amortization}}

    :math:`q^*` is the best posterior of the encoder's family for each observation, found by
    gradient steps that begin at the encoder's. The approximation gap is measured from below, since
    log p(x) is; the amortization gap too, since the steps end.

    Args:
        model: Anything with ``represent``, ``decode`` and ``prior``.
        data: See `encode_for`.
        n: How many observations.
        steps: Of the local optimization.
        samples: Of each posterior, for all three numbers.
        lr: Of the local optimization (Adam), in units of a posterior's standard deviation.
        seed: Of observations and samples.

    Raises:
        NoDensity: for posteriors that are no Gaussians.

    References:
        Cremer, Li, Duvenaud, "Inference Suboptimality in Variational Autoencoders", 2018,
        https://arxiv.org/abs/1801.03558, equation 2.
    """
    encoded = encode_for(model, data, n, seed)
    encoded.need_gaussian("the amortization gap", prior=False)
    best = local_posteriors(encoded, steps=steps, lr=lr, seed=seed + 1)
    amortized = _elbos(encoded, encoded.q, samples, seed + 2)
    local = _elbos(encoded, best, samples, seed + 2)
    # Of two bounds of one observation the better one counts.
    bound = _importance(encoded, best, samples, seed + 2).values
    return InferenceGaps(
        approximation=Estimate.of(bound - local),
        amortization=Estimate.of(local - amortized),
        elbo=Estimate.of(amortized),
        log_likelihood=Estimate.of(bound),
    )


def rate_distortion(
    model: Represents,
    data: FactorDataset | Batch | Tensor,
    *,
    betas: Sequence[float] = (0.25, 0.5, 1.0, 2.0, 4.0),
    n: int = 50,
    steps: int = 200,
    samples: int = 50,
    lr: float = 0.03,
    seed: int = 0,
) -> tuple[RatePoint, ...]:
    r"""The rate-distortion curve of a decoder.

    .. math::
        \min_{q} D + \beta R, \qquad D = -\mathbb{E}_q \log p(x|z), \qquad
        R = D_{KL}(q(z|x) \,\|\, p(z))

    over Gaussians of the encoder's family, for each observation by itself: what this decoder could
    do at another :math:`\beta`. Of a `LinearGaussian` the curve has a closed form.

    Args:
        model: Anything with ``represent``, ``decode`` and ``prior``.
        data: See `encode_for`.
        betas: Slopes, the curve's points.
        n: How many observations.
        steps: Of the local optimization at each point, which begins at the last one's optimum.
        samples: Of each posterior.
        lr: See `inference_gaps`.
        seed: Of observations and samples.

    Raises:
        NoDensity: for posteriors that are no Gaussians.
        ValueError: for a slope that is not positive.

    References:
        Alemi, Poole, Fischer, Dillon, Saurous, Murphy, "Fixing a Broken ELBO", 2018,
        https://arxiv.org/abs/1711.00464, section 3.
    """
    for beta in betas:
        check_scale("beta", beta)
    encoded = encode_for(model, data, n, seed)
    encoded.need_gaussian("the curve", prior=False)
    points, q = [], encoded.q
    for beta in sorted(betas):
        q = local_posteriors(encoded, beta=beta, steps=steps, lr=lr, seed=seed + 1, start=q)
        with torch.no_grad():
            fit = log_likelihoods(encoded, drawn(q, samples, seed + 2))
            rate = kl(q, encoded.prior).mean().item()
        points.append(RatePoint(beta, rate, -fit.mean().item()))
    return tuple(points)


def local_posteriors(
    encoded: Encoded,
    *,
    beta: float = 1.0,
    steps: int = 200,
    lr: float = 0.03,
    samples: int = 4,
    seed: int = 0,
    start: Distribution | None = None,
) -> Distribution:
    r"""The best Gaussian of the encoder's family for each observation, by gradient steps.

    Args:
        encoded: Observations with their posteriors.
        beta: :math:`\beta` of the objective.
        steps: How many, of Adam under a falling rate.
        lr: In units of a posterior's standard deviation.
        samples: Of each posterior in each step.
        seed: Of the samples.
        start: Where to begin; the encoder's posteriors if not given.
    """
    check_size("steps", steps)
    q = encoded.q if start is None else start
    loc, full = q.mean.clone(), isinstance(q, MultivariateNormal)
    factor = q.scale_tril if isinstance(q, MultivariateNormal) else torch.diag_embed(q.stddev)
    scale = factor.diagonal(dim1=1, dim2=2).clone()
    shift = torch.zeros_like(loc, requires_grad=True)
    stretch = torch.zeros_like(loc, requires_grad=True)
    below = (factor / scale.unsqueeze(-1)).tril(-1).clone().requires_grad_(full)
    learned = [shift, stretch, *([below] if full else [])]
    optimizer = torch.optim.Adam(learned, lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def posterior() -> Distribution:
        mean, deviation = loc + scale * shift, scale * stretch.exp()
        if not full:
            return diagonal_normal(mean, deviation)
        factor = torch.diag_embed(deviation) + scale.unsqueeze(-1) * below.tril(-1)
        return MultivariateNormal(mean, scale_tril=factor, validate_args=False)

    with evaluating(encoded.model), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(steps):
            q = posterior()
            z = q.rsample((samples,))
            fit = encoded.log_likelihood(z).sum() / samples
            loss = beta * kl(q, encoded.prior).sum() - fit
            optimizer.zero_grad()
            gradients = torch.autograd.grad(loss, learned)
            for parameter, gradient in zip(learned, gradients, strict=True):
                parameter.grad = gradient
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            q = posterior()
    return q


@torch.no_grad()
def _elbos(encoded: Encoded, q: Distribution, samples: int, seed: int) -> Tensor:
    """The ELBO of each observation, ``(N,)``."""
    return log_likelihoods(encoded, drawn(q, samples, seed)).mean(0) - kl(q, encoded.prior)
