"""Adaptive instance normalization: a generator modulated by a second code."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ..checks import check_size
from .architecture import Architecture, Encode
from .conv import Flatten, Unflatten, channels_last
from .mlp import mlp

__all__ = ["AdaIN", "adain"]


def adain(x: Tensor, scale: Tensor, shift: Tensor, eps: float = 1e-5) -> Tensor:
    r"""Adaptive instance normalization.

    .. math::
        \mathrm{AdaIN}(x)_{bc} = s_{bc} \, \frac{x_{bc} - \mathrm{mean}(x_{bc})}
        {\sqrt{\mathrm{var}(x_{bc}) + \epsilon}} + t_{bc}

    with mean and (biased) variance over the pixels of one channel of one example.

    Args:
        x: Feature maps.
        scale: :math:`s`.
        shift: :math:`t`.
        eps: :math:`\epsilon`.

    Shape:
        x ``(B, C, H, W)``; scale and shift ``(B, C)``; returns ``(B, C, H, W)``.

    References:
        Huang, Belongie, "Arbitrary Style Transfer in Real-time with Adaptive Instance
        Normalization", 2017, https://arxiv.org/abs/1703.06868, equation 8.

    Example:
        >>> import torch
        >>> y = adain(torch.rand(2, 3, 8, 8), torch.full((2, 3), 2.0), torch.ones(2, 3))
        >>> round(y.mean().item(), 4), round(y.std(correction=0).item(), 2)
        (1.0, 2.0)
    """
    return F.instance_norm(x, eps=eps) * scale[:, :, None, None] + shift[:, :, None, None]


class AdaIN(Architecture):
    """The encoder and the generator of LORD, for images of any size from 8x8 up.

    Generator: three linear layers make feature maps of the content, which are upsampled (nearest)
    and convolved (3x3, LeakyReLU) until they have the image's size; after each convolution they
    are normalized and modulated by a linear function of the covariates (for LORD the class code),
    which act nowhere else. Two more convolutions (5x5, 7x7) make the image. Encoder: a convolution
    of 7x7, others of 4x4 and stride 2, and three linear layers. The image is halved (rounding down)
    until its smaller side is below 8; at 64x64 and ``width=256`` the layers are the paper's.

    Args:
        width: Channels of the modulated layers; the paper's is 256.

    References:
        Gabbay, Hoshen, "Demystifying Inter-Class Disentanglement", 2020,
        https://arxiv.org/abs/1906.11796, appendix A.1.

    Deviations:
        The scale of a modulated layer starts around one, not around zero.

    Raises:
        ValueError: for a width below 8.
    """

    def __init__(self, width: int = 64) -> None:
        check_size("width", width, least=8)
        self.width = width

    def encoder(self, shape: Sequence[int], features: int, covariates: int = 0) -> nn.Module:
        """A network ``(B, C, H, W) -> (B, features)``."""
        sizes = _sizes(shape)
        channels = [min(self.width // 4 * 2**i, self.width) for i in range(len(sizes))]
        layers: list[nn.Module] = [
            nn.Conv2d(shape[0] + covariates, channels[0], 7, 1, 3),
            nn.LeakyReLU(),
        ]
        for inputs, outputs in pairwise(channels):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1), nn.LeakyReLU()]
        flat = channels[-1] * math.prod(sizes[-1])
        hidden = mlp(flat, (self.width, self.width), features, nn.LeakyReLU)
        return channels_last(Encode(*layers, Flatten(), *hidden))

    def decoder(self, latent_dim: int, shape: Sequence[int], covariates: int = 0) -> nn.Module:
        """A network ``(B, latent_dim), (B, covariates) -> (B, C, H, W)``.

        Raises:
            ValueError: without covariates, since there is nothing to modulate by then.
        """
        if covariates < 1:
            raise ValueError(
                "there are no covariates, by which an AdaIN generator is modulated: use nets.Conv, "
                "or a method with a class code such as LORD"
            )
        return channels_last(
            _Generator(latent_dim, shape[0], _sizes(shape), covariates, self.width)
        )


class _Generator(nn.Module):
    def __init__(
        self,
        latent_dim: int,
        channels: int,
        sizes: list[tuple[int, int]],
        covariates: int,
        width: int,
    ) -> None:
        super().__init__()
        self.sizes = sizes[-2::-1]
        area = math.prod(sizes[-1])
        self.content = nn.Sequential(
            *mlp(latent_dim, (area * width // 8, area * width // 4), area * width, nn.LeakyReLU),
            nn.LeakyReLU(),
            Unflatten(width, *sizes[-1]),
        )
        self.convolve = nn.ModuleList(nn.Conv2d(width, width, 3, 1, 1) for _ in self.sizes)
        self.modulate = nn.ModuleList(nn.Linear(covariates, 2 * width) for _ in self.sizes)
        self.last = nn.Sequential(
            nn.Conv2d(width, width // 4, 5, 1, 2),
            nn.LeakyReLU(),
            nn.Conv2d(width // 4, channels, 7, 1, 3),
        )

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        """Content ``(B, latent_dim)`` and what modulates it ``(B, covariates)`` to an image."""
        h = self.content(z)
        c = c.to(z.dtype)
        for size, convolve, modulate in zip(self.sizes, self.convolve, self.modulate, strict=True):
            h = F.leaky_relu(convolve(F.interpolate(h, size=size)))
            scale, shift = modulate(c).chunk(2, -1)
            h = adain(h, 1 + scale, shift)
        return self.last(h)


def _sizes(shape: Sequence[int]) -> list[tuple[int, int]]:
    if len(shape) != 3 or min(shape[1:]) < 8:
        raise ValueError(
            f"observations have shape {tuple(shape)}; nets.AdaIN takes images (C, H, W) of at "
            "least 8x8: use nets.MLP for vectors and smaller images"
        )
    sizes = [(shape[1], shape[2])]
    while min(sizes[-1]) >= 8:
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    return sizes
