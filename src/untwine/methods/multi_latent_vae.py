"""A VAE with several latents: named blocks of one code."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from ..distributions import (
    Angles,
    Block,
    Blocks,
    BlocksPosterior,
    BlocksPrior,
    GaussianBlock,
    OneHot,
)
from ..functional import Schedule
from .block_kl import BlockKL
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
        *parts: Encoder, decoder and prior, see `VAE`: of `Blocks`.
        weights: :math:`\beta_b` by the block's name, numbers or schedules; 1 where not given.
        capacities: Capacities in nats by the block's name, see `BlockKL`; none by default.
        total_correlation: :math:`\lambda`, the weight of the total correlation of the blocks.
        **options: Passed to `VAE`.

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
        *parts: Any,
        weights: Mapping[str, float | Schedule] | None = None,
        capacities: Mapping[str, float | Schedule] | None = None,
        total_correlation: float | Schedule = 0.0,
        **options: Any,
    ) -> None:
        penalty = BlockKL(weights, capacities, total_correlation)
        super().__init__(*parts, penalty=penalty, **options)

    @classmethod
    def parts(
        cls,
        data: FactorDataset,
        latent_dim: int = 10,
        *,
        blocks: Mapping[str, Block] | None = None,
        **parts: Any,
    ) -> dict[str, nn.Module]:
        """The VAE's parts, with posterior and prior in blocks.

        Args:
            data: What the method will learn from.
            latent_dim: Shared by the default blocks; ignored where ``blocks`` are given.
            blocks: By name; by default two continuous ones, ``s`` and ``p``, of half of
                ``latent_dim`` each.
            **parts: Passed to `VAE.parts`.

        Raises:
            ValueError: if ``latent_dim`` is too small to be shared.
        """
        if blocks is None:
            if latent_dim < 2:
                raise ValueError(f"latent_dim is {latent_dim}; two blocks need at least 2")
            half = latent_dim // 2
            blocks = {"s": GaussianBlock(latent_dim - half), "p": GaussianBlock(half)}
        total = sum(block.dim for block in blocks.values())
        posterior, prior = BlocksPosterior(blocks), BlocksPrior(blocks)
        return super().parts(data, total, posterior=posterior, prior=prior, **parts)

    def classify(
        self, x: Tensor, c: Tensor | None = None, *, name: str | None = None
    ) -> Categorical:
        """The posterior of a categorical block, q(k|x): an unsupervised classifier.

        Args:
            x: Observations.
            c: Their covariates, if there are any.
            name: Of the block; need not be given where there is one categorical block.

        Raises:
            ValueError: if there is no categorical block, or several and no name.
        """
        q = self._blocks(x, c)
        found = [n for n in q.names if isinstance(q[n], OneHot)]
        if name is None and len(found) != 1:
            raise ValueError(
                f"there are {len(found)} categorical blocks"
                + (f", {', '.join(found)}: name one of them" if found else "")
            )
        name = found[0] if name is None else name
        part = q[name]
        if not isinstance(part, OneHot):
            raise ValueError(f"block {name!r} is not categorical; those are: {', '.join(found)}")
        return Categorical(logits=part.logits, validate_args=False)

    @torch.no_grad()
    def cluster(self, x: Tensor, c: Tensor | None = None, *, name: str | None = None) -> Tensor:
        """Probabilities of a categorical block's classes, ``(B, K)``; see `classify`."""
        return self.classify(x, c, name=name).probs

    @torch.no_grad()
    def traverse(
        self,
        x: Tensor,
        name: str,
        steps: int = 11,
        span: float = 2.0,
        c: Tensor | None = None,
    ) -> Tensor:
        r"""Moves through one block and decodes: what it does, shown in its own coordinates.

        A continuous block moves one dimension at a time in ``steps`` from ``-span`` to ``span``; a
        categorical one takes every class; an angle goes once round the circle in ``steps``.
        Everything else stays at the code of ``x``, categorical blocks at their most probable class.

        Args:
            x: Observations to begin with.
            name: Of the block.
            steps: Positions along a path.
            span: Ends of a continuous path.
            c: Covariates of the observations, if there are any.

        Returns:
            Means of p(x|z), ``(B, P, S, ...)`` for P paths (dimensions, angles, or one of all
            classes) of S positions.
        """
        q = self._blocks(x, c)
        part, own = q[name], q.slices[name]
        start = torch.cat([p.mode if hasattr(p, "snap") else p.mean for p in q.parts.values()], -1)
        dim = part.event_shape[0]
        if isinstance(part, OneHot):
            values = torch.eye(dim, device=x.device)[None]
            mask = torch.ones(1, dim, device=x.device)
        elif isinstance(part, Angles):
            turn = torch.arange(steps, device=x.device) * (2 * math.pi / steps)
            round_ = torch.stack([turn.cos(), turn.sin()], -1)
            mask = torch.eye(dim // 2, device=x.device).repeat_interleave(2, 1)
            values = round_.repeat(1, dim // 2) * mask[:, None]
        else:
            mask = torch.eye(dim, device=x.device)
            values = torch.linspace(-span, span, steps, device=x.device)[:, None] * mask[:, None]
        paths, positions = values.shape[:2]
        z = start[:, None, None].repeat(1, paths, positions, 1)
        z[..., own] = z[..., own] * (1 - mask[:, None]) + values
        if c is not None:
            c = c.repeat_interleave(paths * positions, 0)
        decoded = self.decode(z.flatten(0, 2), c).mean
        return decoded.unflatten(0, (len(x), paths, positions))

    def _blocks(self, x: Tensor, c: Tensor | None) -> Blocks:
        q = self.represent(x, c)
        if not isinstance(q, Blocks):
            raise TypeError(f"the posterior is a {type(q).__name__}; expected Blocks")
        return q
