"""Codes and factors from files, or from a function of the user's."""

from __future__ import annotations

import fnmatch
import importlib
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["Table", "read"]

_CODES = ("codes", "codes_train", "mean", "means", "mus", "z", "representations", "latents")
_FACTORS = ("factors", "factors_train", "labels", "y")
_STDDEV = ("stddev", "stddevs", "std", "sigmas", "scale")
_NAMES = ("names", "factor_names")
_CODE_COLUMN = re.compile(r"(?:z|codes?|latents?|mu|mean)[ _.:-]?\d+", re.IGNORECASE)
_STDDEV_COLUMN = re.compile(r"(?:stddev|std|sigma)[ _.:-]?\d+", re.IGNORECASE)
_FACTOR_COLUMN = re.compile(r"factors?[ _.:-]?(?P<name>.+)", re.IGNORECASE)


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
    """

    mean: np.ndarray
    factors: np.ndarray
    names: tuple[str, ...]
    stddev: np.ndarray | None = None
    codes_test: np.ndarray | None = None
    factors_test: np.ndarray | None = None
    values: Mapping[str, tuple[str, ...]] | None = None

    def __len__(self) -> int:
        return len(self.mean)


def read(
    source: str | Path,
    *,
    codes: str | Sequence[str] | None = None,
    factors: str | Sequence[str] | None = None,
) -> Table:
    """Reads codes and factors from a file or a function.

    ===================  ==========================================================================
    source               where codes and factors are, unless ``codes`` and ``factors`` say so
    ===================  ==========================================================================
    ``.npz``             arrays ``codes`` and ``factors``; optional ``stddev``, ``names``,
                         ``codes_test``, ``factors_test`` (and ``codes_train``, ``mean``, ``z``,
                         ``labels``, ... as other names)
    ``.csv``, ``.tsv``,  columns ``z0, z1, ...`` (or ``code_0``, ``latent_0``, ``mu_0``) and
    ``.parquet``         ``factor_shape, factor_scale, ...``; optional ``stddev0, ...``
    ``.h5ad``            the only matrix of ``obsm``, and the categorical columns of ``obs``
    ``module:function``  what the function returns, called without arguments: a pair
                         ``(codes, factors)``, a mapping of those names, a `Codes` or a `Table`
    ===================  ==========================================================================

    Text becomes integers in sorted order; an empty cell is an unknown factor.

    Args:
        source: A path, or ``module:function``.
        codes: Names of the codes: an array of an ``.npz``, columns of a table (separated by
            commas, ``*`` stands for anything), a key of ``obsm``, or ``X``.
        factors: Names of the factors, likewise.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for an unknown kind of file, a file that cannot be read, and names that the
            source does not have; the message lists those that it has.
        ImportError: for a function that cannot be imported.

    Example:
        >>> import tempfile, numpy as np
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/a.npz", codes=np.zeros((5, 2)), factors=np.arange(5))
        ...     table = read(f"{folder}/a.npz")
        >>> table.mean.shape, table.names
        ((5, 2), ('factor_0',))
    """
    text = str(source)
    path = Path(source)
    wanted_codes, wanted_factors = _listed(codes), _listed(factors)
    if _FUNCTION.fullmatch(text) and not path.exists():
        return _from_function(text, wanted_codes, wanted_factors)
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no file {text}: expected {_expected()}, or module:function"
        )
    if path.suffix.lower() not in _READERS:
        raise ValueError(f"{text} ends in {path.suffix!r}: expected {_expected()}")
    try:
        return _READERS[path.suffix.lower()](path, wanted_codes, wanted_factors)
    except ImportError as error:
        raise ImportError(
            f"reading {path.suffix} needs a package that is not installed ({error.name}): "
            "pip install 'untwine[files,cells]'"
        ) from error


_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def _expected() -> str:
    return ", ".join(_READERS)


def _listed(names: str | Sequence[str] | None) -> list[str]:
    if names is None:
        return []
    parts = names.split(",") if isinstance(names, str) else names
    return [name.strip() for name in parts if name.strip()]


# .npz


def _from_npz(path: Path, codes: list[str], factors: list[str]) -> Table:
    import zipfile

    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except ValueError as error:
        raise ValueError(
            f"{path} holds Python objects, which are not loaded since they can run code; save "
            f"plain arrays instead: numpy.savez(path, codes=..., factors=...) ({error})"
        ) from error
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is no readable .npz file: {error}") from error
    return _from_arrays(arrays, str(path), codes, factors)


def _from_arrays(
    arrays: Mapping[str, Any], source: str, codes: list[str], factors: list[str]
) -> Table:
    here = ", ".join(f"{name} {np.shape(array)}" for name, array in arrays.items()) or "nothing"

    def named(what: str, wanted: list[str], known: Sequence[str]) -> str:
        if len(wanted) > 1:
            raise ValueError(f"{source}: name one array as {what}, not {len(wanted)}: {wanted}")
        for name in wanted or known:
            if name in arrays:
                return name
        missing = repr(wanted[0]) if wanted else " or ".join(repr(name) for name in known)
        raise ValueError(
            f"{source} has no array {missing} for the {what}; it has {here}: say which one by "
            f"--{what} NAME"
        )

    def optional(names: Iterable[str]) -> Any:
        return next((arrays[name] for name in names if name in arrays), None)

    where = named("codes", codes, _CODES)
    matrix, values, columns = _coded(arrays[named("factors", factors, _FACTORS)])
    names = optional(_NAMES)
    if names is not None:
        names = tuple(str(name) for name in np.asarray(names).reshape(-1))
        if len(names) != matrix.shape[1]:
            raise ValueError(
                f"{source}: factors has {matrix.shape[1]} columns but names has {len(names)}: "
                f"{list(names)}"
            )
    test = optional(["factors_test", "labels_test", "y_test"])
    stddev = optional(_STDDEV)
    codes_test = optional([where.removesuffix("_train") + "_test"])
    return _table(
        arrays[where],
        matrix,
        names or columns,
        source,
        stddev=stddev,
        codes_test=codes_test if test is not None else None,
        factors_test=_coded(test)[0] if codes_test is not None and test is not None else None,
        values={names[int(k)] if names else columns[int(k)]: v for k, v in values.items()},
    )


# tables


def _from_csv(path: Path, codes: list[str], factors: list[str]) -> Table:
    import pandas as pd

    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        frame = pd.read_csv(path, sep=separator)
    except (ValueError, UnicodeDecodeError) as error:  # pandas' parser errors are ValueErrors
        raise ValueError(f"{path} is no readable table: {error}") from error
    return _from_frame(frame, str(path), codes, factors)


def _from_parquet(path: Path, codes: list[str], factors: list[str]) -> Table:
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except (ValueError, OSError) as error:  # pyarrow's errors derive from these
        raise ValueError(f"{path} is no readable parquet file: {error}") from error
    return _from_frame(frame, str(path), codes, factors)


def _from_frame(frame: DataFrame, source: str, codes: list[str], factors: list[str]) -> Table:
    columns = [str(column) for column in frame.columns]
    frame = frame.set_axis(columns, axis=1)
    chosen = _columns(columns, codes, _CODE_COLUMN, "codes", "z0, z1, ...", source)
    labels = _columns(columns, factors, _FACTOR_COLUMN, "factors", "factor_<name>", source)
    both = sorted(set(chosen) & set(labels))
    if both:
        raise ValueError(f"{source}: {both} are named both as codes and as factors")
    text = [name for name in chosen if not _numeric(frame[name])]
    if text:
        raise ValueError(
            f"{source}: code column {text[0]!r} holds text such as "
            f"{frame[text[0]].dropna().iloc[0]!r}; expected numbers"
        )
    names = tuple(_factor_name(label) if not factors else label for label in labels)
    matrix, values, _ = _coded(frame[labels].set_axis(list(names), axis=1))
    deviations = [column for column in columns if _STDDEV_COLUMN.fullmatch(column)]
    stddev = frame[deviations].to_numpy(np.float64) if len(deviations) == len(chosen) else None
    named = {names[int(k)]: v for k, v in values.items()}
    return _table(frame[chosen].to_numpy(np.float64), matrix, names, source, stddev, values=named)


def _columns(
    columns: list[str],
    wanted: list[str],
    pattern: re.Pattern[str],
    what: str,
    convention: str,
    source: str,
) -> list[str]:
    """The columns that the user names, in that order, or those that follow the convention."""
    here = ", ".join(columns[:20]) + (", ..." if len(columns) > 20 else "")
    if not wanted:
        found = [column for column in columns if pattern.fullmatch(column)]
        if not found:
            raise ValueError(
                f"{source} has no columns {convention} for the {what}; it has {here}: name them "
                f"by --{what} COLUMN,COLUMN (* stands for anything)"
            )
        return found
    found = []
    for name in wanted:
        matches = [name] if name in columns else fnmatch.filter(columns, name)
        if not matches:
            raise ValueError(f"{source} has no column {name!r} for the {what}; it has {here}")
        found += [match for match in matches if match not in found]
    return found


def _factor_name(column: str) -> str:
    match = _FACTOR_COLUMN.fullmatch(column)
    name = match["name"] if match else column
    return column if name.isdigit() else name


def _numeric(column: Any) -> bool:
    import pandas as pd

    return pd.api.types.is_numeric_dtype(column)


# .h5ad


def _from_h5ad(path: Path, codes: list[str], factors: list[str]) -> Table:
    import anndata
    import pandas as pd

    try:
        cells = anndata.read_h5ad(path)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is no readable .h5ad file: {error}") from error
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
    coded, values, _ = _coded(obs[labels])
    named = {str(labels[int(k)]): v for k, v in values.items()}
    return _table(matrix, coded, tuple(map(str, labels)), str(path), values=named)


# module:function


def _from_function(source: str, codes: list[str], factors: list[str]) -> Table:
    module, _, name = source.partition(":")
    if "" not in sys.path:  # a console script does not have the current folder on its path
        sys.path.insert(0, "")
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(f"{error.name}.")):
            raise  # the module is there, but something that it imports is not
        raise ImportError(
            f"{source}: there is no module {error.name!r} here or on the Python path"
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise ImportError(f"{source}: module {module} has no {part!r}")
        found = getattr(found, part)
    result = found() if callable(found) else found
    if isinstance(result, Table):
        return result
    if hasattr(result, "mean") and hasattr(result, "factors") and hasattr(result, "space"):
        names = tuple(result.space.names)
        return _table(result.mean, result.factors, names, source, result.stddev)
    if isinstance(result, Mapping):
        return _from_arrays(result, source, codes, factors)
    if hasattr(result, "columns"):
        return _from_frame(result, source, codes, factors)
    if isinstance(result, tuple | list) and len(result) == 2:
        matrix, values, names = _coded(result[1])
        named = {names[int(k)]: v for k, v in values.items()}
        return _table(result[0], matrix, names, source, values=named)
    raise ValueError(
        f"{source} returned a {type(result).__name__}; expected (codes, factors), a mapping with "
        "those names, a DataFrame, or untwine.Codes"
    )


# both


def _coded(factors: Any) -> tuple[np.ndarray, dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Factors as a number matrix, the texts behind coded columns (by position), and names."""
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
            return array, {}, tuple(f"factor_{k}" for k in range(array.shape[1]))
        frame = pd.DataFrame(array)
        names = tuple(f"factor_{k}" for k in range(array.shape[1]))
    columns, values = [], {}
    for k in range(frame.shape[1]):
        column = frame.iloc[:, k]
        if _numeric(column):
            columns.append(column.to_numpy(np.float64, na_value=np.nan))
            continue
        coded = pd.Categorical(column)
        columns.append(coded.codes.astype(np.float64))
        values[str(k)] = tuple(str(value) for value in coded.categories)
    return np.stack(columns, axis=1), values, names


def _table(
    codes: Any,
    factors: np.ndarray,
    names: tuple[str, ...],
    source: str,
    stddev: Any = None,
    codes_test: Any = None,
    factors_test: np.ndarray | None = None,
    values: Mapping[str, tuple[str, ...]] | None = None,
) -> Table:
    from .arrays import as_codes, as_factors

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
    return Table(mean, matrix, names, stddev, codes_test, factors_test, values or None)


_READERS: dict[str, Callable[[Path, list[str], list[str]], Table]] = {
    ".npz": _from_npz,
    ".csv": _from_csv,
    ".tsv": _from_csv,
    ".parquet": _from_parquet,
    ".h5ad": _from_h5ad,
}
