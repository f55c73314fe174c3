"""Likelihoods of real values: Gaussian, Laplace and Student's t."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch
import torch.distributions as td
from torch import Tensor, nn
from torch.distributions import (
    Distribution,
)

from ...checks import check_scale
from ..optimal_normal import OptimalNormal
from .base import Likelihood, independent

__all__ = ["Gaussian", "Laplace", "StudentT"]


class Gaussian(Likelihood):
    r"""Real values: :math:`p(x|z) = \mathcal{N}(x; \mu(z), \sigma^2 I)`.

    Args:
        sigma: A number, kept fixed; or ``"learned"``, one trainable scale for all elements; or
            ``"optimal"``, the maximum-likelihood scale of each batch,
            :math:`\sigma^{2} = \overline{(x - \mu)^2}`, which makes the weight of the
            reconstruction follow its quality.

    Raises:
        ValueError: for a scale that is not positive, or an unknown word.

    References:
        Rybkin, Daniilidis, Levine, "Simple and Effective VAE Training with Calibrated Decoders",
        2021, https://arxiv.org/abs/2006.13202, section 3 (learned and optimal sigma).
    """

    def __init__(self, sigma: float | Literal["learned", "optimal"] = 1.0) -> None:
        super().__init__()
        if isinstance(sigma, str):
            if sigma not in ("learned", "optimal"):
                raise ValueError(
                    f"sigma is {sigma!r}; expected a positive number, 'learned' or 'optimal'"
                )
        else:
            check_scale("sigma", sigma)
        self.sigma = sigma
        self.log_sigma = nn.Parameter(torch.zeros(())) if sigma == "learned" else None

    def forward(self, h: Tensor, c: Tensor | None = None) -> Distribution:
        """Means to observations."""
        if self.log_sigma is not None:
            return independent(td.Normal(h, self.log_sigma.exp(), validate_args=False))
        if isinstance(self.sigma, str):
            return independent(OptimalNormal(h))
        return independent(td.Normal(h, self.sigma, validate_args=False))


class Laplace(Likelihood):
    r"""Real values with heavy tails: :math:`p(x|z) = \prod_i \frac{1}{2b} e^{-|x_i - \mu_i| / b}`.

    Args:
        scale: :math:`b`.

    Raises:
        ValueError: for a scale that is not positive.
    """

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        check_scale("scale", scale)
        self.scale = scale

    def forward(self, h: Tensor, c: Tensor | None = None) -> td.Independent:
        """Locations to observations."""
        return independent(td.Laplace(h, self.scale, validate_args=False))


class StudentT(Likelihood):
    r"""Real values with heavy tails, so that outliers do not pull.

    .. math::
        p(x|z) = \prod_i \frac{\Gamma(\frac{\nu + 1}{2})}{\Gamma(\frac{\nu}{2}) \sqrt{\nu \pi} s}
        \Big( 1 + \frac{(x_i - \mu_i)^2}{\nu s^2} \Big)^{-\frac{\nu + 1}{2}}

    Args:
        df: :math:`\nu`, a number above 1, so that there is a mean; or ``"learned"``, one for all
            elements, above 2 and 4 at first.
        scale: :math:`s`, a positive number; or ``"learned"``, one for all elements.

    Raises:
        ValueError: for numbers out of range, or an unknown word.
    """

    def __init__(
        self, df: float | Literal["learned"] = 4.0, scale: float | Literal["learned"] = 1.0
    ) -> None:
        super().__init__()
        for name, value, least in (("df", df, 1), ("scale", scale, 0)):
            if value != "learned" and (isinstance(value, str) or not least < value < math.inf):
                raise ValueError(
                    f"{name} is {value!r}; expected a number above {least} or 'learned'"
                )
        self.df, self.scale = df, scale
        self.log_df = nn.Parameter(torch.tensor(2.0).log()) if df == "learned" else None
        self.log_scale = nn.Parameter(torch.zeros(())) if scale == "learned" else None

    def forward(self, h: Tensor, c: Tensor | None = None) -> td.Independent:
        """Locations to observations."""
        df: Any = self.df if self.log_df is None else 2 + self.log_df.exp()
        scale: Any = self.scale if self.log_scale is None else self.log_scale.exp()
        return independent(td.StudentT(df, h, scale, validate_args=False))
