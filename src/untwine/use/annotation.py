"""Codes, clusters and denoised counts written into AnnData and MuData objects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from ..data import Batch, Cells, FactorDataset, Multimodal, MultimodalCells, Subset
from ..distributions import ClusteredPrior
from ..encoding import Codes, batch_of
from ..methods import Clusters, HasPrior, Method
from ..training import Run

__all__ = ["annotate", "origin_of", "source_of"]


@torch.no_grad()
def annotate(
    cells: Any,
    method: Method | Run,
    data: FactorDataset | Multimodal | None = None,
    *,
    key: str = "X_untwine",
    clusters: str = "untwine_cluster",
    denoised: str | None = None,
    umap: bool = False,
    seed: int = 0,
    batch_size: int = 512,
) -> None:
    """Writes what a method has learned of cells into their annotations, in place.

    ``obsm[key]`` are the codes. Of a method whose prior has clusters, ``obs[clusters]`` is the
    likeliest one of each cell, and ``obsm[key + "_cluster"]`` holds the responsibilities. Of a
    method of several modalities, cells are a MuData object, or an AnnData object of one of them.

    Args:
        cells: An AnnData or MuData object with the genes and covariates of the training data.
        method: The method, or its run.
        data: The `Cells` that it was trained on, or a part of them: says which layer, covariates
            and genes it takes. By default the run's data; without a run, ``X`` and no covariates.
        key: Of the codes in ``obsm``.
        clusters: Of the cluster assignments in ``obs``.
        denoised: The layer that is given the means of p(x|z), counts at the cell's own library
            size; not written by default, since it is dense.
        umap: Whether to write the graph of nearest neighbors in the code, and its map in the plane
            as ``obsm["X_umap"]``, through scanpy.
        seed: Of the map.
        batch_size: Cells at a time.

    Raises:
        ImportError: for ``umap`` without scanpy.
        TypeError: for cells that are neither AnnData nor MuData.
        ValueError: for genes, layers or covariates that do not fit.

    Example:
        >>> import anndata
        >>> from untwine.data import Cells
        >>> from untwine.methods import GaussianMixtureVAE
        >>> adata = anndata.AnnData(np.random.default_rng(0).random((20, 6)).astype("float32"))
        >>> method = GaussianMixtureVAE.build(Cells(adata), latent_dim=2, components=3)
        >>> annotate(adata, method)
        >>> adata.obsm["X_untwine"].shape, adata.obsm["X_untwine_cluster"].shape
        ((20, 2), (20, 3))
    """
    several = hasattr(cells, "mod")
    if not (several or hasattr(cells, "obsm")):
        raise TypeError(f"cells is a {type(cells).__name__}; expected an AnnData or MuData object")
    scanpy = _scanpy() if umap else None
    source: Any
    if several:
        method, data = _with_data(method, data)
        like = origin_of(data)
        source = MultimodalCells(cells, like=like if isinstance(like, MultimodalCells) else None)
    else:
        method, source = source_of(cells, method, data)
    cells.obsm[key] = Codes.of(method, source, batch_size=batch_size).mean
    if (
        isinstance(method, Clusters)
        and isinstance(method, HasPrior)
        and isinstance(method.prior, ClusteredPrior)
    ):
        weights = [method.cluster(batch) for batch in _batches(method, source, batch_size)]
        soft = torch.cat(weights).cpu().numpy()
        cells.obsm[f"{key}_cluster"] = soft
        cells.obs[clusters] = _categories(soft.argmax(1), soft.shape[1])
    if denoised is not None:
        if several:
            raise ValueError(
                "denoised layers of several modalities are not written: use method.translate"
            )
        cells.layers[denoised] = np.concatenate(
            [_means(method, batch) for batch in _batches(method, source, batch_size)]
        )
    if scanpy is not None:
        scanpy.pp.neighbors(cells, use_rep=key, random_state=seed)
        scanpy.tl.umap(cells, random_state=seed)


def _scanpy() -> Any:
    try:
        import scanpy
    except ImportError as error:
        raise ImportError('umap=True needs scanpy: pip install "untwine[umap]"') from error
    return scanpy


def _means(method: Any, batch: Batch) -> np.ndarray:
    p = method.decode(method.represent(batch).mean, c=batch.c)
    if getattr(p, "reference", None) is not None:  # counts: at the cell's own library size
        p = p.at(batch.tensor.sum(-1))
    return p.mean.float().cpu().numpy()


def _batches(method: Any, data: Any, batch_size: int) -> Iterator[Batch]:
    """All rows, batch by batch, where the method is."""
    for start in range(0, len(data), batch_size):
        yield batch_of(method, data, np.arange(start, min(start + batch_size, len(data))))


def _categories(numbers: np.ndarray, count: int) -> Any:
    import pandas as pd

    return pd.Categorical(numbers.astype(str), [str(k) for k in range(count)])


def source_of(cells: Any, method: Method | Run, data: Any) -> tuple[Method, Cells]:
    """The method, and an AnnData object read as the cells that it was trained on."""
    method, data = _with_data(method, data)
    like = origin_of(data)
    return method, Cells(cells, factors=(), like=like if isinstance(like, Cells) else None)


def _with_data(method: Method | Run, data: Any) -> tuple[Method, Any]:
    if isinstance(method, Run):
        return method.method, method.data if data is None else data
    return method, data


def origin_of(data: Any) -> Any:
    """The data set that subsets and splits were taken of."""
    while isinstance(data, Subset):
        data = data.data
    return getattr(data, "whole", None) or data
