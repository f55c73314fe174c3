"""Validation of codes and factors: checked NumPy arrays from whatever people have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = [
    "as_codes",
    "as_factors",
    "check",
    "columns_of",
    "constant",
    "reduce_blocks",
    "same_observations",
    "split",
]


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


def as_factors(factors: Any, name: str = "factors") -> np.ndarray:
    """Factors as an array ``(N, K)``, of integers if discrete and of floats if continuous.

    Whole numbers stored as floats become integers; ``nan`` means unknown, and so does -1 in a
    column of whole numbers. A DataFrame's text columns are coded 0, 1, ... in sorted order.

    Raises:
        ValueError: for text in an array, for more than two axes, and for infinite values.
    """
    if hasattr(factors, "columns") and hasattr(factors, "iloc"):
        import pandas as pd

        columns = []
        for column in factors.columns:
            values = factors[column]
            if not pd.api.types.is_numeric_dtype(values):
                values = pd.Series(pd.Categorical(values).codes)
            columns.append(values.to_numpy(dtype=np.float64, na_value=np.nan))
        array = np.stack(columns, axis=1) if columns else np.empty((len(factors), 0))
    else:
        array = _array(factors, name)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ValueError(f"{name} has shape {array.shape}; expected (points, factors)")
    if array.dtype.kind not in "fiub":
        raise ValueError(
            f"{name} holds {array.dtype}; expected numbers: code text as integers "
            "(np.unique(column, return_inverse=True)[1]), or pass a DataFrame"
        )
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise ValueError(f"{name} is empty: shape {array.shape}")
    if array.dtype.kind == "f":
        if np.isinf(array).any():
            row, column = np.argwhere(np.isinf(array))[0]
            raise ValueError(f"{name}[{row}, {column}] is {array[row, column]}")
        missing = np.isnan(array)
        whole = (missing | (array == np.round(array))).all(axis=0)
        if not whole.all():
            # Beside a continuous factor all columns are floats, and unknown is nan in each.
            return np.where(whole & (array == -1), np.nan, array)
        array = np.where(missing, -1, array)
    return array.astype(np.int64)


def check(
    codes: Any, factors: Any, *, names: Sequence[str] | None = None, unknown: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Both arrays, of equal length, each factor with at least two values.

    Args:
        codes: ``(N, D)``, see `as_codes`.
        factors: ``(N, K)``, see `as_factors`.
        names: The factors' names, for the error messages.
        unknown: Whether a metric can leave out points whose factor is unknown (-1 or nan).

    Raises:
        ValueError: for unequal lengths, a constant factor, or unknown values where ``unknown`` is
            false.
    """
    codes, factors = as_codes(codes), as_factors(factors)
    if len(codes) != len(factors):
        raise ValueError(
            f"codes has {len(codes)} rows but factors has {len(factors)}: row i of both must "
            "belong to the same observation"
        )
    if names is not None and len(names) != factors.shape[1]:
        raise ValueError(
            f"factors has {factors.shape[1]} columns but names has {len(names)}: {list(names)}"
        )
    for k in range(factors.shape[1]):
        label = f"factor {names[k]!r}" if names is not None else f"factor {k}"
        column = factors[:, k]
        missing = np.isnan(column) if column.dtype.kind == "f" else column < 0
        if missing.any() and not unknown:
            raise ValueError(
                f"{label} is unknown (-1 or nan) at {np.count_nonzero(missing)} points, first at "
                f"row {np.flatnonzero(missing)[0]}: this metric needs it everywhere; drop those "
                "rows, or use a metric that takes unknown values"
            )
        values = column[~missing]
        if values.size == 0 or (values == values[0]).all():
            value = values[0] if values.size else "unknown"
            raise ValueError(
                f"{label} has a single value ({value}) in all {len(column)} rows: a factor that "
                "does not vary cannot be scored; drop that column"
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
        values = column[~np.isnan(column)] if column.dtype.kind == "f" else column[column >= 0]
        if values.size == 0:
            reasons[k] = "no known value"
        elif (values == values[0]).all():
            reasons[k] = f"a single value ({values[0]}) in all {len(column)} rows"
    return reasons


def columns_of(
    blocks: Sequence[Sequence[int] | slice] | Mapping[str, Sequence[int] | slice], width: int
) -> dict[Any, list[int]]:
    """The columns of each block, by the block's name or number.

    Args:
        blocks: The columns of each block, as lists or slices, in a list or by name.
        width: How many columns the codes have.

    Raises:
        ValueError: for no blocks, an empty one, a column out of range, or one that two share.

    Example:
        >>> columns_of({"shape": [0, 1], "place": [3]}, width=4)
        {'shape': [0, 1], 'place': [3]}
    """
    named = blocks if isinstance(blocks, Mapping) else dict(enumerate(blocks))
    if not named:
        raise ValueError("blocks is empty: name at least one block of columns, or pass None")
    owner: dict[int, Any] = {}
    result: dict[Any, list[int]] = {}
    for name, members in named.items():
        if isinstance(members, slice):
            members = range(*members.indices(width))
        columns = [int(column) for column in members]
        if not columns:
            raise ValueError(f"block {name!r} is empty: name its columns, or drop it")
        for column in columns:
            if not 0 <= column < width:
                raise ValueError(f"block {name!r} names column {column}; codes has {width} columns")
            if column in owner:
                raise ValueError(
                    f"column {column} is in block {owner[column]!r} and in block {name!r}: "
                    "a column belongs to one block"
                )
            owner[column] = name
        result[name] = columns
    return result


def reduce_blocks(
    codes: np.ndarray,
    blocks: Sequence[Sequence[int] | slice] | Mapping[str, Sequence[int] | slice],
    *,
    components: int = 1,
    basis: np.ndarray | None = None,
) -> np.ndarray:
    """Vector-valued codes as few numbers each: the leading principal components of every block.

    The components are those of the centered block; a component's largest loading is positive, so
    that the result does not depend on the linear algebra library. A block narrower than
    ``components`` is filled up with zeros: every block has as many columns as any other.

    Args:
        codes: ``(N, D)``.
        blocks: The columns of each block, as a list of lists or by name. Columns that no block
            names are left out; a column may belong to one block only.
        components: How many principal components to keep per block.
        basis: The rows ``(M, D)`` that the components are estimated from; ``codes`` by default.

    Shape:
        ``(N, len(blocks) * components)``, block by block.

    Raises:
        ValueError: for an empty block, a column out of range, or one that two blocks share.

    Example:
        >>> codes = np.array([[0.0, 0.0, 5.0], [1.0, 1.0, 7.0], [2.0, 2.0, 6.0]])
        >>> reduce_blocks(codes, [[0, 1], [2]]).round(3).tolist()
        [[-1.414, -1.0], [0.0, 1.0], [1.414, 0.0]]
    """
    named = columns_of(blocks, codes.shape[1])
    basis = codes if basis is None else basis
    reduced = np.zeros((len(codes), len(named) * components), dtype=np.float64)
    for i, columns in enumerate(named.values()):
        block = basis[:, columns].astype(np.float64)
        center = block.mean(axis=0)
        block = block - center
        _, axes = np.linalg.eigh(block.T @ block)
        axes = axes[:, ::-1][:, :components]
        largest = axes[np.abs(axes).argmax(axis=0), np.arange(axes.shape[1])]
        axes = axes * np.where(largest < 0, -1.0, 1.0)
        start = i * components
        reduced[:, start : start + axes.shape[1]] = (codes[:, columns] - center) @ axes
    return reduced


def split(
    n: int, train: int | None, test: int | None, seed: int, *, metric: str
) -> tuple[np.ndarray, np.ndarray]:
    """Disjoint train and test rows, drawn without replacement.

    Where there are fewer than ``train + test`` rows, all are used, in the same proportion.

    Raises:
        ValueError: for fewer than 10 rows.
    """
    if n < 10:
        raise ValueError(f"{metric} fits something and needs a test part: {n} points are too few")
    if train is None or test is None:
        train, test = 2, 1
    if train + test > n or (train, test) == (2, 1):
        part = train / (train + test)
        train = round(n * part)
        test = n - train
    order = np.random.default_rng(seed).permutation(n)
    return order[:train], order[train : train + test]


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
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} is no array: {error}") from error
