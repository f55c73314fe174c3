"""Ada-GVAE: pairs that differ in a few factors, nobody says which."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..data.batches import Batch, Images, Pairs
from ..distributions import diagonal_normal
from ..functional import average, changed, geometric, product, share
from .method import ADAM, MakeOptimizer
from .model import Model
from .penalty import Penalty
from .vae import VAE

__all__ = ["AdaGVAE"]

_AGGREGATES = {"average": average, "product": product, "geometric": geometric}


class AdaGVAE(VAE):
    r"""A VAE whose paired posteriors share the dimensions that did not change.

    .. math::
        \tilde q(z_j|x_i) = \begin{cases}
        \mathrm{avg}(q(z_j|x_0), q(z_j|x_1)) & \delta_j < \tau \\
        q(z_j|x_i) & \text{otherwise} \end{cases}, \qquad
        \tau = \tfrac12 (\max_j \delta_j + \min_j \delta_j)

    with :math:`\delta_j = D_{KL}(q(z_j|x_0) \,\|\, q(z_j|x_1))`. The loss is the VAE's (any
    penalty) over both observations of every pair. With the number k of changed factors known, the
    k dimensions of largest :math:`\delta_j` are kept and all others shared.

    Args:
        model: Encoder, decoder and prior, see `Model`; the posterior a diagonal Gaussian.
        changed: k, the number of dimensions that change in every pair; ``None``, for the adaptive
            threshold, where it is unknown.
        symmetric: Whether :math:`\delta_j` is the mean of the divergences in both directions; the
            paper's is the one above.
        aggregate: What is shared: ``"average"`` of means and of variances (the paper's Ada-GVAE),
            ``"product"`` of the densities (Ada-ML-VAE), or ``"geometric"``, their geometric mean.
        penalty: The regularizer; the KL divergence by default.
        optimizer: Of all parameters; called with them.

    Raises:
        ValueError: for an unknown ``aggregate``, or a ``changed`` that is no number of code
            dimensions.

    References:
        Locatello et al., "Weakly-Supervised Disentanglement Without Compromises", 2020,
        https://arxiv.org/abs/2002.02886, equations 5 to 7.
    """

    supervision = Pairs

    def __init__(
        self,
        model: Model,
        *,
        changed: int | None = None,
        symmetric: bool = False,
        aggregate: Literal["average", "product", "geometric"] = "average",
        penalty: Penalty | None = None,
        optimizer: MakeOptimizer = ADAM,
    ) -> None:
        super().__init__(model, penalty=penalty, optimizer=optimizer)
        if changed is not None and not 1 <= changed <= model.latent_dim:
            raise ValueError(
                f"changed is {changed}; expected a number of dimensions from 1 to "
                f"{model.latent_dim}, or None for the adaptive threshold"
            )
        if aggregate not in _AGGREGATES:
            raise ValueError(f"aggregate is {aggregate!r}; expected one of {[*_AGGREGATES]}")
        self.changed, self.symmetric, self.aggregate = changed, symmetric, aggregate

    def infer(self, batch: Batch) -> tuple[Images, Distribution]:
        """Both observations, ``(2 B, ...)``, with posteriors that share what did not change."""
        batch = Pairs.check(batch)
        images = Images(batch.x, batch.c)
        loc, scale = _moments(self.represent(images))
        n = len(batch.x0)
        q0, q1 = diagonal_normal(loc[:n], scale[:n]), diagonal_normal(loc[n:], scale[n:])
        common = _AGGREGATES[self.aggregate](q0, q1)
        moved = changed(q0, q1, self.changed, symmetric=self.symmetric)
        q0, q1 = share(q0, q1, common, ~moved)
        (m0, s0), (m1, s1) = _moments(q0), _moments(q1)
        return images, diagonal_normal(torch.cat([m0, m1]), torch.cat([s0, s1]))


def _moments(q: Distribution) -> tuple[Tensor, Tensor]:
    return q.mean, q.stddev
