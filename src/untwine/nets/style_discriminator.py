"""Residual discriminator of style-based generators, which sees how a batch deviates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checks import check_size
from .equalized import EqualizedConv, EqualizedLinear, leaky_relu
from .style import style_sizes

__all__ = ["StyleDiscriminator", "batch_deviation"]


def batch_deviation(h: Tensor, group: int = 4) -> Tensor:
    r"""Feature maps with one more: the deviation over groups of the batch, averaged.

    .. math::
        \frac{1}{CHW} \sum_{chw} \sqrt{\mathrm{var}_{b \in \text{group}}(h_{bchw}) + \epsilon}

    A generator whose images are all alike is seen by it.

    Args:
        h: Feature maps.
        group: The size of a group; the largest up to it that divides the batch is taken.

    Shape: ``(B, C, H, W)`` to ``(B, C + 1, H, W)``.

    References:
        Karras et al. 2018 (as in `EqualizedLinear`), section 3.

    Example:
        >>> batch_deviation(torch.ones(4, 2, 3, 3)).shape
        torch.Size([4, 3, 3, 3])
    """
    n = len(h)
    size = next(g for g in range(min(group, n), 0, -1) if n % g == 0)
    groups = h.reshape(size, n // size, *h.shape[1:])
    deviation = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
    feature = deviation.repeat(size)[:, None, None, None].expand(-1, 1, *h.shape[2:])
    return torch.cat([h, feature], 1)


class _Block(nn.Module):
    """Two convolutions and a halving, beside a 1x1 convolution of the halved input."""

    def __init__(self, inputs: int, outputs: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size
        self.first, self.second = EqualizedConv(inputs, inputs), EqualizedConv(inputs, outputs)
        self.beside = EqualizedConv(inputs, outputs, 1, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        low = _halved(leaky_relu(self.first(h)), self.size)
        return (leaky_relu(self.second(low)) + self.beside(_halved(h, self.size))) / math.sqrt(2)


class StyleDiscriminator(nn.Module):
    """From images to logits, by residual blocks through the generator's resolutions in reverse.

    Args:
        shape: Of the image.
        channels: At each resolution, the image's own first, see `style_sizes`.
        group: Of `batch_deviation`; 1 makes logits of a batch independent of each other.

    Raises:
        ValueError: for another number of channels than resolutions.

    Shape: ``(B, C, H, W)`` in [0, 1] to ``(B, 1)``.

    References:
        Karras et al. 2020 (as in `modulated_conv`), figure 7 ("residual nets").

    Deviations:
        Halving is the mean of 2x2 features, before the second convolution (in the released code,
        a filter within it).

    Example:
        >>> StyleDiscriminator((3, 16, 16), [4, 8, 8])(torch.rand(4, 3, 16, 16)).shape
        torch.Size([4, 1])
    """

    def __init__(self, shape: Sequence[int], channels: Sequence[int], group: int = 4) -> None:
        super().__init__()
        sizes = style_sizes(shape)
        if len(channels) != len(sizes):
            raise ValueError(
                f"channels is {list(channels)}; expected {len(sizes)}, one for each of {sizes}"
            )
        check_size("group", group)
        self.group = group
        self.first = EqualizedConv(shape[0], channels[0], 1)
        self.blocks = nn.ModuleList(
            _Block(channels[i], channels[i + 1], sizes[i + 1]) for i in range(len(sizes) - 1)
        )
        last = channels[-1]
        self.conv = EqualizedConv(last + 1, last)
        self.hidden = EqualizedLinear(last * math.prod(sizes[-1]), last)
        self.logit = EqualizedLinear(last, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The logits of being real."""
        h = leaky_relu(self.first(2 * x - 1))
        for block in self.blocks:
            h = block(h)
        h = leaky_relu(self.conv(batch_deviation(h, self.group)))
        return self.logit(leaky_relu(self.hidden(h.flatten(1))))


def _halved(h: Tensor, size: tuple[int, int]) -> Tensor:
    height, width = h.shape[2:]
    if (height, width) == (2 * size[0], 2 * size[1]):
        return F.avg_pool2d(h, 2)
    return F.avg_pool2d(h, 2, ceil_mode=True, count_include_pad=False)
