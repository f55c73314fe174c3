"""Refusals of numbers that are no sizes and no scales, with what was expected instead."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

__all__ = ["check_scale", "check_size"]

_MOST = 1 << 24


def check_size(name: str, value: Any, least: int = 1) -> None:
    """Refuses what is no number of dimensions, components or the like.

    Raises:
        ValueError: naming it.

    Example:
        >>> check_size("latent_dim", -3)
        Traceback (most recent call last):
        ValueError: latent_dim is -3; expected an integer from 1 to 16,777,216
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or not least <= value <= _MOST:
        raise ValueError(f"{name} is {value!r}; expected an integer from {least} to {_MOST:,}")


def check_scale(name: str, value: Any, zero: bool = False) -> None:
    """Refuses what is no positive finite number.

    Args:
        name: Of the argument.
        value: Of the argument.
        zero: Whether 0 is accepted, too.

    Raises:
        ValueError: naming it.
    """
    real = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not real or value < 0 or (value == 0 and not zero):
        raise ValueError(
            f"{name} is {value!r}; expected a "
            + ("finite number from 0 on" if zero else "positive number, and a finite one")
        )
