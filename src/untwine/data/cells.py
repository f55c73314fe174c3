"""Annotated matrices (AnnData, MuData), such as single cells by genes, as data sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..reading import read_annotated
from .arrays import ArrayDataset
from .dataset import FactorDataset
from .files import existing_file
from .modalities import Multimodal
from .space import Kinds

__all__ = ["H5AD", "Cells", "MultimodalCells", "are_counts", "covariate_columns"]


class Cells(ArrayDataset):
    """A data set of an annotated matrix (AnnData), such as cells by genes; sparse stays sparse.

    Args:
        cells: The AnnData object, or the path of a ``.h5ad`` file. One that is backed by its file
            is read into memory; the object itself stays as it is.
        factors: The columns of ``obs`` that are factors; by default the categorical ones.
        covariates: The columns of ``obs`` that encoder and decoder are told, so that the code need
            not hold them: numbers as they are, text and categories one-hot.
        layer: The layer that holds the observations, such as ``"counts"``; by default ``X``.
        like: Another data set of cells, such as the one that a method was trained on: layer,
            covariates, their values and the order of genes are taken from there.

        kinds: What each factor's values are, in order or by name, see `FactorSpace`; by default
            categories are ordinal where pandas has them in an order, and nominal otherwise.

    Attributes:
        features: The names of the genes.
        covariate_values: The values of each covariate, in the order of their one-hot columns;
            empty for numbers.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if anndata is not installed.
        ValueError: for a column, a layer or a gene that is not there, for a gene whose name occurs
            twice where genes are put in the order of ``like``, and for a value of a covariate that
            ``like`` does not have.

    Example:
        >>> import anndata
        >>> adata = anndata.AnnData(np.eye(4, dtype=np.float32))
        >>> adata.obs["donor"] = ["a", "a", "b", "b"]
        >>> data = Cells(adata, covariates=["donor"])
        >>> data.covariates.tolist(), data.covariate_values
        ([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]], {'donor': ('a', 'b')})
    """

    needs = "an annotated matrix"
    layer: str | None
    features: tuple[str, ...]
    covariate_values: dict[str, tuple[str, ...]]

    def __init__(
        self,
        cells: Any,
        *,
        factors: Sequence[str] | None = None,
        covariates: Sequence[str] | None = None,
        layer: str | None = None,
        like: Cells | None = None,
        kinds: Kinds = None,
    ) -> None:
        adata, name = _read(cells, "h5ad")
        if adata.isbacked:
            adata = adata.to_memory()
        levels_before: Mapping[str, tuple[str, ...]] = {}
        if like is not None:
            layer = like.layer if layer is None else layer
            covariates = list(like.covariate_values) if covariates is None else covariates
            levels_before = like.covariate_values
            if list(map(str, adata.var_names)) != list(like.features):
                adata = adata[:, _places(adata.var_names, like.features, name)]
        if layer is not None and layer not in adata.layers:
            raise ValueError(f"{name} has no layer {layer!r}; its layers are {_layers(adata)}")
        for column in (*(factors or ()), *(covariates or ())):
            if column not in adata.obs:
                raise ValueError(
                    f"{name} has no column {column!r} in obs; its columns are {list(adata.obs)}"
                )
        if factors is None:
            factors = [column for column in adata.obs if adata.obs[column].dtype == "category"]
        c, self.covariate_values = covariate_columns(adata.obs, covariates or (), levels_before)
        self.layer = layer
        self.features = tuple(str(gene) for gene in adata.var_names)
        x = adata.X if layer is None else adata.layers[layer]
        if x is None:
            raise ValueError(f"{name} has no X; its layers are {_layers(adata)}: name layer=")
        super().__init__(x, adata.obs[list(factors)], covariates=c, kinds=kinds)
        self.counts = are_counts(self)


class H5AD(Cells):
    """A data set of an annotated matrix, such as single cells by genes; sparse ones stay sparse.

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
        ValueError: for a column or layer that is not there, listing those that are.
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
        super().__init__(
            existing_file(path), factors=factors, covariates=covariates, layer=layer, kinds=kinds
        )


class MultimodalCells(Multimodal):
    """Cells with several modalities (MuData); a cell may lack some of them.

    Args:
        cells: The MuData object, or the path of a ``.h5mu`` file.
        modalities: Which modalities to take; by default all.
        layers: The layer of each modality that holds its observations; ``X`` where none is named.
        factors: The columns of ``obs`` that are factors, of the whole or of a modality; by default
            the categorical ones of the whole.
        covariates: The columns of ``obs`` of the whole that encoders and decoders are told.
        like: Another such data set, as for `Cells`.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if mudata is not installed.
        ValueError: for a modality, a column or a layer that is not there.

    Example:
        >>> import anndata, mudata
        >>> rna, protein = (anndata.AnnData(np.ones((3, n), np.float32)) for n in (5, 2))
        >>> data = MultimodalCells(mudata.MuData({"rna": rna, "protein": protein[:2].copy()}))
        >>> data.shape, data.present["protein"].tolist()
        ({'rna': (5,), 'protein': (2,)}, [True, True, False])
    """

    layers: dict[str, str]
    covariate_values: dict[str, tuple[str, ...]]

    def __init__(
        self,
        cells: Any,
        *,
        modalities: Sequence[str] | None = None,
        layers: Mapping[str, str] | None = None,
        factors: Sequence[str] | None = None,
        covariates: Sequence[str] | None = None,
        like: MultimodalCells | None = None,
    ) -> None:
        mdata, name = _read(cells, "h5mu")
        levels_before: Mapping[str, tuple[str, ...]] = {}
        if like is not None:
            modalities = list(like.parts) if modalities is None else modalities
            layers = like.layers if layers is None else layers
            covariates = list(like.covariate_values) if covariates is None else covariates
            levels_before = like.covariate_values
        modalities = list(mdata.mod) if modalities is None else list(modalities)
        for modality in modalities:
            if modality not in mdata.mod:
                raise ValueError(f"{name} has no modality {modality!r}; it has {list(mdata.mod)}")
        obs = mdata.obs.copy()
        for modality in modalities:
            for column in factors or ():
                if column not in obs and column in mdata.mod[modality].obs:
                    obs[column] = mdata.mod[modality].obs[column].reindex(obs.index)
        for column in (*(factors or ()), *(covariates or ())):
            if column not in obs:
                raise ValueError(f"{name} has no column {column!r} in obs; it has {list(obs)}")
        if factors is None:
            factors = [column for column in obs if obs[column].dtype == "category"]
        c, self.covariate_values = covariate_columns(obs, covariates or (), levels_before)
        self.layers = dict(layers or {})
        parts: dict[str, FactorDataset] = {}
        present: dict[str, np.ndarray] = {}
        for modality in modalities:
            before = None if like is None else like.parts[modality]
            part = Cells(
                mdata.mod[modality],
                factors=(),
                layer=self.layers.get(modality),
                like=before.whole if isinstance(before, _Padded) else None,
            )
            rows = part_rows(obs.index, mdata.mod[modality].obs_names, f"cells of {modality!r}")
            parts[modality] = _Padded(part, rows, obs[list(factors)], c)
            present[modality] = rows >= 0
        incomplete = {modality: mask for modality, mask in present.items() if not mask.all()}
        super().__init__(parts, incomplete)


