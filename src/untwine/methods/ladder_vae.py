"""Ladder VAE: top-down inference that combines what is seen with what is expected."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.distributions import Distribution

from ..checks import check_size, check_sizes
from ..distributions import Bernoulli, Diagonal, Gaussian, Likelihood, diagonal_normal
from ..functional import product
from ..nets import MLP, Architecture, Rungs, default_architecture, mlp
from .hierarchical_model import Draw, HierarchicalModel, TopDown
from .hierarchy import HierarchicalVAE

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["LadderVAE", "ladder_dims"]


class LadderVAE(HierarchicalVAE):
    r"""A hierarchy of latents, inferred from above with what was seen from below.

    .. math::
        \mathcal{L} = -\mathbb{E}_q[\log p(x|z_1)] + \beta \sum_{l} D_{KL}(q(z_l|z_{l+1}, x) \,\|\,
        p(z_l|z_{l+1})), \qquad q(z_l|z_{l+1}, x) \propto
        \mathcal{N}(z_l; \hat\mu_l(x), \hat\sigma_l^2(x)) \, p(z_l|z_{l+1})

    A deterministic way up gives every level a Gaussian; a way down gives each the prior that the
    level above expects; their product, weighted by precision, is the posterior. The uppermost
    level has the prior N(0, I), and the lowest, ``z_1``, is what is decoded. Levels are the blocks
    of the code, the uppermost first.

    Args:
        model: A `HierarchicalModel`.
        beta: :math:`\beta`, a number or a schedule: ``Linear(0, 1, steps)`` is the paper's warm-up.
        free_bits: Nats of each level that cost nothing, see `LevelKL`.
        optimizer: Of all parameters; called with them.

    References:
        Sonderby, Raiko, Maaloe, Sonderby, Winther, "Ladder Variational Autoencoders", 2016,
        https://arxiv.org/abs/1602.02282, section 2.

    Deviations:
        Warm-up is asked for by ``beta``; images go up through convolutions; all levels are rungs
        of one network, see `nets.Rungs`.

    Example:
        >>> import torch
        >>> from untwine.data import FactorDataset
        >>> data = FactorDataset.from_arrays(torch.rand(100, 7))
        >>> method = LadderVAE.build(data, levels=(2, 4))
        >>> method.eval().represent(torch.rand(5, 7)).slices
        {'z_2': slice(0, 2, None), 'z_1': slice(2, 6, None)}
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
        batch_norm: bool = True,
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
            width: Channels of the first convolution of the way up.
            hidden: Width of linear layers, on the way up and down.
            batch_norm: Whether layers have batch normalization, as published.
            net: The architecture of the decoder from ``z_1``, see `Model.of`.
            likelihood: The family of p(x|z), see `Model.of`.
        """
        dims = ladder_dims(latent_dim, levels)
        check_size("hidden", hidden)
        if likelihood is None:
            likelihood = Bernoulli() if len(data.shape) == 3 else Gaussian()
        if net is None:
            net = MLP(inputs="log1p") if likelihood.counts else default_architecture(data.shape)
        covariates = 0 if data.covariates is None else data.covariates.shape[1]
        likelihood = likelihood.adapted(data, covariates)
        rungs = Rungs(list(dims.values()), width, hidden, batch_norm)
        bottom_up = rungs.encoder(data.shape, 2 * sum(dims.values()), covariates)
        outputs = likelihood.features(data.shape)
        decoder = net.decoder(list(dims.values())[-1], outputs, covariates)
        top_down = LadderDown(dims, hidden, decoder, batch_norm=batch_norm)
        return {"model": HierarchicalModel(bottom_up, top_down, likelihood, covariates=covariates)}


class LadderDown(TopDown):
    r"""The way down of a ladder: each level's prior is a function of the level above.

    .. math::
        p(z_L) = \mathcal{N}(0, I), \qquad
        p(z_l|z_{l+1}) = \mathcal{N}\big(\mu_l(z_{l+1}), \sigma_l^2(z_{l+1})\big)

    With features of x, Gaussians of the way up, the posterior is their product with the prior,

    .. math::
        \sigma_q^{-2} = \hat\sigma_l^{-2} + \sigma_l^{-2}, \qquad
        \mu_q = \sigma_q^2 \, (\hat\mu_l \hat\sigma_l^{-2} + \mu_l \sigma_l^{-2})

    and of the uppermost level the Gaussian of the way up itself.

    Args:
        dims: By name, the uppermost level first.
        hidden: Width of the layer between two levels.
        decoder: From the lowest level, and covariates, to what the likelihood takes.
        batch_norm: Whether the hidden layer has batch normalization.

    Shape:
        Features: one tensor ``(B, 2 D)``, of each level in order its means and log variances,
        ``(B, 2 D_l)``. The state below the last level is ``z_1``, ``(B, D_1)``.

    References:
        Sonderby, Raiko, Maaloe, Sonderby, Winther, "Ladder Variational Autoencoders", 2016,
        https://arxiv.org/abs/1602.02282, section 2 (top-down inference, weighted by precision).
    """

    def __init__(
        self, dims: dict[str, int], hidden: int, decoder: nn.Module, *, batch_norm: bool = True
    ) -> None:
        super().__init__()
        self.dims, self.decoder, self.head = dims, decoder, Diagonal()
        activation = partial(_normalized_relu, hidden) if batch_norm else nn.ReLU
        sizes = list(dims.values())
        self.nets = nn.ModuleList(
            nn.Sequential(*mlp(above, (hidden,), self.head.features(below), activation))
            for above, below in pairwise(sizes)
        )

    def descend(self, draw: Draw, features: Sequence[Tensor], rows: int) -> Tensor:
        """Features are one tensor: means and log variances of each level, in order."""
        shares = [self.head.features(dim) for dim in self.dims.values()]
        seen = features[0].split(shares, -1) if features else ()
        z = next(self.decoder.parameters()).new_zeros(rows, 0)
        for level, (name, dim) in enumerate(self.dims.items()):
            prior: Distribution
            if level:
                prior = self.head(_at_least_float(self.nets[level - 1](z)))
            else:
                prior = diagonal_normal(z.new_zeros(rows, dim), z.new_ones(rows, dim))
            posterior = self.head(_at_least_float(seen[level])) if seen else None
            if posterior is not None and level:
                posterior = product(posterior, prior)
            z = draw(name, prior, posterior)
        return z

    def output(self, state: Tensor, c: Tensor | None = None) -> Tensor:
        """The decoder of the lowest level."""
        return self.decoder(state) if c is None else self.decoder(state, c)


def ladder_dims(latent_dim: int, levels: Sequence[int] | None) -> dict[str, int]:
    """Dimensions of the levels ``z_L`` to ``z_1``, by name.

    Raises:
        ValueError: for no levels, or sizes below 1.
    """
    if levels is None:
        number = max(1, min(3, latent_dim))
        levels = [latent_dim // number + (i >= number - latent_dim % number) for i in range(number)]
    if not levels:
        raise ValueError("levels is empty; expected at least one, such as levels=(4, 16)")
    check_sizes("levels", levels)
    return {f"z_{len(levels) - i}": dim for i, dim in enumerate(levels)}


def _normalized_relu(width: int) -> nn.Module:
    return nn.Sequential(nn.BatchNorm1d(width), nn.ReLU())


def _at_least_float(h: Tensor) -> Tensor:
    return h.float() if h.dtype.itemsize < 4 else h
