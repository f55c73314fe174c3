"""Fully connected networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn

from .architecture import Architecture, Decode, Encode

__all__ = ["MLP", "mlp"]


def mlp(
    inputs: int,
    hidden: Sequence[int],
    outputs: int,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> list[nn.Module]:
    """The layers of a perceptron: linear maps with an activation between them."""
    sizes = [inputs, *hidden]
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), activation()]
    return [*layers, nn.Linear(sizes[-1], outputs)]


class MLP(Architecture):
    """Fully connected encoder and decoder, for vectors and for small images.

    Args:
        hidden: Widths of the encoder's hidden layers; the decoder has them in reverse.
    """

    def __init__(self, hidden: Sequence[int] = (256, 256)) -> None:
        self.hidden = tuple(hidden)

    def encoder(self, shape: Sequence[int], features: int, covariates: int = 0) -> nn.Module:
        """Covariates of images join as channels, so each pixel's column sees them."""
        inputs = math.prod(shape)
        inputs += covariates * (math.prod(shape[1:]) if len(shape) == 3 else 1)
        return Encode(nn.Flatten(), *mlp(inputs, self.hidden, features))

    def decoder(self, latent_dim: int, shape: Sequence[int], covariates: int = 0) -> nn.Module:
        """The mirror image of the encoder."""
        layers = mlp(latent_dim + covariates, self.hidden[::-1], math.prod(shape))
        return Decode(*layers, nn.Unflatten(-1, tuple(shape)))
