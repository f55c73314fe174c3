"""Convolutional networks: the literature's for 64x64 images, and one for other sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor, nn

from ..checks import check_size, check_sizes
from .architecture import Architecture, Decode, Encode
from .mlp import mlp

__all__ = ["Burgess2018", "Conv", "Locatello2019"]


class Locatello2019(Architecture):
    """The encoder and decoder of the large-scale study, for 64x64 images.

    Encoder: convolutions of 32, 32 (4x4, stride 2), 64, 64 (2x2, stride 2) channels, a linear layer
    of 256, ReLU throughout. Decoder: linear 256, 1024, transposed convolutions of 64, 32, 32, C
    (4x4, stride 2).

    Args:
        init: How weights start: ``"torch"``, as PyTorch does it, or ``"glorot"``, Glorot-uniform
            with biases at 0, as in the study's TensorFlow. The former's codes start close to 0, so
            that dimensions come into use one after the other; see `docs/methods/BetaTCVAE.md` for
            what that does to the first thousand steps.

    Raises:
        ValueError: for another word.

    References:
        Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning of
        Disentangled Representations", 2019, https://arxiv.org/abs/1811.12359, table 1.
    """

    def __init__(self, init: Literal["torch", "glorot"] = "torch") -> None:
        if init not in ("torch", "glorot"):
            raise ValueError(f"init is {init!r}; expected 'torch' or 'glorot'")
        self.finish = _glorot if init == "glorot" else channels_last

    def encoder(self, shape: Sequence[int], features: int, covariates: int = 0) -> nn.Module:
        """A network ``(B, C, 64, 64) -> (B, features)``."""
        _require_64(shape, "Locatello2019")
        return self.finish(
            Encode(
                *_halve(shape[0] + covariates, 32),
                *_halve(32, 32),
                *_halve(32, 64, kernel=2),
                *_halve(64, 64, kernel=2),
                Flatten(),
                *mlp(1024, (256,), features, partial(nn.ReLU, inplace=True)),
            )
        )

    def decoder(self, latent_dim: int, shape: Sequence[int], covariates: int = 0) -> nn.Module:
        """A network ``(B, latent_dim) -> (B, C, 64, 64)``."""
        _require_64(shape, "Locatello2019")
        return self.finish(
            Decode(
                *mlp(latent_dim + covariates, (256,), 1024, partial(nn.ReLU, inplace=True)),
                nn.ReLU(inplace=True),
                Unflatten(64, 4, 4),
                *_double(64, 64),
                *_double(64, 32),
                *_double(32, 32),
                nn.ConvTranspose2d(32, shape[0], 4, 2, 1),
            )
        )


class Burgess2018(Architecture):
    """The encoder and decoder of "Understanding disentangling in beta-VAE", for 64x64 images.

    Encoder: four convolutions of 32 channels (4x4, stride 2), two linear layers of 256; the decoder
    is its transpose; ReLU throughout.

    References:
        Burgess et al., "Understanding disentangling in beta-VAE", 2018,
        https://arxiv.org/abs/1804.03599, appendix A.
    """

    def encoder(self, shape: Sequence[int], features: int, covariates: int = 0) -> nn.Module:
        """A network ``(B, C, 64, 64) -> (B, features)``."""
        _require_64(shape, "Burgess2018")
        return channels_last(
            Encode(
                *_halve(shape[0] + covariates, 32),
                *_halve(32, 32),
                *_halve(32, 32),
                *_halve(32, 32),
                Flatten(),
                *mlp(512, (256, 256), features),
            )
        )

    def decoder(self, latent_dim: int, shape: Sequence[int], covariates: int = 0) -> nn.Module:
        """A network ``(B, latent_dim) -> (B, C, 64, 64)``."""
        _require_64(shape, "Burgess2018")
        return channels_last(
            Decode(
                *mlp(latent_dim + covariates, (256, 256), 512),
                nn.ReLU(inplace=True),
                Unflatten(32, 4, 4),
                *_double(32, 32),
                *_double(32, 32),
                *_double(32, 32),
                nn.ConvTranspose2d(32, shape[0], 4, 2, 1),
            )
        )


class Conv(Architecture):
    """A convolutional pair for images of any size from 8x8 up, any number of channels.

    Convolutions (4x4, stride 2) halve the image, rounding down, until its smaller side is below 8;
    channels double from ``width`` up to ``4 * width``. The decoder doubles back through exactly the
    same sizes.

    Args:
        width: Channels after the first convolution.
        hidden: Widths of the linear layers between convolutions and features; the decoder has
            them in reverse.

    Raises:
        ValueError: for layers without channels or features.
    """

    def __init__(self, width: int = 32, hidden: Sequence[int] = (256,)) -> None:
        check_size("width", width)
        check_sizes("hidden", hidden)
        self.width, self.hidden = width, tuple(hidden)

    def encoder(self, shape: Sequence[int], features: int, covariates: int = 0) -> nn.Module:
        """A network ``(B, C, H, W) -> (B, features)``."""
        sizes, channels = self._plan(shape)
        layers: list[nn.Module] = []
        inputs = shape[0] + covariates
        for outputs in channels:
            layers += _halve(inputs, outputs)
            inputs = outputs
        flat = channels[-1] * math.prod(sizes[-1])
        return channels_last(Encode(*layers, Flatten(), *mlp(flat, self.hidden, features)))

    def decoder(self, latent_dim: int, shape: Sequence[int], covariates: int = 0) -> nn.Module:
        """A network ``(B, latent_dim) -> (B, C, H, W)``."""
        sizes, channels = self._plan(shape)
        flat = channels[-1] * math.prod(sizes[-1])
        layers: list[nn.Module] = [
            *mlp(latent_dim + covariates, self.hidden[::-1], flat),
            nn.ReLU(inplace=True),
            Unflatten(channels[-1], *sizes[-1]),
        ]
        steps = [shape[0], *channels]
        for i in range(len(channels), 0, -1):
            extra = (sizes[i - 1][0] - 2 * sizes[i][0], sizes[i - 1][1] - 2 * sizes[i][1])
            layers.append(nn.ConvTranspose2d(steps[i], steps[i - 1], 4, 2, 1, extra))
            if i > 1:
                layers.append(nn.ReLU(inplace=True))
        return channels_last(Decode(*layers))

    def _plan(self, shape: Sequence[int]) -> tuple[list[tuple[int, int]], list[int]]:
        if len(shape) != 3 or min(shape[1:]) < 8:
            raise ValueError(
                f"observations have shape {tuple(shape)}; nets.Conv takes images (C, H, W) of at "
                "least 8x8: use nets.MLP for vectors and smaller images"
            )
        sizes = [(shape[1], shape[2])]
        while min(sizes[-1]) >= 8:
            sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
        return sizes, [self.width * min(2**i, 4) for i in range(len(sizes) - 1)]


class Flatten(nn.Module):
    """``(B, C, H, W)`` in any memory format to ``(B, C H W)``, channels slowest."""

    def forward(self, x: Tensor) -> Tensor:
        """Flattens all but the first axis."""
        return x.flatten(1)


class Unflatten(nn.Module):
    """``(B, C H W)`` to ``(B, C, H, W)``."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.shape = (channels, height, width)

    def forward(self, h: Tensor) -> Tensor:
        """Restores the image's axes."""
        return h.reshape(-1, *self.shape)

    def extra_repr(self) -> str:
        """The shape restored."""
        return "x".join(map(str, self.shape))


def _halve(inputs: int, outputs: int, kernel: int = 4) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, 2, (kernel - 2) // 2), nn.ReLU(inplace=True)]


def _double(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1), nn.ReLU(inplace=True)]


def _require_64(shape: Sequence[int], name: str) -> None:
    if len(shape) != 3 or tuple(shape[1:]) != (64, 64):
        raise ValueError(
            f"observations have shape {tuple(shape)}; nets.{name} takes images (C, 64, 64), "
            "nets.Conv adapts to other sizes, nets.MLP takes vectors"
        )


@torch.no_grad()
def _glorot(net: nn.Module) -> nn.Module:
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    return channels_last(net)


def channels_last(net: nn.Module) -> nn.Module:
    """Weights in the memory format that convolutions run fastest in; the values are the same."""
    for parameter in net.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    return net
