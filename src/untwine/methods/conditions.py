"""Conditions of samples: which there are, and values that a method can be given."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral

import torch
from torch import Tensor

__all__ = ["check_condition", "repeated"]


def check_condition(condition: Mapping[str, int], sizes: Mapping[str, int]) -> None:
    """Refuses names that there are not, and values beyond what each has.

    Args:
        condition: Values by name.
        sizes: How many values each name has.

    Raises:
        ValueError: naming the first one.

    Example:
        >>> check_condition({"digit": 10}, {"digit": 10})
        Traceback (most recent call last):
        ValueError: digit is 10; expected a whole number from 0 to 9
    """
    for name, value in condition.items():
        if name not in sizes:
            there = ", ".join(sizes) or "none"
            raise ValueError(f"{name!r} is nothing that samples can be given; there are: {there}")
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        if not whole or not 0 <= value < sizes[name]:
            raise ValueError(
                f"{name} is {value!r}; expected a whole number from 0 to {sizes[name] - 1}"
            )


def repeated(value: int, n: int, like: Tensor) -> Tensor:
    """``(n,)`` classes of one value, on a tensor's device."""
    return torch.full((n,), int(value), device=like.device)
