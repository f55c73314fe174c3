"""Factor space: arithmetic between combinations of factor values and their numbers."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from ..spec import Recorded

__all__ = ["Factor", "FactorSpace", "Kind", "Kinds", "as_kinds"]

Kind = Literal["nominal", "ordinal", "real", "angle"]
"""What a factor's values are: names without an order, numbered levels, measurements, or places on
a circle."""

Kinds = Sequence[Kind | None] | Mapping[str, Kind] | None
"""Kinds of factors in their order, ``None`` where none is stated, or those that are, by name."""


@dataclass(frozen=True)
class Factor(Recorded):
    """A factor by name, with the number of its values.

    Args:
        name: Of the factor.
        size: How many values it has, 0 to ``size - 1``.

    Raises:
        ValueError: for a size below 1.
    """

    name: str
    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"factor {self.name!r} has size {self.size}; expected at least 1")


@dataclass(frozen=True)
class FactorSpace(Recorded):
    r"""Names and sizes of factors, whose combinations are numbered with the last factor fastest.

    The combination :math:`(v_1, \dots, v_K)` has the index
    :math:`\sum_k v_k \prod_{j > k} s_j` with sizes :math:`s_j`.

    Args:
        names: One per factor, all different.
        sizes: How many values each factor has; factor k takes the values 0 to ``sizes[k] - 1``.
        kinds: What each factor's values are, for metrics; ``None`` where it is not stated.
            ``"nominal"``: names without an order. ``"ordinal"``: levels in an order. ``"real"``:
            measurements, such as ages in years, which are no classes. ``"angle"``: ``v`` stands
            for :math:`2 \pi v / s`.

    Raises:
        ValueError: for names, sizes and kinds of unequal number, a repeated name, a size below 1 or
            an unknown kind.

    Example:
        >>> space = FactorSpace(("shape", "color"), (3, 4))
        >>> len(space), int(space.index([2, 1])), space.factors(9)
        (12, 9, array([2, 1]))
        >>> space.traverse([2, 1], "shape")
        array([[0, 1],
               [1, 1],
               [2, 1]])
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    kinds: tuple[Kind | None, ...] = ()

    def __post_init__(self) -> None:
        for size in self.sizes:
            if size != int(size):
                raise ValueError(f"the sizes are {tuple(self.sizes)}; expected integers")
        names = tuple(str(name) for name in self.names)
        sizes = tuple(int(size) for size in self.sizes)
        if len(names) != len(sizes):
            raise ValueError(f"{len(names)} names {names} but {len(sizes)} sizes {sizes}")
        for i, name in enumerate(names):
            if name in names[:i]:
                raise ValueError(f"two factors are named {name!r}; names must differ: {names}")
        for name, size in zip(names, sizes, strict=True):
            if size < 1:
                raise ValueError(f"factor {name!r} has size {size}; expected at least 1")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "sizes", sizes)
        object.__setattr__(self, "kinds", as_kinds(self.kinds or None, names))

    def __len__(self) -> int:
        """The number of combinations."""
        count = math.prod(self.sizes)
        if count > sys.maxsize:
            raise OverflowError(
                f"the {len(self.sizes)} factors have {count:.3g} combinations, more than can be "
                "numbered with 64 bits; keep fewer factors"
            )
        return count

    def __bool__(self) -> bool:
        """Always true, also where the combinations are too many to be counted."""
        return True

    def factor(self, name: str | None = None) -> Factor:
        """The factor called ``name``, by default the first.

        Raises:
            ValueError: if there is none.
        """
        if name is None and not self.names:
            raise ValueError("the data has no factors: name the values that are the labels")
        column = 0 if name is None else self.position(name)
        return Factor(self.names[column], self.sizes[column])

    def position(self, name: str) -> int:
        """The column of the factor called ``name``.

        Raises:
            ValueError: if there is none, with the names there are.
        """
        if name not in self.names:
            raise ValueError(f"there is no factor {name!r}; the factors are {list(self.names)}")
        return self.names.index(name)

    def only(self, columns: Sequence[int]) -> FactorSpace:
        """The space of some of the factors, by their columns."""
        return FactorSpace(
            tuple(self.names[k] for k in columns),
            tuple(self.sizes[k] for k in columns),
            tuple(self.kinds[k] for k in columns),
        )

    def check(self, factors: Any, *, unknown: bool = False) -> np.ndarray:
        """The combinations as int64, after checking that they belong to the space.

        Args:
            factors: ``(..., K)`` integers.
            unknown: Whether -1, for a value that is not known, is accepted.

        Raises:
            TypeError: for values that are not integers.
            ValueError: for a wrong number of columns, and for a value outside of its factor's size,
                naming factor, size and value.
        """
        values = np.asarray(factors)
        if values.dtype.kind not in "iu":
            if values.size:
                raise TypeError(f"factors are {values.dtype}; expected integers")
            values = values.astype(np.int64)
        if values.ndim == 0 or values.shape[-1] != len(self.names):
            raise ValueError(
                f"factors has shape {values.shape}; expected {len(self.names)} columns, "
                f"one for each of {list(self.names)}"
            )
        values = values.astype(np.int64, copy=False)
        wrong = (values >= np.array(self.sizes, np.int64)) | (values < (-1 if unknown else 0))
        if wrong.any():
            place = tuple(np.argwhere(wrong)[0])
            size, row = self.sizes[place[-1]], f" in row {place[0]}" if len(place) > 1 else ""
            raise ValueError(
                f"factor {self.names[place[-1]]!r} has the value {values[place]}{row}; "
                f"its size is {size}: expected 0 to {size - 1}"
                + (", or -1 for unknown" if unknown else "")
            )
        return values

    def index(self, factors: Any) -> np.ndarray:
        """The numbers of combinations.

        Shape:
            factors ``(..., K)``; returns ``(...)`` of int64.

        Raises:
            ValueError: see `check`.
        """
        return self.check(factors) @ self._strides

    def factors(self, index: Any) -> np.ndarray:
        """The combinations of given numbers.

        Shape:
            index ``(...)`` of integers; returns ``(..., K)`` of int64.

        Raises:
            IndexError: for a number outside 0 to ``len(space) - 1``.
        """
        numbers = np.asarray(index)
        if numbers.dtype.kind not in "iu":
            if numbers.size:
                raise TypeError(f"index is {numbers.dtype}; expected integers")
            numbers = numbers.astype(np.int64)
        wrong = (numbers < 0) | (numbers >= len(self))
        if wrong.any():
            raise IndexError(
                f"there is no combination {numbers[wrong].flat[0]}; the space of sizes "
                f"{self.sizes} has the numbers 0 to {len(self) - 1}"
            )
        numbers = numbers.astype(np.int64, copy=False)
        return numbers[..., None] // self._strides % np.array(self.sizes, np.int64)

    def neighbors(self, factors: Any, name: str | None = None) -> np.ndarray:
        """Every combination that differs from a given one in exactly one factor.

        Args:
            factors: One combination, ``(K,)``.
            name: The factor that differs; without it each factor in turn.

        Shape:
            Returns ``(M, K)``, where M is the sum of the sizes less one each.
        """
        center = self._one(factors)
        columns = range(len(self.names)) if name is None else [self.position(name)]
        combinations = []
        for k in columns:
            line = self.traverse(center, self.names[k])
            combinations.append(np.delete(line, center[k], axis=0))
        return (
            np.concatenate(combinations)
            if combinations
            else np.empty((0, len(self.names)), np.int64)
        )

    def traverse(self, factors: Any, name: str) -> np.ndarray:
        """A combination with one factor going through all its values.

        Args:
            factors: One combination, ``(K,)``.
            name: The factor that varies.

        Shape:
            Returns ``(size, K)``.
        """
        k = self.position(name)
        line = np.tile(self._one(factors), (self.sizes[k], 1))
        line[:, k] = np.arange(self.sizes[k])
        return line

    def sample(self, n: int, generator: np.random.Generator) -> np.ndarray:
        """Combinations drawn uniformly and independently, ``(n, K)`` of int64."""
        return generator.integers(0, self.sizes, size=(n, len(self.sizes)), dtype=np.int64)

    def __repr__(self) -> str:
        kinds = f", kinds={self.kinds}" if any(self.kinds) else ""
        return f"FactorSpace(names={self.names}, sizes={self.sizes}{kinds})"

    def __str__(self) -> str:
        return ", ".join(f"{n} {s}" for n, s in zip(self.names, self.sizes, strict=True))

    @property
    def _strides(self) -> np.ndarray:
        len(self)  # refuses what cannot be numbered
        strides = [math.prod(self.sizes[k + 1 :]) for k in range(len(self.sizes))]
        return np.array(strides, np.int64)

    def _one(self, factors: Any) -> np.ndarray:
        combination = self.check(factors)
        if combination.ndim != 1:
            raise ValueError(
                f"factors has shape {combination.shape}; expected one combination, (K,)"
            )
        return combination


def as_kinds(kinds: Kinds, names: Sequence[str]) -> tuple[Kind | None, ...]:
    """One kind per factor, ``None`` where none is stated.

    Args:
        kinds: In the order of the factors, or by name.
        names: The factors'.

    Raises:
        ValueError: for an unknown kind or name, and for another number of kinds than of factors.

    Example:
        >>> as_kinds({"age": "real"}, ["sex", "age"])
        (None, 'real')
    """
    if kinds is None:
        return (None,) * len(names)
    if isinstance(kinds, Mapping):
        for name in kinds:
            if name not in names:
                raise ValueError(f"kinds names factor {name!r}; the factors are {list(names)}")
        kinds = [kinds.get(name) for name in names]
    if isinstance(kinds, str) or len(kinds) != len(names):
        raise ValueError(f"kinds is {kinds!r}; expected one kind for each of {list(names)}")
    for name, kind in zip(names, kinds, strict=True):
        if kind is not None and kind not in get_args(Kind):
            raise ValueError(
                f"the kind of factor {name!r} is {kind!r}; expected "
                f"{', '.join(map(repr, get_args(Kind)))}, or None"
            )
    return tuple(kinds)
