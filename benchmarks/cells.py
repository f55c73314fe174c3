"""Batch effects and cell types in single-cell RNA: covariates and priors, two by two.

Usage: python benchmarks/cells.py [--seeds 0 1 2 3 4] [--steps 800] [--out FILE] [--data PATH]

Every training is kept in the file named by --keep when it ends; the same line again goes on.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import common
import numpy as np
import torch
from common import numbered

import untwine as ut
from untwine.distributions import (
    GaussianMixture,
    NegativeBinomial,
    StandardNormal,
    ZeroInflatedNegativeBinomial,
)

PRIORS = {
    "standard normal": lambda dim, k: StandardNormal(dim),
    "mixture": lambda dim, k: GaussianMixture(dim, k),
}
COLUMNS = {
    "iLISI": "iLISI of stimulation and donor (1 to 4, more is better mixed)",
    "batch sil.": "batch silhouette within cell types (1 is best)",
    "ARI": "ARI of k-means with the cell types",
    "NMI": "NMI of k-means with the cell types",
    "kNN": "accuracy of 15 nearest neighbors, 5 folds",
    "label sil.": "silhouette of the cell types",
    "cLISI": "cLISI of the cell types (1 is best)",
    "ELBO": "nats per cell, all cells",
}


def read(path):
    z = np.load(path / "kang_pbmc_ifnb.npz")
    kind = numbered(z["cell_type"])
    batch = numbered(np.char.add(z["condition"], z["donor"]))
    return common.counts(z, "counts"), kind, batch


def knn(codes, label, k=15):
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.neighbors import KNeighborsClassifier

    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return cross_val_score(KNeighborsClassifier(k), codes, label, cv=folds).mean()


@torch.no_grad()
def elbo(method, data, batch_size=400):
    torch.manual_seed(0)
    total = 0.0
    for start in range(0, len(data), batch_size):
        rows = np.arange(start, min(start + batch_size, len(data)))
        c = None if data.covariates is None else data.covariates[rows]
        t = method.trace(ut.data.Images(data.observations(rows), c))
        kl = ut.functional.kl(t.q, t.prior, t.z)
        total += float((t.p.log_prob(t.x) - kl).sum())
    return total / len(data)


def measure(method, data, kind, batch):
    codes = ut.encode(method, data).mean
    m = ut.metrics
    return {
        "iLISI": float(m.lisi(codes, batch)),
        "batch sil.": float(m.batch_silhouette(codes, batch, within=kind)),
        "ARI": float(m.ari(codes, kind)),
        "NMI": float(m.nmi(codes, kind)),
        "kNN": knn(codes, kind),
        "label sil.": float(m.silhouette(codes, kind)),
        "cLISI": float(m.lisi(codes, kind)),
        "ELBO": elbo(method, data),
    }


def run(counts, kind, batch, *, covariates, prior, likelihood, args, seed):
    c = np.eye(batch.max() + 1)[batch] if covariates else None
    data = ut.FactorDataset.from_arrays(counts, kind, ["cell_type"], covariates=c)
    torch.manual_seed(seed)
    method = ut.methods.VAE.build(
        data,
        latent_dim=args.latent_dim,
        seed=seed,
        net=ut.nets.MLP((128,), inputs=args.inputs),
        likelihood=likelihood(),
        prior=PRIORS[prior](args.latent_dim, args.components),
        optimizer=partial(torch.optim.Adam, lr=args.lr),
    )
    _, seconds = common.fit(method, data, steps=args.steps, batch_size=128, seed=seed)
    if args.pictures and seed == args.seeds[0]:
        name = f"cells_{prior.replace(' ', '_')}_{'batch' if covariates else 'none'}.png"
        codes = ut.encode(method, data).mean
        z = np.load(args.data / "kang_pbmc_ifnb.npz")
        figure = ut.plots.batch_mixing(
            codes,
            batch,
            kind,
            batch_names=np.unique(np.char.add(np.char.add(z["condition"], " "), z["donor"])),
            names=np.unique(z["cell_type"]),
        )
        common.save(figure, args.pictures / name)
    return {"scores": measure(method, data, kind, batch) | {"seconds": seconds}}


def main():
    files = {"data": common.SHARED, "out": None, "keep": Path("cells.jsonl")}
    parser = common.parser(__doc__, seeds=[0, 1, 2, 3, 4], **files)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--latent_dim", type=int, default=10)
    parser.add_argument("--components", type=int, default=10)
    parser.add_argument("--inputs", default="log1p")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--likelihood", choices=["NB", "ZINB"], default="NB")
    parser.add_argument("--pictures", type=Path, help="a folder for figures of the first seed")
    parser.add_argument(
        "--arms", nargs="+", default=["00", "10", "01", "11"], help="prior, covariates: 0 or 1"
    )
    args = parser.parse_args()
    counts, kind, batch = read(args.data)
    setting = [args.likelihood, args.steps, args.latent_dim, args.components, args.inputs, args.lr]
    family = {"NB": NegativeBinomial, "ZINB": ZeroInflatedNegativeBinomial}[args.likelihood]
    rows, seconds = common.Rows(args.keep), []
    lines = common.table(["prior", "covariates", *COLUMNS])
    print("\n".join(lines), flush=True)
    for arm in args.arms:
        prior, covariates = list(PRIORS)[int(arm[0])], bool(int(arm[1]))
        part = []
        for seed in args.seeds:
            measure = partial(run, counts, kind, batch, covariates=covariates, prior=prior,
                              likelihood=family, args=args, seed=seed)  # fmt: skip
            part.append(rows.once({"key": [arm, seed, setting]}, measure)["scores"])
        seconds += [scores["seconds"] for scores in part]
        cells = [
            common.mean_sd([scores[name] for scores in part], 1 if name == "ELBO" else 3)
            for name in COLUMNS
        ]
        lines.append(common.line([prior, "batch" if covariates else "none", *cells]))
        print(lines[-1], flush=True)
    note = (
        f"{args.likelihood}, {args.steps} steps of 128 cells, latent_dim {args.latent_dim}, "
        f"seeds {args.seeds}, {np.mean(seconds):.0f} s a run, {torch.get_num_threads()} thread(s)"
    )
    print(note)
    if args.out:
        text = [*lines, "", note, "", *(f"- {k}: {v}" for k, v in COLUMNS.items())]
        args.out.write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
