"""Annotated matrices in, annotations out."""

import sys
from importlib.metadata import version
from types import ModuleType, SimpleNamespace

import anndata
import h5py
import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch

import untwine as ut
from untwine.data import H5AD, Cells, MultimodalCells, annotate
from untwine.distributions import GaussianMixture, NegativeBinomial
from untwine.methods import VAE, MultimodalVAE
from untwine.spec import describe, instantiate
from untwine.training.fit import usual_epochs

if hasattr(mudata, "set_options"):  # before 0.4: what is since the only way, without a warning
    mudata.set_options(pull_on_update=False)
RNG = np.random.default_rng(0)
N, GENES = 30, 12
WRITES_TEXT = pytest.mark.skipif(
    version("pandas") >= "3" and version("anndata") < "0.13",
    reason="the extra `cells` does not take this pair: such an anndata writes no text of pandas 3",
)


def words(values):  # anndata writes text as objects only
    return pd.Index(values, dtype=object)


def cells(n=N, genes=GENES, name="g"):
    x = sp.csr_matrix(RNG.poisson(1.5, (n, genes)).astype(np.float32))
    obs = pd.DataFrame(
        {
            "kind": pd.Categorical.from_codes([2, 0, 1] * (n // 3) + [2, 0, 1][: n % 3],
                                              words(["B", "NK", "T"])),
            "donor": pd.Series((["d1", "d0"] * n)[:n], dtype=object).to_numpy(),
            "depth": np.linspace(0, 1, n),
        },
        index=words([f"cell{i}" for i in range(n)]),
    )  # fmt: skip
    var = pd.DataFrame(index=words([f"{name}{i}" for i in range(genes)]))
    return anndata.AnnData(x, obs=obs, var=var, layers={"logs": x.log1p()})


def test_an_object_in_memory_and_its_file_are_the_same_data(tmp_path):
    adata = cells()
    adata.obs["donor"] = pd.Categorical.from_codes([1, 0] * (N // 2), words(["d0", "d1"]))
    adata.write_h5ad(tmp_path / "a.h5ad")
    options = {"covariates": ["donor", "depth"], "layer": "logs"}
    one, two = Cells(adata, **options), H5AD(tmp_path / "a.h5ad", **options)
    assert one.covariate_values == two.covariate_values == {"depth": (), "donor": ("d0", "d1")}
    assert torch.equal(one.observations(range(N)), two.observations(range(N)))
    assert torch.equal(one.covariates, two.covariates)
    assert one.values["kind"] == ("B", "NK", "T")
    assert hasattr(one._x, "indptr")  # sparse is kept sparse
    again = instantiate(describe(two))
    assert torch.equal(again.covariates, two.covariates)
    with pytest.raises(ValueError, match="cannot be written"):
        describe(one)


def test_new_cells_are_read_like_the_old_ones():
    old = Cells(cells(), covariates=["donor"], layer="logs")
    adata = cells()[:, ::-1].copy()
    adata.obs["donor"] = "d1"
    new = Cells(adata, like=old)
    assert new.features == old.features
    assert new.covariates.tolist() == [[0.0, 1.0]] * N
    expected = torch.tensor(adata.layers["logs"].toarray()[:, ::-1].copy())
    assert torch.equal(new.observations(range(N)), expected)
    adata.obs["donor"] = "d7"
    with pytest.raises(ValueError, match=r"'donor' has values \['d7'\] that were not there"):
        Cells(adata, like=old)
    with pytest.raises(ValueError, match=r"lacks 2 of the 12 genes .* such as g10, g11"):
        Cells(cells(genes=10), like=Cells(cells()))


def test_genes_whose_names_occur_twice_are_not_put_in_order():
    old = Cells(cells())
    adata = cells()[:, ::-1].copy()
    adata.var_names = words([*adata.var_names[:-1], adata.var_names[0]])
    with pytest.raises(ValueError, match=r"names that occur twice, such as 'g11'"):
        Cells(adata, like=old)
    old = Cells(adata)  # as they come, they need no names
    with pytest.raises(ValueError, match=r"occur twice, such as 'g11'.*var_names_make_unique"):
        Cells(adata[:, ::-1].copy(), like=old)
    same = Cells(adata, like=old)
    assert torch.equal(same.observations(range(N)), old.observations(range(N)))
    few = Cells(cells()[:, 3:6].copy())  # the two are not among its genes
    assert Cells(adata, like=few).features == ("g3", "g4", "g5")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": "counts"}, "has no layer 'counts'; its layers are"),
        ({"covariates": ["batch"]}, "has no column 'batch' in obs; its columns are"),
        ({"factors": ["type"]}, "has no column 'type'"),
    ],
)
def test_errors_name_what_there_is(options, message):
    with pytest.raises(ValueError, match=message):
        Cells(cells(), **options)


def test_a_covariate_that_is_missing_somewhere_is_refused():
    adata = cells()
    for values in ([None, *["a"] * (N - 1)], [None, *[0.5] * (N - 1)]):
        adata.obs["donor"] = values
        with pytest.raises(ValueError, match="'donor' is missing in 1 cells"):
            Cells(adata, covariates=["donor"])


@WRITES_TEXT
@pytest.mark.parametrize("kind", ["csr", "csc", "dense"])
def test_a_backed_object_is_read_into_memory(tmp_path, kind):
    adata = cells()
    adata.X = adata.X.toarray() if kind == "dense" else adata.X.asformat(kind)
    adata.write_h5ad(tmp_path / "a.h5ad")
    whole = Cells(adata)
    backed = anndata.read_h5ad(tmp_path / "a.h5ad", backed="r")
    data = Cells(backed, factors=["kind"])
    assert backed.isbacked
    assert hasattr(data._x, "indptr") == (kind != "dense")
    assert torch.equal(data.observations(range(N)), whole.observations(range(N)))
    few = Cells(cells()[:, 3:6].copy())
    assert torch.equal(
        Cells(backed, like=few).observations(range(N)), whole.observations(range(N))[:, 3:6]
    )
    annotate(backed, VAE.build(data, latent_dim=2, seed=0))
    assert backed.obsm["X_untwine"].shape == (N, 2)
    backed.file.close()


@WRITES_TEXT
def test_what_was_annotated_is_written_and_read_again(trained, tmp_path):
    _, data, run = trained
    adata = anndata.AnnData(
        RNG.poisson(1.5, (N, GENES)).astype(np.float32),
        var=pd.DataFrame(index=[f"g{i}" for i in range(GENES)]),  # text of pandas' default type
    )
    adata.obs["donor"] = ["d1", "d0"] * (N // 2)
    annotate(adata, run.method, data, denoised="means")
    adata.write_h5ad(tmp_path / "a.h5ad")
    again = anndata.read_h5ad(tmp_path / "a.h5ad")
    for key in ("X_untwine", "X_untwine_cluster"):
        np.testing.assert_array_equal(again.obsm[key], adata.obsm[key])
    np.testing.assert_array_equal(again.layers["means"], adata.layers["means"])
    assert again.obs["untwine_cluster"].tolist() == adata.obs["untwine_cluster"].tolist()
    assert again.obs["untwine_cluster"].cat.categories.tolist() == ["0", "1", "2", "3"]
    annotate(again, run.method, data, key="again")  # and what was read is annotated alike
    np.testing.assert_allclose(again.obsm["again"], adata.obsm["X_untwine"], rtol=1e-5)


@pytest.fixture(scope="module")
def trained():
    adata = cells()
    data = Cells(adata, covariates=["donor"])
    method = VAE.build(
        data, latent_dim=3, likelihood=NegativeBinomial(), prior=GaussianMixture(3, 4), seed=0
    )
    run = ut.fit(method, data.split(0.8)[0], steps=3, progress=False)
    return adata, data, run


def test_codes_clusters_and_means_are_written_back(trained):
    adata, data, run = trained
    annotate(adata, run, denoised="means")
    codes = ut.encode(run.method, data)
    np.testing.assert_allclose(adata.obsm["X_untwine"], codes.mean, rtol=1e-5)
    weights = adata.obsm["X_untwine_cluster"]
    np.testing.assert_allclose(weights.sum(1), 1, rtol=1e-5)
    assert adata.obs["untwine_cluster"].cat.categories.tolist() == ["0", "1", "2", "3"]
    assert (adata.obs["untwine_cluster"].astype(int) == weights.argmax(1)).all()
    total = np.asarray(adata.X.sum(1))[:, 0]
    np.testing.assert_allclose(adata.layers["means"].sum(1), total, rtol=1e-4)
    other = cells()[:, ::-1].copy()  # another order of genes
    annotate(other, run.method, data, key="again")
    expected = ut.encode(run.method, Cells(other, like=data)).mean
    np.testing.assert_allclose(other.obsm["again"], expected, rtol=1e-5)


def test_covariates_go_all_the_way_to_the_report(trained, tmp_path):
    _, data, run = trained
    assert ut.encode(run.method, data).mean.shape == (N, 3)
    page = ut.report(None, method=run.method, data=data, out=tmp_path / "r.html", scores=False)
    assert page.stat().st_size > 1000
    with pytest.raises(ValueError, match="take 2 covariates"):
        run.method.represent(data.observations([0]))


def test_cells_train_for_the_usual_epochs_where_nothing_is_said(trained, tmp_path):
    _, data, _ = trained
    method = VAE.build(data, latent_dim=2, net=ut.nets.MLP([4]), seed=0)
    run = ut.fit(method, data, batch_size=25, progress=False)
    assert run.steps == 400 * N // 25
    said = ut.fit(method, data, steps=2, batch_size=25, progress=False)
    assert said.steps == 2
    for count, epochs in {20_000: 400, 40_000: 200, 10_000_000: 1}.items():
        many = data.subset(np.arange(count) % N)
        many.counts = True
        assert usual_epochs(many) == epochs
    rows = ut.FactorDataset.from_arrays(np.zeros((9, 4)))
    with pytest.raises(ValueError, match="training takes steps=, or epochs=: neither is given"):
        ut.fit(VAE.build(rows, latent_dim=2, net=ut.nets.MLP([4])), rows)


def test_the_map_in_the_plane_is_scanpys_of_the_codes(trained, monkeypatch):
    adata, data, run = trained
    adata = adata.copy()
    called = []
    fake = ModuleType("scanpy")
    fake.pp = SimpleNamespace(neighbors=lambda cells, **o: called.append(("neighbors", cells, o)))
    fake.tl = SimpleNamespace(umap=lambda cells, **o: called.append(("umap", cells, o)))
    monkeypatch.setitem(sys.modules, "scanpy", fake)
    annotate(adata, run.method, data, key="codes", umap=True, seed=3)
    assert [(name, cells is adata) for name, cells, _ in called] == [
        ("neighbors", True),
        ("umap", True),
    ]
    assert called[0][2] == {"use_rep": "codes", "random_state": 3}
    assert called[1][2] == {"random_state": 3}
    monkeypatch.setitem(sys.modules, "scanpy", None)
    with pytest.raises(ImportError, match=r"needs scanpy: pip install .untwine\[umap\]"):
        annotate(adata, run.method, data, key="none", umap=True)
    assert "none" not in adata.obsm  # refused before anything is encoded


def test_the_map_of_scanpy_itself_has_a_place_for_each_cell(trained):
    pytest.importorskip("scanpy")
    adata, data, run = trained
    adata = adata.copy()
    annotate(adata, run.method, data, umap=True)
    assert adata.obsm["X_umap"].shape == (len(adata), 2)
    assert np.isfinite(adata.obsm["X_umap"]).all()


def test_nothing_but_cells_is_annotated(trained):
    with pytest.raises(TypeError, match="expected an AnnData or MuData"):
        annotate(np.zeros((3, 3)), trained[2])


@pytest.fixture(scope="module")
def mdata():
    rna, protein = cells(), cells(20, 5, "p")
    made = mudata.MuData({"rna": rna, "protein": protein[::-1].copy()})
    here = rna.obs["donor"].reindex(made.obs_names).to_numpy()
    made.obs["donor"] = pd.Categorical.from_codes((here == "d1").astype(int), words(["d0", "d1"]))
    return made


def test_mudata_are_modalities_that_may_be_missing(mdata, tmp_path, monkeypatch):
    data = MultimodalCells(mdata, covariates=["donor"], factors=["kind"])
    assert data.shape == {"rna": (12,), "protein": (5,)}
    assert data.present["rna"].all()
    assert data.present["protein"].sum() == 20
    names = list(mdata.obs_names)
    here = names.index("cell7")
    x = data.observations([here])
    np.testing.assert_allclose(x["rna"][0], mdata["rna"]["cell7"].X.toarray()[0])
    np.testing.assert_allclose(x["protein"][0], mdata["protein"]["cell7"].X.toarray()[0])
    gone = names.index("cell25")
    assert not data.present["protein"][gone]
    assert data.observations([gone])["protein"].sum() == 0
    assert data.values["kind"][data.factors[here, 0]] == "B"
    h5py.File(tmp_path / "a.h5mu", "w").close()
    monkeypatch.setattr(mudata, "read_h5mu", lambda path: mdata)  # mudata's part is its own
    again = MultimodalCells(tmp_path / "a.h5mu", covariates=["donor"], factors=["kind"])
    assert torch.equal(again.observations(range(N))["rna"], data.observations(range(N))["rna"])
    with pytest.raises(FileNotFoundError, match=r"b\.h5mu"):
        MultimodalCells(tmp_path / "b.h5mu")
    with pytest.raises(ValueError, match="no modality 'atac'"):
        MultimodalCells(mdata, modalities=["atac"])


def test_several_modalities_are_trained_and_written_back(mdata, tmp_path):
    data = MultimodalCells(mdata, covariates=["donor"], factors=["kind"])
    families = {name: NegativeBinomial() for name in data.shape}
    method = MultimodalVAE.build(data, latent_dim=3, likelihoods=families, seed=0)
    train, test = data.split(0.8)
    run = ut.fit(method, train, steps=3, progress=False)
    annotate(mdata, run)
    codes = ut.encode(run.method, data)
    np.testing.assert_allclose(mdata.obsm["X_untwine"], codes.mean, rtol=1e-5)
    assert mdata.obsm["X_untwine_cluster"].shape == (N, 10)
    assert ut.encode(run.method, test).mean.shape == (6, 3)
    page = ut.report(None, method=run.method, data=data, out=tmp_path / "r.html", scores=False)
    assert page.stat().st_size > 1000
