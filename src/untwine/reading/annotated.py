"""Annotated matrices: files ``.h5ad`` and ``.h5mu``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from .arrays import open_hdf5

__all__ = ["read_annotated"]


def read_annotated(
    path: str | Path, kind: Literal["h5ad", "h5mu"] = "h5ad", *, backed: bool = False
) -> Any:
    """An ``AnnData`` or a ``MuData``, once nothing in its file refers to another file.

    Args:
        path: Of the file.
        kind: What it is, whatever its name ends in.
        backed: Whether the matrix stays on disk; the caller closes the file.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if anndata or mudata is not installed.
        ValueError: if it is damaged, is something else, or reads from other files.
    """
    package = {"h5ad": "anndata", "h5mu": "mudata"}[kind]
    try:
        if kind == "h5ad":
            from anndata import read_h5ad as read
        else:
            from mudata import read_h5mu as read
    except ImportError as error:
        raise ImportError(
            f'reading .{kind} needs {package}: pip install "untwine[cells]"'
        ) from error
    with open_hdf5(path, memory=not backed) as file:  # anndata follows links without asking
        name = file.filename
    try:
        return read(name, backed="r") if backed else read(name)
    # On damaged files h5py raises OSError, KeyError, RuntimeError, TypeError and MemoryError, and
    # anndata an IORegistryError besides, which is private and derives from Exception alone.
    except Exception as error:
        raise ValueError(f"{path} cannot be read as .{kind}: {error}") from error
