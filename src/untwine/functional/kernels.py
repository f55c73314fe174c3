"""Kernels of pairs of points: radial basis function, inverse multiquadric."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor

from ..checks import check_scale
from ..spec import Recorded

__all__ = ["RBF", "InverseMultiquadric", "Kernel", "squared_distances"]

Bandwidth = float | Literal["dimension", "median"]


def squared_distances(x: Tensor, y: Tensor) -> Tensor:
    r""":math:`\|x_i - y_j\|^2` of all pairs.

    By one product of matrices, of points that are centered first so that little is lost to
    rounding, and without the ``(N, M, D)`` differences.

    Shape: ``(N, D)`` and ``(M, D)`` to ``(N, M)``.
    """
    center = y.detach().mean(0)
    x, y = x - center, y - center
    squares = x.square().sum(-1, keepdim=True) + y.square().sum(-1)
    return (squares - 2 * x @ y.mT).clamp(min=0)


class Kernel(Recorded, ABC):
    r"""A function of the squared distance and of a bandwidth h, :math:`k(x, y) = \kappa_h(d^2)`.

    Args:
        bandwidth: h, in units of a squared distance: a number; ``"dimension"``, that of the
            points, which is the variance of a standard normal point's length; or ``"median"``,
            half of the median squared distance of the points at hand, through which no gradient
            flows.

    Raises:
        ValueError: for a bandwidth that is neither a positive number nor one of these words.
    """

    def __init__(self, bandwidth: Bandwidth = "dimension") -> None:
        if isinstance(bandwidth, str):
            if bandwidth not in ("dimension", "median"):
                raise ValueError(
                    f"bandwidth is {bandwidth!r}; expected a positive number, 'dimension' or "
                    "'median'"
                )
        else:
            check_scale("bandwidth", bandwidth)
        self.bandwidth = bandwidth

    @abstractmethod
    def value(self, squared: Tensor, h: float | Tensor) -> Tensor:
        r""":math:`\kappa_h` of squared distances."""

    @abstractmethod
    def slope(self, squared: Tensor, h: float | Tensor) -> Tensor:
        r""":math:`\kappa_h'`, its derivative with respect to the squared distance."""

    def width(self, points: Tensor) -> float | Tensor:
        """H for some points, ``(N, D)``, which are all that will be compared."""
        if self.bandwidth == "median":
            with torch.no_grad():
                squared = squared_distances(points, points)
                n = len(points)
                pairs = torch.triu_indices(n, n, 1, device=points.device)
                return squared[pairs[0], pairs[1]].median() / 2
        return float(points.shape[1]) if self.bandwidth == "dimension" else self.bandwidth

    def __call__(self, x: Tensor, y: Tensor, h: float | Tensor | None = None) -> Tensor:
        """All pairs, ``(N, D)`` and ``(M, D)`` to ``(N, M)``.

        Args:
            x: Points.
            y: Others.
            h: The bandwidth; by default `width` of all of them.
        """
        h = self.width(torch.cat([x, y])) if h is None else h
        return self.value(squared_distances(x, y), h)


class RBF(Kernel):
    r"""Radial basis function, :math:`k(x, y) = \exp(-\|x - y\|^2 / 2h)`.

    Args:
        bandwidth: h, see `Kernel`.

    Example:
        >>> RBF(2.0)(torch.zeros(1, 3), torch.tensor([[2.0, 0.0, 0.0]])).item() # exp(-1)
        0.3678794503211975
    """

    def value(self, squared: Tensor, h: float | Tensor) -> Tensor:
        """The exponential."""
        return (-squared / (2 * h)).exp()

    def slope(self, squared: Tensor, h: float | Tensor) -> Tensor:
        """Its derivative."""
        return -self.value(squared, h) / (2 * h)


class InverseMultiquadric(Kernel):
    r"""Inverse multiquadric with heavy tails, :math:`k(x, y) = 2h / (2h + \|x - y\|^2)`.

    Far apart it still has a slope where that of `RBF` has vanished.

    Args:
        bandwidth: h, see `Kernel`; ``"dimension"`` is the constant 2D of Wasserstein autoencoders
            with a standard normal prior.

    References:
        Tolstikhin, Bousquet, Gelly, Schölkopf, "Wasserstein Auto-Encoders", 2018,
        https://arxiv.org/abs/1711.01558, section 4.

    Example:
        >>> InverseMultiquadric(2.0)(torch.zeros(1, 3), torch.tensor([[2.0, 0.0, 0.0]])).item()
        0.5
    """

    def value(self, squared: Tensor, h: float | Tensor) -> Tensor:
        """The quotient."""
        return 2 * h / (2 * h + squared)

    def slope(self, squared: Tensor, h: float | Tensor) -> Tensor:
        """Its derivative."""
        return -2 * h / (2 * h + squared) ** 2
