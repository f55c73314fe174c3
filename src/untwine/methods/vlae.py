"""Variational ladder autoencoder: a flat prior, and nets whose depth decides the level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..distributions import BlocksPosterior, BlocksPrior, GaussianBlock, Likelihood
from ..nets import Architecture, Rungs
from .hierarchy import HierarchicalVAE
from .ladder_vae import ladder_dims
from .model import Model

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["VLAE"]


class VLAE(HierarchicalVAE):
    r"""A VAE whose upper codes go through deeper networks than its lower ones.

    .. math::
        \mathcal{L} = -\mathbb{E}_{q}[\log p(x|z)] + \beta \sum_l D_{KL}(q(z_l|x) \,\|\,
        \mathcal{N}(0, I)), \qquad q(z_l|x) = \mathcal{N}(\mu_l(h_l), \sigma_l^2(h_l)), \;
        h_l = g_l(h_{l-1}), \; h_0 = x

    .. math::
        p(x|z) = p(x|f_1(t_2, v_1(z_1))), \qquad t_l = f_l(t_{l+1}, v_l(z_l))

    Prior and posterior are flat, as in a VAE: no level is drawn given another. What a factor needs
    decides its level: what is simple to compute is told by the lower levels, what takes depth by
    the upper ones. Levels are the blocks of the code, the uppermost first.

    Args:
        model: Encoder, decoder and prior, see `Model`: of `Blocks`.
        beta: :math:`\beta`, a number or a schedule.
        free_bits: Nats of each level that cost nothing, see `LevelKL`.
        optimizer: Of all parameters; called with them.

    References:
        Zhao, Song, Ermon, "Learning Hierarchical Features from Generative Models", 2017,
        https://arxiv.org/abs/1702.08396, section 4 (there, VLAE).

    Example:
        >>> import torch
        >>> from untwine.data import FactorDataset
        >>> data = FactorDataset.from_arrays(torch.rand(100, 1, 16, 16))
        >>> VLAE.build(data, levels=(2, 2, 3)).represent(torch.rand(5, 1, 16, 16)).names
        ('z_3', 'z_2', 'z_1')
    """

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        levels: Sequence[int] | None = None,
        width: int = 32,
        hidden: int = 256,
        batch_norm: bool = False,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
    ) -> dict[str, object]:
        """The networks of a ladder that fits a data set's observations.

        Args:
            data: What the method will learn from.
            latent_dim: Shared by the default levels; ignored where ``levels`` are given.
            levels: Code dimensions of each level, the uppermost first; by default three levels
                (fewer where ``latent_dim`` is below 3), the lowest ones wider by one where they
                cannot be equal.
            width: Channels of the first convolution.
            hidden: Width of linear layers.
            batch_norm: Whether layers have batch normalization.
            net: Another architecture than `nets.Rungs` of these sizes, for encoder and decoder.
            likelihood: The family of p(x|z), see `Model.of`.
        """
        dims = ladder_dims(latent_dim, levels)
        blocks = {name: GaussianBlock(dim) for name, dim in dims.items()}
        if net is None:
            net = Rungs(list(dims.values()), width, hidden, batch_norm)
        model = Model.of(
            data,
            sum(dims.values()),
            net=net,
            likelihood=likelihood,
            posterior=BlocksPosterior(blocks),
            prior=BlocksPrior(blocks),
        )
        return {"model": model}
