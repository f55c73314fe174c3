"""Default architecture for a shape of observations."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .architecture import Architecture
from .conv import Conv, Locatello2019
from .mlp import MLP

__all__ = ["default_architecture"]


def default_architecture(shape: Sequence[int]) -> Architecture:
    """The literature's net for 64x64 images, one that adapts for others, an MLP for vectors."""
    if len(shape) == 3 and tuple(shape[1:]) == (64, 64):
        return Locatello2019()
    if len(shape) == 3 and min(shape[1:]) >= 8:
        return Conv()
    if math.prod(shape) < 1:
        raise ValueError(f"observations of shape {tuple(shape)} are empty")
    return MLP()
