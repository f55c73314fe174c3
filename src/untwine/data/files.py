"""Data sets in files of arrays: NumPy archives and HDF5."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..reading import open_hdf5, open_npz, regular_file
from .arrays import ArrayDataset, Layout
from .factorize import as_text
from .space import Kinds

__all__ = ["H5", "Npz", "existing_file"]

_X = ("x", "X", "images", "imgs")
_FACTORS = ("factors", "latents_classes", "labels", "label", "y")
_NAMES = ("factor_names", "names")
_KINDS = ("factor_kinds", "kinds")


class Npz(ArrayDataset):
    """A data set of a NumPy archive; nothing in the file is unpickled.

    Args:
        path: The file, as ``np.savez`` or ``np.savez_compressed`` writes it.
        x_key: The array of observations; by default ``x``, ``X``, ``images`` or ``imgs``.
        factors_key: The array of factors, or a list of one-dimensional arrays, one per factor; by
            default ``factors``, ``latents_classes``, ``labels``, ``label`` or ``y``, if there.
        names_key: The array of the factors' names; by default ``factor_names`` or ``names``.
        covariates_key: The array of covariates, if any.
        names: The factors' names, instead of those in the file.
        sizes: How many values each factor has; by default the largest value plus one.
        layout: Whether channels come first or last; needed only where the shape does not tell.
        kinds: What each factor's values are, in order or by name, see `FactorSpace`; by default
            what the array ``factor_kinds`` or ``kinds`` says, if there.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: for a file of another kind, for an array that is not there, listing those that
            are, and for what `Arrays` refuses.
    """

    needs = "a file"

    def __init__(
        self,
        path: str | Path,
        *,
        x_key: str | None = None,
        factors_key: str | Sequence[str] | None = None,
        names_key: str | None = None,
        covariates_key: str | None = None,
        names: Sequence[str] | None = None,
        sizes: Sequence[int] | None = None,
        layout: Layout | None = None,
        kinds: Kinds = None,
    ) -> None:
        with open_npz(path) as archive:
            arrays = _choose(
                Path(path),
                archive.files,
                archive.__getitem__,
                x=x_key,
                factors=factors_key,
                names_key=names_key,
                covariates=covariates_key,
                names=names,
                kinds=kinds,
            )
        super().__init__(**arrays, sizes=sizes, layout=layout)


class H5(ArrayDataset):
    """A data set of an HDF5 file, read into memory.

    Args:
        path: The file.
        x_key: The array of observations, such as ``images`` or ``group/images``; by default
            ``x``, ``X``, ``images`` or ``imgs``.
        factors_key: The array of factors, or a list of one-dimensional arrays, one per factor; by
            default ``factors``, ``latents_classes``, ``labels``, ``label`` or ``y``, if there.
        names_key: The array of the factors' names; by default ``factor_names`` or ``names``.
        covariates_key: The array of covariates, if any.
        names: The factors' names, instead of those in the file.
        sizes: How many values each factor has; by default the largest value plus one.
        layout: Whether channels come first or last; needed only where the shape does not tell.
        kinds: What each factor's values are, in order or by name, see `FactorSpace`; by default
            what the array ``factor_kinds`` or ``kinds`` says, if there.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if h5py is not installed.
        ValueError: for a file of another kind, for an array that is not there, listing those that
            are, and for what `Arrays` refuses.
    """

    needs = "a file"

    def __init__(
        self,
        path: str | Path,
        *,
        x_key: str | None = None,
        factors_key: str | Sequence[str] | None = None,
        names_key: str | None = None,
        covariates_key: str | None = None,
        names: Sequence[str] | None = None,
        sizes: Sequence[int] | None = None,
        layout: Layout | None = None,
        kinds: Kinds = None,
    ) -> None:
        with open_hdf5(path) as file:
            import h5py

            names_in_file: list[str] = []
            file.visititems(
                lambda name, item: (
                    names_in_file.append(name) if isinstance(item, h5py.Dataset) else None
                )
            )

            def read(key: str) -> np.ndarray:
                try:
                    return file[key][()]
                except (OSError, RuntimeError, ValueError) as error:
                    raise ValueError(f"the array {key!r} of {path} is damaged: {error}") from error

            arrays = _choose(
                Path(path),
                names_in_file,
                read,
                x=x_key,
                factors=factors_key,
                names_key=names_key,
                covariates=covariates_key,
                names=names,
                kinds=kinds,
            )
        super().__init__(**arrays, sizes=sizes, layout=layout)


def existing_file(path: str | Path) -> Path:
    """The path, if a regular file is there.

    Raises:
        FileNotFoundError: if not.
        ValueError: for a pipe, a socket or a device.
    """
    return regular_file(path)


def _choose(
    path: Path,
    keys: Sequence[str],
    read: Callable[[str], np.ndarray],
    *,
    x: str | None,
    factors: str | Sequence[str] | None,
    names_key: str | None,
    covariates: str | None,
    names: Sequence[str] | None,
    kinds: Kinds,
) -> dict[str, Any]:
    """The arrays of a data set among those of a file."""

    def in_file(key: str) -> str:
        if key not in keys:
            raise ValueError(f"{path} has no array {key!r}; it holds {list(keys)}")
        return key

    def first(candidates: Sequence[str]) -> str | None:
        return next((key for key in candidates if key in keys), None)

    x = in_file(x) if x is not None else first(_X)
    if x is None:
        raise ValueError(
            f"{path} has no array called {', '.join(map(repr, _X))}; it holds {list(keys)}: "
            "name the one of the observations with x_key="
        )
    table: Any = None
    if factors is not None and not isinstance(factors, str):
        twice = [key for i, key in enumerate(factors) if key in factors[:i]]
        if twice:
            raise ValueError(f"factors_key names {twice[0]!r} twice: {list(factors)}")
        table = {key: read(in_file(key)) for key in factors}
    else:
        factors = in_file(factors) if factors is not None else first(_FACTORS)
        table = None if factors is None else read(factors)
    if names is None and table is not None and not isinstance(table, Mapping):
        key = in_file(names_key) if names_key is not None else first(_NAMES)
        if key is not None:
            names = [as_text(name) for name in np.ravel(read(key)).tolist()]
    if kinds is None and table is not None and (key := first(_KINDS)) is not None:
        texts: list[Any] = [as_text(kind) or None for kind in np.ravel(read(key)).tolist()]
        kinds = texts
    return {
        "x": read(x),
        "factors": table,
        "names": names,
        "kinds": kinds,
        "covariates": None if covariates is None else read(in_file(covariates)),
    }
