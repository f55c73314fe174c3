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
        encoder: ``x -> q(c, s|x)``, independent Gaussians over ``[content, style]``.
        decoder: ``[content, style] -> p(x|c, s)``.
        prior: p(c, s): independent Gaussians, or blocks named ``content`` and ``style``.
        content_dim: The number of code dimensions, from the first on, that are content.
        **options: Passed to `MLVAE`: ``label``, ``group_size``, and those of `VAE`.

    References:
        Hosoya, "Group-based Learning of Disentangled Representations with Generalizability for
        Novel Contents", 2019, https://arxiv.org/abs/1809.02383, section 3.

    Deviations:
        Content and style come from one network with two heads; the loss is per observation.
    """

    _pooling: Literal["product", "average"] = "average"
