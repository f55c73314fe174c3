"""Layers with an equalized learning rate: weights are scaled when they are used."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["EqualizedConv", "EqualizedLinear", "leaky_relu"]


def leaky_relu(x: Tensor) -> Tensor:
    r"""Leaky ReLU of slope 0.2 times :math:`\sqrt 2`, which about keeps the variance."""
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


class EqualizedLinear(nn.Module):
    r"""A linear layer whose weights are drawn with variance 1 and scaled when they are used.

    .. math::
        y = \frac{m}{\sqrt{\text{inputs}}} W x + m \, b, \qquad
        W_{ij} \sim \mathcal{N}(0, 1 / m^2)

    An optimizer with steps of its own size, such as Adam, then moves every layer at one speed
    relative to its weights; m makes a layer slower.

    Args:
        inputs: Features.
        outputs: Features.
        bias: What the bias starts from.
        multiplier: m, of the learning rate.

    Shape: ``(..., inputs)`` to ``(..., outputs)``.

    References:
        Karras, Aila, Laine, Lehtinen, "Progressive Growing of GANs for Improved Quality, Stability,
        and Variation", 2018, https://arxiv.org/abs/1710.10196, section 4.1.
    """

    def __init__(
        self, inputs: int, outputs: int, *, bias: float = 0.0, multiplier: float = 1.0
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / multiplier)
        self.bias = nn.Parameter(torch.full((outputs,), bias / multiplier))
        self.multiplier, self.scale = multiplier, multiplier / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """The features."""
        return F.linear(x, self.weight * self.scale, self.bias * self.multiplier)

    def extra_repr(self) -> str:
        """Sizes and multiplier."""
        outputs, inputs = self.weight.shape
        return f"{inputs}, {outputs}, multiplier={self.multiplier:g}"


class EqualizedConv(nn.Module):
    """A convolution that keeps the size, with an equalized learning rate, see `EqualizedLinear`.

    Args:
        inputs: Channels.
        outputs: Channels.
        kernel: Odd height and width of the kernel.
        bias: Whether there is one.

    Shape: ``(B, inputs, H, W)`` to ``(B, outputs, H, W)``.
    """

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.scale = 1 / math.sqrt(inputs * kernel**2)

    def forward(self, x: Tensor) -> Tensor:
        """The feature maps."""
        padding = self.weight.shape[-1] // 2
        return F.conv2d(x, self.weight * self.scale, self.bias, padding=padding)

    def extra_repr(self) -> str:
        """Sizes."""
        outputs, inputs, kernel, _ = self.weight.shape
        return f"{inputs}, {outputs}, kernel={kernel}"
