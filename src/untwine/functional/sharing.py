"""Posteriors shared by a group: averages, products and geometric means."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, kl_divergence

from ..distributions.gaussians import diagonal_normal

__all__ = ["average", "changed", "geometric", "pool", "product", "share"]


def moments_of(q: Distribution) -> tuple[Tensor, Tensor]:
    if isinstance(q, Independent) and isinstance(q.base_dist, Normal):
        return q.base_dist.loc, q.base_dist.scale
    raise TypeError(
        f"the posterior is a {type(q).__name__}; expected a diagonal Gaussian, since sharing acts "
        "on single dimensions"
    )


def average(a: Distribution, b: Distribution) -> Independent:
    r"""The Gaussian with the mean of the means and the mean of the variances.

    References:
        Hosoya, "Group-based Learning of Disentangled Representations with Generalizability for
        Novel Contents", 2019, https://arxiv.org/abs/1809.02383.
    """
    (m0, s0), (m1, s1) = moments_of(a), moments_of(b)
    return diagonal_normal((m0 + m1) / 2, ((s0**2 + s1**2) / 2).sqrt())


def product(a: Distribution, b: Distribution) -> Independent:
    r"""The normalized product of two Gaussian densities.

    .. math::
        \sigma^{-2} = \sigma_0^{-2} + \sigma_1^{-2}, \qquad
        \mu = \sigma^2 (\sigma_0^{-2} \mu_0 + \sigma_1^{-2} \mu_1)

    References:
        Bouchacourt, Tomioka, Nowozin, "Multi-Level Variational Autoencoder", 2018,
        https://arxiv.org/abs/1705.08841, section 3.
    """
    (m0, s0), (m1, s1) = moments_of(a), moments_of(b)
    precision = s0**-2 + s1**-2
    return diagonal_normal((m0 * s0**-2 + m1 * s1**-2) / precision, precision**-0.5)


def geometric(a: Distribution, b: Distribution) -> Independent:
    r"""The normalized geometric mean of two Gaussian densities: the mean of their precisions.

    .. math::
        \sigma^{-2} = \tfrac12 (\sigma_0^{-2} + \sigma_1^{-2}), \qquad
        \mu = \tfrac12 \sigma^2 (\sigma_0^{-2} \mu_0 + \sigma_1^{-2} \mu_1)

    Unlike the product it gives two equal posteriors back as they are. It is what the code that
    Locatello et al. published (disentanglement_lib) computes where their paper has the product.
    """
    loc, scale = moments_of(product(a, b))
    return diagonal_normal(loc, 2**0.5 * scale)


def pool(
    q: Distribution,
    present: Tensor | None = None,
    how: Literal["product", "average"] = "product",
) -> Independent:
    r"""One Gaussian out of those of a group, which may have any number of members.

    .. math::
        \text{product:} \quad \sigma^{-2} = \sum_i \sigma_i^{-2}, \;
        \mu = \sigma^2 \sum_i \sigma_i^{-2} \mu_i \qquad
        \text{average:} \quad \mu = \tfrac1n \sum_i \mu_i, \;
        \sigma^2 = \tfrac1n \sum_i \sigma_i^2

    Shape: ``q`` with batch shape ``(B, G)`` and event shape ``(D,)`` gives batch shape ``(B,)``.

    Args:
        q: Diagonal Gaussians.
        present: Which members there are, boolean, ``(B, G)``; at least one of each group. All by
            default.
        how: The normalized product of the densities, or the average of their parameters.

    Raises:
        ValueError: for another word.
        TypeError: for posteriors that are no diagonal Gaussians.

    References:
        Bouchacourt et al., "Multi-Level Variational Autoencoder", 2018,
        https://arxiv.org/abs/1705.08841, section 3.2 (the product); Hosoya, "Group-based Learning
        of Disentangled Representations with Generalizability for Novel Contents", 2019,
        https://arxiv.org/abs/1809.02383 (the average).

    Example:
        >>> q = diagonal_normal(torch.zeros(1, 4, 2), torch.ones(1, 4, 2))
        >>> pool(q).variance, pool(q, how="average").variance
        (tensor([[0.2500, 0.2500]]), tensor([[1., 1.]]))
    """
    loc, scale = moments_of(q)
    weight = torch.ones_like(loc[..., :1])
    if present is not None:
        weight = present.unsqueeze(-1).to(loc.dtype)
    if how == "average":
        weight = weight / weight.sum(-2, keepdim=True)
        return diagonal_normal((weight * loc).sum(-2), (weight * scale**2).sum(-2).sqrt())
    if how != "product":
        raise ValueError(f"how is {how!r}; expected 'product' or 'average'")
    # An absent member has precision 0: it changes neither the mean nor the variance.
    precision = weight * scale**-2
    total = precision.sum(-2)
    return diagonal_normal((precision * loc).sum(-2) / total, total**-0.5)


def changed(
    a: Distribution, b: Distribution, k: int | None = None, *, symmetric: bool = False
) -> Tensor:
    r"""Which dimensions changed between the observations of each pair.

    .. math::
        \delta_j = D_{KL}(q_0(z_j) \,\|\, q_1(z_j)), \qquad
        \tau = \tfrac12 (\max_j \delta_j + \min_j \delta_j)

    With an unknown number of changes, dimension :math:`j` is shared where
    :math:`\delta_j < \tau`, and changed otherwise; with k known, the k dimensions of largest
    :math:`\delta_j` changed.

    Shape: ``(B, D)``, boolean, true where changed. Where all :math:`\delta_j` are equal (identical
    observations among them) none is below the threshold, and nothing is shared.

    Args:
        a: Posteriors of the first observations, diagonal Gaussians.
        b: Posteriors of the second observations.
        k: The number of changed dimensions, if it is known.
        symmetric: Whether :math:`\delta_j` is the mean of the divergences in both directions.

    Raises:
        ValueError: for a ``k`` that is not between 1 and the number of dimensions.

    References:
        Locatello et al., "Weakly-Supervised Disentanglement Without Compromises", 2020,
        https://arxiv.org/abs/2002.02886, section 4.
    """
    (m0, s0), (m1, s1) = moments_of(a), moments_of(b)
    one, two = Normal(m0, s0, validate_args=False), Normal(m1, s1, validate_args=False)
    delta = kl_divergence(one, two)
    if symmetric:
        delta = (delta + kl_divergence(two, one)) / 2
    # Which dimensions are shared is a decision: no gradient flows through the threshold.
    delta = delta.detach()
    if k is None:
        return delta >= (delta.amax(1, keepdim=True) + delta.amin(1, keepdim=True)) / 2
    if not 1 <= k <= delta.shape[1]:
        raise ValueError(
            f"k is {k}, but the code has {delta.shape[1]} dimensions: between 1 and all of them "
            "can change"
        )
    largest = delta.topk(k, dim=1).indices
    return torch.zeros_like(delta, dtype=torch.bool).scatter(1, largest, True)


def share(a: Distribution, b: Distribution, common: Distribution, where: Tensor) -> tuple:
    """Both posteriors with the dimensions ``where`` (boolean, ``(B, D)``) taken from ``common``."""
    (m0, s0), (m1, s1), (m, s) = moments_of(a), moments_of(b), moments_of(common)
    return (
        diagonal_normal(torch.where(where, m, m0), torch.where(where, s, s0)),
        diagonal_normal(torch.where(where, m, m1), torch.where(where, s, s1)),
    )
