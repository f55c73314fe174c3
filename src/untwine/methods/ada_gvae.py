"""Ada-GVAE: pairs that differ in a few factors, nobody says which."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..data.batches import Pairs
from ..distributions import diagonal_normal
from ..functional import average, changed, share
from .vae import VAE

__all__ = ["AdaGVAE"]


class AdaGVAE(VAE):
    r"""A VAE whose paired posteriors share the dimensions that did not change.

    .. math::
        \tilde q(z_j|x_i) = \begin{cases}
        \mathrm{avg}(q(z_j|x_0), q(z_j|x_1)) & \delta_j < \tau \\
        q(z_j|x_i) & \text{otherwise} \end{cases}, \qquad
        \tau = \tfrac12 (\max_j \delta_j + \min_j \delta_j)

    with :math:`\delta_j = D_{KL}(q(z_j|x_0) \,\|\, q(z_j|x_1))`. The loss is the VAE's (any
    penalty) over both observations of every pair.

    Args:
        encoder: ``x -> q(z|x)``, a diagonal Gaussian.
        decoder: ``z -> p(x|z)``.
        prior: ``() -> p(z)``.
        penalty: The regularizer, see `VAE`.
        optimizer: Called with the parameters.

    References:
        Locatello et al., "Weakly-Supervised Disentanglement Without Compromises", 2020,
        https://arxiv.org/abs/2002.02886, equations 5 to 7.
    """

    supervision = Pairs

    def infer(self, batch: Any) -> tuple[Tensor, Distribution]:
        """Both observations, ``(2 B, ...)``, with posteriors that share what did not change."""
        x = torch.cat([batch.x0, batch.x1])
        loc, scale = _moments(self.represent(x))
        n = len(batch.x0)
        q0, q1 = diagonal_normal(loc[:n], scale[:n]), diagonal_normal(loc[n:], scale[n:])
        q0, q1 = share(q0, q1, average(q0, q1), ~changed(q0, q1))
        (m0, s0), (m1, s1) = _moments(q0), _moments(q1)
        return x, diagonal_normal(torch.cat([m0, m1]), torch.cat([s0, s1]))


def _moments(q: Distribution) -> tuple[Tensor, Tensor]:
    return q.mean, q.stddev
