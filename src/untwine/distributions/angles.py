"""Von Mises distribution of angles, as points on circles, reparameterized."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import (
    Distribution,
    constraints,
)

__all__ = ["Angles"]

_PROPOSALS = 32
_NODES = 48
_LEAST = 1e-6


class Angles(Distribution):
    r"""Independent von Mises angles, each as the point :math:`(\cos\theta, \sin\theta)`.

    .. math::
        p(\theta) = \frac{e^{\kappa \cos(\theta - \mu)}}{2 \pi I_0(\kappa)}

    A code holds the cosine and the sine, next to each other, so that a decoder sees no jump at
    :math:`\pm\pi`. The density is with respect to the angle (arc length on the circle); `log_prob`
    looks at the direction of a point only. `mean` is the mean of the points: it points to
    :math:`\mu` with length :math:`A(\kappa) = I_1(\kappa) / I_0(\kappa) < 1`, inside the circle;
    `mode` is on it.

    `rsample` is exact. Angles are drawn by rejection from a wrapped Cauchy distribution (32
    proposals at once, of which the first accepted one is taken: none is with probability below
    1e-14), and differentiated implicitly,

    .. math::
        \frac{\partial \theta}{\partial \mu} = 1, \qquad
        \frac{\partial \theta}{\partial \kappa}
        = -\frac{\partial F(\theta; \kappa) / \partial \kappa}{p(\theta)}
        = -\int_0^{\delta} e^{\kappa (\cos t - \cos \delta)} (\cos t - A(\kappa)) \, dt,
        \quad \delta = \theta - \mu

    with the integral by quadrature, in float64: fixed shapes, and nothing that waits for a device.

    Args:
        direction: Unit vectors :math:`(\cos\mu, \sin\mu)`.
        concentration: :math:`\kappa \ge 0`; 0 is the uniform distribution on the circle.

    Shape:
        ``direction`` ``(..., A, 2)``, ``concentration`` ``(..., A)``: batch shape ``(...)``, event
        shape ``(2 A,)``.

    References:
        Best, Fisher, "Efficient Simulation of the von Mises Distribution", 1979,
        https://doi.org/10.2307/2346732. Figurnov, Mohamed, Mnih, "Implicit Reparameterization
        Gradients", 2018, https://arxiv.org/abs/1805.08498, section 3. Davidson et al.,
        "Hyperspherical Variational Auto-Encoders", 2018, https://arxiv.org/abs/1804.00891.

    Example:
        >>> q = Angles(torch.tensor([[1.0, 0.0]]), torch.tensor([50.0]))
        >>> z = q.rsample((4,))
        >>> z.shape, z.square().sum(-1).round(decimals=4).tolist()
        (torch.Size([4, 2]), [1.0, 1.0, 1.0, 1.0])
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    has_rsample = True

    def __init__(self, direction: Tensor, concentration: Tensor) -> None:
        self.direction, self.concentration = direction, concentration
        batch = torch.broadcast_shapes(direction.shape[:-1], concentration.shape)
        super().__init__(batch[:-1], torch.Size([2 * batch[-1]]), validate_args=False)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Angles:
        """The same angles for a larger batch."""
        angles = self.event_shape[0] // 2
        direction = self.direction.expand(*batch_shape, angles, 2)
        return Angles(direction, self.concentration.expand(*batch_shape, angles))

    @property
    def loc(self) -> Tensor:
        r""":math:`\mu`, ``(..., A)``, in :math:`[-\pi, \pi]`."""
        return self.angle(self.mode)

    @property
    def resultant(self) -> Tensor:
        r""":math:`A(\kappa) = I_1(\kappa) / I_0(\kappa)`, the length of the mean, ``(..., A)``."""
        return _resultant(self.concentration)

    @property
    def mode(self) -> Tensor:
        r""":math:`(\cos\mu, \sin\mu)`."""
        batch = (*self.batch_shape, self.event_shape[0] // 2, 2)
        return self.direction.expand(batch).flatten(-2)

    @property
    def mean(self) -> Tensor:
        r""":math:`A(\kappa) (\cos\mu, \sin\mu)`."""
        return (self.resultant.unsqueeze(-1) * self.direction).flatten(-2)

    @property
    def variance(self) -> Tensor:
        r"""Of cosine and sine: :math:`\tfrac12 (1 \pm A_2 \cos 2\mu)` less the squared mean."""
        return torch.diagonal(self.covariance_matrix, dim1=-2, dim2=-1).clamp(min=0)

    @property
    def covariance_matrix(self) -> Tensor:
        r"""Of cosines and sines, ``(..., 2 A, 2 A)``.

        From :math:`I_2(\kappa) / I_0(\kappa) = 1 - 2 A(\kappa) / \kappa`.
        """
        cos, sin = self.direction.unbind(-1)
        k = self.concentration.clamp(min=_LEAST)
        length = _resultant(k)
        second = 1 - 2 * length / k
        one, other = second * (cos**2 - sin**2) / 2, second * cos * sin
        blocks = torch.stack([0.5 + one, other, other, 0.5 - one], -1).unflatten(-1, (2, 2))
        mean = length.unsqueeze(-1) * self.direction
        blocks = blocks - mean.unsqueeze(-1) * mean.unsqueeze(-2)
        angles = blocks.shape[-3]
        apart = torch.eye(angles, device=blocks.device, dtype=blocks.dtype)[:, None, :, None]
        return (blocks.unsqueeze(-2) * apart).flatten(-2).flatten(-3, -2)

    @staticmethod
    def angle(z: Tensor) -> Tensor:
        """Angles of points, ``(..., 2 A)`` to ``(..., A)``."""
        cos, sin = z.unflatten(-1, (-1, 2)).unbind(-1)
        return torch.atan2(sin, cos)

    @staticmethod
    def snap(z: Tensor) -> Tensor:
        """Samples are exact: they stay."""
        return z

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Points on the circles."""
        shape = (*sample_shape, *self.batch_shape, self.event_shape[0] // 2)
        k = self.concentration.expand(shape)
        with torch.no_grad():
            delta = _deviations(k.double())
            slope = _slope(delta, k.double()).to(k.dtype)
        # The value is the sample; k - k.detach() is 0 and carries d(theta)/d(kappa) alone.
        delta = delta.to(k.dtype) + slope * (k - k.detach())
        # Turned by the direction as a rotation: no angle of mu, so no seam at pi.
        a, b = self.direction.unbind(-1)
        cos, sin = delta.cos(), delta.sin()
        return torch.stack([a * cos - b * sin, b * cos + a * sin], -1).flatten(-2)

    def log_prob(self, value: Tensor) -> Tensor:
        """Of the angles' directions, with respect to arc length, in nats."""
        unit = nn.functional.normalize(value.unflatten(-1, (-1, 2)), dim=-1)
        above = self.concentration * ((unit * self.direction).sum(-1) - 1)
        return (above - _log_volume(self.concentration)).sum(-1)

    def entropy(self) -> Tensor:
        r""":math:`\log 2 \pi I_0(\kappa) - \kappa A(\kappa)` each, in nats."""
        k = self.concentration.expand((*self.batch_shape, -1))
        return (_log_volume(k) + k * (1 - _resultant(k))).sum(-1)


def _resultant(k: Tensor) -> Tensor:
    k = k.clamp(min=_LEAST)
    return torch.special.i1e(k) / torch.special.i0e(k)


def _log_volume(k: Tensor) -> Tensor:
    r""":math:`\log 2 \pi I_0(\kappa) - \kappa`."""
    return math.log(2 * math.pi) + torch.special.i0e(k).log()


def _deviations(k: Tensor) -> Tensor:
    r"""Angles of von Mises distributions around 0, by rejection, in float64."""
    k = k.clamp(min=_LEAST)
    tau = 1 + (1 + 4 * k**2).sqrt()
    rho = (tau - (2 * tau).sqrt()) / (2 * k)
    # Best and Fisher's r; for small k its limit, since tau - sqrt(2 tau) cancels there.
    r = torch.where(k < 1e-4, 1 / k + k, (1 + rho**2) / (2 * rho).clamp(min=1e-300))
    u = torch.rand((3, _PROPOSALS, *k.shape), dtype=k.dtype, device=k.device)
    w = (math.pi * u[0]).cos()
    f = (1 + r * w) / (r + w)
    c = k * (r - f)
    is_accepted = (c / u[1].clamp(min=1e-300)).log() + 1 - c >= 0
    # argmax of equal values is the first: the first accepted proposal, at a fixed shape.
    first = is_accepted.byte().argmax(0, keepdim=True)
    cos = f.gather(0, first)[0].clamp(-1, 1)
    side = torch.where(u[2, 0] < 0.5, -1.0, 1.0)
    return cos.acos() * side


def _slope(delta: Tensor, k: Tensor) -> Tensor:
    r""":math:`\partial \theta / \partial \kappa` at fixed probability, by Fejer's first rule."""
    n = _NODES
    corner = (2 * torch.arange(n, device=k.device, dtype=k.dtype) + 1) * (math.pi / (2 * n))
    j = torch.arange(1, n // 2 + 1, device=k.device, dtype=k.dtype)
    weight = 1 - 2 * ((2 * j * corner[:, None]).cos() / (4 * j**2 - 1)).sum(1)
    t = delta.unsqueeze(-1) * (1 - corner.cos()) / 2
    above = (k * (1 - delta.cos())).unsqueeze(-1) - k.unsqueeze(-1) * (1 - t.cos())
    integrand = above.exp() * (t.cos() - _resultant(k).unsqueeze(-1))
    return -delta * (integrand * weight).sum(-1) / n
