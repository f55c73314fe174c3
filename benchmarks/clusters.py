"""Clusters of MNIST without labels, by VAEs with structured priors.

Trains on the first 10,000 training digits, measures on the standard 10,000 test digits: accuracy
under the best one-to-one naming of clusters, NMI and ARI. Beside them k-means on the codes of an
autoencoder and on those of a VAE with a standard normal prior.

    python benchmarks/clusters.py --seeds 0 1 2            # trains and notes rows
    python benchmarks/clusters.py --methods VaDE --seeds 0 # one run
    python benchmarks/clusters.py --pull                   # what a tree does to a sibling leaf
    python benchmarks/clusters.py --keep FOLDER            # keeps weights and snapshots, too
    python benchmarks/clusters.py --pictures IMAGES --keep FOLDER
    python benchmarks/clusters.py --table                  # of the rows that are there

Rows are appended to benchmarks/results/clusters.jsonl; what has a row there is not trained again,
unless to be kept.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import common
import numpy as np
import torch

import untwine as ut
from untwine import distributions as d, methods as m, plots
from untwine.metrics import ari, cluster_accuracy, nmi
from untwine.nets import MLP
from untwine.training import PriorSnapshots

COLUMNS = ("method", "clusters", "seeds", "accuracy", "NMI", "ARI", "components in use", "NLL + KL")
TREE = {"tree": 10, "init": "kmeans", "agglomerate": True, "sigma": "trainable", "pretrain": True}
METHODS = {
    "VAE": (m.VAE, {}),
    "GaussianMixtureVAE": (m.GaussianMixtureVAE, {"components": 10}),
    "GaussianMixtureVAE, pretrained": (
        m.GaussianMixtureVAE,
        {"components": 10, "init": "kmeans", "pretrain": True},
    ),
    "VaDE": (m.VaDE, {"components": 10}),
    "HierarchicalMixtureVAE, upper 0": (m.HierarchicalMixtureVAE, {**TREE, "upper": 0.0}),
    "HierarchicalMixtureVAE": (m.HierarchicalMixtureVAE, {**TREE, "upper": 0.5}),
    "HierarchicalMixtureVAE, sigma 1, upper 0": (
        m.HierarchicalMixtureVAE,
        {**TREE, "sigma": 1.0, "upper": 0.0},
    ),
    "HierarchicalMixtureVAE, sigma 1": (m.HierarchicalMixtureVAE, {**TREE, "sigma": 1.0}),
}


def label(data: ut.FactorDataset) -> np.ndarray:
    return data.factors[:, 0]


def scores(clusters: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Accuracy, NMI and ARI of cluster numbers."""
    given = {"clusters": clusters}
    codes = clusters[:, None].astype(float)
    return {
        "accuracy": float(cluster_accuracy(codes, y, **given)),
        "nmi": float(nmi(codes, y, **given)),
        "ari": float(ari(codes, y, **given)),
    }


