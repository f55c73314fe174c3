"""Coverage of intervals of fold changes: simulated counts, donors that are confounded with types.

Two types of cells share three donors in unequal parts; a donor's genes are read with strengths of
its own. The true fold changes are known. A VAE is trained on the counts, told the donor, and fold
changes are estimated with its correction, without it, and from the decoder's profiles alone.

Usage: python benchmarks/expression.py --seeds 0 1 2
"""

import argparse

import anndata
import numpy as np

import untwine as ut

GENES, CELLS, STEPS = 150, 900, 800
PARTS = {0: (0.6, 0.3, 0.1), 1: (0.1, 0.3, 0.6)}


def simulated(seed):
    """Counts, and the true log2 fold changes of type 0 against type 1, donors alike."""
    rng = np.random.default_rng(seed)
    base = rng.lognormal(0, 1, GENES)
    change = np.where(rng.random(GENES) < 0.3, rng.normal(0, 1.5, GENES), 0)
    donors = rng.lognormal(0, 0.5, (3, GENES))
    profiles = np.stack([base * 2**change, base])[:, None] * donors
    profiles /= profiles.sum(-1, keepdims=True)
    kind = rng.integers(0, 2, CELLS)
    donor = np.array([rng.choice(3, p=PARTS[k]) for k in kind])
    mean = rng.lognormal(7, 0.3, CELLS)[:, None] * profiles[kind, donor]
    adata = anndata.AnnData(rng.poisson(mean * rng.gamma(2, 1 / 2, mean.shape)).astype("float32"))
    adata.obs["type"], adata.obs["donor"] = kind.astype(str), donor.astype(str)
    flat = profiles.mean(1)
    return adata, np.log2(flat[0] / flat[1])


def of_profiles(adata, run, draws=400):
    """Quantiles of a bootstrap of the decoder's profiles."""
    at = {"donor": list("012")}
    table = ut.use.normalized_expression(adata, run, at=at).to_numpy()
    kind, rng = adata.obs["type"].to_numpy() == "0", np.random.default_rng(0)
    rates = [rng.dirichlet(np.ones(len(t)), draws) @ t for t in (table[kind], table[~kind])]
    change = np.log2(rates[0] / rates[1])
    return change.mean(0), *np.quantile(change, [0.025, 0.975], axis=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    seeds = parser.parse_args().seeds
    rows = {}
    for seed in seeds:
        adata, truth = simulated(seed)
        data = ut.data.Cells(adata, factors=["type"], covariates=["donor"])
        method = ut.methods.VAE.build(data, latent_dim=5, seed=seed)
        run = ut.fit(method, data, steps=STEPS, batch_size=128, seed=seed, progress=False)
        asked = {"by": "type", "group": "0", "other": "1", "draws": 400}
        tables = {
            "counts, carried over": ut.use.differential_expression(adata, run, **asked),
            "counts alone": ut.use.differential_expression(adata, run, **asked, correct=()),
        }
        found = {
            name: tuple(t.loc[adata.var_names, c].to_numpy() for c in ("lfc", "low", "high"))
            for name, t in tables.items()
        }
        found["profiles alone"] = of_profiles(adata, run)
        for name, (lfc, low, high) in found.items():
            inside = np.mean((low <= truth) & (truth <= high))
            error = np.sqrt(np.mean((lfc - truth) ** 2))
            rows.setdefault(name, []).append((inside, error, np.mean(high - low)))
            print(f"seed {seed} {name}: coverage {inside:.3f}, error {error:.3f}", flush=True)
    for name, values in rows.items():
        a, b = np.mean(values, 0), np.min(values, 0)
        print(f"{name}: coverage {a[0]:.3f} (least {b[0]:.3f}), error {a[1]:.3f}, width {a[2]:.3f}")


if __name__ == "__main__":
    main()
