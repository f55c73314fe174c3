"""JointVAE: continuous and categorical latents, each led along its own capacity."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from torch.optim import Adam

from ..checks import check_scale
from ..distributions import (
    Block,
    BlocksPrior,
    CategoricalBlock,
    GaussianBlock,
    Likelihood,
    OneHotPrior,
)
from ..functional import Linear, Schedule
from ..nets import Architecture
from .method import MakeOptimizer
from .model import Model
from .multi_latent_vae import MultiLatentVAE

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["JointVAE"]


class JointVAE(MultiLatentVAE):
    r"""A VAE with continuous codes z and a class c, whose divergences follow growing capacities.

    .. math::
        \mathcal{L} = -\mathbb{E}_{q(z,c|x)}[\log p(x|z,c)]
        + \gamma \, \big| D_{KL}(q(z|x) \,\|\, p(z)) - C_z(t) \big|
        + \gamma \, \big| D_{KL}(q(c|x) \,\|\, p(c)) - C_c(t) \big|

    .. math::
        C(t) = C^{max} \min(t / T, 1), \qquad C_c(t) \le \log K

    The defaults are the paper's for MNIST; for dSprites it has :math:`\gamma` = 150, six continuous
    dimensions, three classes, and capacities of 40 and 1.1 nats after 300,000 steps.

    c is a relaxed one-hot vector; its divergence from the uniform prior is the exact categorical
    one.

    Args:
        model: Encoder, decoder and prior, see `Model`: of `Blocks`.
        gamma: :math:`\gamma`, the weight of the distances from the capacities.
        continuous_capacity: :math:`C_z^{max}`, in nats.
        discrete_capacity: :math:`C_c^{max}`, in nats; at most :math:`\log K` is asked for.
        warmup: :math:`T`, steps over which both grow from 0.
        total_correlation: The weight of the total correlation of the blocks, see `MultiLatentVAE`.
        optimizer: Of all parameters; called with them.

    References:
        Dupont, "Learning Disentangled Joint Continuous and Discrete Representations", 2018,
        https://arxiv.org/abs/1804.00104, equation 7 and section 4.

    Deviations:
        The paper sums the divergences of several categorical variables before it compares them with
        one capacity; here every block has a capacity of its own. Losses are in nats per image; the
        paper's code takes the same units for the reconstruction.

    Example:
        >>> import torch
        >>> from untwine.data import FactorDataset
        >>> data = FactorDataset.from_arrays(torch.rand(100, 7))
        >>> method = JointVAE.build(data, latent_dim=3, classes=4)
        >>> method.classify(torch.rand(5, 7)).probs.shape
        torch.Size([5, 4])
    """

    def __init__(
        self,
        model: Model,
        *,
        gamma: float | Schedule = 30.0,
        continuous_capacity: float = 5.0,
        discrete_capacity: float = 5.0,
        warmup: int = 25_000,
        total_correlation: float | Schedule = 0.0,
        optimizer: MakeOptimizer = partial(Adam, lr=5e-4, fused=True),
    ) -> None:
        check_scale("continuous_capacity", continuous_capacity, zero=True)
        check_scale("discrete_capacity", discrete_capacity, zero=True)
        capacities = {
            name: Linear(0.0, discrete_capacity if discrete else continuous_capacity, warmup)
            for name, discrete in _kinds(model.prior).items()
        }
        super().__init__(
            model,
            weights=dict.fromkeys(capacities, gamma),
            capacities=capacities,
            total_correlation=total_correlation,
            optimizer=optimizer,
        )

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        classes: int = 10,
        temperature: float = 0.67,
        blocks: Mapping[str, Block] | None = None,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
    ) -> dict[str, object]:
        r"""The VAE's parts, with a continuous and a categorical block.

        Args:
            data: What the method will learn from.
            latent_dim: Continuous dimensions.
            classes: :math:`K`, the classes of the categorical block.
            temperature: :math:`\tau` of its relaxed samples.
            blocks: Instead, by name, any blocks; ``continuous`` and ``category`` by default.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|z), see `Model.of`.
        """
        if blocks is None:
            blocks = {
                "continuous": GaussianBlock(latent_dim),
                "category": CategoricalBlock(classes, temperature),
            }
        return super().parts(data, latent_dim, blocks=blocks, net=net, likelihood=likelihood)


def _kinds(prior: Any) -> dict[str, bool]:
    """Whether a block is categorical, by name."""
    if not isinstance(prior, BlocksPrior):
        raise TypeError(f"the prior is a {type(prior).__name__}; expected a BlocksPrior")
    return {
        name: isinstance(own, OneHotPrior)
        for name, own in zip(prior.names, prior.priors, strict=True)
    }
