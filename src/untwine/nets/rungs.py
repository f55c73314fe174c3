"""Ladder networks: at every depth a part of the code enters and leaves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..checks import check_size, check_sizes
from .architecture import Architecture, Encode
from .conv import Flatten
from .mlp import linear

__all__ = ["Rungs"]


class Rungs(Architecture):
    """A pair of networks with a rung at every level: deeper features for the upper ones.

    The encoder halves an image by convolutions (4x4, stride 2) until its smaller side is below 8,
    then goes on with linear layers; vectors have linear layers alone. Its steps are shared among
    the levels, and what each level is told is a linear map of the features after its steps. The
    decoder goes back through the same sizes: it starts from the uppermost part of the code, and
    the next parts join where the encoder has their rungs.

    Args:
        dims: Code dimensions of each level, the uppermost first, as they lie in the code.
        width: Channels after the first convolution; they double up to ``4 * width``.
        hidden: Width of the linear layers.
        batch_norm: Whether every layer but the last ones has batch normalization.

    Raises:
        ValueError: for sizes below 1.

    References:
        Zhao, Song, Ermon, "Learning Hierarchical Features from Generative Models", 2017,
        https://arxiv.org/abs/1702.08396, section 4.
    """

    def __init__(
        self,
        dims: Sequence[int] = (3, 3, 4),
        width: int = 32,
        hidden: int = 256,
        batch_norm: bool = False,
    ) -> None:
        check_sizes("dims", dims)
        check_size("width", width)
        check_size("hidden", hidden)
        self.dims, self.width = tuple(dims), width
        self.hidden, self.batch_norm = hidden, batch_norm

    def encoder(self, shape: Sequence[int], features: int, covariates: int = 0) -> nn.Module:
        """A network ``(B, *shape) -> (B, features)``: each level has its share, in order."""
        sizes, ends = self._plan(shape)
        shares = self._shares(features)
        first = (shape[0] + covariates, *shape[1:])
        steps = [_down(a, b, self.batch_norm) for a, b in pairwise([first, *sizes[1:]])]
        groups = [nn.Sequential(*steps[a:b]) for a, b in pairwise([0, *ends])]
        tips = [linear(math.prod(sizes[end]), n) for end, n in zip(ends, shares[::-1], strict=True)]
        return Encode(_Up(groups, tips))

    def decoder(self, latent_dim: int, shape: Sequence[int], covariates: int = 0) -> nn.Module:
        """A network ``(B, latent_dim) -> (B, *shape)``."""
        if latent_dim != sum(self.dims):
            raise ValueError(f"latent_dim is {latent_dim}; the levels have {sum(self.dims)}")
        sizes, ends = self._plan(shape)
        entries, groups = [], []
        for level, (low, high) in enumerate(pairwise([0, *ends])):  # the lowest level first
            top = level == len(ends) - 1
            state = sizes[high]
            entry = state if top else (max(1, state[0] // 2), *state[1:])
            inputs = self.dims[::-1][level] + (covariates if top else 0)
            entries.append(_Entry(inputs, entry))
            path = [*sizes[low : high + 1]]
            joined = state if top else (state[0] + entry[0], *state[1:])
            steps = []
            for i in range(high - low, 0, -1):
                inputs_of = joined if i == high - low else path[i]
                last = low == 0 and i == 1
                steps.append(_up(inputs_of, path[i - 1], self.batch_norm, last=last))
            groups.append(nn.Sequential(*steps))
        return _Down(self.dims, entries[::-1], groups[::-1])

    def _plan(self, shape: Sequence[int]) -> tuple[list[tuple[int, ...]], list[int]]:
        """The sizes after every step, and the steps after which levels have rungs, lowest first."""
        shape, levels = tuple(shape), len(self.dims)
        if len(shape) not in (1, 3):
            raise ValueError(f"observations have shape {shape}; expected (C, H, W) or vectors")
        sizes: list[tuple[int, ...]] = [shape]
        if len(shape) == 3:
            while min(sizes[-1][1:]) >= 8:
                h, w = sizes[-1][1:]
                channels = self.width * min(2 ** (len(sizes) - 1), 4)
                sizes.append((channels, h // 2, w // 2))
        number = max(levels, len(sizes) if len(shape) == 3 else levels)
        sizes += [(self.hidden,)] * (number + 1 - len(sizes))
        ends = [math.ceil(number * (level + 1) / levels) for level in range(levels)]
        return sizes, ends

    def _shares(self, features: int) -> list[int]:
        """The features that each level is told, in proportion to its dimensions."""
        total = sum(self.dims)
        if features % total:
            raise ValueError(
                f"features is {features}, which {total} code dimensions cannot share: take a "
                "posterior of a fixed number of features for each, such as Diagonal()"
            )
        return [features // total * dim for dim in self.dims]


class _Up(nn.Module):
    """Features of every level, the uppermost first."""

    def __init__(self, groups: Sequence[nn.Module], tips: Sequence[nn.Module]) -> None:
        super().__init__()
        self.groups, self.tips = nn.ModuleList(groups), nn.ModuleList(tips)

    def forward(self, x: Tensor) -> Tensor:
        told = []
        for group, tip in zip(self.groups, self.tips, strict=True):
            x = group(x)
            told.append(tip(x.flatten(1)))
        return torch.cat(told[::-1], -1)


class _Down(nn.Module):
    """From a code to an observation; parts of the code join on the way."""

    def __init__(
        self, dims: Sequence[int], entries: Sequence[nn.Module], groups: Sequence[nn.Module]
    ) -> None:
        super().__init__()
        self.dims = list(dims)
        self.entries, self.groups = nn.ModuleList(entries), nn.ModuleList(groups)

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        parts = list(z.split(self.dims, -1))
        if c is not None:
            parts[0] = torch.cat([parts[0], c.to(z.dtype)], -1)
        state: Tensor | None = None
        for part, entry, group in zip(parts, self.entries, self.groups, strict=True):
            joining = entry(part)
            state = group(joining if state is None else torch.cat([state, joining], 1))
        assert state is not None
        return state


class _Entry(nn.Module):
    """A part of the code as features of a shape."""

    def __init__(self, inputs: int, shape: Sequence[int]) -> None:
        super().__init__()
        self.layer, self.shape = linear(inputs, math.prod(shape)), tuple(shape)

    def forward(self, z: Tensor) -> Tensor:
        return self.layer(z).relu().unflatten(1, self.shape)


def _down(before: Sequence[int], after: Sequence[int], norm: bool) -> nn.Module:
    """One step of the encoder."""
    if len(after) == 3:
        layer = [nn.Conv2d(before[0], after[0], 4, 2, 1)]
        return nn.Sequential(*layer, *_normalized(after, norm), nn.ReLU(inplace=True))
    layers = [Flatten(), linear(math.prod(before), after[0])]
    return nn.Sequential(*layers, *_normalized(after, norm), nn.ReLU(inplace=True))


def _up(before: Sequence[int], after: Sequence[int], norm: bool, last: bool) -> nn.Module:
    """One step of the decoder; the last one ends without activation."""
    end = [] if last else [*_normalized(after, norm), nn.ReLU(inplace=True)]
    if len(before) == 3:
        extra = (after[1] - 2 * before[1], after[2] - 2 * before[2])
        return nn.Sequential(nn.ConvTranspose2d(before[0], after[0], 4, 2, 1, extra), *end)
    layers = [Flatten(), linear(math.prod(before), math.prod(after))]
    shaped = [nn.Unflatten(-1, tuple(after))] if len(after) == 3 else []
    return nn.Sequential(*layers, *shaped, *end)


def _normalized(shape: Sequence[int], norm: bool) -> list[nn.Module]:
    if not norm:
        return []
    return [nn.BatchNorm2d(shape[0]) if len(shape) == 3 else nn.BatchNorm1d(shape[0])]
