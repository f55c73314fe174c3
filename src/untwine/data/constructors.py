"""Data sets from arrays and files: the functions behind ``FactorDataset.from_*``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from .arrays import Arrays
from .cells import H5AD
from .dataset import FactorDataset
from .files import H5, Npz
from .folder import Folder
from .space import Kinds
from .torch_dataset import TorchDataset

__all__ = ["from_arrays", "from_folder", "from_h5", "from_h5ad", "from_npz", "from_torch"]


def from_arrays(
    x: Any,
    factors: Any = None,
    names: Sequence[str] | None = None,
    sizes: Sequence[int] | None = None,
    covariates: Any = None,
    *,
    layout: Literal["CHW", "HWC"] | None = None,
    kinds: Kinds = None,
) -> FactorDataset:
    """A data set of arrays in memory; see `Arrays`."""
    return Arrays(x, factors, names, sizes, covariates, layout=layout, kinds=kinds)


def from_npz(path: str | Path, **options: Any) -> FactorDataset:
    """A data set of a NumPy archive; see `Npz` for the options."""
    return Npz(path, **options)


def from_h5(path: str | Path, **options: Any) -> FactorDataset:
    """A data set of an HDF5 file; see `H5` for the options."""
    return H5(path, **options)


def from_h5ad(path: str | Path, **options: Any) -> FactorDataset:
    """A data set of an annotated matrix, such as cells by genes; see `H5AD`."""
    return H5AD(path, **options)


def from_folder(path: str | Path, **options: Any) -> FactorDataset:
    """A data set of image files; see `Folder` for the options."""
    return Folder(path, **options)


def from_torch(dataset: Any, **options: Any) -> FactorDataset:
    """A data set of a dataset of torch; see `TorchDataset` for the options."""
    return TorchDataset(dataset, **options)


# The base class cannot import its subclasses, but `FactorDataset.from_npz` is where people look.
FactorDataset.from_arrays = staticmethod(from_arrays)
FactorDataset.from_npz = staticmethod(from_npz)
FactorDataset.from_h5 = staticmethod(from_h5)
FactorDataset.from_h5ad = staticmethod(from_h5ad)
FactorDataset.from_folder = staticmethod(from_folder)
FactorDataset.from_torch = staticmethod(from_torch)
