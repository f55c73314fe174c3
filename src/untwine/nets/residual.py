"""Bottleneck residual blocks, and a residual network of features at every resolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .conv import channels_last

__all__ = ["Bottleneck", "BottomUp", "resolutions"]

_SMALLEST = 4  # of the sides of an image, before it becomes one position


class Bottleneck(nn.Module):
    """Four convolutions through fewer channels: 1x1, 3x3, 3x3, 1x1, each after a GELU.

    At resolutions below 3x3 all are 1x1.

    Args:
        inputs: Channels.
        middle: Channels between.
        outputs: Channels.
        size: Height and width of what it sees.
        residual: Whether its input is added to what comes out.
        scale: Of the last convolution's initial weights: 0 for a block that says nothing at first.

    References:
        Child, "Very Deep VAEs Generalize Autoregressive Models and Can Outperform Them on Images",
        2021, https://arxiv.org/abs/2011.10650, figure 3.
    """

    def __init__(
        self,
        inputs: int,
        middle: int,
        outputs: int,
        size: Sequence[int],
        *,
        residual: bool = False,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        kernel = 3 if min(size) > 2 else 1
        self.residual = residual
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, k, padding=k // 2)
            for a, b, k in (
                (inputs, middle, 1),
                (middle, middle, kernel),
                (middle, middle, kernel),
                (middle, outputs, 1),
            )
        )
        with torch.no_grad():
            for conv in self.convs:
                conv.bias.zero_()  # type: ignore[operator]
            self.convs[-1].weight.mul_(scale)  # type: ignore[operator]
        channels_last(self)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inputs, H, W)`` to ``(B, outputs, H, W)``."""
        h = x
        for conv in self.convs:
            h = conv(F.gelu(h))
        return x + h if self.residual else h


class BottomUp(nn.Module):
    """From an image to features at every resolution, by residual blocks and averages.

    Args:
        channels: Of the image.
        width: Channels of all features.
        middle: Channels between, see `Bottleneck`.
        sizes: Resolutions, the image's own first, see `resolutions`.
        blocks: Residual blocks at each of them.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        middle: int,
        sizes: Sequence[tuple[int, int]],
        blocks: Sequence[int],
    ) -> None:
        super().__init__()
        self.sizes = [(size[0], size[1]) for size in sizes]
        kernel = 3 if min(sizes[0]) > 2 else 1
        self.first = nn.Conv2d(channels, width, kernel, padding=kernel // 2)
        scale = sum(blocks) ** -0.5
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(
                    Bottleneck(width, middle, width, size, residual=True, scale=scale)
                    for _ in range(number)
                )
            )
            for size, number in zip(sizes, blocks, strict=True)
        )

    def forward(self, x: Tensor, c: Tensor | None = None) -> tuple[Tensor, ...]:
        """``(B, C, H, W)``, or vectors ``(B, C)``, to features ``(B, width, h, w)``, finest first.

        Covariates join as constant channels.
        """
        if x.ndim == 2:
            x = x[:, :, None, None]
        if c is not None:
            x = torch.cat([x, c.to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1)
        h, features = self.first(x), []
        for size, stage in zip(self.sizes, self.stages, strict=True):
            if h.shape[2:] != torch.Size(size):
                h = F.adaptive_avg_pool2d(h, size)
            h = stage(h)
            features.append(h)
        return tuple(features)


def resolutions(shape: Sequence[int]) -> list[tuple[int, int]]:
    """Sizes of features of an observation: its own, halves while they are 4 or more, and 1x1.

    A vector is one position of many channels.

    Raises:
        ValueError: for another shape than that of an image or a vector.

    Example:
        >>> resolutions((3, 32, 32)), resolutions((1, 28, 28))
        ([(32, 32), (16, 16), (8, 8), (4, 4), (1, 1)], [(28, 28), (14, 14), (7, 7), (1, 1)])
        >>> resolutions((5,))
        [(1, 1)]
    """
    if len(shape) not in (1, 3):
        raise ValueError(f"observations have shape {tuple(shape)}; expected (C, H, W) or vectors")
    if len(shape) == 1:
        return [(1, 1)]
    sizes = [(int(shape[1]), int(shape[2]))]
    while min(sizes[-1]) >= 2 * _SMALLEST:
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    return sizes if sizes[-1] == (1, 1) else [*sizes, (1, 1)]
