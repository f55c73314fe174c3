"""The rotation of a code that makes its dimensions' directions most orthogonal."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..functional import seam_gap

__all__ = ["Turn", "best_rotation"]

_ANGLES = 181


@dataclass(frozen=True)
class Turn:
    """The pair of dimensions that a rotation mixes most.

    Attributes:
        dims: Two of them.
        degrees: By how much, at most 45.
    """

    dims: tuple[int, int]
    degrees: float


@torch.no_grad()
def best_rotation(precision: Tensor, sweeps: int = 12) -> tuple[Tensor, Tensor, Turn | None]:
    r"""One rotation of the code for all points that leaves the least seam gap.

    .. math::
        \min_{R^\top R = I} \frac{1}{2N} \sum_n \Big( \sum_j \log [R^\top P_n R]_{jj}
        - \log \det P_n \Big)

    A rotation leaves the standard normal prior and p(x) as they are, so that what it removes is due
    to the basis of the code alone; what is left is due to directions that change from point to
    point. Found by plane rotations, as in joint diagonalization.

    Args:
        precision: :math:`P_n`, ``(N, D, D)``.
        sweeps: Over all pairs, at most.

    Returns:
        R, ``(D, D)``, with columns in the order and signs nearest to the identity; the gaps that
        are left, ``(N,)``; and the pair that R mixes most, ``None`` for a single dimension.

    References:
        Flury, Gautschi, "An Algorithm for Simultaneous Orthogonal Transformation of Several
        Positive Definite Symmetric Matrices to Nearly Diagonal Form", 1986,
        https://doi.org/10.1137/0907013

    Example:
        >>> c, s = math.cos(0.5), math.sin(0.5)
        >>> turn = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
        >>> P = turn @ torch.diag(torch.tensor([9.0, 2.0], dtype=torch.float64)) @ turn.T
        >>> rotation, left, pair = best_rotation(P.unsqueeze(0))
        >>> round(left.item(), 6), round(pair.degrees, 2) == round(math.degrees(0.5), 2)
        (0.0, True)
    """
    p = precision.double().clone()
    dim = p.shape[-1]
    rotation = torch.eye(dim, dtype=p.dtype, device=p.device)
    if dim < 2:
        return rotation, seam_gap(p), None
    for _ in range(sweeps):
        largest = 0.0
        for i in range(dim):
            for j in range(i + 1, dim):
                angle = _best_angle(p[:, i, i], p[:, j, j], p[:, i, j])
                if abs(angle) < 1e-7:
                    continue
                largest = max(largest, abs(angle))
                c, s = math.cos(angle), math.sin(angle)
                plane = p.new_tensor([[c, -s], [s, c]])
                p[:, :, [i, j]] = p[:, :, [i, j]] @ plane
                p[:, [i, j]] = plane.T @ p[:, [i, j]]
                rotation[:, [i, j]] = rotation[:, [i, j]] @ plane
        if largest < 1e-5:
            break
    rotation = _nearest_order(rotation)
    left = seam_gap(p)
    mixing = rotation.abs()
    mixing = (mixing * mixing.T).sqrt().fill_diagonal_(0)
    place = int(mixing.argmax())
    i, j = sorted(divmod(place, dim))
    degrees = math.degrees(math.asin(min(1.0, mixing.max().item())))
    return rotation, left, Turn((i, j), min(degrees, 90 - degrees))


def _best_angle(a: Tensor, b: Tensor, cross: Tensor) -> float:
    """The plane rotation that minimizes the logarithms of both diagonals."""
    low, high = -math.pi / 4, math.pi / 4
    best = 0.0
    while high - low > 1e-9:
        angles = torch.linspace(low, high, _ANGLES, dtype=a.dtype, device=a.device)
        c, s = angles.cos()[:, None], angles.sin()[:, None]
        one = c**2 * a + 2 * c * s * cross + s**2 * b
        two = s**2 * a - 2 * c * s * cross + c**2 * b
        cost = (one.log() + two.log()).sum(1)
        best = angles[cost.argmin()].item()
        width = 2 * (high - low) / (_ANGLES - 1)
        low, high = best - width, best + width
    return best


def _nearest_order(rotation: Tensor) -> Tensor:
    """The columns in the order and with the signs that are nearest to the identity."""
    from scipy.optimize import linear_sum_assignment

    _, order = linear_sum_assignment(rotation.abs().cpu().numpy(), maximize=True)
    rotation = rotation[:, torch.as_tensor(order, device=rotation.device)]
    return rotation * torch.where(rotation.diagonal() < 0, -1.0, 1.0)
