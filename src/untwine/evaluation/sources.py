"""Tables of codes and factors, from arrays, data frames and files."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..reading import check_npy, expanded, open_npz, read_annotated
from .codes_table import Table, as_table, check_unique, coded

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "READERS",
    "TABLES",
    "from_arrays",
    "from_files",
    "from_frame",
]

TABLES = (".csv", ".tsv", ".parquet")
"""Endings of files with columns."""

_CODES = ("codes", "codes_train", "mean", "means", "mus", "z", "representations", "latents")
_FACTORS = ("factors", "factors_train", "labels", "labels_true", "y")
_CLUSTERS = ("clusters", "labels_pred")
_STDDEV = ("stddev", "stddevs", "std", "sigmas", "scale")
_NAMES = ("names", "factor_names")
_KINDS = ("kinds", "factor_kinds")
_CODE_COLUMN = re.compile(r"(?:z|codes?|latents?|mu|mean)[ _.:-]?\d+", re.IGNORECASE)
_STDDEV_COLUMN = re.compile(r"(?:stddev|std|sigma)[ _.:-]?\d+", re.IGNORECASE)
_FACTOR_COLUMN = re.compile(r"factors?[ _.:-]?(?P<name>.+)", re.IGNORECASE)


def _from_npz(path: Path, codes: list[str], factors: list[str]) -> Table:
    try:
        with open_npz(path) as file:
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise ValueError(f"{path} is no readable .npz file: {error}") from error
    return from_arrays(arrays, str(path), codes, factors)


def from_arrays(
    arrays: Mapping[str, Any], source: str, codes: list[str], factors: list[str]
) -> Table:
    """A table from named arrays: those that ``codes`` and ``factors`` name, or the usual ones.

    Raises:
        ValueError: for a name that is not there, and arrays that do not match; ``source`` is named.
    """
    listing = ", ".join(f"{name} {np.shape(array)}" for name, array in arrays.items()) or "nothing"

    def array_name(role: str, words: list[str], usual: Sequence[str]) -> str:
        if len(words) > 1:
            raise ValueError(f"{source}: name one array as {role}, not {len(words)}: {words}")
        for name in words or usual:
            if name in arrays:
                return name
        missing = repr(words[0]) if words else " or ".join(repr(name) for name in usual)
        raise ValueError(
            f"{source} has no array {missing} for the {role}; it has {listing}: say which one by "
            f"--{role} NAME"
        )

    def optional(names: Iterable[str]) -> Any:
        return next((arrays[name] for name in names if name in arrays), None)

    where = array_name("codes", codes, _CODES)
    factors = arrays[array_name("factors", factors, _FACTORS)]
    factors_of_test = optional(["factors_test", "labels_test", "y_test"])
    codes_test = optional([where.removesuffix("_train") + "_test"])
    separate = factors_of_test is not None and codes_test is not None
    # Coded together, so that one text is one number in both.
    all_factors = (
        np.concatenate([np.asarray(factors), np.asarray(factors_of_test)]) if separate else factors
    )
    matrix, values, columns, kinds = coded(all_factors)
    names = optional(_NAMES)
    if names is not None:
        names = tuple(str(name) for name in np.asarray(names).reshape(-1))
        if len(names) != matrix.shape[1]:
            raise ValueError(
                f"{source}: factors has {matrix.shape[1]} columns but names has {len(names)}: "
                f"{list(names)}"
            )
    n, kinds_array = len(factors), optional(_KINDS)
    return as_table(
        arrays[where],
        matrix[:n],
        names or columns,
        source,
        stddev=optional(_STDDEV),
        codes_test=codes_test if separate else None,
        factors_test=matrix[n:] if separate else None,
        values={(names or columns)[k]: v for k, v in values.items()},
        clusters=optional(_CLUSTERS),
        kinds=kinds if kinds_array is None else [str(k) or None for k in np.ravel(kinds_array)],
    )


def _from_npy(path: Path, codes: list[str], factors: list[str]) -> Table:
    """The array is the codes; the factors are arrays in other such files, named by these."""
    if codes:
        raise ValueError(f"{path} is one array, the codes: it has none named {codes[0]!r}")
    if not factors:
        raise ValueError(
            f"{path} is one array, the codes: name the factors' files by --factors a.npy,b.npy"
        )
    return from_files(path, [], factors)


def from_files(path: Path, codes: list[str], factors: list[str]) -> Table:
    """Codes of one file, factors of others: arrays of ``.npy``, or tables.

    Args:
        path: Of the codes; of a table, all columns of numbers unless ``codes`` names some.
        codes: Names of columns.
        factors: Paths; of a table, all columns are factors.

    Raises:
        ValueError: for other files, and for lengths that differ.
    """
    import pandas as pd

    columns: dict[str, Any] = {}
    for name in factors:
        file = expanded(name)
        if file.suffix.lower() in TABLES:
            frame = _frame(file)
            columns |= {str(column): frame[column] for column in frame.columns}
            continue
        array = _npy(file)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2:
            raise ValueError(f"{name} has shape {array.shape}; expected (points,) or (points, K)")
        stem = Path(name).stem
        for k, column in enumerate(array.T):
            columns[stem if array.shape[1] == 1 else f"{stem}_{k}"] = column
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{path}: the factors' files differ in length: {lengths}")
    matrix, values, names, kinds = coded(pd.DataFrame(columns))
    texts = {names[k]: v for k, v in values.items()}
    if path.suffix.lower() in TABLES:
        frame = _frame(path)
        chosen = codes or [str(c) for c in frame.columns if _numeric(frame[c])]
        absent = [name for name in chosen if name not in frame.columns]
        if absent or not chosen:
            raise ValueError(
                f"{path} has no column {absent[0]!r}" if absent else f"{path} has no numbers"
            )
        z = frame[chosen].to_numpy(np.float64)
    else:
        z = _npy(path)
    return as_table(z, matrix, names, str(path), values=texts, kinds=kinds)


def _npy(path: Path) -> np.ndarray:
    if path.suffix.lower() != ".npy":
        raise ValueError(f"{path} ends in {path.suffix!r}; expected .npy, as the codes")
    try:
        return np.load(check_npy(path), allow_pickle=False)
    except ValueError as error:
        raise ValueError(f"{path} is no array of numbers or text: {error}") from error


def _from_csv(path: Path, codes: list[str], factors: list[str]) -> Table:
    return from_frame(_frame(path), str(path), codes, factors)


def _from_parquet(path: Path, codes: list[str], factors: list[str]) -> Table:
    return from_frame(_frame(path), str(path), codes, factors)


def _frame(path: Path) -> DataFrame:
    """The table of a file."""
    import pandas as pd

    if path.suffix.lower() == ".parquet":
        try:
            return pd.read_parquet(path)
        except (ValueError, OSError) as error:  # pyarrow's errors derive from these
            raise ValueError(f"{path} is no readable parquet file: {error}") from error
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        header = pd.read_csv(path, sep=separator, header=None, nrows=1, dtype=str)
        frame = pd.read_csv(path, sep=separator)
    except (ValueError, UnicodeDecodeError) as error:  # pandas' parser errors are ValueErrors
        raise ValueError(f"{path} is no readable table: {error}") from error
    check_unique(header.iloc[0].dropna(), "columns", str(path))  # pandas has renamed them
    return frame


def from_frame(frame: DataFrame, source: str, codes: list[str], factors: list[str]) -> Table:
    """A table from columns: those that ``codes`` and ``factors`` name, or ``z0``, ``factor_a``, ...

    Raises:
        ValueError: for columns that are not there, and text among the codes; ``source`` is named.
    """
    columns = [str(column) for column in frame.columns]
    check_unique(columns, "columns", source)
    frame = frame.set_axis(columns, axis=1)
    code_columns = _columns(columns, codes, _CODE_COLUMN, "codes", "z0, z1, ...", source)
    labels = _columns(columns, factors, _FACTOR_COLUMN, "factors", "factor_<name>", source)
    overlap = sorted(set(code_columns) & set(labels))
    if overlap:
        raise ValueError(f"{source}: {overlap} are named both as codes and as factors")
    text = [name for name in code_columns if not _numeric(frame[name])]
    if text:
        raise ValueError(
            f"{source}: code column {text[0]!r} holds text such as "
            f"{frame[text[0]].dropna().iloc[0]!r}; expected numbers"
        )
    names = tuple(_factor_name(label) if not factors else label for label in labels)
    matrix, values, _, kinds = coded(frame[labels].set_axis(list(names), axis=1))
    deviations = [column for column in columns if _STDDEV_COLUMN.fullmatch(column)]
    stddev = (
        frame[deviations].to_numpy(np.float64) if len(deviations) == len(code_columns) else None
    )
    texts = {names[k]: v for k, v in values.items()}
    matrix_of_codes = frame[code_columns].to_numpy(np.float64)
    return as_table(
        matrix_of_codes, matrix, names, source, stddev=stddev, values=texts, kinds=kinds
    )


def _columns(
    columns: list[str],
    patterns: list[str],
    pattern: re.Pattern[str],
    role: str,
    convention: str,
    source: str,
) -> list[str]:
    """The columns that the user names, in that order, or those that follow the convention."""
    listing = ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "")
    if not patterns:
        names = [column for column in columns if pattern.fullmatch(column)]
        if not names:
            raise ValueError(
                f"{source} has no columns {convention} for the {role}; it has {listing}: name them "
                f"by --{role} COLUMN,COLUMN (* stands for anything)"
            )
        return names
    names = []
    for name in patterns:
        matches = [name] if name in columns else fnmatch.filter(columns, name)
        if not matches:
            raise ValueError(f"{source} has no column {name!r} for the {role}; it has {listing}")
        names += [match for match in matches if match not in names]
    return names


def _factor_name(column: str) -> str:
    match = _FACTOR_COLUMN.fullmatch(column)
    name = match["name"] if match else column
    return column if name.isdigit() else name


def _numeric(column: Any) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(column)


def _from_h5ad(path: Path, codes: list[str], factors: list[str]) -> Table:
    import pandas as pd

    cells = read_annotated(path)
    keys = list(cells.obsm.keys())
    if len(codes) > 1:
        raise ValueError(f"{path}: name one matrix as codes, not {len(codes)}: {codes}")
    if not codes and len(keys) != 1:
        raise ValueError(
            f"{path} has {len(keys)} matrices in obsm ({', '.join(keys) or 'none'}): say which one "
            "holds the codes by --codes KEY (or --codes X)"
        )
    key = codes[0] if codes else keys[0]
    if key not in keys and key != "X":
        raise ValueError(f"{path} has no obsm[{key!r}]; it has {', '.join(keys) or 'none'}, and X")
    matrix = cells.X if key == "X" else cells.obsm[key]
    matrix = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)
    obs = cells.obs
    if factors:
        labels = _columns(list(obs.columns), factors, _FACTOR_COLUMN, "factors", "", str(path))
    else:
        labels = [name for name in obs.columns if isinstance(obs[name].dtype, pd.CategoricalDtype)]
        if not labels:
            raise ValueError(
                f"{path} has no categorical column in obs; it has "
                f"{', '.join(map(str, obs.columns)) or 'none'}: name the factors by "
                "--factors COLUMN,COLUMN"
            )
    factor_matrix, values, _, kinds = coded(obs[labels])
    texts = {str(labels[k]): v for k, v in values.items()}
    names = tuple(map(str, labels))
    return as_table(matrix, factor_matrix, names, str(path), values=texts, kinds=kinds)


#: Readers by the ending of the file.
READERS: dict[str, Callable[[Path, list[str], list[str]], Table]] = {
    ".npz": _from_npz,
    ".npy": _from_npy,
    ".csv": _from_csv,
    ".tsv": _from_csv,
    ".parquet": _from_parquet,
    ".h5ad": _from_h5ad,
}
