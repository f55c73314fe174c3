"""Very deep VAE: a hierarchy of latents from one position up to whole images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn import functional as F

from ..checks import check_size
from ..data.batches import Batch
from ..distributions import Bernoulli, Diagonal, Gaussian, Likelihood
from ..functional import Schedule
from ..nets.residual import Bottleneck, BottomUp, resolutions
from .gradient_guard import GradientGuard
from .hierarchical_model import Draw, HierarchicalModel, TopDown
from .hierarchy import HierarchicalVAE
from .loss import Loss
from .method import ADAM, Context, MakeOptimizer, Moves, Player
from .model import Model

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["VeryDeepVAE"]

_BLOCKS = (2, 2, 1)


class VeryDeepVAE(HierarchicalVAE):
    r"""A hierarchy of latents at resolutions from 1x1 up, each drawn given all before it.

    .. math::
        \mathcal{L} = -\mathbb{E}_{q}[\log p(x|z)] + \beta \sum_{l} D_{KL}(q(z_l|z_{<l}, x) \,\|\,
        p(z_l|z_{<l})), \qquad p(z_l|z_{<l}) = \mathcal{N}(\mu_l(s_l), \sigma_l^2(s_l))

    A state goes down from one position to the whole image. In each block the prior is read off
    the state :math:`s_l`, the posterior off the state and the features of the image at that
    resolution, and the value is added to the state. At first every prior is N(0, I). Levels are
    the blocks of the code by resolution, ``z_1x1_0`` the uppermost. A vector is one position of
    many channels, so that all levels are 1x1.

    Steps are guarded: a gradient longer than ``clip`` times the usual norm is shortened, and a step
    whose gradient explodes is skipped, see `GradientGuard`; the log has the usual norm
    (``usual_norm``) and the share of steps that were skipped (``skipped``). Weights for evaluation
    are averages in the paper: ``fit(..., average=EMA(0.9998))``, see `training.EMA`.

    Args:
        model: A `HierarchicalModel`.
        beta: :math:`\beta`, a number or a schedule; ``Linear(0, 1, steps)`` is warm-up.
        free_bits: Nats of each level that cost nothing, see `LevelKL`.
        clip: How many times the usual norm a gradient may be; ``None`` for any.
        skip: How many times the usual norm a step is skipped at; ``None`` for none.
        optimizer: Of all parameters; called with them.

    References:
        Child, "Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images",
        2021, https://arxiv.org/abs/2011.10650, section 3 and appendix; blocks and their
        initialization as in the code released with it, https://github.com/openai/vdvae

    Deviations:
        Warm-up and free bits are there to be asked for, where the paper has neither. Gradients are
        compared with those before instead of with fixed numbers: a fixed threshold below what norms
        settle at skips every step. Adam without weight decay. Sizes are small by default.

    Example:
        >>> from untwine.data import FactorDataset
        >>> data = FactorDataset.from_arrays(torch.rand(20, 1, 8, 8))
        >>> method = VeryDeepVAE.build(data, latent_dim=2, blocks=(2, 1), width=8)
        >>> method.represent(torch.rand(5, 1, 8, 8)).slices
        {'z_1x1_0': slice(0, 2, None), 'z_1x1_1': slice(2, 4, None), 'z_4x4_0': slice(4, 36, None)}
    """

    def __init__(
        self,
        model: Model,
        *,
        beta: float | Schedule = 1.0,
        free_bits: float = 0.0,
        clip: float | None = 2.0,
        skip: float | None = 10.0,
        optimizer: MakeOptimizer = ADAM,
    ) -> None:
        super().__init__(model, beta=beta, free_bits=free_bits, optimizer=optimizer)
        self.clip, self.skip = clip, skip
        self.guard = GradientGuard(clip, skip)

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        blocks: Sequence[int] | None = None,
        width: int = 32,
        middle: int | None = None,
        likelihood: Likelihood | None = None,
    ) -> dict[str, object]:
        """The networks of a hierarchy that fits a data set's observations.

        Args:
            data: What the method will learn from.
            latent_dim: Code dimensions of each level, at every position.
            blocks: Levels at each resolution, from 1x1 up; resolutions are the image's own, its
                halves down to 4, and 1x1. Those that are not named have no latents. By default 2, 2
                and 1; of vectors, 5.
            width: Channels of the state and of features.
            middle: Channels within blocks; a quarter of ``width`` by default.
            likelihood: The family of p(x|z); by default Bernoulli for images, Gaussian of unit
                scale for vectors. `DiscretizedLogistics` is the paper's for color images.

        Raises:
            ValueError: for no levels, more resolutions than there are, and likelihoods of another
                size than the image.
        """
        check_size("latent_dim", latent_dim)
        check_size("width", width)
        middle = max(1, width // 4) if middle is None else middle
        check_size("middle", middle)
        sizes = resolutions(data.shape)
        if blocks is None:
            blocks = _BLOCKS[: len(sizes)] if len(data.shape) == 3 else (sum(_BLOCKS),)
        for place, number in enumerate(blocks):
            check_size(f"blocks[{place}]", number, least=0)
        if not any(blocks) or len(blocks) > len(sizes):
            names = ", ".join(_called(size) for size in sizes[::-1])
            raise ValueError(
                f"blocks is {tuple(blocks)}; expected at least one level, at the resolutions "
                f"{names}"
            )
        levels = [*blocks, *[0] * (len(sizes) - len(blocks))]
        if likelihood is None:
            likelihood = Bernoulli() if len(data.shape) == 3 else Gaussian()
        covariates = 0 if data.covariates is None else data.covariates.shape[1]
        likelihood = likelihood.adapted(data, covariates)
        outputs = likelihood.features(data.shape)
        if len(data.shape) == 3 and tuple(outputs[1:]) != tuple(data.shape[1:]):
            raise ValueError(
                f"likelihood takes {tuple(outputs)} for observations of shape {data.shape}; "
                "expected one of pixels, such as DiscretizedLogistics()"
            )
        bottom_up = BottomUp(
            data.shape[0] + covariates, width, middle, sizes, [max(1, n) for n in levels[::-1]]
        )
        top_down = DeepDown(
            outputs, latent_dim, width, middle, sizes[::-1], levels, covariates=covariates
        )
        return {"model": HierarchicalModel(bottom_up, top_down, likelihood, covariates=covariates)}

    def players(self) -> Mapping[str, Player]:
        """One, whose steps are guarded."""
        return {"vae": Player((self.model,), self.guard.guarded(self.optimizer))}

    def moves(self, batch: Batch, ctx: Context) -> Moves:
        """One turn: negative log-likelihood and divergences; the guard's record beside them."""
        t = self.trace(batch)
        nll = -t.p.log_prob(t.x)
        record = Loss(
            usual_norm=(0.0, self.guard.usual.to(nll.dtype)),
            skipped=(0.0, self.guard.recent.to(nll.dtype)),
        )
        yield {"vae": Loss(nll=nll) + self.penalty(t, ctx) + record}


