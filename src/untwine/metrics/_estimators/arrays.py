"""Validation of codes and factors: checked NumPy arrays from whatever people have."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

__all__ = [
    "UNKNOWN",
    "as_codes",
    "as_factors",
    "check",
    "coded_column",
    "constant",
    "factor_parts",
    "is_known",
    "same_observations",
    "sentinel",
    "stated_unknown",
    "warn_of_scale",
]

#: The label that means unknown, unless another one is said to.
UNKNOWN = -1


def as_codes(codes: Any, name: str = "codes") -> np.ndarray:
    """Codes as a float array ``(N, D)``; a vector becomes one dimension.

    Accepts NumPy arrays, torch tensors on any device, DataFrames and nested sequences. The
    array's floating type is kept (integers become float64), so that binning sees the values given.

    Raises:
        ValueError: for text, for more than two axes, for no rows, and for values that are not
            finite, with the row and column of the first one.
    """
    array = _array(codes, name)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ValueError(
            f"{name} has shape {array.shape}; expected (points, dimensions): flatten the rest"
        )
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} holds {array.dtype}; expected numbers")
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise ValueError(f"{name} is empty: shape {array.shape}")
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    elif array.dtype.itemsize < 4:
        array = array.astype(np.float32)
    finite = np.isfinite(array)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise ValueError(
            f"{name}[{row}, {column}] is {array[row, column]}; "
            f"{np.count_nonzero(~finite)} values are not finite: drop or replace them first"
        )
    return array


def as_factors(
    factors: Any, name: str = "factors", *, unknown: float | str | None = UNKNOWN
) -> np.ndarray:
    """Factors as an array ``(N, K)`` of labels, or of floats if any is continuous or signed.

    A factor is unknown where it is nan, ``None`` or masked, and where it equals ``unknown``. The
    default, -1, is for labels that count from 0: in a column with fractional or other negative
    values it is a value. Text is coded 0, 1, ... in sorted order, categories in their own.

    Returns:
        Integers with -1 where unknown, if all known values are whole numbers of at least 0; else
        floats with nan where unknown.

    Raises:
        ValueError: for more than two axes, no rows, and infinite values.
    """
    return _canonical(_numbers(factors, name, unknown), name, unknown)


def factor_parts(
    factors: Any, factors_test: Any, *, unknown: float | str | None = UNKNOWN
) -> tuple[np.ndarray, np.ndarray]:
    """Factors of two parts, each as by `as_factors`, read together: one value, one label.

    Raises:
        ValueError: as `as_factors`, and for another number of columns.
    """
    table, table_test = (
        _table(f, n) for f, n in ((factors, "factors"), (factors_test, "factors_test"))
    )
    if table.shape[1] != table_test.shape[1]:
        raise ValueError(
            f"factors has {table.shape[1]} columns but factors_test has {table_test.shape[1]}: "
            "both parts need the same columns in the same order"
        )
    import pandas as pd

    frames = [pd.DataFrame(part) for part in (table, table_test)]
    names = frames[0].columns
    frame_of_all = pd.concat([frame.set_axis(names, axis=1) for frame in frames], ignore_index=True)
    numbers = as_factors(frame_of_all, unknown=unknown)
    return numbers[: len(table)], numbers[len(table) :]


def is_known(values: np.ndarray) -> np.ndarray:
    """Where a factor is known: not -1 in a column of integers, not nan in one of floats."""
    return ~np.isnan(values) if values.dtype.kind == "f" else values >= 0


def sentinel(factors: np.ndarray) -> float | None:
    """What ``unknown`` is in factors that `as_factors` has read: -1 in integers, else nan alone."""
    return None if factors.dtype.kind == "f" else UNKNOWN


def stated_unknown(*parts: np.ndarray) -> dict[str, list[int]]:
    """What a protocol says of unknown factors: how many rows were left out, by factor.

    Args:
        parts: ``(N, K)`` each, see `as_factors`.
    """
    columns = range(parts[0].shape[1])
    left_out = [sum(int((~is_known(part[:, k])).sum()) for part in parts) for k in columns]
    return {"unknown_rows_left_out": left_out} if any(left_out) else {}


def check(
    codes: Any,
    factors: Any,
    *,
    names: Sequence[str] | None = None,
    unknown: float | str | None = UNKNOWN,
) -> tuple[np.ndarray, np.ndarray]:
    """Both arrays, of equal length, each factor with at least two known values.

    Args:
        codes: ``(N, D)``, see `as_codes`.
        factors: ``(N, K)``, see `as_factors`.
        names: The factors' names, for the error messages.
        unknown: The value that means unknown, see `as_factors`.

    Raises:
        ValueError: for unequal lengths, or a constant factor.
    """
    codes, factors = as_codes(codes), as_factors(factors, unknown=unknown)
    if len(codes) != len(factors):
        raise ValueError(
            f"codes has {len(codes)} rows but factors has {len(factors)}: row i of both must "
            "belong to the same observation"
        )
    if names is not None and len(names) != factors.shape[1]:
        raise ValueError(
            f"factors has {factors.shape[1]} columns but names has {len(names)}: {list(names)}"
        )
    for k, why in constant(factors).items():
        label = f"factor {names[k]!r}" if names is not None else f"factor {k}"
        raise ValueError(
            f"{label} has {why}: a factor that does not vary cannot be scored; drop that column"
        )
    return codes, factors


def constant(factors: np.ndarray) -> dict[int, str]:
    """Why factors cannot be scored that do not vary, by column.

    Args:
        factors: ``(N, K)``, see `as_factors`.

    Example:
        >>> constant(np.array([[0, 5, -1], [1, 5, -1]]))
        {1: 'a single value (5) in all 2 rows', 2: 'no known value'}
    """
    reasons = {}
    for k, column in enumerate(factors.T):
        values = column[is_known(column)]
        if values.size == 0:
            reasons[k] = "no known value"
        elif (values == values[0]).all():
            reasons[k] = f"a single value ({values[0]:g}) in all {len(values)} rows"
            if len(values) < len(column):
                reasons[k] += (
                    f" where it is known; {len(column) - len(values)} are unknown (if -1 is a "
                    "value, as in labels of -1 and 1, give unknown=None)"
                )
    return reasons


def coded_column(column: Any) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """A column of a data frame as floats, nan where missing, and the texts that they stand for.

    Args:
        column: A pandas Series. Text is coded in sorted order, categories in their own order.

    Returns:
        The numbers ``(N,)``, and the text of each code, or ``None`` where there were numbers.

    Example:
        >>> import pandas as pd
        >>> coded_column(pd.Series(["b", "a", None]))
        (array([ 1.,  0., nan]), ('a', 'b'))
    """
    import pandas as pd

    if column.dtype == object:
        column = column.convert_dtypes()  # numbers beside None are numbers
    if pd.api.types.is_numeric_dtype(column):
        return column.to_numpy(dtype=np.float64, na_value=np.nan), None
    text = pd.Categorical(column)
    codes = np.where(text.codes < 0, np.nan, text.codes.astype(np.float64))
    return codes, tuple(str(value) for value in text.categories)


def _table(factors: Any, name: str) -> Any:
    """A data frame as it is; anything else as an array ``(N, K)``.

    Raises:
        ValueError: for more than two axes, and for no rows or columns.
    """
    is_frame = hasattr(factors, "columns") and hasattr(factors, "iloc")
    array = factors if is_frame else _array(factors, name)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}; expected (points, factors)")
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise ValueError(f"{name} is empty: shape {array.shape}")
    return array


def _numbers(factors: Any, name: str, unknown: float | str | None) -> np.ndarray:
    """Factors as numbers, with nan where they are missing, or a text is ``unknown``."""
    table = _table(factors, name)
    if isinstance(table, np.ndarray) and table.dtype.kind in "fiub":
        return table
    import pandas as pd

    frame = pd.DataFrame(table)
    columns = []
    for k in range(frame.shape[1]):
        column = frame.iloc[:, k]
        columns.append(
            coded_column(column.mask(column == unknown) if isinstance(unknown, str) else column)[0]
        )
    return np.stack(columns, axis=1)


def _canonical(array: np.ndarray, name: str, unknown: float | str | None) -> np.ndarray:
    """Integers with -1 where unknown, or floats with nan, see `as_factors`."""
    number = None if isinstance(unknown, str) else unknown
    if array.dtype.kind in "iub" and array.min() >= 0 and (number is None or number < 0):
        return array.astype(np.int64)
    values = array.astype(np.float64)
    if np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise ValueError(f"{name}[{row}, {column}] is {values[row, column]}")
    missing = np.isnan(values)
    whole = (missing | (values == np.round(values))).all(axis=0)
    if number is not None:
        labels = whole & ~((values < 0) & (values != UNKNOWN)).any(axis=0)
        missing |= (values == number) & (labels | (number != UNKNOWN))
    if whole.all() and not ((values < 0) & ~missing).any():
        return np.where(missing, UNKNOWN, values).astype(np.int64)
    return np.where(missing, np.nan, values)


def warn_of_scale(metric: str, deviation: np.ndarray, threshold: float) -> None:
    """Warns if a threshold drops dimensions of codes that are small altogether.

    Args:
        metric: Who asks.
        deviation: Standard deviations of the codes, ``(D,)``.
        threshold: The least one.

    Warns:
        UserWarning: if a dimension that varies is below, and none is above one half: thresholds are
            meant for codes of the scale of a standard normal prior.
    """
    below = int(((deviation > 0) & (deviation < threshold)).sum())
    if below and deviation.max() < 0.5:
        warnings.warn(
            f"{metric}: {below} dimensions deviate by less than {threshold:.2g}, the threshold, "
            f"but the widest deviates by {deviation.max():.2g} only: the threshold is meant for "
            "codes of about unit scale; divide the codes by their scale, or lower threshold=",
            stacklevel=4,
        )


def same_observations(runs: Sequence[Any], metric: str) -> list[np.ndarray]:
    """Checked codes of several runs on the same observations, in double precision."""
    codes = [as_codes(run, f"runs[{i}]").astype(np.float64) for i, run in enumerate(runs)]
    if len(codes) < 2:
        raise ValueError(f"{metric} compares runs: {len(codes)} given, expected at least 2")
    for i, z in enumerate(codes):
        if len(z) != len(codes[0]):
            raise ValueError(
                f"runs[{i}] has {len(z)} rows but runs[0] has {len(codes[0])}: every run encodes "
                "the same observations in the same order"
            )
    return codes


def _array(values: Any, name: str) -> np.ndarray:
    if hasattr(values, "detach"):  # a torch tensor, without importing torch
        values = values.detach().cpu()
        if str(values.dtype) == "torch.bfloat16":
            values = values.float()
        return values.numpy()
    if hasattr(values, "to_numpy"):
        return values.to_numpy()
    if isinstance(values, np.ma.MaskedArray):
        if values.dtype.kind in "fiub":
            return np.where(np.ma.getmaskarray(values), np.nan, values.data)
        texts = values.data.astype(object)
        texts[np.ma.getmaskarray(values)] = None
        return texts
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} is no array: {error}") from error
