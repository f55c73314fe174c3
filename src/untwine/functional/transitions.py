"""Transition densities of codes between successive observations."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.distributions import Distribution

from .sharing import moments_of

__all__ = ["laplace_transition"]


def laplace_transition(before: Distribution, after: Distribution, rate: float) -> Tensor:
    r"""Expected KL divergence of a posterior from a Laplace step away from the previous code.

    .. math::
        \mathbb{E}_{q(z')} D_{KL}\big(q(z) \,\|\, p(z|z')\big) = \sum_j \Big[
        \lambda \, \mathbb{E}|z_j - z'_j| - \log \tfrac{\lambda}{2}
        - \tfrac12 \log (2 \pi e \, \sigma_j^2) \Big], \qquad
        p(z|z') = \prod_j \tfrac{\lambda}{2} e^{-\lambda |z_j - z'_j|}

    with, for :math:`m = \mu_j - \mu'_j` and :math:`v = \sigma_j^2 + \sigma_j'^2`,

    .. math::
        \mathbb{E}|z_j - z'_j| = \sqrt{\tfrac{2 v}{\pi}} \, e^{-m^2 / 2 v}
        + m \, \mathrm{erf}\Big(\frac{m}{\sqrt{2 v}}\Big)

    Shape: batch shapes ``(B,)``, event shapes ``(D,)``; gives ``(B,)``, in nats.

    Args:
        before: :math:`q(z')`, a diagonal Gaussian.
        after: :math:`q(z)`, a diagonal Gaussian.
        rate: :math:`\lambda`, the inverse scale of the steps.

    References:
        Klindt et al., "Towards Nonlinear Disentanglement in Natural Data with Temporal Sparse
        Coding", 2021, https://arxiv.org/abs/2007.10930, section 4.
    """
    (m0, s0), (m1, s1) = moments_of(before), moments_of(after)
    shift, variance = m1 - m0, s0**2 + s1**2
    spread = (2 * variance).sqrt()
    # E|z - z'| of a Gaussian difference: a folded normal's mean.
    distance = spread / math.sqrt(math.pi) * (-((shift / spread) ** 2)).exp()
    distance = distance + shift * torch.erf(shift / spread)
    cross_entropy = rate * distance - math.log(rate / 2)
    entropy = s1.log() + 0.5 * math.log(2 * math.pi * math.e)
    return (cross_entropy - entropy).sum(-1)