class DeepDown(TopDown):
    r"""The way down of a very deep VAE.

    .. math::
        (\mu_l, \sigma_l, h_l) = f_l(s_l), \qquad z_l \sim \mathcal{N}(\mu_l, \sigma_l^2)
        \text{ or } q(z_l|s_l, x), \qquad s_{l+1} = s_l + h_l + W_l z_l + r_l(s_l + h_l + W_l z_l)

    From one resolution to the next the state is enlarged by its nearest neighbor, and a learned
    bias is added. What :math:`W_l` and :math:`r_l` do at first is scaled by :math:`N^{-1/2}`, of N
    levels, and :math:`f_l` ends in zeros, so that every prior begins as N(0, I).

    Args:
        outputs: The shape of what the likelihood takes: an image's, or a vector's.
        latent_dim: Code dimensions of a level at every position.
        width: Channels of the state.
        middle: Channels within blocks.
        sizes: Resolutions, from 1x1 up.
        levels: Levels at each of them.
        covariates: How many join at the end.

    Shape:
        State ``(B, width, h, w)``; features one of that shape for each resolution, the finest
        first; a level's value ``(B, latent_dim * h * w)``; output ``(B, *outputs)``.

    References:
        Child, "Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images",
        2021, https://arxiv.org/abs/2011.10650, section 3 and figure 3.
    """

    def __init__(
        self,
        outputs: Sequence[int],
        latent_dim: int,
        width: int,
        middle: int,
        sizes: Sequence[tuple[int, int]],
        levels: Sequence[int],
        *,
        covariates: int = 0,
    ) -> None:
        super().__init__()
        self.sizes, self.vector = list(sizes), len(outputs) == 1
        scale = sum(max(1, n) for n in levels) ** -0.5
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(width, *s)) for s in sizes)
        self.stages = nn.ModuleList()
        self.dims: dict[str, int] = {}
        for size, number in zip(sizes, levels, strict=True):
            stage = nn.ModuleList()
            for i in range(number):
                self.dims[f"z_{_called(size)}_{i}"] = latent_dim * math.prod(size)
                stage.append(_Level(latent_dim, width, middle, size, scale))
            if not number:
                stage.append(Bottleneck(width, middle, width, size, residual=True, scale=scale))
            self.stages.append(stage)
        self.gain = nn.Parameter(torch.ones(width, 1, 1))
        self.bias = nn.Parameter(torch.zeros(width, 1, 1))
        self.mix = Bottleneck(width + covariates, middle, width, sizes[-1]) if covariates else None
        self.last = nn.Conv2d(width, outputs[0], 1)

    def descend(self, draw: Draw, features: Sequence[Tensor], rows: int) -> Tensor:
        """Features are those of `BottomUp`, the finest first."""
        seen: Sequence[Tensor | None] = features[::-1] if features else [None] * len(self.sizes)
        names = iter(self.dims)
        width = self.biases[0].shape[0]
        state = self.biases[0].new_zeros(rows, width, *self.sizes[0])
        stages = zip(self.sizes, self.stages, self.biases, seen, strict=True)
        for size, stage, bias, told in stages:
            if state.shape[2:] != torch.Size(size):
                state = F.interpolate(state, size=size, mode="nearest")
            state = state + bias
            for block in stage:  # type: ignore[attr-defined]
                if isinstance(block, _Level):
                    state = block(state, told, draw, next(names))
                else:
                    state = block(state)
        return state

    def output(self, state: Tensor, c: Tensor | None = None) -> Tensor:
        """What the likelihood takes, ``(B, *outputs)``."""
        h = state * self.gain + self.bias
        if self.mix is not None and c is not None:
            given = c.to(h.dtype)[:, :, None, None].expand(-1, -1, *h.shape[2:])
            h = h + self.mix(torch.cat([h, given], 1))
        h = self.last(h)
        return h.flatten(1) if self.vector else h


