"""A VAE with several latents: named blocks of one code."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.distributions import Categorical

from ..data.batches import Batch
from ..distributions import (
    Angles,
    Block,
    Blocks,
    BlocksPosterior,
    BlocksPrior,
    GaussianBlock,
    Likelihood,
    OneHot,
)
from ..distributions.blocks import Snaps
from ..functional import Schedule
from ..nets import Architecture
from .block_kl import BlockKL
from .method import ADAM, MakeOptimizer, Observations
from .model import Model
from .vae import VAE

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["MultiLatentVAE"]


class MultiLatentVAE(VAE):
    r"""A VAE whose code is made of named blocks, each with its own prior, posterior and weight.

    .. math::
        \mathcal{L} = -\mathbb{E}_{q(z|x)}[\log p(x|z)]
        + \sum_b \beta_b \, D_{KL}(q_b(z_b|x) \,\|\, p_b(z_b)) + \lambda \, TC(z_1, z_2, \dots),
        \qquad z = (z_1, z_2, \dots)

    Decoder and metrics see one vector. Blocks are continuous (`GaussianBlock`), categorical
    (`CategoricalBlock`) or angles (`AngleBlock`). The log shows each block's divergence, the
    total correlation of the blocks and the mutual information of every two, see `BlockKL`.

    Args:
        model: Encoder, decoder and prior, see `Model`: of `Blocks`.
        weights: :math:`\beta_b` by the block's name, numbers or schedules; 1 where not given.
        capacities: Capacities in nats by the block's name, see `BlockKL`; none by default.
        total_correlation: :math:`\lambda`, the weight of the total correlation of the blocks.
        optimizer: Of all parameters; called with them.

    References:
        Kingma, Welling, "Auto-Encoding Variational Bayes", 2014, https://arxiv.org/abs/1312.6114,
        equation 3, with a factorized posterior and prior.

    Example:
        >>> from untwine.data import FactorDataset
        >>> from untwine.distributions import AngleBlock, CategoricalBlock
        >>> data = FactorDataset.from_arrays(torch.rand(100, 7))
        >>> blocks = {"style": GaussianBlock(3), "kind": CategoricalBlock(5), "turn": AngleBlock()}
        >>> method = MultiLatentVAE.build(data, blocks=blocks, weights={"style": 4.0})
        >>> method.represent(torch.rand(2, 7)).mean.shape, method.cluster(torch.rand(2, 7)).shape
        (torch.Size([2, 10]), torch.Size([2, 5]))
    """

    def __init__(
        self,
        model: Model,
        *,
        weights: Mapping[str, float | Schedule] | None = None,
        capacities: Mapping[str, float | Schedule] | None = None,
        total_correlation: float | Schedule = 0.0,
        optimizer: MakeOptimizer = ADAM,
    ) -> None:
        penalty = BlockKL(weights, capacities, total_correlation)
        super().__init__(model, penalty=penalty, optimizer=optimizer)

    @classmethod
    def parts(  # type: ignore[override]
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        blocks: Mapping[str, Block] | None = None,
        net: Architecture | None = None,
        likelihood: Likelihood | None = None,
    ) -> dict[str, object]:
        """The VAE's parts, with posterior and prior in blocks.

        Args:
            data: What the method will learn from.
            latent_dim: Shared by the default blocks; ignored where ``blocks`` are given.
            blocks: By name; by default two continuous ones, ``s`` and ``p``, of half of
                ``latent_dim`` each.
            net: The architecture of encoder and decoder, see `Model.of`.
            likelihood: The family of p(x|z), see `Model.of`.

        Raises:
            ValueError: if ``latent_dim`` is too small to be shared.
        """
        if blocks is None:
            if latent_dim < 2:
                raise ValueError(f"latent_dim is {latent_dim}; two blocks need at least 2")
            half = latent_dim // 2
            blocks = {"s": GaussianBlock(latent_dim - half), "p": GaussianBlock(half)}
        model = Model.of(
            data,
            sum(block.dim for block in blocks.values()),
            net=net,
            likelihood=likelihood,
            posterior=BlocksPosterior(blocks),
            prior=BlocksPrior(blocks),
        )
        return {"model": model}

    def classify(
        self, batch: Batch | Observations, c: Tensor | None = None, *, name: str | None = None
    ) -> Categorical:
        """The posterior of a categorical block, q(k|x): an unsupervised classifier.

        Args:
            batch: Observations, with their covariates if there are any.
            c: Covariates of plain observations.
            name: Of the block; need not be given where there is one categorical block.

        Raises:
            ValueError: if there is no categorical block, or several and no name.
        """
        q = self._blocks(Batch.of(batch, c))
        categorical = [n for n in q.names if isinstance(q[n], OneHot)]
        if name is None and len(categorical) != 1:
            raise ValueError(
                f"there are {len(categorical)} categorical blocks"
                + (f", {', '.join(categorical)}: name one of them" if categorical else "")
            )
        name = categorical[0] if name is None else name
        part = q[name]
        if not isinstance(part, OneHot):
            raise ValueError(
                f"block {name!r} is not categorical; those are: {', '.join(categorical)}"
            )
        return Categorical(logits=part.logits, validate_args=False)

    @torch.no_grad()
    def cluster(
        self, batch: Batch | Observations, c: Tensor | None = None, *, name: str | None = None
    ) -> Tensor:
        """Probabilities of a categorical block's classes, ``(B, K)``; see `classify`."""
        return self.classify(batch, c, name=name).probs

    @torch.no_grad()
    def traverse(
        self,
        batch: Batch | Observations,
        name: str,
        steps: int = 11,
        span: float = 2.0,
        c: Tensor | None = None,
    ) -> Tensor:
        r"""Moves through one block and decodes: what it does, shown in its own coordinates.

        A continuous block moves one dimension at a time in ``steps`` from ``-span`` to ``span``; a
        categorical one takes every class; an angle goes once round the circle in ``steps``.
        Everything else stays at the code of the observations, categorical blocks at their most
        probable class.

        Args:
            batch: Observations to begin with, with their covariates if there are any.
            name: Of the block.
            steps: Positions along a path.
            span: Ends of a continuous path.
            c: Covariates of plain observations.

        Returns:
            Means of p(x|z), ``(B, P, S, ...)`` for P paths (dimensions, angles, or one of all
            classes) of S positions.
        """
        batch = Batch.of(batch, c)
        q, c, device = self._blocks(batch), batch.c, batch.tensor.device
        part, own = q[name], q.slices[name]
        start = torch.cat(
            [p.mode if isinstance(p, Snaps) else p.mean for p in q.parts.values()], -1
        )
        dim = part.event_shape[0]
        if isinstance(part, OneHot):
            values = torch.eye(dim, device=device)[None]
            mask = torch.ones(1, dim, device=device)
        elif isinstance(part, Angles):
            turn = torch.arange(steps, device=device) * (2 * math.pi / steps)
            round_ = torch.stack([turn.cos(), turn.sin()], -1)
            mask = torch.eye(dim // 2, device=device).repeat_interleave(2, 1)
            values = round_.repeat(1, dim // 2) * mask[:, None]
        else:
            mask = torch.eye(dim, device=device)
            values = torch.linspace(-span, span, steps, device=device)[:, None] * mask[:, None]
        paths, positions = values.shape[:2]
        z = start[:, None, None].repeat(1, paths, positions, 1)
        z[..., own] = z[..., own] * (1 - mask[:, None]) + values
        if c is not None:
            c = c.repeat_interleave(paths * positions, 0)
        decoded = self.decode(z.flatten(0, 2), c=c).mean
        return decoded.unflatten(0, (len(batch.x), paths, positions))

    def _blocks(self, batch: Batch) -> Blocks:
        q = self.represent(batch)
        if not isinstance(q, Blocks):
            raise TypeError(f"the posterior is a {type(q).__name__}; expected Blocks")
        return q
