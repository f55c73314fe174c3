"""What the posteriors of related observations share."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from ..distributions.posteriors import diagonal_normal

__all__ = ["average", "changed", "product", "share"]


def _parameters(q: Distribution) -> tuple[Tensor, Tensor]:
    if isinstance(q, Independent) and isinstance(q.base_dist, Normal):
        return q.base_dist.loc, q.base_dist.scale
    raise TypeError(
        f"sharing acts on single dimensions: expected a diagonal Gaussian posterior, got "
        f"{type(q).__name__}"
    )


def average(a: Distribution, b: Distribution) -> Independent:
    r"""The Gaussian with the mean of the means and the mean of the variances.

    References:
        Hosoya, "Group-based Learning of Disentangled Representations with Generalizability for
        Novel Contents", 2019, https://arxiv.org/abs/1809.02383.
    """
    (m0, s0), (m1, s1) = _parameters(a), _parameters(b)
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
    (m0, s0), (m1, s1) = _parameters(a), _parameters(b)
    precision = s0**-2 + s1**-2
    return diagonal_normal((m0 * s0**-2 + m1 * s1**-2) / precision, precision**-0.5)


def changed(a: Distribution, b: Distribution) -> Tensor:
    r"""Which dimensions changed between the observations of each pair, by the adaptive threshold.

    Dimension :math:`j` counts as shared where
    :math:`\delta_j = D_{KL}(q_0(z_j) \,\|\, q_1(z_j))` is below
    :math:`\tau = \frac12 (\max_j \delta_j + \min_j \delta_j)`.

    Shape: ``(B, D)``, boolean, true where changed. Where all :math:`\delta_j` are equal (identical
    observations among them) nothing tells the dimensions apart, and none counts as changed.

    References:
        Locatello et al., "Weakly-Supervised Disentanglement Without Compromises", 2020,
        https://arxiv.org/abs/2002.02886, section 4.
    """
    (m0, s0), (m1, s1) = _parameters(a), _parameters(b)
    delta = torch.distributions.kl_divergence(
        Normal(m0, s0, validate_args=False), Normal(m1, s1, validate_args=False)
    ).detach()
    high, low = delta.amax(1, keepdim=True), delta.amin(1, keepdim=True)
    return (delta >= (high + low) / 2) & (high > low)


def share(a: Distribution, b: Distribution, common: Distribution, where: Tensor) -> tuple:
    """Both posteriors with the dimensions ``where`` (boolean, ``(B, D)``) taken from ``common``."""
    (m0, s0), (m1, s1), (m, s) = _parameters(a), _parameters(b), _parameters(common)
    return (
        diagonal_normal(torch.where(where, m, m0), torch.where(where, s, s0)),
        diagonal_normal(torch.where(where, m, m1), torch.where(where, s, s1)),
    )
