"""GVAE: ML-VAE with an average of posteriors where that takes their product."""

from __future__ import annotations

from typing import Literal

from .mlvae import MLVAE

__all__ = ["GVAE"]


class GVAE(MLVAE):
    r"""A VAE with one content per group, whose posterior has the average of the members' moments.

    .. math::
        q(c|x_G) = \mathcal{N}\Big(c; \; \tfrac{1}{|G|} \sum_{i \in G} \mu(x_i), \;
        \tfrac{1}{|G|} \sum_{i \in G} \mathrm{diag}(\sigma^2(x_i))\Big)

    The loss is that of `MLVAE`: the group's evidence lower bound, per observation. Unlike a
    product, an average does not grow surer with the size of the group.

    Args:
        model: q(c, s|x), p(x|c, s) and p(c, s), see `MLVAE`.
        content_dim: The number of code dimensions, from the first on, that are content.
        label: Name of the factor whose values make the groups, see `MLVAE`.
        group_size: Observations in a group of the default sampler, see `MLVAE`.
        penalty: The regularizer of content and of style; the KL divergence by default.
        optimizer: Of all parameters; called with them.

    References:
        Hosoya, "Group-based Learning of Disentangled Representations with Generalizability for
        Novel Contents", 2019, https://arxiv.org/abs/1809.02383, section 3.

    Deviations:
        Content and style come from one network with two heads; the loss is per observation.
    """

    _pooling: Literal["product", "average"] = "average"
