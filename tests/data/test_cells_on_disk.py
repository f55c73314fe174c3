"""Annotated matrices on disk: the same rows as in memory."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

from untwine.data import H5AD, IID, CellsOnDisk, FactorDataset, Loader
from untwine.evaluation.read import read
from untwine.spec import describe, instantiate

anndata = pytest.importorskip("anndata")
RNG = np.random.default_rng(0)
COUNTS = (RNG.random((40, 9)) < 0.3) * RNG.poisson(3, (40, 9)).astype(np.float32)


def written(path, make):
    adata = anndata.AnnData(make(COUNTS))
    adata.layers["double"] = make(2 * COUNTS)
    adata.obs["type"] = pd.Categorical(RNG.choice(["b", "t", "nk"], 40))
    adata.obs["donor"] = RNG.choice(["one", "two"], 40)
    adata.obs["depth"] = COUNTS.sum(1)
    adata.write_h5ad(path)
    return path


@pytest.mark.parametrize("make", [np.asarray, sp.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("layer", [None, "double"])
def test_rows_are_those_of_memory(tmp_path, make, layer):
    path = written(tmp_path / "cells.h5ad", make)
    options = {"factors": ["type"], "covariates": ["donor", "depth"], "layer": layer}
    data, memory = CellsOnDisk(path, **options), H5AD(path, **options)
    rows = [39, 0, 7, 7, 12]
    assert torch.equal(data.observations(rows), memory.observations(rows))
    assert torch.equal(data.covariates, memory.covariates)
    assert (data.factors == memory.factors).all()
    assert (data.features, data.values) == (memory.features, memory.values)
    assert data.covariate_values == memory.covariate_values
    one, two = (Loader(d, IID(), batch_size=6, seed=2)(3) for d in (data, memory))
    assert torch.equal(one.x, two.x)
    assert torch.equal(one.c, two.c)
    again = instantiate(describe(data), FactorDataset)
    assert torch.equal(again.observations([3]), data.observations([3]))
    assert data.observations([]).shape == (0, 9)


def test_what_cannot_be_read_by_rows_is_refused(tmp_path):
    path = written(tmp_path / "cells.h5ad", sp.csc_matrix)
    with pytest.raises(ValueError, match=r"is csc_matrix, whose rows lie all over the file"):
        CellsOnDisk(path)
    path = written(tmp_path / "cells.h5ad", sp.csr_matrix)
    with pytest.raises(ValueError, match="no layers/none"):
        CellsOnDisk(path, layer="none")
    with pytest.raises(ValueError, match="no column 'age' in obs"):
        CellsOnDisk(path, factors=["age"])
    path = written(tmp_path / "none.h5ad", sp.csr_matrix)
    with h5py.File(path, "a") as file:
        file["X/data"][-1] = np.nan
    row = int(np.flatnonzero(COUNTS.sum(1))[-1])
    with pytest.raises(ValueError, match=f"row {row} of .* nan or infinite"):
        CellsOnDisk(path)
    path = written(tmp_path / "far.h5ad", sp.csr_matrix)
    with h5py.File(path, "a") as file:
        file["X/indices"][0] = 99
    with pytest.raises(ValueError, match=r"X of .* is damaged"):
        CellsOnDisk(path)
    path = written(tmp_path / "other.h5ad", sp.csr_matrix)
    with h5py.File(path, "a") as file:
        file["X/indptr"][-1] = 10_000
    with pytest.raises(ValueError, match="its rows do not fit into its data"):
        CellsOnDisk(path)


def without_obs(file):
    del file["obs"]


def of_an_unknown_encoding(file):
    file["obsm"].attrs["encoding-type"] = "nothing"


def of_another_length(file):
    del file["obs/depth"]
    file["obs/depth"] = np.zeros(3)


@pytest.mark.parametrize("harm", [without_obs, of_an_unknown_encoding, of_another_length])
@pytest.mark.parametrize("open_file", [H5AD, CellsOnDisk, read])
def test_damage_is_a_value_error_that_names_the_file(tmp_path, harm, open_file):
    path = written(tmp_path / "cells.h5ad", sp.csr_matrix)
    with h5py.File(path, "a") as file:
        harm(file)
    with pytest.raises(ValueError, match=r"cells\.h5ad"):
        open_file(path)
