"""Codes and factors from files, or from a function of the user's."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..encoding import Codes
from ..metrics._estimators.kinds import radians
from ..reading import expanded
from .codes_table import Table, as_table, coded
from .sources import READERS, TABLES, from_arrays, from_files, from_frame

__all__ = ["Table", "read"]

_FUNCTION = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


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
                         ``kinds``, ``codes_test``, ``factors_test``, ``clusters`` (and
                         ``codes_train``, ``mean``, ``z``, ``labels``, ... as other names;
                         scikit-learn's ``labels_true`` and ``labels_pred`` for factors and
                         clusters)
    ``.npy``             the array is the codes; ``factors`` names other such files, or tables
    ``.csv``, ``.tsv``,  columns ``z0, z1, ...`` (or ``code_0``, ``latent_0``, ``mu_0``) and
    ``.parquet``         ``factor_shape, factor_scale, ...``; optional ``stddev0, ...``
    ``.h5ad``            the only matrix of ``obsm``, and the categorical columns of ``obs``
    ``module:function``  what the function returns, called without arguments: a pair
                         ``(codes, factors)``, a mapping of those names, a `Codes` or a `Table`
    ===================  ==========================================================================

    Text becomes integers in sorted order; an empty cell is an unknown factor. ``kinds`` says what
    each factor is (``"nominal"``, ``"ordinal"``, ``"real"``, an ``"angle"`` in radians, or empty);
    text is nominal, and categories are ordinal where they have an order.

    Args:
        source: A path, or ``module:function``.
        codes: Names of the codes: an array of an ``.npz``, columns of a table (separated by
            commas, ``*`` stands for anything), a key of ``obsm``, or ``X``.
        factors: Names of the factors, likewise; or files of their own (``.npy``, or tables, whose
            columns are all factors), beside a ``.npy`` or a table of codes alone.

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
    path = expanded(source)
    wanted_codes, wanted_factors = _listed(codes), _listed(factors)
    if _FUNCTION.fullmatch(text) and not path.exists():
        return _from_function(text, wanted_codes, wanted_factors)
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no file {text}: expected {_expected()}, or module:function"
        )
    if path.suffix.lower() not in READERS:
        raise ValueError(f"{text} ends in {path.suffix!r}: expected {_expected()}")
    others = [expanded(name) for name in wanted_factors]
    apart = (*TABLES, ".npy")
    try:
        if (
            others
            and path.suffix.lower() in apart
            and all(other.suffix.lower() in apart and other.is_file() for other in others)
        ):
            return from_files(path, wanted_codes, wanted_factors)
        return READERS[path.suffix.lower()](path, wanted_codes, wanted_factors)
    except ImportError as error:
        raise ImportError(
            f"reading {path.suffix} needs a package that is not installed ({error.name}): "
            "pip install 'untwine[files,cells]'"
        ) from error


def _expected() -> str:
    return ", ".join(READERS)


def _listed(names: str | Sequence[str] | None) -> list[str]:
    if names is None:
        return []
    parts = names.split(",") if isinstance(names, str) else names
    return [name.strip() for name in parts if name.strip()]


def _from_function(source: str, codes: list[str], factors: list[str]) -> Table:
    module, _, name = source.partition(":")
    if "" not in sys.path:  # the user typed its name; last, so that it replaces no other package
        sys.path.append("")
    try:
        target: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(f"{error.name}.")):
            raise  # the module is there, but something that it imports is not
        raise ImportError(
            f"{source}: there is no module {error.name!r} here or on the Python path"
        ) from error
    for part in name.split("."):
        if not hasattr(target, part):
            raise ImportError(f"{source}: module {module} has no {part!r}")
        target = getattr(target, part)
    result = target() if callable(target) else target
    if isinstance(result, Table):
        return result
    if isinstance(result, Codes):
        space = result.space
        factors_of = radians(result.factors, space.kinds, space.sizes)
        return as_table(
            result.mean, factors_of, space.names, source, stddev=result.stddev, kinds=space.kinds
        )
    if isinstance(result, Mapping):
        return from_arrays(result, source, codes, factors)
    if hasattr(result, "columns"):
        return from_frame(result, source, codes, factors)
    if isinstance(result, tuple | list) and len(result) == 2:
        matrix, values, names, kinds = coded(result[1])
        texts = {names[k]: v for k, v in values.items()}
        return as_table(result[0], matrix, names, source, values=texts, kinds=kinds)
    raise ValueError(
        f"{source} returned a {type(result).__name__}; expected (codes, factors), a mapping with "
        "those names, a DataFrame, or untwine.Codes"
    )
