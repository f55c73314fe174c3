"""Style-based generator: a mapping network, and synthesis layers that each have their style."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checks import check_size
from .adain import adain
from .equalized import EqualizedConv, EqualizedLinear, leaky_relu
from .modulated import modulated_conv

__all__ = ["StyleGenerator", "StyleLayer", "StyleMapping", "StyleSynthesis", "style_sizes"]

Modulation = Literal["demodulate", "adain"]
NoiseInput = Literal["fresh", "fixed", "none"]
_MODULATIONS = ("demodulate", "adain")
_NOISES = ("fresh", "fixed", "none")
_SLOW = 0.01  # the paper's multiplier of the mapping network's learning rate


class StyleMapping(nn.Module):
    r"""From z on a sphere to w, by a perceptron that learns slowly.

    .. math::
        w = f\Big( \sqrt{D} \, \frac{z}{\|z\|} \Big)

    Args:
        dim: Dimensions of z and of w.
        depth: Layers.

    Shape: ``(B, dim)``, both ways.

    References:
        Karras, Laine, Aila, "A Style-Based Generator Architecture for Generative Adversarial
        Networks", 2019, https://arxiv.org/abs/1812.04948, section 2 and appendix C.
    """

    def __init__(self, dim: int, depth: int = 8) -> None:
        super().__init__()
        check_size("dim", dim)
        check_size("depth", depth)
        self.dim = dim
        self.layers = nn.ModuleList(
            EqualizedLinear(dim, dim, multiplier=_SLOW) for _ in range(depth)
        )

    def forward(self, z: Tensor) -> Tensor:
        """W of z."""
        h = z * (z.square().mean(-1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.layers:
            h = leaky_relu(layer(h))
        return h


class StyleLayer(nn.Module):
    """A convolution whose style comes from w, noise of one strength, leaky ReLU.

    Args:
        inputs: Channels.
        outputs: Channels.
        dim: Of w.
        size: Height and width of its output; its input is upsampled to it (bilinear).
        modulation: ``"demodulate"``, see `modulated_conv`; or ``"adain"``: `adain` after the
            activation, as in the first paper.
    """

    fixed_noise: Tensor

    def __init__(
        self, inputs: int, outputs: int, dim: int, size: tuple[int, int], modulation: Modulation
    ) -> None:
        super().__init__()
        self.size, self.modulation = size, modulation
        demodulate = modulation == "demodulate"
        self.conv = EqualizedConv(inputs, outputs, bias=False)
        self.affine = EqualizedLinear(dim, inputs if demodulate else 2 * outputs, bias=0.0)
        scales = slice(None, inputs if demodulate else outputs)
        with torch.no_grad():
            self.affine.bias[scales] = 1.0
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("fixed_noise", torch.randn(1, 1, *size))

    def forward(self, x: Tensor, w: Tensor, noise: NoiseInput = "fresh") -> Tensor:
        """Feature maps ``(B, inputs, h, w)`` in the style of w ``(B, dim)``."""
        if x.shape[2:] != self.size:
            x = F.interpolate(x, size=self.size, mode="bilinear", align_corners=False)
        style = self.affine(w)
        if self.modulation == "demodulate":
            h = modulated_conv(x, self.conv.weight * self.conv.scale, style)
        else:
            h = self.conv(x)
        if noise == "fresh":
            h = h + self.strength * torch.randn_like(h[:, :1])
        elif noise == "fixed":
            h = h + self.strength * self.fixed_noise
        h = leaky_relu(h + self.bias[:, None, None])
        return h if self.modulation == "demodulate" else adain(h, *style.chunk(2, -1))


class _ToImage(nn.Module):
    """A 1x1 convolution to the image's channels, in the style of w but not demodulated."""

    def __init__(self, inputs: int, channels: int, dim: int, modulation: Modulation) -> None:
        super().__init__()
        self.conv = EqualizedConv(inputs, channels, 1)
        modulated = modulation == "demodulate"
        self.affine = EqualizedLinear(dim, inputs, bias=1.0) if modulated else None

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        if self.affine is None or self.conv.bias is None:
            return self.conv(x)
        weight = self.conv.weight * self.conv.scale
        image = modulated_conv(x, weight, self.affine(w), demodulate=False)
        return image + self.conv.bias[:, None, None]


