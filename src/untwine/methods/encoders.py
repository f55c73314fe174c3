"""Encoders of other libraries, as representations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from ..data.batches import Batch
from ..distributions import Point
from .abilities import Represents

__all__ = ["Encoder", "Transforms", "representing"]


@runtime_checkable
class Transforms(Protocol):
    """Gives rows of numbers a code: an estimator of scikit-learn that is fitted."""

    def transform(self, x: np.ndarray, /) -> np.ndarray:
        """The codes ``(N, D)`` of rows ``(N, F)``."""


Encoder = Represents | Callable[[Tensor], Tensor | Distribution] | Transforms
"""What `untwine.encode` takes: a method, a module or a function, or an estimator."""


class _Foreign(nn.Module):
    """What gives observations a code, with the signature of ``represent``."""

    def __init__(self, encoder: Callable[[Tensor], Tensor | Distribution] | Transforms) -> None:
        super().__init__()
        self.encoder = encoder

    def represent(self, batch: Batch | Tensor, /) -> Distribution:
        x = batch if isinstance(batch, Tensor) else batch.x
        name = type(self.encoder).__name__
        if not isinstance(x, Tensor):
            raise ValueError(f"{name} takes one tensor, and the data has modalities {list(x)}")
        if callable(self.encoder):
            z = self.encoder(x)
        else:
            z = torch.as_tensor(np.asarray(self.encoder.transform(x.flatten(1).cpu().numpy())))
        if isinstance(z, Distribution):
            return z
        if not isinstance(z, Tensor):
            raise TypeError(
                f"{name} returns a {type(z).__name__}; expected codes (B, D) or a distribution "
                "of them: wrap it in a function that does, lambda x: encoder(x).pooler_output"
            )
        codes = z.flatten(1) if z.ndim > 1 and z[0].numel() == z.shape[1] else z
        if codes.ndim != 2 or len(codes) != len(x):
            raise ValueError(
                f"{name} returns shape {tuple(z.shape)} for {len(x)} observations; expected codes "
                "(B, D): pool maps and tokens in a function, lambda x: encoder(x).mean((2, 3))"
            )
        return Point(codes.float())


def representing(encoder: Encoder) -> Represents:
    """The encoder itself, if it represents; or what makes it do so.

    Raises:
        TypeError: for a class, and for what cannot be called and has no ``transform``.
    """
    known = callable(encoder) or isinstance(encoder, Transforms)
    if isinstance(encoder, type) or not (known or isinstance(encoder, Represents)):
        raise TypeError(
            f"method is {encoder!r:.60}; expected an object with represent(x) -> Distribution, a "
            "module or a function from observations to codes (B, D), or what has transform"
        )
    return encoder if isinstance(encoder, Represents) else _Foreign(encoder)
