"""Poisson and negative binomial distributions of counts with a library size."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions import (
    Distribution,
    constraints,
)
from torch.nn.functional import logsigmoid, softplus

__all__ = ["CountDistribution", "log_negative_binomial"]

_UP = 8  # from here on Stirling's series has ten digits and more


def log_negative_binomial(x: Tensor, log_mean: Tensor, log_theta: Tensor) -> Tensor:
    r"""Log probability of counts, elementwise, in nats.

    .. math::
        \log \frac{\Gamma(x + \theta)}{\Gamma(\theta) \, x!}
        + \theta \log \frac{\theta}{\theta + \mu} + x \log \frac{\mu}{\theta + \mu}

    so that the mean is :math:`\mu` and the variance :math:`\mu + \mu^2 / \theta`. Everything is
    computed from logarithms, and :math:`\log \Gamma(x + \theta) - \log \Gamma(\theta)` as one
    quantity without cancellation: as :math:`\theta` grows it is the Poisson, in float32, too.

    Args:
        x: Counts.
        log_mean: :math:`\log \mu`.
        log_theta: :math:`\log \theta`, the logarithm of the inverse dispersion.

    Shape: any three that broadcast.

    Example:
        >>> one = torch.tensor(1.0)
        >>> round(log_negative_binomial(one, one.log(), one.log()).exp().item(), 4)
        0.25
    """
    # beyond, gammas of float32 are infinite or all alike
    return _LogNegativeBinomial.apply(x, log_mean, log_theta.clamp(-30, 25))


class _LogNegativeBinomial(torch.autograd.Function):
    """See `log_negative_binomial`; with derivatives written out.

    Most of a step on cells by genes goes into gamma functions. They are moved up by eight, where
    Stirling's series holds, by products that need one logarithm; and derivatives share their parts.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, log_mean: Tensor, log_theta: Tensor) -> Tensor:
        ctx.save_for_backward(x, log_mean, log_theta)
        theta = log_theta.exp()
        shifted = theta + _UP
        total = x + shifted
        value = torch.log1p(x / shifted).mul_(total - 0.5).sub_(x)
        value += _stirling(total).sub_(_stirling(shifted))
        value += x * torch.log1p(_UP / theta)
        value -= torch.log1p(x / theta)
        product = 1 + x / (theta + 1)
        for i in range(2, _UP):
            product *= (x / (theta + i)).add_(1)
        value -= product.log_()
        excess = softplus(log_mean - log_theta, threshold=40)
        value = value - excess.mul(x + theta)
        return value.add_(x * log_mean).sub_(torch.lgamma(x + 1))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, log_mean, log_theta = ctx.saved_tensors
        theta, ratio, grad = log_theta.exp(), log_mean - log_theta, grads[0]
        posterior_mean = torch.sigmoid(ratio).mul(x + theta)
        gradients: list[Tensor | None] = [None, None, None]
        if ctx.needs_input_grad[0]:
            slope = torch.digamma(x + theta) - torch.digamma(x + 1) - log_theta + log_mean
            slope = slope - softplus(ratio, threshold=40)
            gradients[0] = (grad * slope).sum_to_size(x.shape)
        if ctx.needs_input_grad[1]:
            gradients[1] = (grad * (x - posterior_mean)).sum_to_size(log_mean.shape)
        if ctx.needs_input_grad[2]:
            # digamma(x + theta) - digamma(theta), both moved up
            shifted = theta + _UP
            slope = torch.log1p(x / shifted).add_(_slope(x + shifted)).sub_(_slope(shifted))
            for i in range(_UP):
                slope += (1 / (theta + i)) - (x + (theta + i)).reciprocal_()
            slope = (slope - softplus(ratio, threshold=40)).mul_(theta).add_(posterior_mean).sub_(x)
            gradients[2] = slope.mul_(grad).sum_to_size(log_theta.shape)
        return tuple(gradients)


def _stirling(a: Tensor) -> Tensor:
    """What lgamma has beyond (a - 1/2) log a - a + log(2 pi) / 2, for ``a`` from eight up."""
    inverse = 1 / a
    square = inverse * inverse
    rest = square / -1680 + 1 / 1260
    return rest.mul_(square).sub_(1 / 360).mul_(square).add_(1 / 12).mul_(inverse)


def _slope(a: Tensor) -> Tensor:
    """What digamma has beyond log a, for ``a`` from eight up."""
    inverse = 1 / a
    square = inverse * inverse
    rest = square / 240 - 1 / 252
    rest = rest.mul_(square).add_(1 / 120).mul_(square).sub_(1 / 12).mul_(square)
    return rest.sub_(inverse / 2)


