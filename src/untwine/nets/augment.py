"""Random transformations of images that keep what they show: rotation, zoom, shift."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checks import check_scale

__all__ = ["RandomAffine"]


class RandomAffine(nn.Module):
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
