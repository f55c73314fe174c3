"""Annotated matrices larger than memory: rows of an ``.h5ad`` file, read when they are used."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..reading import open_hdf5, read_annotated
from .cells import are_counts, covariate_columns
from .dataset import FactorDataset, Index, as_index
from .factorize import factorize
from .on_disk import Hdf5Rows, Rows
from .space import Kinds

__all__ = ["CellsOnDisk"]


class CellsOnDisk(FactorDataset):
    """A data set of an annotated matrix larger than memory, such as single cells by genes.

    As `H5AD`, but memory holds annotations and a batch alone: rows of a dense matrix, or of a
    sparse one by rows (CSR), are read from the file when they are used.

    Args:
        path: The ``.h5ad`` file.
        factors: The columns of ``obs`` that are factors; by default the categorical ones.
        covariates: The columns of ``obs`` that are covariates: numbers as they are, text and
            categories one-hot.
        layer: The layer that holds the observations; by default ``X``.
        kinds: What each factor's values are, see `Cells`.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if anndata is not installed.
        ValueError: for a column or layer that is not there, for a sparse matrix by columns, and,
            when they are read, for rows that are not finite.
    """

    needs = "a file"

    def __init__(
        self,
        path: str | Path,
        *,
        factors: Sequence[str] | None = None,
        covariates: Sequence[str] | None = None,
        layer: str | None = None,
        kinds: Kinds = None,
    ) -> None:
        with open_hdf5(path, memory=False) as file:
            self.path, self.layer = Path(file.filename), layer
            key = "X" if layer is None else f"layers/{layer}"
            if key not in file:
                raise ValueError(f"{self.path} has no {key}; it holds {list(file)}")
            encoding = str(file[key].attrs.get("encoding-type", "array"))
        obs, genes = _annotations(self.path)
        for column in (*(factors or ()), *(covariates or ())):
            if column not in obs:
                raise ValueError(
                    f"{self.path} has no column {column!r} in obs; its columns are {list(obs)}"
                )
        if encoding not in ("array", "csr_matrix"):
            raise ValueError(
                f"{key} of {self.path} is {encoding}, whose rows lie all over the file: write it "
                "with adata.X = adata.X.tocsr(), or use H5AD"
            )
        dense = encoding == "array"
        self._rows: Rows = Hdf5Rows(self.path, key) if dense else CsrRows(self.path, key)
        self.features = tuple(str(gene) for gene in genes)
        if self._rows.shape != (len(obs), len(self.features)):
            raise ValueError(
                f"{key} of {self.path} is {self._rows.shape}; its annotations are of "
                f"{len(obs)} rows and {len(self.features)} columns"
            )
        self.shape = (len(self.features),)
        if factors is None:
            factors = [column for column in obs if obs[column].dtype == "category"]
        table = obs[list(factors)]
        self._factors, self.space, self.values = factorize(table, len(obs), None, None, kinds)
        c, self.covariate_values = covariate_columns(obs, covariates or (), {})
        self.covariates = None if c is None else torch.from_numpy(c)
        self.counts = are_counts(self)

    def __len__(self) -> int:
        return self._rows.shape[0]

    @property
    def factors(self) -> np.ndarray:
        return self._factors

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        numbers = as_index(index, len(self))
        x = torch.from_numpy(self._rows.read(numbers).astype(np.float32, copy=False))
        finite = torch.isfinite(x).all(dim=1)
        if not finite.all():
            row = numbers[int((~finite).nonzero()[0])]
            raise ValueError(f"row {row} of {self.path} has values that are nan or infinite")
        return x


class CsrRows(Rows):
    """Rows of a sparse matrix by rows, as anndata writes it, read as dense ones.

    Args:
        path: The HDF5 file, which has been checked.
        key: Of the group of ``data``, ``indices`` and ``indptr``.

    Raises:
        ValueError: for lengths that do not fit.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key
        self._file: tuple[int, Any] | None = None
        group = self._group()
        self.shape = tuple(int(length) for length in group.attrs["shape"])
        self.dtype = group["data"].dtype
        self._starts = group["indptr"][()].astype(np.int64)
        length = len(group["data"])
        starts = self._starts
        if len(starts) != self.shape[0] + 1 or (np.diff(starts) < 0).any() or starts[-1] > length:
            raise ValueError(f"{key} of {path} is damaged: its rows do not fit into its data")

    def read(self, rows: np.ndarray) -> np.ndarray:
        group = self._group()
        out = np.zeros((len(rows), self.shape[1]), np.float32)
        try:
            for place in np.argsort(rows, kind="stable").tolist():
                span = np.s_[self._starts[rows[place]] : self._starts[rows[place] + 1]]
                out[place, group["indices"][span]] = group["data"][span]
        except (OSError, RuntimeError, IndexError, ValueError) as error:
            raise ValueError(f"{self.key} of {self.path} is damaged: {error}") from error
        return out

    def _group(self) -> Any:
        import h5py

        if self._file is None or self._file[0] != os.getpid():
            self._file = (os.getpid(), h5py.File(self.path, "r")[self.key])
        return self._file[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}


def _annotations(path: Path) -> tuple[Any, Any]:
    """The table of rows and the names of columns."""
    adata = read_annotated(path, backed=True)
    obs, genes = adata.obs.copy(), adata.var_names.copy()
    adata.file.close()
    return obs, genes
