"""Random transformations of images that keep what they show, and that gradients flow through."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checks import check_scale
from ..spec import Recorded

__all__ = ["DiffAugment", "RandomAffine"]

Kind = Literal["color", "translation", "cutout"]
_KINDS: tuple[Kind, ...] = ("color", "translation", "cutout")


class RandomAffine(Recorded, nn.Module):
    """Rotates, zooms and shifts every image of a batch by amounts of its own.

    Differentiable, by bilinear interpolation; what comes in from outside is the border's value.
    Amounts are drawn uniformly on the images' device.

    Args:
        degrees: The most that an image is rotated, either way.
        zoom: The most that its size changes, as a share of it.
        shift: The most that it moves, as a share of its width and height.

    Raises:
        ValueError: for amounts that are negative or not finite.

    Shape:
        ``(B, C, H, W)``, both ways.
    """

    def __init__(self, degrees: float = 20.0, zoom: float = 0.1, shift: float = 0.0) -> None:
        super().__init__()
        for name, amount in {"degrees": degrees, "zoom": zoom, "shift": shift}.items():
            check_scale(name, amount, zero=True)
        self.degrees, self.zoom, self.shift = degrees, zoom, shift

    def forward(self, x: Tensor) -> Tensor:
        """The images, transformed."""
        n, aspect = len(x), x.shape[-2] / x.shape[-1]
        angle, zoom, right, down = 2 * torch.rand(4, n, device=x.device, dtype=x.dtype) - 1
        angle, scale = angle * math.radians(self.degrees), 1 / (1 + self.zoom * zoom)
        cos, sin = scale * angle.cos(), scale * angle.sin()
        # Coordinates are from -1 to 1 along both sides, whatever their lengths.
        first = torch.stack([cos, -sin * aspect, 2 * self.shift * right], -1)
        second = torch.stack([sin / aspect, cos, 2 * self.shift * down], -1)
        grid = F.affine_grid(torch.stack([first, second], 1), list(x.shape), align_corners=False)
        return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


class DiffAugment(Recorded, nn.Module):
    """Differentiable augmentation of what a discriminator sees, real and generated alike.

    A discriminator of few images soon knows them by heart. Augmenting the real ones alone would
    teach the generator to augment, too; augmenting both, with gradients through it, does not.

    ``"color"``: brightness by up to 0.5 either way, contrast by a factor of 0.5 to 1.5 and, of
    images with three channels, saturation by one of 0 to 2. ``"translation"``: by up to an eighth
    of width and height, filled with 0. ``"cutout"``: a square of half their sides is set to 0.

    Args:
        kinds: Which of the three.

    Raises:
        ValueError: for another word, or none.
        ImportError: without kornia, ``pip install "untwine[augment]"``.

    Shape:
        ``(B, C, H, W)``, both ways.

    References:
        Zhao, Liu, Lin, Zhu, Han, "Differentiable Augmentation for Data-Efficient GAN Training",
        2020, https://arxiv.org/abs/2006.10738, section 3.2; transformations are kornia's.

    Deviations:
        Contrast is a factor of the pixels, not of their distance from the image's mean.
    """

    def __init__(
        self,
        kinds: Sequence[Kind] = _KINDS,
    ) -> None:
        super().__init__()
        if not kinds or any(kind not in _KINDS for kind in kinds):
            raise ValueError(f"kinds is {kinds!r}; expected some of {', '.join(map(repr, _KINDS))}")
        try:
            from kornia import augmentation as kornia
        except ImportError as error:
            raise ImportError(
                'kornia, which augments images, is not installed: pip install "untwine[augment]"'
            ) from error
        self.kinds = tuple(kinds)
        self.brightness = kornia.RandomBrightness((0.5, 1.5), clip_output=False, p=1.0)
        self.saturation = kornia.RandomSaturation((0.0, 2.0), p=1.0)
        self.contrast = kornia.RandomContrast((0.5, 1.5), clip_output=False, p=1.0)
        self.translation = kornia.RandomAffine(0.0, translate=(0.125, 0.125), p=1.0)
        self.cutout = kornia.RandomErasing(scale=(0.25, 0.25), ratio=(1.0, 1.0), p=1.0)

    def forward(self, x: Tensor) -> Tensor:
        """The images, each augmented by amounts of its own."""
        if "color" in self.kinds:
            x = self.contrast(self.brightness(x))
            x = self.saturation(x) if x.shape[1] == 3 else x
        x = self.translation(x) if "translation" in self.kinds else x
        return self.cutout(x) if "cutout" in self.kinds else x

    def extra_repr(self) -> str:
        """The kinds."""
        return ", ".join(self.kinds)
