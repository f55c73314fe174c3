"""Discrepancies of samples: maximum mean discrepancy, Stein's, sliced Wasserstein distance."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution

from .kernels import RBF, Kernel, squared_distances

__all__ = ["group_mmd", "mmd", "score", "sliced_wasserstein", "stein", "stein_direction"]


def mmd(x: Tensor, y: Tensor, kernel: Kernel | None = None, *, unbiased: bool = True) -> Tensor:
    r"""Squared maximum mean discrepancy of two samples, a scalar.

    .. math::
        \mathrm{MMD}^2(q, p) = \mathbb{E}\, k(x, x') + \mathbb{E}\, k(y, y')
        - 2\, \mathbb{E}\, k(x, y)

    The U-statistic leaves a point's kernel with itself out, and may fall below 0. The V-statistic
    keeps it: of two samples of n points of one distribution it is
    :math:`\tfrac2n (1 - \mathbb{E} k)` on average, where the U-statistic is 0.

    Args:
        x: A sample of q.
        y: A sample of p.
        kernel: `RBF` with the dimension for its bandwidth by default; the bandwidth is that of
            both samples together.
        unbiased: Whether it is the U-statistic.

    Shape: ``(N, D)`` and ``(M, D)``, at least two points each where it is unbiased.

    Raises:
        ValueError: for an unbiased estimate of a single point.

    References:
        Gretton, Borgwardt, Rasch, Schölkopf, Smola, "A Kernel Two-Sample Test", 2012,
        https://jmlr.org/papers/v13/gretton12a.html, equations 3 and 5.
    """
    n, m = len(x), len(y)
    if unbiased and min(n, m) < 2:
        raise ValueError(f"the unbiased estimate takes 2 points of each sample, got {n} and {m}")
    kernel = RBF() if kernel is None else kernel
    h = kernel.width(torch.cat([x, y]))
    total_ = x.new_zeros(())
    for points, size in ((x, n), (y, m)):
        gram = kernel(points, points, h)
        total = gram.sum() - gram.diagonal().sum() if unbiased else gram.sum()
        total_ = total_ + total / (size * (size - 1) if unbiased else size**2)
    return total_ - 2 * kernel(x, y, h).mean()


def group_mmd(
    z: Tensor, groups: Tensor, kernel: Kernel | None = None, *, unbiased: bool = True
) -> Tensor:
    r"""Squared maximum mean discrepancies of each group from all others, summed, a scalar.

    .. math::
        \sum_g \mathrm{MMD}^2\big(\{z_i : c_{ig} = 1\}, \{z_i : c_{ig} = 0\}\big)

    See `mmd`. Of two groups both terms are the same. A group with fewer than two points, inside or
    outside, counts 0: shapes do not depend on the values, so that a step can be captured.

    Args:
        z: Points.
        groups: Indicators :math:`c`, 0 or 1; a single column is a group and its complement.
        kernel: `RBF` with the dimension for its bandwidth by default.
        unbiased: Whether it is the U-statistic. The other one falls when all codes shrink, also
            where groups do not differ, by more the smaller they are.

    Shape: ``(N, D)`` and ``(N, G)``.

    References:
        Louizos, Swersky, Li, Welling, Zemel, "The Variational Fair Autoencoder", 2016,
        https://arxiv.org/abs/1511.00830, equation 8.
    """
    kernel = RBF() if kernel is None else kernel
    gram = kernel(z, z, kernel.width(z))
    sides = (groups, 1 - groups)
    counts = [side.sum(0) for side in sides]
    total_ = -2 * (sides[0] * (gram @ sides[1])).sum(0) / (counts[0] * counts[1]).clamp(min=1)
    within = gram - torch.diag(gram.diagonal()) if unbiased else gram
    for side, n in zip(sides, counts, strict=True):
        pairs = n * (n - 1) if unbiased else n * n
        total_ = total_ + (side * (within @ side)).sum(0) / pairs.clamp(min=1)
    return (total_ * ((counts[0] >= 2) & (counts[1] >= 2))).sum()


def score(p: Distribution, z: Tensor) -> Tensor:
    r"""The score :math:`\nabla_z \log p(z)` at points, without a gradient of its own.

    Shape: ``(B, D)`` to ``(B, D)``.
    """
    with torch.enable_grad():
        point = z.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(p.log_prob(point).sum(), point)
    return gradient


def stein_direction(z: Tensor, score: Tensor, kernel: Kernel | None = None) -> Tensor:
    r"""Where to move a sample of q so that its divergence from p falls fastest, ``(B, D)``.

    .. math::
        \phi^*(z_i) = \frac1B \sum_j \big[ k(z_j, z_i) \, \nabla \log p(z_j)
        + \nabla_{z_j} k(z_j, z_i) \big]

    The first part goes up the density, the second keeps points apart.

    Args:
        z: A sample of q, ``(B, D)``.
        score: :math:`\nabla \log p(z_j)`, ``(B, D)``.
        kernel: `RBF` with the median bandwidth by default, as published.

    References:
        Liu, Wang, "Stein Variational Gradient Descent", 2016, https://arxiv.org/abs/1608.04471,
        equation 8.
    """
    kernel = RBF("median") if kernel is None else kernel
    h = kernel.width(z)
    squared = squared_distances(z, z)
    slopes = 2 * kernel.slope(squared, h)
    # The sum over j of slope_ij (z_j - z_i), without the (B, B, D) differences.
    apart = slopes @ z - slopes.sum(1, keepdim=True) * z
    return (kernel.value(squared, h) @ score + apart) / len(z)


def stein(z: Tensor, score: Tensor, kernel: Kernel | None = None) -> Tensor:
    r"""What to minimize so that a sample of q moves toward p; one value per example.

    .. math::
        \ell(z_i) = -z_i^\top \, \mathrm{sg}\big(\phi^*(z_i)\big)

    with sg the stop of the gradient, so that a step goes along :math:`+\phi^*`, in which
    :math:`D_{KL}(q \,\|\, p)` falls. With the other sign q runs away from p. It is a surrogate: its
    gradient means something, its value does not.

    Args:
        z: A reparameterized sample of q, ``(B, D)``.
        score: See `stein_direction`, as `score` gives it.
        kernel: See `stein_direction`.

    Shape: ``(B,)``.

    References:
        Liu, Wang, 2016 (as in `stein_direction`); Zhao, Song, Ermon, "InfoVAE: Balancing Learning
        and Inference in Variational Autoencoders", 2019, https://arxiv.org/abs/1706.02262,
        section 4.2.
    """
    with torch.no_grad():
        direction = stein_direction(z, score, kernel)
    return -(z * direction).sum(-1)


def sliced_wasserstein(x: Tensor, y: Tensor, projections: int = 50) -> Tensor:
    r"""Squared sliced Wasserstein distance of two samples of one size, a scalar.

    .. math::
        \mathbb{E}_{\theta} \, W_2^2(\theta^\top x, \theta^\top y), \qquad
        \|\theta\| = 1, \quad
        W_2^2 = \tfrac1B \sum_i (x_{(i)} - y_{(i)})^2

    In one dimension sorted points are matched. Of two Gaussians with equal covariances it is
    :math:`\|\mu_x - \mu_y\|^2 / D` on average, as B grows.

    Args:
        x: A sample of q.
        y: A sample of p, of as many points.
        projections: Random directions, drawn anew.

    Shape: ``(B, D)`` both.

    Raises:
        ValueError: for samples of different sizes, and fewer than one direction.

    References:
        Kolouri, Pope, Martin, Rohde, "Sliced-Wasserstein Autoencoder", 2019,
        https://arxiv.org/abs/1804.01947, equation 9.
    """
    if x.shape != y.shape:
        raise ValueError(
            f"x has shape {tuple(x.shape)} and y {tuple(y.shape)}: points are matched one to one, "
            "so there must be as many"
        )
    if projections < 1:
        raise ValueError(f"projections is {projections}; expected at least 1")
    theta = torch.randn(x.shape[1], projections, device=x.device, dtype=x.dtype)
    theta = theta / theta.norm(dim=0)
    projected_x, projected_y = (x @ theta).sort(0).values, (y @ theta).sort(0).values
    return (projected_x - projected_y).square().mean()
