"""Likelihoods of pixels: Bernoulli and continuous Bernoulli."""

from __future__ import annotations

import torch.distributions as td
from torch import Tensor

from .base import Likelihood, independent

__all__ = ["Bernoulli", "ContinuousBernoulli"]


class Bernoulli(Likelihood):
    r"""Binary pixels: :math:`\log p(x|z) = \sum_i x_i \log p_i + (1 - x_i) \log (1 - p_i)`.

    For grey values in [0, 1] it is the usual cross entropy, which is not a normalized density:
    `ContinuousBernoulli` is.
    """

    def forward(self, h: Tensor, c: Tensor | None = None) -> td.Independent:
        """Logits to pixels."""
        return independent(td.Bernoulli(logits=h, validate_args=False))


class ContinuousBernoulli(Likelihood):
    r"""Grey values in [0, 1].

    .. math::
        p(x|z) = \prod_i C(\lambda_i) \lambda_i^{x_i} (1 - \lambda_i)^{1 - x_i}

    References:
        Loaiza-Ganem, Cunningham, "The continuous Bernoulli: fixing a pervasive error in
        variational autoencoders", 2019, https://arxiv.org/abs/1907.06845, equation 7.
    """

    def forward(self, h: Tensor, c: Tensor | None = None) -> td.Independent:
        """Logits of the parameter to pixels."""
        return independent(td.ContinuousBernoulli(logits=h, validate_args=False))
