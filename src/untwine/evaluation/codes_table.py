"""Codes and factors of the same observations, checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from ..data.space import Kind, Kinds, as_kinds
from ..metrics._estimators.arrays import as_codes, as_factors, coded_column
from ..metrics._estimators.kinds import of_columns

__all__ = ["Table", "as_table", "check_unique", "coded"]


@dataclass(frozen=True)
class Table:
    """Codes and factors of the same observations; `untwine.evaluate` takes it as it is.

    Attributes:
        mean: The codes ``(N, D)``.
        factors: ``(N, K)``, integers, or floats where a factor is continuous; -1 or nan where
            unknown.
        names: The factors' names.
        stddev: The posteriors' standard deviations ``(N, D)``, if the source has them.
        codes_test: Separate codes for the test part of metrics that fit something, if any.
        factors_test: Their factors.
        values: Of each factor that was text, the texts that its integers stand for.
        clusters: Of the rows, for metrics that compare them with a label, if the source has them.
        kinds: What each factor is, as far as the source says so; angles are in radians.
    """

    mean: np.ndarray
    factors: np.ndarray
    names: tuple[str, ...]
    _: KW_ONLY
    stddev: np.ndarray | None = None
    codes_test: np.ndarray | None = None
    factors_test: np.ndarray | None = None
    values: Mapping[str, tuple[str, ...]] | None = None
    clusters: np.ndarray | None = None
    kinds: tuple[Kind | None, ...] | None = None

    def __len__(self) -> int:
        return len(self.mean)


def coded(
    factors: Any,
) -> tuple[np.ndarray, dict[int, tuple[str, ...]], tuple[str, ...], Kinds]:
    """Factors as numbers, the texts that the numbers of a column stand for, names and kinds."""
    import pandas as pd

    if hasattr(factors, "columns"):
        frame = factors
        names = tuple(str(column) for column in frame.columns)
    else:
        if hasattr(factors, "detach"):
            factors = factors.detach().cpu().numpy()
        array = np.asarray(factors)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2:
            raise ValueError(f"factors has shape {array.shape}; expected (points, factors)")
        if array.dtype.kind in "fiub":
            return array, {}, tuple(f"factor_{k}" for k in range(array.shape[1])), None
        frame = pd.DataFrame(array)
        names = tuple(f"factor_{k}" for k in range(array.shape[1]))
    columns, values = [], {}
    for k in range(frame.shape[1]):
        numbers, texts = coded_column(frame.iloc[:, k])
        columns.append(numbers)
        if texts is not None:
            values[k] = texts
    return np.stack(columns, axis=1), values, names, of_columns(frame)


def as_table(
    codes: Any,
    factors: np.ndarray,
    names: tuple[str, ...],
    source: str,
    *,
    stddev: Any = None,
    codes_test: Any = None,
    factors_test: np.ndarray | None = None,
    values: Mapping[str, tuple[str, ...]] | None = None,
    clusters: Any = None,
    kinds: Any = None,
) -> Table:
    """A checked table; errors begin with ``source``.

    Raises:
        ValueError: for arrays that do not match, or hold something else than numbers, and for
            factors of one name.
    """
    check_unique(names, "factors", source)
    mean = as_codes(codes, f"{source}: codes")
    matrix = as_factors(factors, f"{source}: factors")
    if len(mean) != len(matrix):
        raise ValueError(
            f"{source}: codes has {len(mean)} rows but factors has {len(matrix)}: row i of both "
            "must belong to the same observation"
        )
    if stddev is not None:
        stddev = as_codes(stddev, f"{source}: stddev")
        if stddev.shape != mean.shape:
            raise ValueError(
                f"{source}: stddev has shape {stddev.shape} but codes has {mean.shape}"
            )
    if codes_test is not None and factors_test is not None:
        codes_test = as_codes(codes_test, f"{source}: codes_test")
        factors_test = as_factors(factors_test, f"{source}: factors_test")
    if clusters is not None and len(clusters) != len(mean):
        raise ValueError(f"{source}: clusters has {len(clusters)} rows but codes has {len(mean)}")
    return Table(
        mean,
        matrix,
        names,
        stddev=stddev,
        codes_test=codes_test,
        factors_test=factors_test,
        values=values or None,
        clusters=clusters,
        kinds=None if kinds is None else as_kinds(kinds, names),
    )


def check_unique(names: Iterable[str], nouns: str, source: str) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(
            f"{source}: {Counter(names)[twice[0]]} {nouns} are called {twice[0]!r}: give each of "
            "them a name of its own"
        )