def near(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Clusters of test codes by k-means fitted to those of the training set."""
    from sklearn.cluster import KMeans

    return KMeans(10, n_init=10, random_state=seed).fit(train).predict(test)


def codes(method: m.VAE, data: ut.FactorDataset) -> np.ndarray:
    method.eval()
    return common.of_all(lambda x: method.represent(x).mean, data).astype(np.float64)


def steps_of(name: str, args) -> dict[str, int]:
    """Of each stage: a method that begins as an autoencoder has no more of them in all."""
    if name == "VaDE" or METHODS[name][1].get("pretrain"):
        return {"pretrain": args.pretrain, "fit": args.steps - args.pretrain}
    return {"fit": args.steps}


class AtTheEndOf:
    """Scores of k-means on codes when a stage ends."""

    def __init__(self, stage: str, score) -> None:
        self.stage, self.score, self.found = stage, score, None

    def on_step(self, state, losses) -> None:
        here = state.position
        if here.stage == self.stage and here.step == state.steps[self.stage]:
            self.found = self.score(state.method)
            state.method.train()


def run(name: str, seed: int, train, test, args) -> list[dict]:
    """Rows of one training: the method's own clusters, and k-means on its codes."""
    cls, options = METHODS[name]
    method = cls.build(
        train,
        latent_dim=10,
        seed=seed,
        net=MLP((256, 256)),
        optimizer=partial(torch.optim.Adam, lr=1e-3, fused=True),
        **options,
    )
    steps, y = steps_of(name, args), label(test)

    def of_codes(method):
        return scores(near(codes(method, train), codes(method, test), seed), y)

    after = AtTheEndOf("pretrain", of_codes)
    callbacks = [after]
    if isinstance(method.prior, d.ClusteredPrior):
        callbacks.append(PriorSnapshots(100))
    fitted, seconds = common.fit(
        method, train, steps=steps, batch_size=args.batch_size, seed=seed, callbacks=callbacks
    )
    last = {k: float(v) for k, v in fitted.log.iloc[-1].items() if str(k).startswith("vae/")}
    of_run = {"method": name, "seed": seed, "seconds": seconds, **steps, **last}
    of_run["batch_size"] = args.batch_size
    rows = [{**of_run, "clusters": "k-means on codes", **of_codes(method)}]
    if name == "VaDE":
        rows.append({**of_run, "method": "autoencoder", "clusters": "k-means on codes",
                     **after.found})  # fmt: skip
    if isinstance(method.prior, d.ClusteredPrior):
        images = test.observations(range(len(test)))
        shares = method.cluster(images)
        z = method.represent(images).mean.detach()
        own = {
            "clusters": "its own",
            **scores(shares.argmax(1).numpy(), y),
            "effective": method.prior.effective_components(z),
        }
        if isinstance(method.prior, d.HierarchicalMixture):
            own["levels"] = [
                {
                    "nodes": [list(map(int, node)) for node in nodes],
                    **scores(method.cluster(images, level=i).argmax(1).numpy(), y),
                }
                for i, nodes in enumerate(method.prior.levels)
            ]
            own["siblings"] = apart(method.prior)
        rows.append({**of_run, **own})
        if args.keep:
            args.keep.mkdir(parents=True, exist_ok=True)
            torch.save(method.state_dict(), args.keep / f"{name}-{seed}.pt")
            taken = callbacks[1].taken
            np.savez(args.keep / f"{name}-{seed}.npz", loc=taken.loc, weights=taken.weights,
                     step=taken.step)  # fmt: skip
    return rows


def apart(prior: d.HierarchicalMixture) -> float:
    """Distance of sibling leaves' means, relative to that of any two leaves."""
    k = len(prior.loc)
    above = prior.parents[:k].tolist()
    distance = torch.cdist(prior.loc, prior.loc).detach()
    pairs = [(a, b) for a in range(k) for b in range(a) if above[a] == above[b] and above[a] >= 0]
    every = distance[torch.triu_indices(k, k, 1).unbind()].mean()
    return float(torch.stack([distance[a, b] for a, b in pairs]).mean() / every)


def pull(steps: int = 400, lr: float = 0.02) -> list[dict]:
    """One blob of codes at leaf a; where does its sibling b go?

    Leaf a begins near the codes, b far from them; the leaves of another branch are elsewhere. Only
    the leaf means move, by gradient descent on minus the log density of the codes.
    """
    rows = []
    for combine, upper in (("geometric", 0.0), ("geometric", 0.5), ("mixture", 0.5)):
        for seed in range(3):
            torch.manual_seed(seed)
            blob = torch.tensor([4.0, 0.0]) + 0.5 * torch.randn(500, 2)
            prior = d.HierarchicalMixture(2, [[0, 1], [2, 3]], upper=upper, combine=combine)
            with torch.no_grad():
                prior.loc.copy_(torch.tensor([[3.0, 0.5], [4.0, 6.0], [-4.0, 6.0], [-4.0, -6.0]]))
            optimizer = torch.optim.SGD([prior.loc], lr)
            path = []
            for _ in range(steps + 1):
                path.append((prior.loc - blob.mean(0)).norm(dim=1).detach())
                optimizer.zero_grad()
                (-prior().log_prob(blob)).mean().backward()
                optimizer.step()
            first, last = path[0], path[-1]
            rows.append(
                {"combine": combine, "upper": upper, "seed": seed,
                 "own leaf": [float(first[0]), float(last[0])],
                 "sibling": [float(first[1]), float(last[1])],
                 "other branch": [float(first[2]), float(last[2])]}
            )  # fmt: skip
    return rows


def table(rows: list[dict]) -> str:
    """Mean and standard deviation over seeds of every method and way to cluster."""
    keys = {"accuracy": 3, "nmi": 3, "ari": 3, "effective": 1, "vae/total": 1}
    cells = []
    for same in common.grouped(rows, "method", "clusters"):
        method, clusters = same[0]["method"], same[0]["clusters"]
        cells.append([method, clusters, ", ".join(str(row["seed"]) for row in same)])
        for key, digits in keys.items():
            values = [row[key] for row in same if key in row]
            if method == "autoencoder" and key == "vae/total":
                values = []  # it is the row of VaDE's first stage
            cells[-1].append(common.mean_sd(values, digits))
    lines = common.table(COLUMNS, sorted(cells))
    for row in rows:
        if "levels" in row:
            each = [
                f"{len(level['nodes'])}: NMI {level['nmi']:.3f}, ARI {level['ari']:.3f}"
                for level in row["levels"]
            ]
            start = f"\n{row['method']}, seed {row['seed']}, nodes of each level: "
            apart = f". Siblings' distance over that of all pairs: {row['siblings']:.2f}"
            lines.append(start + "; ".join(each) + apart)
    return "\n".join(lines)


def pictures(args) -> None:
    """Figures of the kept runs of the first seed."""
    test = common.mnist(args.data)[1]
    images = test.observations(range(len(test)))
    seed = args.seeds[0]
    for name, stem in (("VaDE", "vade"), ("HierarchicalMixtureVAE", "tree")):
        cls, options = METHODS[name]
        method = cls.build(test, latent_dim=10, seed=seed, net=MLP((256, 256)), **options)
        method.load_state_dict(torch.load(args.keep / f"{name}-{seed}.pt"))
        method.eval()
        z, shares = method.represent(images).mean.detach(), method.cluster(images)
        made = {"map": plots.cluster_map(z, shares, labels=label(test), means=method.prior.loc)}
        made["responsibilities"] = plots.responsibilities(shares, label(test))
        taken = np.load(args.keep / f"{name}-{seed}.npz")
        made["paths"] = plots.prior_paths(taken["loc"], taken["weights"], taken["step"], codes=z)
        if name != "VaDE":
            with torch.no_grad():
                means = method.decode(method.prior.node_means()).mean
            made["nodes"] = plots.cluster_tree(
                method.prior.parents, method.prior.usage(z).detach(), images=means
            )
        for what, figure in made.items():
            common.save(figure, args.pictures / f"mnist_{stem}_{what}.png", dpi=90)


def main() -> None:
    files = {"data": common.SHARED, "rows": common.RESULTS / "clusters.jsonl"}
    parser = common.parser(__doc__, seeds=[0, 1, 2], **files)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--steps", type=int, default=5_000, help="of all stages together")
    parser.add_argument("--pretrain", type=int, default=2_000)
    parser.add_argument("--batch_size", type=int, default=128)
    parser.add_argument("--keep", type=Path, help="a folder for weights and snapshots")
    parser.add_argument("--pull", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    rows = common.Rows(args.rows)
    if args.table:
        print(table(rows))
        return
    if args.pictures:
        pictures(args)
        return
    if args.pull:
        for row in pull():
            print(json.dumps(row))
        return
    for row in rows:
        row.setdefault("batch_size", 128)  # the first rows do not say it
    train, test = common.mnist(args.data)
    for seed in args.seeds:
        for name in args.methods:
            key = {"method": name, "seed": seed, "batch_size": args.batch_size}
            missing = rows.find(key | steps_of(name, args)) is None
            for row in run(name, seed, train, test, args) if missing or args.keep else ():
                if missing:
                    rows.add(row)


if __name__ == "__main__":
    main()
