"""Ranges of metrics' settings: whole and real numbers, words, switches; declared once, checked."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from ..data.space import Kind

__all__ = ["SHARED", "Range", "number", "one_of", "several", "switch", "whole"]


@dataclass(frozen=True)
class Range:
    """What a setting may be.

    Attributes:
        expected: In words, for the error message.
        holds: Whether a value is in it.
        none: Whether ``None`` is, too.

    Example:
        >>> whole(2).check("mig", "bins", 20)
        >>> print(number(0, above=True, words=("cv",)))
        a number above 0 or 'cv'
    """

    expected: str
    holds: Callable[[Any], bool]
    none: bool = False

    def __str__(self) -> str:
        return f"{self.expected}, or None" if self.none else self.expected

    def check(self, metric: str, name: str, value: Any) -> None:
        """Raises if a setting is outside.

        Raises:
            ValueError: with the setting's name, its value and what was expected.
        """
        if not (value is None and self.none) and not self.holds(value):
            raise ValueError(f"{metric}: {name} is {value!r}; expected {self}")


def whole(low: int, *, none: bool = False) -> Range:
    """Whole numbers from ``low`` on; of Python's or NumPy's types."""
    return Range(
        f"a whole number of at least {low}", lambda value: _whole(value) and value >= low, none
    )


def number(
    low: float,
    high: float = math.inf,
    *,
    above: bool = False,
    below: bool = False,
    words: tuple[str, ...] = (),
    none: bool = False,
) -> Range:
    """Finite real numbers from ``low`` to ``high``.

    Args:
        low: The smallest one.
        high: The largest one.
        above: Whether ``low`` itself is left out.
        below: Whether ``high`` itself is left out.
        words: Texts that are also allowed.
        none: Whether ``None`` is, too.
    """
    if high == math.inf:
        text = f"a number {'above' if above else 'of at least'} {low:g}"
    else:
        text = f"a number {'above' if above else 'from'} {low:g} to {'below ' if below else ''}"
        text += f"{high:g}"

    def holds(value: Any) -> bool:
        if isinstance(value, str):
            return value in words
        real = isinstance(value, float | np.floating) or _whole(value)
        return (
            real
            and math.isfinite(value)
            and (value > low if above else value >= low)
            and (value < high if below else value <= high)
        )

    return Range(" or ".join([text, *map(repr, words)]), holds, none)


def one_of(*words: str, none: bool = False) -> Range:
    """One of several words."""
    *most, last = map(repr, words)
    text = f"{', '.join(most)} or {last}" if most else last
    return Range(text, lambda value: isinstance(value, str) and value in words, none)


def switch() -> Range:
    """True or false; of Python's or NumPy's type."""
    return Range("True or False", lambda value: isinstance(value, bool | np.bool_))


def several(item: Range) -> Range:
    """A sequence, each of whose elements is in a range."""
    return Range(
        f"a sequence, each of it {item}",
        lambda values: (
            isinstance(values, Sequence | np.ndarray)
            and not isinstance(values, str)
            and all((value is None and item.none) or item.holds(value) for value in values)
        ),
    )


#: Ranges of those settings that mean the same wherever they occur.
SHARED: Mapping[str, Range] = {
    "active": number(0, 1, below=True),
    "balanced": switch(),
    "batch": whole(2),
    "binning": one_of("equal_width", "robust"),
    "bins": whole(2),
    "components": whole(1),
    "continuous_factors": switch(),
    "discrete_codes": switch(),
    "exact": switch(),
    "jobs": whole(1),
    "kinds": several(one_of(*get_args(Kind), none=True)),
    "neighbors": whole(1),
    "normalizer": one_of("factor", "code"),
    "points": whole(2, none=True),
    "rescale": switch(),
    "restarts": whole(1),
    "scaling": one_of("standard", "minmax"),
    "seed": whole(0),
    "test": whole(1, none=True),
    "test_votes": whole(0),
    "threshold": number(0),
    "train": whole(1, none=True),
    "unknown": Range(
        "a number, a text, or None", lambda value: value is None or np.ndim(value) == 0
    ),
    "votes": whole(1),
}


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)
