"""Uniform priors on a box, with Gaussian edges and with sharp ones."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Independent, Uniform

from ...checks import check_size
from ..soft_uniform import SoftUniform
from .base import Prior

__all__ = ["BoxPrior", "UniformPrior"]


class UniformPrior(Prior):
    r"""Flat in a box, with Gaussian edges that make it comparable with a Gaussian posterior.

    .. math::
        p(z) = \prod_j \frac{1}{b - a + \sqrt{2 \pi} s} \,
        e^{-\mathrm{dist}(z_j, [a, b])^2 / 2 s^2}

    A Gaussian posterior has mass outside of any box, so its divergence from the uniform
    distribution on the box itself is infinite and nothing could be learned. Here the density
    falls off outside like a Gaussian of scale s instead of to zero. It is normalized, the
    divergence of a diagonal Gaussian from it has a closed form, and the uniform distribution is
    its limit for :math:`s \to 0`. The share of the prior's mass outside is
    :math:`\sqrt{2 \pi} s / (b - a + \sqrt{2 \pi} s)` per dimension, 11 % at the default.

    Args:
        latent_dim: :math:`D`.
        low: :math:`a`, the same in every dimension.
        high: :math:`b`.
        edge: :math:`s`. The smaller, the steeper what holds codes in the box.

    Raises:
        ValueError: for an empty box, or an edge that is not positive.
    """

    low: Tensor
    high: Tensor
    edge: Tensor

    def __init__(
        self, latent_dim: int, low: float = -1.0, high: float = 1.0, edge: float = 0.1
    ) -> None:
        super().__init__()
        check_size("latent_dim", latent_dim)
        _check_box(low, high)
        if not 0 < edge < math.inf:
            raise ValueError(
                f"edge is {edge}; expected a positive number: with a sharp edge the divergence of "
                "a Gaussian posterior would be infinite"
            )
        for name, value in {"low": low, "high": high, "edge": edge}.items():
            self.register_buffer(name, torch.full((latent_dim,), float(value)), persistent=False)

    def forward(self) -> Independent:
        """The prior."""
        return Independent(SoftUniform(self.low, self.high, self.edge), 1, validate_args=False)


class BoxPrior(Prior):
    r"""Uniform on a box, zero outside: of codes that a generator is given.

    .. math::
        p(z) = (b - a)^{-D}, \qquad z \in [a, b]^D

    For codes that an encoder's Gaussian is compared with, take `UniformPrior`: no Gaussian has a
    finite divergence from this one.

    Args:
        latent_dim: :math:`D`.
        low: :math:`a`, the same in every dimension.
        high: :math:`b`.

    Raises:
        ValueError: for an empty box.
    """

    low: Tensor
    high: Tensor

    def __init__(self, latent_dim: int, low: float = -1.0, high: float = 1.0) -> None:
        super().__init__()
        check_size("latent_dim", latent_dim)
        _check_box(low, high)
        for name, value in {"low": low, "high": high}.items():
            self.register_buffer(name, torch.full((latent_dim,), float(value)), persistent=False)

    def forward(self) -> Independent:
        """The prior."""
        return Independent(
            Uniform(self.low, self.high, validate_args=False), 1, validate_args=False
        )


def _check_box(low: float, high: float) -> None:
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"the box from low={low} to high={high} is empty; low must be below")
