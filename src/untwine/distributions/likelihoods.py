"""Heads that turn a decoder's output into a distribution of observations."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Literal, Self

import torch
import torch.distributions as td
from torch import Tensor, nn
from torch.distributions import Distribution, constraints

from ..checks import check_scale
from ..spec import Recorded

__all__ = ["Bernoulli", "ContinuousBernoulli", "Gaussian", "Laplace", "Likelihood"]


class Likelihood(Recorded, nn.Module, ABC):
    """A family of distributions of observations, given the decoder's output ``(B, ...)``.

    Log densities are summed over all of an observation's elements, in nats: nothing is averaged
    over pixels, so that the weights of other terms keep their published meaning.

    Attributes:
        counts: Whether observations are counts, so that an encoder had better see their logarithms.
        takes_covariates: Whether it is called as ``head(h, c)``.
    """

    counts: bool = False
    takes_covariates: bool = False

    def features(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of what the decoder must give for observations of a shape; by default theirs.

        Raises:
            ValueError: for observations that the family is not made for.
        """
        return tuple(shape)

    def adapted(self, data: Any, covariates: int = 0) -> Self:
        """A copy of its own for one decoder, fitted to the data where the family asks for that.

        Args:
            data: What will be learned from: ``len``, ``shape`` and ``observations`` are asked.
            covariates: How many covariates the decoder is given.

        Raises:
            ValueError: for data that the family is not made for.
        """
        return copy.deepcopy(self)

    @abstractmethod
    def forward(self, h: Tensor, c: Tensor | None = None) -> Distribution:
        """The distribution, with batch shape ``(B,)``; its ``.mean`` is the reconstruction.

        Families for which ``takes_covariates`` is false are called without ``c``.
        """


def _independent(base: Distribution) -> td.Independent:
    return td.Independent(base, len(base.batch_shape) - 1, validate_args=False)


class Bernoulli(Likelihood):
    r"""Binary pixels: :math:`\log p(x|z) = \sum_i x_i \log p_i + (1 - x_i) \log (1 - p_i)`.

    For grey values in [0, 1] it is the usual cross entropy, which is not a normalized density:
    `ContinuousBernoulli` is.
    """

    def forward(self, h: Tensor, c: Tensor | None = None) -> td.Independent:
        """Logits to pixels."""
        return _independent(td.Bernoulli(logits=h, validate_args=False))


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
        return _independent(td.ContinuousBernoulli(logits=h, validate_args=False))


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
            return _independent(td.Normal(h, self.log_sigma.exp(), validate_args=False))
        if isinstance(self.sigma, str):
            return _independent(OptimalNormal(h))
        return _independent(td.Normal(h, self.sigma, validate_args=False))


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
        return _independent(td.Laplace(h, self.scale, validate_args=False))


class OptimalNormal(Distribution):
    """Normals of one common scale: the best one for whatever values they are asked about.

    Args:
        loc: Means, ``(B, ...)``.
        floor: The scale never falls below it, so that a perfect fit stays finite.
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    has_rsample = False

    def __init__(self, loc: Tensor, floor: float = 1e-3) -> None:
        self.loc, self.floor = loc, floor
        super().__init__(loc.shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        """The means."""
        return self.loc

    def log_prob(self, value: Tensor) -> Tensor:
        """Elementwise, at the scale that is optimal for all of ``value`` together."""
        square = (value - self.loc) ** 2
        variance = square.mean().clamp(min=self.floor**2)
        return -0.5 * (square / variance + variance.log() + math.log(2 * math.pi))

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """The means: without values to fit, there is no scale to draw noise from."""
        return self.loc.detach().expand(torch.Size(sample_shape) + self.loc.shape)