class _Padded(ArrayDataset):
    """One modality of cells, with rows of zeros for the cells that lack it."""

    def __init__(self, whole: Cells, rows: np.ndarray, factors: Any, covariates: Any) -> None:
        import scipy.sparse as sp

        present_rows = np.flatnonzero(rows >= 0)
        spread = (np.ones(len(present_rows), np.float32), (present_rows, rows[present_rows]))
        x = sp.csr_matrix(spread, shape=(len(rows), len(whole))) @ sp.csr_matrix(whole._x)
        super().__init__(x, factors, covariates=covariates)
        self.whole = whole
        self.features = whole.features


def are_counts(data: FactorDataset) -> bool:
    """Whether observations are whole numbers from 0 on, as far as 500 rows tell."""
    number = min(len(data), 500)
    x = data.observations(np.arange(number) * len(data) // number)
    return bool(((x >= 0) & (x == x.round())).all())


def part_rows(names: Any, candidates: Any, nouns: str) -> np.ndarray:
    """Where each of the names ``every`` is in ``some``, -1 for those that are not there.

    Raises:
        ValueError: for a name that is asked for and occurs twice, which tells no place.
    """
    place = {name: i for i, name in enumerate(candidates)}
    common = set(names) & place.keys()
    for group in (names, candidates):
        twice = [name for name, n in Counter(group).items() if n > 1 and name in common]
        if twice:
            raise ValueError(
                f"the {nouns} have names that occur twice, such as {twice[0]!r}, so that none can "
                "be told from the other: call var_names_make_unique() or obs_names_make_unique() "
                "on the data before training and before encoding"
            )
    return np.array([place.get(name, -1) for name in names], np.int64)


def _read(cells: Any, kind: Literal["h5ad", "h5mu"]) -> tuple[Any, str]:
    """An annotated object, and what to call it in messages."""
    if not isinstance(cells, str | Path):
        return cells, type(cells).__name__
    path = existing_file(cells)
    return read_annotated(path, kind), str(path)


def covariate_columns(
    obs: Any, columns: Sequence[str], levels_before: Mapping[str, tuple[str, ...]]
) -> tuple[np.ndarray | None, dict[str, tuple[str, ...]]]:
    """Numbers as they are, then text and categories one-hot; and the values of each column."""
    import pandas as pd

    def is_number(column: str) -> bool:
        dtype = obs[column].dtype
        return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)

    parts: list[np.ndarray] = []
    values: dict[str, tuple[str, ...]] = {}
    for column in sorted(columns, key=is_number, reverse=True):  # numbers come first
        series = obs[column]
        if series.isna().any():
            raise ValueError(
                f"covariate {column!r} is missing in {int(series.isna().sum())} cells: give it a "
                "value of its own, or leave those cells out"
            )
        if is_number(column):
            parts.append(series.to_numpy(np.float32)[:, None])
            values[column] = ()
            continue
        text = series.astype(str).to_numpy()
        levels = levels_before.get(column) or tuple(
            map(str, series.cat.categories)
            if series.dtype == "category"
            else sorted(set(text.tolist()))
        )
        new_levels = sorted(set(text.tolist()) - set(levels))
        if new_levels:
            raise ValueError(
                f"covariate {column!r} has values {new_levels} that were not there before; there "
                f"were {list(levels)}: networks cannot be told of a batch that they have not seen"
            )
        place = {level: i for i, level in enumerate(levels)}
        parts.append(np.eye(len(levels), dtype=np.float32)[[place[value] for value in text]])
        values[column] = levels
    return (np.concatenate(parts, 1) if parts else None), values


def _layers(adata: Any) -> list[str]:
    """Names of layers; anndata from 0.13 on has X among them, as None."""
    return [name for name in adata.layers if name is not None]


def _places(names: Any, genes: Sequence[str], where: str) -> np.ndarray:
    rows = part_rows(genes, [str(name) for name in names], f"genes of {where}")
    if (rows < 0).any():
        missing = [genes[i] for i in np.flatnonzero(rows < 0)[:3]]
        raise ValueError(
            f"{where} lacks {int((rows < 0).sum())} of the {len(genes)} genes of the training "
            f"data, such as {', '.join(missing)}"
        )
    return rows
