"""Numbers with their standard errors, and records of them."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Self

from torch import Tensor

__all__ = ["Estimate", "Finding"]

_MANY = 400  # numbers of an array that is written down whole


@dataclass(frozen=True)
class Estimate:
    """An average over observations, and how far chance may have moved it.

    Attributes:
        value: The average, nats where nothing else is said.
        stderr: Its standard error; 0 where it is exact.

    Example:
        >>> import torch
        >>> print(Estimate.of(torch.tensor([1.0, 2.0, 3.0])))
        2 ± 0.58
    """

    value: float
    stderr: float = 0.0

    @classmethod
    def of(cls, values: Tensor) -> Self:
        """The average of independent values, ``(N,)``."""
        values = values.detach().double().flatten()
        error = values.std().item() / math.sqrt(len(values)) if len(values) > 1 else math.nan
        return cls(values.mean().item(), error)

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        if not math.isfinite(self.stderr) or self.stderr <= 1e-9 * max(abs(self.value), 1.0):
            return f"{self.value if abs(self.value) > 1e-9 else 0.0:.4g}"
        digits = max(0, 1 - math.floor(math.log10(self.stderr)))
        text = f"{self.value:.{digits}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return f"{text} ± {self.stderr:.2g}"


class Finding(ABC):
    """What a diagnostic returns: a frozen record whose text is a verdict."""

    @abstractmethod
    def __str__(self) -> str:
        """The verdict, a sentence a line."""

    def __repr__(self) -> str:
        return str(self)

    def numbers(self) -> dict[str, Any]:
        """Its numbers as plain data, for files; arrays over many observations as their averages."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}  # type: ignore[arg-type]


def _plain(value: Any) -> Any:
    if isinstance(value, Estimate):
        return {"value": value.value, "stderr": value.stderr}
    if isinstance(value, Finding):
        return value.numbers()
    if isinstance(value, Tensor):
        if value.numel() > _MANY:
            value = value.mean(0)
        return value.tolist() if value.numel() <= _MANY else list(value.shape)
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value
