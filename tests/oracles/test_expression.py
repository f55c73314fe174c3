"""Expression of genes between groups: known fold changes, exact corrections, coverage."""

from functools import partial

import anndata
import numpy as np
import pandas as pd
import pytest
import torch

import untwine as ut
from untwine.data import Cells
from untwine.distributions import NegativeBinomial, Point
from untwine.distributions.counts import CountDistribution
from untwine.methods import VAE
from untwine.nets import MLP
from untwine.use import differential_expression, map_query, normalized_expression


def simulated(seed, genes=200, cells=(150, 220), theta=2.0):
    """Negative binomial counts of two groups, and the true log2 fold changes."""
    rng = np.random.default_rng(seed)
    base = rng.lognormal(0, 1, genes)
    change = np.where(rng.random(genes) < 0.3, rng.normal(0, 1.5, genes), 0)
    profiles = [base * 2**change, base]
    profiles = [p / p.sum() for p in profiles]
    kind = np.repeat([0, 1], cells)
    library = rng.lognormal(7, 0.3, sum(cells))
    mean = library[:, None] * np.stack(profiles)[kind]
    counts = rng.poisson(mean * rng.gamma(theta, 1 / theta, mean.shape))
    adata = anndata.AnnData(counts.astype("float32"))
    adata.obs["kind"] = pd.Categorical(np.array(["A", "B"])[kind])
    return adata, np.log2(profiles[0] / profiles[1])


def test_intervals_cover_the_true_fold_changes():
    inside, surely, quiet = [], [], []
    for seed in range(3):
        adata, truth = simulated(seed)
        method = VAE.build(Cells(adata), latent_dim=2, net=MLP((8,)), seed=0)  # asked for nothing
        table = differential_expression(adata, method, by="kind", group="A", draws=400, delta=0.5)
        table = table.loc[adata.var_names]
        inside.append((table["low"] <= truth) & (truth <= table["high"]))
        surely.append(table["probability"][np.abs(truth) > 1.5].mean())
        quiet.append(table["probability"][np.abs(truth) < 0.1].mean())
    assert 0.91 <= np.mean(inside) <= 0.985
    assert np.mean(surely) > 0.9
    assert np.mean(quiet) < 0.15


class Known:
    """A model that knows the profiles: exp(a_group + b_donor), of cells marked by gene 0."""

    def __init__(self, groups, donors):
        self.groups, self.donors = torch.as_tensor(groups), torch.as_tensor(donors)

    def represent(self, batch):
        return Point((batch.tensor[:, :1] > 0).float())

    def decode(self, z, *, c=None):
        logits = self.groups[z[:, 0].long()] + c.to(self.donors) @ self.donors
        return CountDistribution(logits.log_softmax(-1), torch.tensor(1e6))


def test_what_the_model_knows_of_donors_is_taken_out_exactly():
    rng = np.random.default_rng(0)
    groups, donors = rng.normal(size=(2, 6)), rng.normal(size=(3, 6))
    groups[0, 0] = -np.inf  # the marker
    kind = np.array([1, 1, 1, 1, 0, 0, 0, 0])
    donor = np.array([0, 0, 0, 1, 1, 2, 2, 2])  # confounded with the group
    model = Known(groups, donors)
    every = torch.eye(3, dtype=torch.float64)
    profiles = [
        model.decode(torch.tensor([[float(k)]]), c=every[d : d + 1]).profile[0]
        for k in range(2)
        for d in range(3)
    ]
    profiles = torch.stack(profiles).reshape(2, 3, 6).numpy()
    adata = anndata.AnnData((1e6 * profiles[kind, donor]).astype("float32"))
    adata.obs["kind"] = np.array(["b", "a"])[kind]
    adata.obs["donor"] = np.array(["x", "y", "z"])[donor]
    data = Cells(adata, factors=[], covariates=["donor"])
    table = differential_expression(adata, model, data, by="kind", group="a", draws=50)
    expected = np.log2(profiles[1, :, 1:].mean(0) / profiles[0, :, 1:].mean(0))
    names = list(adata.var_names[1:])
    np.testing.assert_allclose(table.loc[names, "lfc"], expected, atol=1e-3)
    # nothing varies but what was taken out
    assert (table.loc[names, "high"] - table.loc[names, "low"]).max() < 0.01
    plain = differential_expression(adata, model, data, by="kind", group="a", draws=50, correct=())
    assert np.abs(plain.loc[names, "lfc"] - expected).max() > 0.1
    flat = normalized_expression(adata, model, data, at={"donor": ["x", "y", "z"]})
    np.testing.assert_allclose(flat.sum(1), 1e4, rtol=1e-4)
    np.testing.assert_allclose(flat.to_numpy(), 1e4 * profiles[kind].mean(1), rtol=1e-3, atol=1e-3)
    own = normalized_expression(adata, model, data, library=1e6)
    np.testing.assert_allclose(own.to_numpy(), adata.X, rtol=1e-3, atol=1e-3)


