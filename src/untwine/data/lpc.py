"""Data set of Liberated Pixel Cup sprites: animated characters made of layers."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..reading import open_npz
from .dataset import FactorDataset, Index, as_index
from .space import FactorSpace

__all__ = ["LPCSprites"]

_LAYERS = ("body", "bottomwear", "topwear", "hair")


class LPCSprites(FactorDataset):
    """Frames of characters put together of layers, 64 x 64 in color; needs a file of the layers.

    Every combination of body, trousers, shirt and hair in every action, direction and frame; with
    six of each of the former 1,296 characters. ``ClipsSampler("frame", 8)`` makes whole
    actions of it.

    Args:
        path: An ``.npz`` with ``body``, ``bottomwear``, ``topwear`` and ``hair``, each
            ``(variants, actions, directions, frames, 64, 64, 4)`` of bytes, red, green, blue and
            opacity, and optionally ``shoes`` of the same without the first axis. Later
            layers cover earlier ones.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for layers that are missing or do not fit.

    References:
        Li, Mandt, "Disentangled Sequential Autoencoder", 2018, https://arxiv.org/abs/1803.02991,
        section 4.1 (the Sprites data).
    """

    needs = "a file"

    def __init__(self, path: str | Path) -> None:
        with open_npz(path) as archive:
            missing = [name for name in _LAYERS if name not in archive.files]
            if missing:
                raise ValueError(f"{path} has no arrays {missing}; it holds {archive.files}")
            self._layers = [archive[name] for name in _LAYERS]
            self._shoes = archive["shoes"] if "shoes" in archive.files else None
        motion = self._layers[0].shape[1:]
        for name, layer in zip(_LAYERS, self._layers, strict=True):
            if layer.dtype != np.uint8 or layer.ndim != 7 or layer.shape[-1] != 4:
                raise ValueError(
                    f"{name} of {path} is {layer.dtype} {layer.shape}; expected uint8 (variants, "
                    "actions, directions, frames, H, W, 4)"
                )
            if layer.shape[1:] != motion:
                raise ValueError(f"{name} of {path} has shape {layer.shape}; body has {motion}")
        if self._shoes is not None and self._shoes.shape != motion:
            raise ValueError(f"shoes of {path} has shape {self._shoes.shape}; expected {motion}")
        self.shape = (3, *motion[3:5])
        self.space = FactorSpace(
            ("body", "bottom", "top", "hair", "action", "direction", "frame"),
            (*(len(layer) for layer in self._layers), *motion[:3]),
            ("nominal", "nominal", "nominal", "nominal", "nominal", "nominal", "ordinal"),
        )

    def __len__(self) -> int:
        return len(self.space)

    @cached_property
    def factors(self) -> np.ndarray:
        """The factors of every frame, ``(N, 7)`` of int64."""
        return self.space.factors(np.arange(len(self.space)))

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        f = self.space.factors(as_index(index, len(self)))
        motion = (f[:, 4], f[:, 5], f[:, 6])
        x = np.zeros((len(f), *self.shape[1:], 3), np.float32)
        layers = [layer[(f[:, k], *motion)] for k, layer in enumerate(self._layers)]
        if self._shoes is not None:
            layers.append(self._shoes[motion])
        for layer in layers:
            opacity = layer[..., 3:] / np.float32(255)
            x += opacity * (layer[..., :3] - x)
        return torch.from_numpy(np.moveaxis(x, -1, 1).round() / np.float32(255)).contiguous()
