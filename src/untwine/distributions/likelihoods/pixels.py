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

    def problem(self, x: Tensor) -> str | None:
        """Values are in [0, 1]."""
        return _outside(x, "Bernoulli")

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

    def problem(self, x: Tensor) -> str | None:
        """Values are in [0, 1]."""
        return _outside(x, "ContinuousBernoulli")

    def forward(self, h: Tensor, c: Tensor | None = None) -> td.Independent:
        """Logits of the parameter to pixels."""
        return independent(td.ContinuousBernoulli(logits=h, validate_args=False))


def _outside(x: Tensor, family: str) -> str | None:
    """What is wrong with values that are not all in [0, 1]."""
    wrong = (x < 0) | (x > 1)
    if not wrong.any():
        return None
    return (
        f"holds {x[wrong][0].item():g}, but {family} takes values in [0, 1]: divide bytes by 255, "
        "bring [-1, 1] there by (x + 1) / 2, or choose a likelihood of real values, such as "
        "Gaussian()"
    )