def test_genes_that_nobody_has_and_units_that_are_few():
    adata, _ = simulated(0, genes=20)
    adata.X[:, 0] = 0
    adata.obs["donor"] = np.where(np.arange(len(adata)) % 3, "x", "y")
    method = VAE.build(Cells(adata), latent_dim=2, net=MLP((8,)), seed=0)
    asked = {"by": "kind", "group": "A", "other": "B", "draws": 200}
    table = differential_expression(adata, method, **asked)
    unseen = table.loc["0"]
    assert unseen["lfc"] == 0
    assert unseen["low"] < -2
    assert unseen["high"] > 2
    assert (table["probability"].diff().dropna() <= 0).all()
    assert (table["fdr"].diff().dropna() >= -1e-12).all()
    again = differential_expression(adata, method, **asked, batch_size=7)
    np.testing.assert_allclose(again.loc[table.index, "low"], table["low"], atol=1e-4)
    for wrong, says in {
        ("by", "sort"): "by is 'sort'; the columns of obs are",
        ("group", "C"): "no cell has kind 'C'; there are A, B",
        ("other", "A"): "nothing to compare",
        ("correct", ("donor",)): "correct names 'donor'",
        ("unit", "lab"): "unit is 'lab'; the columns",
        ("unit", "kind"): "one kind 'A': nothing varies",
    }.items():
        with pytest.raises(ValueError, match=says):
            differential_expression(adata, method, **{**asked, wrong[0]: wrong[1]})
    with pytest.raises(ValueError, match="at has donor"):
        normalized_expression(adata, method, at={"donor": "x"})


def donors(names, seed=0, cells=120, genes=30):
    """Three types of cells; each donor's genes are read with a strength of its own."""
    rng = np.random.default_rng(0)
    types = rng.gamma(0.5, 2, (3, genes))
    strength = {name: rng.gamma(4, 0.25, genes) for name in ("d1", "d2", "d3")}
    rng = np.random.default_rng([1, seed])
    kind, donor = rng.integers(0, 3, cells), rng.choice(names, cells)
    rates = types[kind] * np.stack([strength[name] for name in donor])
    adata = anndata.AnnData(rng.poisson(5 * rates).astype("float32"))
    adata.obs["donor"], adata.obs["type"] = donor, pd.Categorical(np.array(["B", "NK", "T"])[kind])
    return adata


@pytest.mark.parametrize("dispersion", ["gene", "covariate"])
def test_a_new_donor_is_learned_and_nothing_is_forgotten(tmp_path, dispersion):
    data = Cells(donors(["d1", "d2"]), covariates=["donor"])
    method = VAE.build(
        data,
        latent_dim=3,
        net=MLP((16,), inputs="log1p"),
        likelihood=NegativeBinomial(dispersion=dispersion),
        seed=0,
    )
    run = ut.fit(method, data, steps=150, progress=False)
    query = donors(["d3", "d1"], seed=1)
    mapped = map_query(query, run, steps=60, out=tmp_path / "mapped", progress=False)
    assert mapped.data.covariate_values == {"donor": ("d1", "d2", "d3")}
    before = ut.encode(run.method, data)
    wider = Cells(donors(["d1", "d2"]), like=mapped.data)
    after = ut.encode(mapped.method, wider)
    np.testing.assert_allclose(after.mean, before.mean, atol=1e-5)
    frozen = ["encoder.net.3.weight", "decoder.net.2.weight", "decoder.head.log_theta"]
    new, old = mapped.method.model.state_dict(), run.method.model.state_dict()
    assert all(torch.equal(new[name], old[name]) for name in frozen if name in new)
    assert sum(torch.equal(new[name], old[name]) for name in new) >= len(new) - 3
    name = "decoder.net.0.weight"
    assert torch.equal(new[name][:, :-1], old[name])
    assert not torch.equal(new[name][:, -1], old[name][:, -2:].mean(1))
    batch = mapped.data.batch(range(len(query)))
    p = mapped.method.decode(mapped.method.represent(batch).mean, c=batch.c)
    new_cells = batch.c[:, 2] == 1
    start = batch.c.clone()
    start[new_cells] = torch.tensor([0.5, 0.5, 0.0])  # what a new column starts at
    q = mapped.method.decode(mapped.method.represent(batch.x, start).mean, c=start)
    assert p.log_prob(batch.x)[new_cells].mean() > q.log_prob(batch.x)[new_cells].mean()
    loaded = ut.Run.load(tmp_path / "mapped", data=mapped.data)
    assert torch.equal(loaded.method.represent(batch).mean, mapped.method.represent(batch).mean)
    with pytest.raises(ValueError, match="nothing is to be learned"):
        map_query(donors(["d1"]), run)
    rows = ut.FactorDataset.from_arrays(np.zeros((9, 4), np.float32))
    other = ut.fit(VAE.build(rows, latent_dim=1), rows, steps=1, progress=False)
    with pytest.raises(TypeError, match="expected one of a VAE"):
        map_query(query, other)


def test_counts_of_cells_have_defaults_of_their_own():
    adata = donors(["d1", "d2"])
    for data in (Cells(adata), Cells(adata).subset(range(50))):
        method = VAE.build(data, latent_dim=2, net=MLP((8,)))
        assert isinstance(method.decoder.head, NegativeBinomial)
        assert method.optimizer.keywords["lr"] == 1e-3
    own = partial(torch.optim.SGD, lr=0.1)
    assert VAE.build(Cells(adata), latent_dim=2, optimizer=own).optimizer is own
    adata.X = np.log1p(adata.X)
    assert VAE.build(Cells(adata), latent_dim=2).optimizer.keywords["lr"] == 1e-4


def test_a_report_has_scores_by_label_and_batch(tmp_path):
    data = Cells(donors(["d1", "d2"]), factors=["type", "donor"])
    method = VAE.build(data, latent_dim=2, net=MLP((8,)), seed=0)
    run = ut.fit(method, data, steps=2, out=tmp_path / "run", progress=False)
    page = ut.report(run, n=80, label="type", batch="donor")
    assert "batch_silhouette" in page.read_text()
    assert {"silhouette", "batch_silhouette", "mig"} <= {*run.scores["scores"]}
    with pytest.raises(ValueError, match="no factor 'kind'; the factors are"):
        ut.report(run, n=80, label="kind")