class StyleSynthesis(nn.Module):
    """From styles to an image: a learned constant, two layers a resolution, images added up.

    Resolutions double from that of the constant to the image's. Each has its own image, by a 1x1
    convolution, to which those of the coarser ones are added, upsampled.

    Args:
        shape: Of the image.
        dim: Of w.
        channels: Of the layers at each resolution, the image's own first, see `style_sizes`.
        modulation: How styles act, see `StyleLayer`.

    Raises:
        ValueError: for another word, or another number of channels than resolutions.

    References:
        Karras et al. 2020 (as in `modulated_conv`), figures 2 and 7 ("output skips").

    Deviations:
        Upsampling is bilinear, which but at the borders is the filter (1, 3, 3, 1); a resolution's
        image has the style of the last layer before it (in the released code, of the next one).

    Example:
        >>> net = StyleSynthesis((3, 16, 16), 8, [4, 8, 8])
        >>> net.count, net(torch.randn(2, 8)).shape
        (5, torch.Size([2, 3, 16, 16]))
    """

    def __init__(
        self,
        shape: Sequence[int],
        dim: int,
        channels: Sequence[int],
        modulation: Modulation = "demodulate",
    ) -> None:
        super().__init__()
        sizes = style_sizes(shape)[::-1]
        if modulation not in _MODULATIONS:
            options = ", ".join(map(repr, _MODULATIONS))
            raise ValueError(f"modulation is {modulation!r}; expected one of {options}")
        if len(channels) != len(sizes):
            raise ValueError(
                f"channels is {list(channels)}; expected {len(sizes)}, one for each resolution: "
                f"{sizes[::-1]}"
            )
        widths = list(channels)[::-1]
        self.shape, self.dim = tuple(int(n) for n in shape), dim
        self.constant = nn.Parameter(torch.randn(1, widths[0], *sizes[0]))
        layers = [StyleLayer(widths[0], widths[0], dim, sizes[0], modulation)]
        for i in range(1, len(sizes)):
            layers.append(StyleLayer(widths[i - 1], widths[i], dim, sizes[i], modulation))
            layers.append(StyleLayer(widths[i], widths[i], dim, sizes[i], modulation))
        self.layers = nn.ModuleList(layers)
        self.images = nn.ModuleList(_ToImage(w, shape[0], dim, modulation) for w in widths)

    @property
    def count(self) -> int:
        """The number of layers, L, each of which has a style."""
        return len(self.layers)

    def forward(self, w: Tensor, noise: NoiseInput = "fresh") -> Tensor:
        """Images of styles, ``(B, C, H, W)``; those of the data are about in [-1, 1].

        Args:
            w: ``(B, dim)``, the same in all layers, or ``(B, L, dim)``.
            noise: ``"fresh"`` draws it, ``"fixed"`` takes the same each time, ``"none"`` leaves it
                out.
        """
        if noise not in _NOISES:
            options = ", ".join(map(repr, _NOISES))
            raise ValueError(f"noise is {noise!r}; expected one of {options}")
        styles = w[:, None].expand(-1, self.count, -1) if w.ndim == 2 else w
        if styles.shape[1:] != (self.count, self.dim):
            raise ValueError(
                f"w has shape {tuple(w.shape)}; expected (B, {self.dim}) or (B, {self.count}, "
                f"{self.dim})"
            )
        h = self.constant.expand(len(w), -1, -1, -1)
        image: Tensor | None = None
        for i, layer in enumerate(self.layers):
            h = layer(h, styles[:, i], noise)
            if i % 2:  # the first of its resolution, which has two
                continue
            add = self.images[i // 2](h, styles[:, i])
            if image is not None:
                add = add + F.interpolate(image, size=add.shape[2:], mode="bilinear")
            image = add
        assert image is not None
        return image


class StyleGenerator(nn.Module):
    """Mapping and synthesis.

    Args:
        mapping: z to w.
        synthesis: w to images.
    """

    def __init__(self, mapping: StyleMapping, synthesis: StyleSynthesis) -> None:
        super().__init__()
        self.mapping, self.synthesis = mapping, synthesis

    def forward(self, z: Tensor, noise: NoiseInput = "fresh") -> Tensor:
        """Images of z ``(B, D)``."""
        return self.synthesis(self.mapping(z), noise)


def style_sizes(shape: Sequence[int]) -> list[tuple[int, int]]:
    """Resolutions of a style-based generator: the image's, and halves (rounded up) down to 4 to 7.

    Raises:
        ValueError: for what is no image, or smaller than 8x8.

    Example:
        >>> style_sizes((3, 32, 32)), style_sizes((1, 28, 20))
        ([(32, 32), (16, 16), (8, 8), (4, 4)], [(28, 20), (14, 10), (7, 5)])
    """
    if len(shape) != 3 or min(shape[1:]) < 8:
        raise ValueError(
            f"observations have shape {tuple(shape)}; a style-based generator makes images "
            "(C, H, W) of at least 8x8"
        )
    sizes = [(int(shape[1]), int(shape[2]))]
    while min(sizes[-1]) >= 8:
        sizes.append(((sizes[-1][0] + 1) // 2, (sizes[-1][1] + 1) // 2))
    return sizes
