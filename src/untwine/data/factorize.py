"""Factors as integers, from arrays, tables, text, fractions and missing values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .space import FactorSpace

__all__ = ["as_text", "factorize"]

_MOST_FRACTIONS = 256


def factorize(
    factors: Any,
    rows: int,
    names: Sequence[str] | None = None,
    sizes: Sequence[int] | None = None,
) -> tuple[np.ndarray, FactorSpace, dict[str, tuple[str, ...]]]:
    """Factors as integers from 0, with -1 for what is not known.

    Whole numbers stay what they are; nan, None and empty text mean unknown. Text and fractions are
    numbered in sorted order, and the names of the values are returned beside them.

    Args:
        factors: An array ``(N, K)`` or ``(N,)``, a tensor, a DataFrame, or a mapping of names to
            columns.
        rows: How many rows there must be.
        names: Of the columns; by default those of the table, or factor0, factor1, ...
        sizes: How many values each factor has; by default the largest value plus one.

    Returns:
        The factors ``(N, K)`` of int64, their space, and the names of values by factor.

    Raises:
        ValueError: for names, sizes or rows that do not match, for negative values other than -1,
            and for a column of many different fractions.
    """
    columns = _columns(factors, names)
    if names is not None and len(names) != len(columns):
        raise ValueError(
            f"factors has {len(columns)} columns but names has {len(names)}: {list(names)}"
        )
    if sizes is not None and len(sizes) != len(columns):
        raise ValueError(
            f"factors has {len(columns)} columns but sizes has {len(sizes)}: {list(sizes)}"
        )
    coded, values = [], {}
    for name, column in columns.items():
        if column.shape != (rows,):
            raise ValueError(
                f"x has {rows} rows but factor {name!r} has shape {column.shape}: row i of both "
                "must belong to the same observation"
            )
        numbers, labels = _code(name, column)
        coded.append(numbers)
        if labels:
            values[name] = labels
    table = np.stack(coded, axis=1) if coded else np.empty((rows, 0), np.int64)
    if sizes is None:
        sizes = [max(int(column.max(initial=0)) + 1, 1) for column in coded]
    space = FactorSpace(tuple(columns), tuple(sizes))
    return space.check(table, unknown=True), space, values


def _columns(factors: Any, names: Sequence[str] | None) -> dict[str, np.ndarray]:
    """The columns by name, as NumPy arrays."""
    if factors is None:
        return {}
    if hasattr(factors, "columns") and hasattr(factors, "iloc"):  # a DataFrame
        columns = [factors.iloc[:, k].to_numpy() for k in range(factors.shape[1])]
        labels = [str(name) for name in factors.columns]
    elif isinstance(factors, Mapping):
        columns = [np.asarray(column) for column in factors.values()]
        labels = [str(name) for name in factors]
    else:
        array = factors.detach().cpu().numpy() if hasattr(factors, "detach") else factors
        array = np.asarray(array)
        if array.ndim not in (1, 2):
            raise ValueError(f"factors has shape {array.shape}; expected (N, K), or (N,) for one")
        columns = [array] if array.ndim == 1 else list(array.T)
        labels = ["label"] if array.ndim == 1 else [f"factor{k}" for k in range(len(columns))]
    if names is not None and len(names) == len(columns):
        labels = [str(name) for name in names]
    for i, name in enumerate(labels):
        if name in labels[:i]:
            raise ValueError(f"two factors are named {name!r}; names must differ: {labels}")
    if names is not None and len(names) != len(columns):
        return {f"{i}": column for i, column in enumerate(columns)}  # refused by the caller
    return dict(zip(labels, columns, strict=True))


def _code(name: str, column: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    if column.dtype.kind in "OSU":
        return _code_text(column)
    if column.dtype.kind == "f":
        unknown = np.isnan(column)
        present = column[~unknown]
        if not np.isfinite(present).all():
            raise ValueError(f"factor {name!r} is infinite in row {np.isinf(column).argmax()}")
        if (present != np.round(present)).any():
            distinct, numbers = np.unique(present, return_inverse=True)
            if len(distinct) > _MOST_FRACTIONS:
                raise ValueError(
                    f"factor {name!r} has {len(distinct)} different fractional values; a factor "
                    "has few values, numbered from 0: bin it first, for example with np.digitize"
                )
            coded = np.full(len(column), -1, np.int64)
            coded[~unknown] = numbers
            return coded, tuple(f"{value:g}" for value in distinct)
        column = np.where(unknown, -1, column)
    elif column.dtype.kind not in "iub":
        raise ValueError(f"factor {name!r} holds {column.dtype}; expected numbers or text")
    numbers = column.astype(np.int64)
    if (numbers < -1).any():
        row = int((numbers < -1).argmax())
        raise ValueError(
            f"factor {name!r} is {numbers[row]} in row {row}; expected 0, 1, ..., or -1 for unknown"
        )
    return numbers, ()


def _code_text(column: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    texts = [_text(value) for value in column.tolist()]
    labels = sorted({text for text in texts if text})
    number = {text: i for i, text in enumerate(labels)} | {"": -1}
    return np.array([number[text] for text in texts], np.int64), tuple(labels)


def as_text(value: Any) -> str:
    """The text of a name or value, which files may hold as bytes.

    Raises:
        ValueError: for bytes in another encoding than UTF-8.
    """
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as error:
        raise ValueError(f"the text {value!r} is not in UTF-8 ({error})") from error


def _text(value: Any) -> str:
    """The text of a value; empty where it is missing."""
    if isinstance(value, bytes):
        return as_text(value)
    if value is None or value != value or str(value) == "<NA>":  # nan differs from itself
        return ""
    return str(value)
