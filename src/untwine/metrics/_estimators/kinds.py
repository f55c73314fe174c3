"""Kinds of factors: which are classes, which are numbers, and coordinates of angles and classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...data.space import Kind, as_kinds

__all__ = [
    "CLASSES",
    "FactorKinds",
    "Kind",
    "coordinates",
    "explained",
    "kinds_of",
    "matter",
    "of_columns",
    "radians",
    "whole",
]

FactorKinds = Sequence[Kind | None] | None
"""The kind of each factor, ``None`` where it is not stated."""

#: Kinds whose values are classes; those of the others are bins, or numbers to predict.
CLASSES = ("nominal", "ordinal")


def whole(values: np.ndarray) -> bool:
    """Whether a factor's known values are whole numbers."""
    if values.dtype.kind in "iub":
        return True
    labels = values[~np.isnan(values)]
    return bool((labels == np.round(labels)).all())


def kinds_of(
    factors: np.ndarray, kinds: FactorKinds = None, continuous: bool | None = None
) -> tuple[Kind, ...]:
    """The kind of every factor; all metrics ask here.

    Args:
        factors: ``(N, K)``, as `arrays.as_factors` returns them.
        kinds: What is known of them.
        continuous: Whether those of which nothing is stated are real, or levels; by default levels
            where they are whole numbers.

    Raises:
        ValueError: for another number of kinds, an unknown kind, and an angle of whole numbers.

    Example:
        >>> table = np.array([[0, 18, 0.5], [1, 89, 2.5]])
        >>> kinds_of(table, ["nominal", "real", None])
        ('nominal', 'real', 'real')
    """
    names = [f"factor {k}" for k in range(factors.shape[1])]
    result: list[Kind] = []
    for name, kind, column in zip(names, as_kinds(kinds, names), factors.T, strict=True):
        if kind == "angle" and whole(column):
            raise ValueError(
                f"{name} is an angle, but has whole numbers only: give it in radians, 2 pi v / s "
                "for the value v of s"
            )
        if kind is None:
            real = not whole(column) if continuous is None else continuous
            kind = "real" if real else "ordinal"
        result.append(kind)
    return tuple(result)


def matter(kinds: Sequence[Kind | None], factors: Sequence[Any], orders: bool) -> bool:
    """Whether kinds say more of factors than their values do: levels that are whole numbers.

    Args:
        kinds: Those that are stated.
        factors: The array ``(N, K)``, if it is at hand.
        orders: Whether nominal levels count for something else than ordinal ones.
    """
    levels = ("ordinal", None) if orders else (*CLASSES, None)
    if any(kind not in levels for kind in kinds):
        return True
    if not any(kinds):
        return False
    return not (factors and isinstance(factors[0], np.ndarray) and whole(factors[0]))


def of_columns(frame: Any) -> tuple[Kind | None, ...]:
    """What the columns of a data frame say of their kinds.

    Categories are ordinal where they have an order, other categories and text are nominal; numbers
    say nothing.
    """
    import pandas as pd

    def kind(column: Any) -> Kind | None:
        if isinstance(column.dtype, pd.CategoricalDtype):
            return "ordinal" if column.dtype.ordered else "nominal"
        column = column.convert_dtypes() if column.dtype == object else column
        return None if pd.api.types.is_numeric_dtype(column) else "nominal"

    return tuple(kind(frame.iloc[:, k]) for k in range(frame.shape[1]))


def radians(factors: np.ndarray, kinds: Sequence[Kind | None], sizes: Sequence[int]) -> np.ndarray:
    """A data set's factors with its angles in radians, and nan where they are unknown.

    Args:
        factors: ``(N, K)`` integers, -1 where unknown.
        kinds: Of each factor.
        sizes: How many values each factor has.

    Example:
        >>> radians(np.array([[3, 1], [0, -1]]), [None, "angle"], [4, 2]).tolist()
        [[3.0, 3.141592653589793], [0.0, nan]]
    """
    if "angle" not in kinds:
        return factors
    values = np.where(factors < 0, np.nan, factors.astype(np.float64))
    for k, kind in enumerate(kinds):
        if kind == "angle":
            values[:, k] *= 2 * np.pi / sizes[k]
    return values


def coordinates(values: np.ndarray, kind: Kind, levels: np.ndarray | None = None) -> np.ndarray:
    """A factor as numbers that a linear function can be about, ``(N, M)``.

    Real and ordinal values are themselves, an angle is its cosine and sine, a class is one of
    several indicators.

    Args:
        values: ``(N,)``, all known.
        kind: What they are.
        levels: The classes, in increasing order; by default those that occur.
    """
    if kind == "angle":
        return np.stack([np.cos(values), np.sin(values)], axis=1)
    if kind == "nominal":
        levels = np.unique(values) if levels is None else levels
        return (values[:, None] == levels).astype(np.float64)
    return values[:, None].astype(np.float64)


def explained(
    z: np.ndarray, y: np.ndarray, block_columns: Sequence[Sequence[int]] | None = None
) -> np.ndarray:
    """Squared multiple correlation of each code with some coordinates, ``(D,)``.

    Of one coordinate this is the squared correlation, of (cos, sin) the circular-linear one, of
    indicators the correlation ratio. It is 0 for a dimension of variance below 1e-12. Of a block of
    several columns it is the squared canonical correlation: of one coordinate, the share that a
    linear regression explains.

    Args:
        z: ``(N, C)``.
        y: ``(N, M)``.
        block_columns: The columns of each code; each column is one by default.
    """
    z, y = z.astype(np.float64), y.astype(np.float64)
    z, y = z - z.mean(axis=0), y - y.mean(axis=0)
    basis, spread, _ = np.linalg.svd(y, full_matrices=False)
    basis = basis[:, spread > 1e-10 * spread.max()]
    variance = (z**2).sum(axis=0)
    alive = variance / max(len(z) - 1, 1) > 1e-12
    share = ((basis.T @ z) ** 2).sum(axis=0) / np.where(alive, variance, 1.0)
    single = np.where(alive, np.minimum(share, 1.0), 0.0)
    if block_columns is None:
        return single
    result = np.empty(len(block_columns))
    for i, block in enumerate(block_columns):
        columns = [column for column in block if alive[column]]
        if len(block) == 1 or not columns:
            result[i] = single[block[0]]
            continue
        axes, sizes, _ = np.linalg.svd(z[:, columns] / np.sqrt(variance[columns]), False)
        canonical = np.linalg.norm(basis.T @ axes[:, sizes > 1e-7], 2)
        result[i] = min(1.0, float(canonical) ** 2)
    return result
