"""Values of a factor: their words, their range, and how far two of them are apart."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..data import Data, FactorDataset
from ..data.space import Kind

__all__ = ["FactorScale", "named", "scales_of"]

_MOST = 64  # values of a grid


@dataclass(frozen=True)
class FactorScale:
    """A factor's values, as people write them and as numbers.

    Attributes:
        name: Of the factor.
        column: In the data's factors.
        size: How many values it has, 0 to ``size - 1``.
        kind: What they are; a factor of two values is nominal.
        words: Their names, where they have names.
        low: The lowest value that occurs.
        high: The highest.
    """

    name: str
    column: int
    size: int
    kind: Kind
    words: tuple[str, ...] = ()
    low: int = 0
    high: int = 0

    def parse(self, value: Any) -> float:
        """A value as a number of the factor: a word, a level, or a place between two levels.

        Where the words are numbers in increasing order (``"0.5"``, ``"0.6"``), a number is one of
        theirs.

        Raises:
            ValueError: for a word that there is not, and a number out of range.
        """
        if isinstance(value, str):
            if value in self.words:
                return float(self.words.index(value))
            try:
                value = float(value)
            except ValueError:
                raise ValueError(self._unknown(value)) from None
        number = float(value)
        marks = self._marks()
        if marks is not None:
            if not marks[self.low] <= number <= marks[self.high]:
                raise ValueError(
                    f"{self.name} is {number:g}; expected a number from {marks[self.low]:g} to "
                    f"{marks[self.high]:g}"
                )
            return float(np.interp(number, marks, np.arange(self.size)))
        if self.kind == "nominal" and number != round(number):
            raise ValueError(
                f"{self.name} is {number:g}; expected a whole number, for its values are names"
            )
        high = self.size if self.kind == "angle" else self.high
        low = 0 if self.kind == "angle" else self.low
        if not (math.isfinite(number) and low <= number <= high):
            among = f", or one of {', '.join(self.words)}" if self.words else ""
            raise ValueError(f"{self.name} is {number:g}; expected {low} to {high}{among}")
        return number

    def written(self, value: float) -> str:
        """A number of the factor as people write it."""
        if self.words and value == round(value) and 0 <= value < len(self.words):
            return self.words[int(value)]
        marks = self._marks()
        return (
            f"{np.interp(value, np.arange(self.size), marks) if marks is not None else value:.3g}"
        )

    def distance(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """How far values are apart: 0 or 1 of names, levels, or levels by the shorter way round."""
        if self.kind == "nominal":
            return (np.rint(a) != np.rint(b)).astype(np.float64)
        away = np.abs(np.asarray(a, np.float64) - b)
        return np.minimum(away % self.size, -away % self.size) if self.kind == "angle" else away

    @property
    def span(self) -> float:
        """The largest distance there is."""
        if self.kind == "nominal":
            return 1.0
        return self.size / 2 if self.kind == "angle" else float(self.high - self.low)

    def coordinates(self, values: np.ndarray) -> np.ndarray:
        """Numbers ``(N, M)`` for nets: indicators, a place in [0, 1], or cosine and sine."""
        if self.kind == "nominal":
            return (np.rint(values)[:, None] == np.arange(self.size)).astype(np.float64)
        if self.kind == "angle":
            angle = 2 * np.pi * np.asarray(values, np.float64) / self.size
            return np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return (np.asarray(values, np.float64)[:, None] - self.low) / max(self.high - self.low, 1)

    def values_of(self, coordinates: np.ndarray) -> np.ndarray:
        """The values that coordinates ``(N, M)`` stand for; places between levels among them."""
        if self.kind == "nominal":
            return coordinates.argmax(axis=1).astype(np.float64)
        if self.kind == "angle":
            angle = np.arctan2(coordinates[:, 1], coordinates[:, 0])
            return angle / (2 * np.pi) * self.size % self.size
        return coordinates[:, 0] * (self.high - self.low) + self.low

    @property
    def grid(self) -> np.ndarray:
        """Its values, or 64 places among them where there are more."""
        if self.kind == "nominal" or self.size <= _MOST:
            return np.arange(self.low, self.high + 1, dtype=np.float64)
        end = self.kind != "angle"
        return np.linspace(self.low, self.high + (not end), _MOST, endpoint=end)

    def _marks(self) -> np.ndarray | None:
        """The words as numbers, where they are some."""
        if self.kind in ("nominal", "angle") or not self.words:
            return None
        try:
            marks = np.array([float(word) for word in self.words])
        except ValueError:
            return None
        return marks if len(marks) == self.size and (np.diff(marks) > 0).all() else None

    def _unknown(self, word: str) -> str:
        close = difflib.get_close_matches(word, self.words, 1)
        among = f"one of {', '.join(self.words)}" if self.words else f"{self.low} to {self.high}"
        hint = f": did you mean {close[0]!r}?" if close else ""
        return f"{self.name} is {word!r}; expected {among}{hint}"


def scales_of(data: Data, names: Sequence[str] | None = None) -> list[FactorScale]:
    """The factors of a data set that are known and vary.

    Args:
        data: With factors.
        names: Which of them; by default all.

    Raises:
        ValueError: for names that are no factors, and if there is none.
    """
    table, space = data.factors, data.space
    words = data.values if isinstance(data, FactorDataset) else {}
    for name in names or ():
        space.position(name)
    scales = []
    for column, (name, size) in enumerate(zip(space.names, space.sizes, strict=True)):
        present = table[:, column]
        present = present[present >= 0]
        if (
            (names is not None and name not in names)
            or not len(present)
            or present.min() == present.max()
        ):
            continue
        kind = space.kinds[column] or "ordinal"
        scales.append(
            FactorScale(
                name,
                column,
                size,
                "nominal" if size == 2 else kind,
                tuple(map(str, words.get(name, ()))),
                int(present.min()),
                int(present.max()),
            )
        )
    if not scales:
        raise ValueError("no factor of this data is known and varies: there is nothing to follow")
    return scales


def named(scales: Sequence[FactorScale], name: str) -> int:
    """The place of a factor among some.

    Raises:
        ValueError: if it is not there, with the nearest name.
    """
    names = [scale.name for scale in scales]
    if name not in names:
        close = difflib.get_close_matches(name, names, 1)
        hint = f": did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"there is no factor {name!r} among {', '.join(names)}{hint}")
    return names.index(name)


def per_row(scale: FactorScale, value: Any, rows: int) -> np.ndarray:
    """A value for each row, ``(rows,)``: one for all, or as many.

    Raises:
        ValueError: for another number of them.
    """
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, str) or np.ndim(value) == 0:
        return np.full(rows, scale.parse(value if isinstance(value, str) else np.asarray(value)))
    if len(value) != rows:
        raise ValueError(f"{scale.name} has {len(value)} values for {rows} observations")
    return np.array([scale.parse(one) for one in value])
