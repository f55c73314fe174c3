"""Factors as integers, from arrays, tables, text, fractions and missing values."""

from __future__ import annotations

import numbers
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .space import FactorSpace, Kind, Kinds, as_kinds

__all__ = ["as_text", "factorize"]

_MOST_FRACTIONS = 256
_MOST = 2**53  # up to here floats hold every whole number


def factorize(
    factors: Any,
    rows: int,
    names: Sequence[str] | None = None,
    sizes: Sequence[int] | None = None,
    kinds: Kinds = None,
) -> tuple[np.ndarray, FactorSpace, dict[str, tuple[str, ...]]]:
    """Factors as integers from 0, with -1 for what is not known.

    Whole numbers and booleans stay what they are, whatever holds them. Text and fractions are
    numbered in sorted order, categories in their order, including those that do not occur; the
    names of the values are returned beside them. nan, None, ``pandas.NA`` and empty text mean
    unknown.

    Args:
        factors: An array ``(N, K)`` or ``(N,)``, a tensor, a DataFrame or a Series, or a mapping of
            names to columns.
        rows: How many rows there must be.
        names: Of the columns; by default those of the table, or factor0, factor1, ...
        sizes: How many values each factor has; by default the number of its categories, or the
            largest value plus one.
        kinds: What each factor's values are, see `FactorSpace`; by default text is nominal, and
            categories are ordinal where they have an order and nominal otherwise.

    Returns:
        The factors ``(N, K)`` of int64, their space, and the names of values by factor.

    Raises:
        ValueError: for names, sizes or rows that do not match, for negative values other than -1,
            and for a column of many different fractions.

    Example:
        >>> factorize([0, 2, 10, None, 2], 5)[0].ravel()
        array([ 0,  2, 10, -1,  2])
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
    columns_coded, values = [], {}
    kinds_seen: dict[str, Kind | None] = {}
    for name, column in columns.items():
        if np.shape(column) != (rows,):
            raise ValueError(
                f"x has {rows} rows but factor {name!r} has shape {np.shape(column)}: row i of "
                "both must belong to the same observation"
            )
        codes, labels, kind = _code(name, column)
        columns_coded.append(codes)
        kinds_seen[name] = kind
        if labels:
            values[name] = labels
    table = np.stack(columns_coded, axis=1) if columns_coded else np.empty((rows, 0), np.int64)
    if sizes is None:
        sizes = [
            max(int(column.max(initial=0)) + 1, len(values.get(name, ())))
            for name, column in zip(columns, columns_coded, strict=True)
        ]
    user_kinds = zip(columns, as_kinds(kinds, tuple(columns)), strict=True)
    all_kinds = tuple(kind or kinds_seen.get(name) for name, kind in user_kinds)
    space = FactorSpace(tuple(columns), tuple(sizes), all_kinds)
    return space.check(table, unknown=True), space, values


def _columns(factors: Any, names: Sequence[str] | None) -> dict[str, Any]:
    """The columns by name: NumPy arrays, or what pandas has."""
    columns: list[Any]
    if factors is None:
        return {}
    if hasattr(factors, "columns") and hasattr(factors, "iloc"):  # a DataFrame
        columns = [factors.iloc[:, k] for k in range(factors.shape[1])]
        labels = [str(name) for name in factors.columns]
    elif isinstance(factors, Mapping):
        columns = [c if hasattr(c, "dtype") else np.asarray(c) for c in factors.values()]
        labels = [str(name) for name in factors]
    elif _is_category(factors) or hasattr(factors, "iloc"):  # a Series, or categories without one
        name = getattr(factors, "name", None)
        columns, labels = [factors], ["label" if name is None else str(name)]
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


def _is_category(column: Any) -> bool:
    return getattr(getattr(column, "dtype", None), "name", None) == "category"


def _code(name: str, column: Any) -> tuple[np.ndarray, tuple[str, ...], Kind | None]:
    """A column's codes, the names of its values if they are not their numbers, and its kind."""
    if _is_category(column):
        import pandas as pd

        categories = pd.Categorical(column)
        labels = tuple(map(as_text, categories.categories))
        kind: Kind = "ordinal" if categories.ordered else "nominal"
        return categories.codes.astype(np.int64), labels, kind
    array = column.detach().cpu().numpy() if hasattr(column, "detach") else np.asarray(column)
    if array.dtype.kind not in "OSUT":
        return *_code_numbers(name, array), None
    texts = array.astype(object)
    unknown = _missing(texts)
    present = texts[~unknown]
    if len(present) and all(isinstance(v, numbers.Real | np.bool_) for v in present):
        values = np.full(len(array), np.nan)
        values[~unknown] = present.astype(np.float64)
        return *_code_numbers(name, values), None
    texts_sorted, codes = np.unique([as_text(value) for value in present], return_inverse=True)
    column_codes = np.full(len(array), -1, np.int64)
    column_codes[~unknown] = codes
    return column_codes, tuple(texts_sorted.tolist()), "nominal"


def _code_numbers(name: str, column: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    if column.dtype.kind == "f":
        unknown = np.isnan(column)
        present = column[~unknown]
        if not np.isfinite(present).all():
            raise ValueError(f"factor {name!r} is infinite in row {np.isinf(column).argmax()}")
        if (present != np.round(present)).any():
            distinct, codes = np.unique(present, return_inverse=True)
            if len(distinct) > _MOST_FRACTIONS:
                raise ValueError(
                    f"factor {name!r} has {len(distinct)} different fractional values; a factor "
                    "has few values, numbered from 0: bin it first, for example with np.digitize"
                )
            column_codes = np.full(len(column), -1, np.int64)
            column_codes[~unknown] = codes
            return column_codes, tuple(f"{value:g}" for value in distinct)
        if (np.abs(present) > _MOST).any():
            raise ValueError(
                f"factor {name!r} has the value {present[np.abs(present).argmax()]:g}; a factor "
                "has few values, numbered from 0"
            )
        column = np.where(unknown, -1, column)
    elif column.dtype.kind not in "iub":
        raise ValueError(f"factor {name!r} holds {column.dtype}; expected numbers or text")
    codes = column.astype(np.int64)
    if (codes < -1).any():
        row = int((codes < -1).argmax())
        raise ValueError(
            f"factor {name!r} is {codes[row]} in row {row}; expected 0, 1, ..., or -1 for unknown"
        )
    return codes, ()


def _missing(values: np.ndarray) -> np.ndarray:
    """Where objects are nan, None, NA, or empty text."""
    import pandas as pd

    empty = [isinstance(value, str | bytes) and not value for value in values]
    return pd.isna(values) | np.array(empty, np.bool_)


def as_text(value: Any) -> str:
    """The text of a name or value, which files may hold as bytes.

    Raises:
        ValueError: for bytes in another encoding than UTF-8.
    """
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as error:
        raise ValueError(f"the text {value!r} is not in UTF-8 ({error})") from error
