"""DCGAN: generator and discriminator of adversarial networks, for images of any size."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import nn

from .architecture import Decode, Encode
from .conv import Conv, Flatten, Unflatten, channels_last

__all__ = ["DCGAN"]


class DCGAN(Conv):
    """Convolutions with batch norm in the generator (decoder), and leaky ReLU in the discriminator.

    Images are halved as in `Conv`. The generator has batch norm and ReLU after every layer but the
    last.
    The discriminator (encoder) has leaky ReLU (0.1), and no norm unless it is asked for: methods
    that want spectral norm add it.

    Args:
        width: Channels after the first convolution.
        hidden: Widths of the linear layers between convolutions and features; the decoder has
            them in reverse.
        norm: Whether the discriminator has batch norm, too, after every hidden layer but the first,
            as released for MNIST.

    References:
        Radford, Metz, Chintala, "Unsupervised Representation Learning with Deep Convolutional
        Generative Adversarial Networks", 2016, https://arxiv.org/abs/1511.06434; of the sizes that
        Chen et al., "InfoGAN", 2016, https://arxiv.org/abs/1606.03657, appendix C.1, take for MNIST
    """

    def __init__(
        self, width: int = 64, hidden: Sequence[int] = (1024,), *, norm: bool = False
    ) -> None:
        super().__init__(width, hidden)
        self.norm = norm

    def encoder(self, shape: Sequence[int], features: int, covariates: int = 0) -> nn.Module:
        """A network ``(B, C, H, W) -> (B, features)``."""
        sizes, channels = self._plan(shape)
        layers: list[nn.Module] = []
        inputs = shape[0] + covariates
        for outputs in channels:
            layers.append(nn.Conv2d(inputs, outputs, 4, 2, 1))
            layers += [nn.BatchNorm2d(outputs)] if self.norm and len(layers) > 1 else []
            layers.append(nn.LeakyReLU(0.1))
            inputs = outputs
        layers.append(Flatten())
        inputs = channels[-1] * math.prod(sizes[-1])
        for outputs in self.hidden:
            layers.append(nn.Linear(inputs, outputs))
            layers += [nn.BatchNorm1d(outputs)] if self.norm else []
            layers.append(nn.LeakyReLU(0.1))
            inputs = outputs
        return channels_last(Encode(*layers, nn.Linear(inputs, features)))

    def decoder(self, latent_dim: int, shape: Sequence[int], covariates: int = 0) -> nn.Module:
        """A network ``(B, latent_dim) -> (B, C, H, W)``."""
        sizes, channels = self._plan(shape)
        layers: list[nn.Module] = []
        inputs = latent_dim + covariates
        for outputs in (*self.hidden[::-1], channels[-1] * math.prod(sizes[-1])):
            layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(inplace=True)]
            inputs = outputs
        layers.append(Unflatten(channels[-1], *sizes[-1]))
        steps = [shape[0], *channels]
        for i in range(len(channels), 0, -1):
            extra = (sizes[i - 1][0] - 2 * sizes[i][0], sizes[i - 1][1] - 2 * sizes[i][1])
            layers.append(nn.ConvTranspose2d(steps[i], steps[i - 1], 4, 2, 1, extra))
            if i > 1:
                layers += [nn.BatchNorm2d(steps[i - 1]), nn.ReLU(inplace=True)]
        return channels_last(Decode(*layers))