class _Level(nn.Module):
    """One level: prior, posterior, and what its value adds to the state."""

    def __init__(
        self, latent_dim: int, width: int, middle: int, size: Sequence[int], scale: float
    ) -> None:
        super().__init__()
        self.latent_dim, self.head = latent_dim, Diagonal()
        self.posterior = Bottleneck(2 * width, middle, 2 * latent_dim, size)
        self.prior = Bottleneck(width, middle, 2 * latent_dim + width, size, scale=0.0)
        self.enter = nn.Conv2d(latent_dim, width, 1)
        with torch.no_grad():
            self.enter.weight.mul_(scale)
        self.rest = Bottleneck(width, middle, width, size, residual=True, scale=scale)

    def forward(self, state: Tensor, told: Tensor | None, draw: Draw, name: str) -> Tensor:
        parameters, expected = self.prior(state).tensor_split([2 * self.latent_dim], 1)
        posterior = None
        if told is not None:
            posterior = self._gaussian(self.posterior(torch.cat([state, told], 1)))
        z = draw(name, self._gaussian(parameters), posterior)
        z = z.to(state.dtype).reshape(state.shape[0], self.latent_dim, *state.shape[2:])
        return self.rest(state + expected + self.enter(z))

    def _gaussian(self, h: Tensor) -> Distribution:
        loc, log_variance = h.flatten(2).chunk(2, 1)
        h = torch.cat([loc.flatten(1), log_variance.flatten(1)], 1)
        return self.head(h.float() if h.dtype.itemsize < 4 else h)


def _called(size: Sequence[int]) -> str:
    return "x".join(map(str, size))
