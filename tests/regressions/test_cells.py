"""Counts, covariates and modalities: short trainings that a broken objective would fail."""

from functools import partial

import numpy as np
import pytest
import torch

import untwine as ut
from untwine.distributions import NegativeBinomial, ZeroInflatedNegativeBinomial
from untwine.methods import VAE, MultimodalVAE
from untwine.nets import MLP

FAST = partial(torch.optim.Adam, lr=3e-3)


def cells(n=500, genes=40, seed=0):
    """Three types and two batches, whose effect on the genes is as large as the types'."""
    rng = np.random.default_rng(seed)
    kind, batch = rng.integers(0, 3, n), rng.integers(0, 2, n)
    profile = np.exp(rng.normal(size=(3, genes)))[kind] * np.exp(rng.normal(size=(2, genes)))[batch]
    depth = rng.lognormal(0, 0.4, (n, 1)) * 200
    mean = depth * profile / profile.sum(1, keepdims=True)
    return rng.poisson(rng.gamma(2.0, mean / 2.0)).astype(np.float32), kind, batch


def mixing(codes, batch, kind):
    return float(ut.metrics.batch_silhouette(codes.mean, batch, within=kind))


@pytest.mark.parametrize(
    "family", [NegativeBinomial, ZeroInflatedNegativeBinomial], ids=lambda f: f.__name__
)
def test_covariates_take_the_batch_out_of_the_code(family, seed):
    counts, kind, batch = cells()
    found = {}
    for name, covariates in (("without", None), ("with", np.eye(2)[batch])):
        data = ut.FactorDataset.from_arrays(counts, kind, ["type"], covariates=covariates)
        method = VAE.build(
            data, latent_dim=4, seed=seed, net=MLP((32,), inputs="log1p"), likelihood=family(),
            optimizer=FAST,
        )  # fmt: skip
        ut.fit(method, data, steps=400, batch_size=64, seed=seed, progress=False)
        codes = ut.encode(method, data)
        found[name] = mixing(codes, batch, kind), float(ut.metrics.silhouette(codes.mean, kind))
    assert found["without"][0] < 0.6
    assert found["with"][0] > 0.7
    assert found["with"][1] > found["without"][1] + 0.1


def test_the_negative_binomial_finds_its_dispersion():
    """Counts of one profile: maximum likelihood finds theta, and reaches its likelihood."""
    from scipy import stats

    rng = np.random.default_rng(0)
    counts = torch.tensor(rng.poisson(rng.gamma(2.0, 10.0, (2000, 5)))).float()
    head = NegativeBinomial(library="none").adapted(ut.FactorDataset.from_arrays(counts))
    with torch.no_grad():
        head.log_theta.fill_(3.0)
    h = torch.zeros(1, 5, requires_grad=True)
    optimizer = torch.optim.Adam([h, *head.parameters()], 0.05)
    for _ in range(150):
        optimizer.zero_grad()
        loss = -head(h.expand(2000, 5)).log_prob(counts).mean()
        loss.backward()
        optimizer.step()
    np.testing.assert_allclose(head.log_theta.detach().exp(), 2.0, rtol=0.15)
    best = -stats.nbinom.logpmf(counts.numpy(), 2.0, 2.0 / 22.0).sum(1).mean()
    assert loss.item() == pytest.approx(best, abs=0.1)


@pytest.mark.parametrize("fusion", ["common", "product", "mixture"])
def test_one_modality_foretells_the_other_on_held_out_cells(fusion, seed):
    rna, kind, _ = cells(600, seed=1)
    rng = np.random.default_rng(2)
    protein = rng.poisson(rng.gamma(2.0, 20.0, (3, 8))[kind]).astype(np.float32)
    present = np.arange(600) % 3 > 0  # a third of the cells has no protein
    parts = {
        "rna": ut.FactorDataset.from_arrays(rna, kind, ["type"]),
        "protein": ut.FactorDataset.from_arrays(protein),
    }
    data = ut.data.Multimodal(parts, {"protein": present})
    train, test = np.arange(450), np.arange(450, 600)
    method = MultimodalVAE.build(
        data.subset(train), latent_dim=4, seed=seed, fusion=fusion, optimizer=FAST,
        nets={name: MLP((32,), inputs="log1p") for name in parts},
        likelihoods={name: NegativeBinomial() for name in parts},
    )  # fmt: skip
    ut.fit(method, data.subset(train), steps=250, batch_size=64, seed=seed, progress=False)
    x = data.observations(test)
    with torch.no_grad():
        guess = method.translate(x["rna"], "rna", "protein").at(x["protein"].sum(1)).mean
    found = np.nanmean(ut.plots.feature_correlations(x["protein"].log1p(), guess.log1p()))
    best = np.stack([protein[train][kind[train] == k].mean(0) for k in range(3)])[kind[test]]
    oracle = np.nanmean(ut.plots.feature_correlations(x["protein"].log1p(), np.log1p(best)))
    assert found > oracle - 0.15
    codes = ut.encode(method, data)
    assert float(ut.metrics.silhouette(codes.mean, codes.factors)) > 0.15
