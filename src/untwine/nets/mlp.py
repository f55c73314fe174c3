"""Fully connected networks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from ..checks import check_size, check_sizes
from ..reading import memory_limit
from .architecture import Architecture, Decode, Encode

__all__ = ["MLP", "linear", "mlp"]

_BYTES = 16  # of a weight, its gradient, and two moments of it in Adam


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
        layers += [linear(a, b), activation()]
    return [*layers, linear(sizes[-1], outputs)]


def linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer.

    Raises:
        ValueError: for no inputs or outputs, and for more weights than memory holds.
    """
    check_size("a layer's inputs", inputs)
    check_size("a layer's outputs", outputs)
    needed = _BYTES * inputs * outputs
    if needed > memory_limit():
        raise ValueError(
            f"a layer from {inputs:,} to {outputs:,} features takes {needed / 2**30:,.0f} GiB in "
            f"training, more than the {memory_limit() / 2**30:,.0f} GiB of memory here: take a "
            "smaller latent_dim or narrower layers"
        )
    return nn.Linear(inputs, outputs)


class LogEncode(Encode):
    """Layers that see logarithms of counts, and covariates as they are."""

    by_library: bool = False

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """``(B, *shape)`` counts and ``(B, covariates)`` to features."""
        if self.by_library:
            x = x * (1e4 / x.flatten(1).sum(1).clamp(min=1)).reshape(-1, *[1] * (x.ndim - 1))
        return super().forward(torch.log1p(x), c)


class MLP(Architecture):
    r"""Fully connected encoder and decoder, for vectors and for small images.

    Args:
        hidden: Widths of the encoder's hidden layers; the decoder has them in reverse.
        inputs: What the encoder sees of an observation: ``"raw"``, itself; ``"log1p"``, for counts,
            :math:`\log(1 + x)`; ``"library"``, for counts whose total says nothing,
            :math:`\log(1 + 10^4 x / \sum_i x_i)`. Covariates are never transformed. Without a net
            of your own, count likelihoods choose ``"log1p"``.

    Raises:
        ValueError: for another word, and for layers without features.
    """

    def __init__(
        self,
        hidden: Sequence[int] = (256, 256),
        inputs: Literal["raw", "log1p", "library"] = "raw",
    ) -> None:
        if inputs not in ("raw", "log1p", "library"):
            raise ValueError(f"inputs is {inputs!r}; expected 'raw', 'log1p' or 'library'")
        check_sizes("hidden", hidden)
        self.hidden, self.inputs = tuple(hidden), inputs

    def encoder(self, shape: Sequence[int], features: int, covariates: int = 0) -> nn.Module:
        """Covariates of images join as channels, so each pixel's column sees them."""
        inputs = math.prod(shape)
        inputs += covariates * (math.prod(shape[1:]) if len(shape) == 3 else 1)
        encode = Encode if self.inputs == "raw" else LogEncode
        network = encode(nn.Flatten(), *mlp(inputs, self.hidden, features))
        if isinstance(network, LogEncode):
            network.by_library = self.inputs == "library"
        return network

    def decoder(self, latent_dim: int, shape: Sequence[int], covariates: int = 0) -> nn.Module:
        """The mirror image of the encoder."""
        layers = mlp(latent_dim + covariates, self.hidden[::-1], math.prod(shape))
        return Decode(*layers, nn.Unflatten(-1, tuple(shape)))
