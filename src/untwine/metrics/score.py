"""Scores, the results of metrics, and the error for data that a metric is not about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["NotApplicable", "Score"]


class NotApplicable(ValueError):
    """Data that a metric is not about: continuous factors, a table without complete traversals."""


@dataclass(frozen=True, eq=False, repr=False)
class Score(float):
    """A number, what it is made of, and how it was measured.

    It is a float, its value: compared, rounded, formatted, sorted, averaged and plotted as one.
    Arithmetic gives plain floats.

    Attributes:
        value: The score itself.
        parts: What it is made of, by name: per factor ``(K,)``, per code dimension ``(D,)``, the
            matrix of mutual informations or importances ``(D, K)``, secondary values.
        protocol: Every setting that changes the number: the estimator, bins, predictor, sample
            sizes, seed. Two scores compare only if their protocols are equal.
        name: The metric's name.
        interval: Lower and upper end of the confidence interval, where one was asked for.
        seconds: Wall time that it took.

    Example:
        >>> score = Score(0.5, name="mig", protocol={"bins": 20})
        >>> score > 0.4, f"{score:.1%}", score.protocol["bins"]
        (True, '50.0%', 20)
        >>> score
        mig=0.5000 (bins=20)
    """

    value: float
    parts: Mapping[str, Any] = field(default_factory=dict)
    protocol: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    interval: tuple[float, float] | None = None
    seconds: float | None = None

    def __new__(cls, value: float, *_: Any, **__: Any) -> Score:
        """The number; the dataclass notes the rest."""
        return super().__new__(cls, value)

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", float(self.value))

    def __getnewargs__(self) -> tuple[float]:
        return (self.value,)

    def __repr__(self) -> str:
        settings = ", ".join(f"{k}={v!r}" for k, v in self.protocol.items())
        return f"{self.name or 'score'}={self.value:.4f} ({settings})"

    def to_dict(self) -> dict[str, Any]:
        """The score as plain data that JSON can hold; arrays become nested lists."""
        return {
            "name": self.name,
            "value": self.value,
            "interval": list(self.interval) if self.interval else None,
            "seconds": self.seconds,
            "parts": {k: _plain(v) for k, v in self.parts.items()},
            "protocol": {k: _plain(v) for k, v in self.protocol.items()},
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Score:
        """The inverse of `to_dict`; a ``None`` among numbers is read as nan."""
        interval = plain.get("interval")
        return cls(
            value=_number(plain["value"]),
            parts={k: _array(v) for k, v in plain.get("parts", {}).items()},
            protocol=dict(plain.get("protocol", {})),
            name=plain.get("name", ""),
            interval=(_number(interval[0]), _number(interval[1])) if interval else None,
            seconds=plain.get("seconds"),
        )


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _array(value: Any) -> Any:
    """Lists of numbers as arrays again; what is no list of numbers stays as it is."""
    if not isinstance(value, list) or not value:
        return value
    try:
        array = np.array(value)
        if array.dtype == object:  # None, where there was nan
            array = array.astype(np.float64)
    except (ValueError, TypeError):
        return value
    return array if array.dtype.kind in "fiub" else value
