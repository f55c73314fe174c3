"""A VAE whose prior is a tree of Gaussian mixtures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from ..data.batches import Batch
from ..distributions import HierarchicalMixture, Likelihood, Posterior
from ..nets import Architecture
from .clustering_vae import ClusteringVAE
from .method import Observations
from .model import Model

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["HierarchicalMixtureVAE"]


class HierarchicalMixtureVAE(ClusteringVAE):
    r"""A VAE whose clusters are the leaves of a tree, with a mixture at each of its levels.

    .. math::
        \mathcal{L}(x) = -\mathbb{E}_{q(z|x)}[\log p(x|z)] + \mathbb{E}_{q(z|x)}\Big[\log q(z|x)
        - \sum_l w_l \log p_l(z)\Big], \qquad \mu_n = \tfrac12 (\mu_a + \mu_b)

    Each level's density :math:`p_l` is a Gaussian mixture over its nodes, and an upper node's mean
    is always the average of its children's, so that data near an upper node moves all leaves
    below it. See `HierarchicalMixture` for what the weighted sum of log densities is, and for the
    normalized alternative.

    Args:
        model: Encoder, decoder and prior; the prior a `HierarchicalMixture`.
        pretrain: Whether a stage ``pretrain`` comes first, an autoencoder without noise or prior.
        penalty: The regularizer, see `VAE`.
        optimizer: Called with the parameters, the prior's among them.

    References:
        Goyal et al., "Nonparametric Variational Auto-encoders for Hierarchical Representation
        Learning", 2017, https://arxiv.org/abs/1703.07027 (a tree of Gaussians as the prior of a
        VAE; there, children are drawn around their parents).

    Deviations:
        From that paper: means are computed from the leaves up instead of drawn from the root
        down, the tree has a fixed number of leaves, and levels are weighted.
    """

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        tree: int | Sequence[object] = 8,
        agglomerate: bool | Literal["average", "ward", "complete"] = False,
        upper: float = 0.5,
        combine: Literal["geometric", "mixture"] = "geometric",
        sigma: float | Literal["trainable"] = 1.0,
        init: Literal["random", "data", "kmeans"] = "random",
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
        posterior: Posterior | None = None,
    ) -> dict[str, object]:
        """The VAE's parts, with a tree of mixtures for prior.

        Args:
            data: What the method will learn from.
            latent_dim: The number of code dimensions.
            tree: Nested sequences of leaf numbers, or the number of leaves of a balanced binary
                tree.
            agglomerate: Whether, or by which linkage, the tree is found by joining the nearest
                leaf means at the start of training; best with ``init`` other than random.
            upper: The weight of the levels above the leaves, together.
            combine: ``"geometric"``, the weighted sum of log densities, or ``"mixture"``.
            sigma: The scale of every component, or ``"trainable"``.
            init: Where the leaf means begin: ``"random"``, ``"data"`` or ``"kmeans"``.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|z), see `Model.of`.
            posterior: The family of q(z|x); independent Gaussians by default.
        """
        prior = HierarchicalMixture(
            latent_dim,
            tree,
            agglomerate=agglomerate,
            upper=upper,
            combine=combine,
            sigma=sigma,
            init=init,
        )
        model = Model.of(
            data, latent_dim, net=net, likelihood=likelihood, posterior=posterior, prior=prior
        )
        return {"model": model}

    @torch.no_grad()
    def cluster(
        self, batch: Batch | Observations, c: Tensor | None = None, level: int = -1
    ) -> Tensor:
        """Soft assignments to the nodes of a level, at the posterior means.

        Args:
            batch: Observations, with their covariates if the data has any.
            c: Covariates of plain observations.
            level: Counted from the top; the leaves are the last, -1. ``prior.levels`` names the
                nodes of each level.

        Shape: ``(B, nodes of the level)``; rows sum to one.

        Raises:
            TypeError: for another prior.
        """
        if not isinstance(self.prior, HierarchicalMixture):
            raise TypeError(f"prior is {self.prior}; only a HierarchicalMixture has levels")
        return self.prior.responsibilities(self.represent(Batch.of(batch, c)).mean, level)
