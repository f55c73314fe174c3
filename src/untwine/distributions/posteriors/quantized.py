"""Quantizing posteriors: every dimension of the code takes one of a few values."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from ...checks import check_size
from ..quantized import Quantized
from .base import Posterior

__all__ = ["FiniteScalar", "Quantizer", "ScalarCodebooks"]


class Quantizer(Posterior):
    """A posterior whose code lies on a grid."""

    def features(self, latent_dim: int) -> int:
        """One for each dimension."""
        return latent_dim

    @abstractmethod
    def grid(self, latent_dim: int) -> Tensor:
        """The values that each dimension can take, ``(D, V)``."""

    @abstractmethod
    def forward(self, h: Tensor) -> Quantized:
        """``(B, D)`` features to points of the grid."""


class ScalarCodebooks(Quantizer):
    r"""A learned codebook of numbers for each dimension.

    .. math::
        z_j = \arg\min_{e \in E_j} |h_j - e|

    The codebooks' gradient is that of `Quantized.nearest`, see `methods.Quantization`: the
    decoder's passes them by.

    Args:
        latent_dim: :math:`D`.
        values: :math:`V`, entries of each codebook; evenly spaced from -1/2 to 1/2 at first.

    Raises:
        ValueError: for fewer than two values.

    References:
        Hsu, Dorrell, Whittington, Wu, Finn, "Disentanglement via Latent Quantization", 2023,
        https://arxiv.org/abs/2305.18378, equation 3.

    Example:
        >>> q = ScalarCodebooks(latent_dim=2, values=3)(torch.tensor([[0.2, 0.3]]))
        >>> q.mean.tolist()
        [[0.0, 0.5]]
    """

    def __init__(self, latent_dim: int, values: int = 10) -> None:
        super().__init__()
        check_size("latent_dim", latent_dim)
        _check_values("values", values)
        self.latent_dim, self.values = latent_dim, values
        self.codebooks = nn.Parameter(torch.linspace(-0.5, 0.5, values).repeat(latent_dim, 1))

    def features(self, latent_dim: int) -> int:
        """One for each dimension.

        Raises:
            ValueError: if there are codebooks for another number of dimensions.
        """
        if latent_dim != self.latent_dim:
            raise ValueError(
                f"latent_dim is {latent_dim}; there are codebooks for {self.latent_dim} dimensions"
            )
        return latent_dim

    def grid(self, latent_dim: int) -> Tensor:
        """The codebooks, ``(D, V)``."""
        return self.codebooks

    def forward(self, h: Tensor) -> Quantized:
        """``(B, D)`` to the nearest entries of the codebooks."""
        nearest = (h[..., None] - self.codebooks).abs().argmin(-1, keepdim=True)
        return Quantized(h, self.codebooks.expand(*h.shape, -1).gather(-1, nearest)[..., 0])


class FiniteScalar(Quantizer):
    r"""Finite scalar quantization: evenly spaced values between -1 and 1, nothing to learn.

    .. math::
        z_j = \frac{2}{L - 1} \, \mathrm{round}\Big(\frac{L - 1}{2} (\tanh h_j + 1)\Big) - 1

    Args:
        levels: :math:`L`.

    Raises:
        ValueError: for fewer than two levels.

    References:
        Mentzer, Minnen, Agustsson, Tschannen, "Finite Scalar Quantization", 2024,
        https://arxiv.org/abs/2309.15505; in the form of Hsu et al., "Tripod: Three Complementary
        Inductive Biases for Disentangled Representation Learning", 2024,
        https://arxiv.org/abs/2404.10282, section 3.1.

    Example:
        >>> FiniteScalar(levels=3)(torch.tensor([[0.1, -3.0]])).mean.tolist()
        [[0.0, -1.0]]
    """

    def __init__(self, levels: int = 12) -> None:
        super().__init__()
        _check_values("levels", levels)
        self.levels = levels
        self.register_buffer("spaced", torch.linspace(-1, 1, levels), persistent=False)

    spaced: Tensor

    def grid(self, latent_dim: int) -> Tensor:
        """The levels, ``(D, L)``."""
        return self.spaced.expand(latent_dim, -1)

    def forward(self, h: Tensor) -> Quantized:
        """``(B, D)`` to the nearest levels."""
        h = h.tanh()
        index = ((h.detach() + 1) / 2 * (self.levels - 1)).round().long()
        return Quantized(h, self.spaced[index])


def _check_values(name: str, count: int) -> None:
    check_size(name, count)
    if count < 2:
        raise ValueError(f"{name} is {count}; expected at least 2: one value says nothing")
