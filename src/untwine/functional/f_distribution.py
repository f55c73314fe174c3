"""F distribution: differentiable log distribution function, for class separation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.functional import logsigmoid

__all__ = ["log_betainc", "log_f_cdf"]


def log_f_cdf(between: Tensor, within: Tensor, d1: Tensor, d2: Tensor) -> Tensor:
    r"""Log probability that an F statistic is below the observed one, if all means are equal.

    .. math::
        \log \Pr(S < s) = \log I_{d_1 s / (d_1 s + d_2)}(d_1 / 2, d_2 / 2), \qquad
        s = \frac{\text{between} / d_1}{\text{within} / d_2}

    Both sums of squares are taken to be at least the smallest normal number of their type: where
    one of them vanishes, the value is finite and the gradient is zero.

    Shape: all four broadcast against each other.

    Args:
        between: Sum of squares between the classes.
        within: Sum of squares within the classes.
        d1: Degrees of freedom between: the number of classes less one.
        d2: Degrees of freedom within: the number of examples less that of classes.

    References:
        Ridgeway, Mozer, "Learning Deep Disentangled Embeddings with the F-Statistic Loss", 2018,
        https://arxiv.org/abs/1802.05312, section 2.

    Example:
        >>> one = torch.tensor(1.0)
        >>> log_f_cdf(one, one, one, one).exp()  # s = 1 is the median of F(1, 1)
        tensor(0.5000)
    """
    tiny = torch.finfo(between.dtype).tiny
    odds = between.clamp(min=tiny).log() - within.clamp(min=tiny).log()
    return log_betainc(d1 / 2, d2 / 2, odds)


def log_betainc(a: Tensor, b: Tensor, odds: Tensor) -> Tensor:
    r"""Log of the regularized incomplete beta function, at :math:`x = \mathrm{sigmoid}(odds)`.

    .. math::
        I_x(a, b) = \frac{1}{B(a, b)} \int_0^x t^{a-1} (1 - t)^{b-1} \, dt, \qquad
        \frac{d \log I_x}{d \, \mathrm{odds}} = \frac{x^a (1 - x)^b}{B(a, b) \, I_x(a, b)}

    Taking the log-odds of x keeps both tails: neither x nor 1 - x is rounded to 1. The continued
    fraction is evaluated to a fixed depth, enough for a and b up to some thousands, so that the
    number of operations does not depend on the values. Differentiable (once) in ``odds`` alone.

    Args:
        a: Positive.
        b: Positive.
        odds: :math:`\log x - \log (1 - x)`; the three broadcast against each other.

    References:
        NIST Digital Library of Mathematical Functions, https://dlmf.nist.gov/8.17, equation
        8.17.22.
    """
    return _LogBetainc.apply(a, b, odds)


_DEPTH = 40  # relative errors below 1e-12 for degrees of freedom up to 2000


def _fraction(a: Tensor, b: Tensor, x: Tensor) -> Tensor:
    """The continued fraction of 8.17.22, from the innermost term outward."""
    value = torch.ones_like(x)
    for m in range(_DEPTH, -1, -1):
        odd = -(a + m) * (a + b + m) / ((a + 2 * m) * (a + 2 * m + 1))
        value = 1 + odd * x / value
        if m:
            even = m * (b - m) / ((a + 2 * m - 1) * (a + 2 * m))
            value = 1 + even * x / value
    return 1 / value


class _LogBetainc(Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, odds: Tensor) -> Tensor:
        a, b, odds = torch.broadcast_tensors(a.to(odds.dtype), b.to(odds.dtype), odds)
        log_x, log_y = logsigmoid(odds), logsigmoid(-odds)
        log_beta = torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)
        density = a * log_x + b * log_y - log_beta
        # The fraction converges fast below the mean only; above it, the other tail is computed.
        low = log_x.exp() < (a + 1) / (a + b + 2)
        p, q = torch.where(low, a, b), torch.where(low, b, a)
        # I_x(p, q) = x^p (1 - x)^q / (p B(p, q)) times the fraction, in logarithms.
        tail = density - p.log() + _fraction(p, q, torch.where(low, log_x, log_y).exp()).log()
        value = torch.where(low, tail, torch.log1p(-tail.clamp(max=0).exp()))
        # The derivative of the docstring of `log_betainc`: it needs no second fraction.
        ctx.save_for_backward((density - value).exp())
        return value

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, None, Tensor]:
        (slope,) = ctx.saved_tensors
        return None, None, grads[0] * slope