class CountDistribution(Distribution):
    r"""Independent counts whose means are a profile times a library size.

    .. math::
        \mu_g = \ell \, \rho_g, \qquad \ell = \textstyle\sum_g x_g

    ``log_prob(x)`` takes the library size from the ``x`` that it is asked about, unless one was
    given by `at`; ``.mean``, ``.variance`` and samples are at a reference size, or at the given
    one.

    Args:
        log_profile: :math:`\log \rho`; or the logarithm of the means themselves, if there is no
            library size.
        reference: The library size of ``.mean``; ``None`` for counts without one.
        log_theta: :math:`\log \theta` of the negative binomial; ``None`` for Poisson.
        zero_logits: Logits of a zero that is not the count's own; ``None`` for none.

    Shape:
        log_profile ``(..., F)``; log_theta and zero_logits broadcast to it. Batch shape ``(...)``,
        event shape ``(F,)``.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    has_rsample = False

    def __init__(
        self,
        log_profile: Tensor,
        reference: Tensor | None,
        log_theta: Tensor | None = None,
        zero_logits: Tensor | None = None,
    ) -> None:
        self.log_profile, self.reference = log_profile, reference
        self.log_theta, self.zero_logits = log_theta, zero_logits
        self.library: Tensor | None = None
        super().__init__(log_profile.shape[:-1], log_profile.shape[-1:], validate_args=False)

    def at(self, library: float | Tensor) -> Self:
        """The same profile at another library size, for its mean, its samples and its density.

        Args:
            library: One number, or one for each example.

        Shape:
            library ``()`` or ``(...)``, the batch shape.

        Raises:
            ValueError: if these counts have no library size.
        """
        if self.reference is None:
            raise ValueError("these counts were made with library='none': they have no library")
        other = copy.copy(self)
        size = torch.as_tensor(library, dtype=self.log_profile.dtype)
        other.library = size.to(self.log_profile.device).unsqueeze(-1)
        return other

    @property
    def log_mean(self) -> Tensor:
        r"""Logarithms of the counts' means :math:`\mu`, before any zero inflation."""
        size = self.reference if self.library is None else self.library
        return self.log_profile if size is None else self.log_profile + size.log()

    @property
    def profile(self) -> Tensor:
        r"""The shares :math:`\rho`, which sum to one; the means, if there is no library size."""
        return self.log_profile.exp()

    @property
    def mean(self) -> Tensor:
        """Means of the counts, at the reference library size or the one given by `at`."""
        mean = self.log_mean.exp()
        return mean if self.zero_logits is None else mean * torch.sigmoid(-self.zero_logits)

    @property
    def variance(self) -> Tensor:
        """Variances of the counts, at the same library size as the mean."""
        mean = self.log_mean.exp()
        variance = mean
        if self.log_theta is not None:
            variance = mean + mean * mean * (-self.log_theta).exp()
        if self.zero_logits is None:
            return variance
        present = torch.sigmoid(-self.zero_logits)
        return present * (variance + (1 - present) * mean * mean)

    def log_prob(self, value: Tensor) -> Tensor:
        """Summed over the counts of one example, in nats."""
        log_mean = self.log_mean
        if self.reference is not None and self.library is None:
            # an observation without a single count still has a density: at a library size of 1
            log_mean = self.log_profile + value.sum(-1, keepdim=True).clamp(min=1).log()
        if self.log_theta is None:
            log_p = value * log_mean - log_mean.exp() - torch.lgamma(value + 1)
        else:
            log_p = log_negative_binomial(value, log_mean, self.log_theta)
        if self.zero_logits is not None:
            present = logsigmoid(-self.zero_logits) + log_p
            either = torch.logaddexp(logsigmoid(self.zero_logits), present)
            log_p = torch.where(value < 0.5, either, present)
        return log_p.sum(-1)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Counts, at the same library size as the mean."""
        shape = torch.Size(sample_shape) + self.log_profile.shape
        rate = self.log_mean.exp().expand(shape)
        if self.log_theta is not None:
            theta = self.log_theta.exp().expand(shape)
            rate = torch._standard_gamma(theta) * (rate / theta)
        counts = torch.poisson(rate)
        if self.zero_logits is not None:
            counts = counts * torch.bernoulli(torch.sigmoid(-self.zero_logits).expand(shape))
        return counts
