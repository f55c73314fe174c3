"""Interface of architectures, and how covariates join the input of a network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..spec import Recorded

__all__ = ["Architecture", "Decode", "Encode"]


class Architecture(Recorded, ABC):
    """A pair of recipes: a network from observations to features, and one from codes back."""

    @abstractmethod
    def encoder(self, shape: Sequence[int], features: int, covariates: int = 0) -> nn.Module:
        """A network ``(B, *shape) -> (B, features)``; takes ``(B, covariates)`` too.

        Raises:
            ValueError: for a shape that the architecture does not fit.
        """

    @abstractmethod
    def decoder(self, latent_dim: int, shape: Sequence[int], covariates: int = 0) -> nn.Module:
        """A network ``(B, latent_dim) -> (B, *shape)``; takes ``(B, covariates)`` too.

        Raises:
            ValueError: for a shape that the architecture does not fit.
        """


class Encode(nn.Sequential):
    """Layers after covariates, if any, have joined the observation.

    Covariates join an image ``(B, C, H, W)`` as constant channels, and a vector as entries.
    """

    def forward(self, x: Tensor, c: Tensor | None = None) -> Tensor:
        """``(B, *shape)`` and ``(B, covariates)`` to features."""
        if c is not None:
            c = c.to(x.dtype)
            x = (
                torch.cat([x, c[:, :, None, None].expand(-1, -1, *x.shape[2:])], 1)
                if (x.ndim == 4)
                else torch.cat([x, c], 1)
            )
        return super().forward(x)


class Decode(nn.Sequential):
    """Layers after covariates, if any, have joined the code."""

    def forward(self, z: Tensor, c: Tensor | None = None) -> Tensor:
        """``(B, latent_dim)`` and ``(B, covariates)`` to an observation."""
        return super().forward(z if c is None else torch.cat([z, c.to(z.dtype)], -1))
