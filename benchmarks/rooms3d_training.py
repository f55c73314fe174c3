"""beta-TCVAE and Ada-GVAE on Rooms3D: scores of three seeds each, and what a traversal shows.

    python benchmarks/rooms3d_training.py --seeds 3

Ada-GVAE learns from pairs of which any number of factors changed. Nets are Conv(8, hidden=(128,)),
10 latents, batches of 64, Adam 1e-3. Each run adds a line to rooms3d_training.jsonl and is not made
again; the table is written from all lines there are.
"""

from __future__ import annotations

import argparse
import resource
from functools import partial
from typing import Any

import numpy as np
import torch
from common import RESULTS, ROOT, Rows, few_colors, grouped, mean_sd, parser, save, table, timed
from torch.optim import Adam

import untwine as ut
from untwine import methods, metrics, nets

ABOUT = (
    "`python benchmarks/rooms3d_training.py --seeds 3`: beta-TCVAE with beta 6, Ada-GVAE on pairs "
    "of which any number of factors changed; Conv(8, hidden=(128,)), 10 latents, batches of 64, "
    "Adam 0.001, one thread. Scores of 5,000 images, mean ± standard deviation over seeds."
)
SCORES = ("mig", "dci", "modularity", "factor_vae_score")


def build(name: str, data: ut.FactorDataset, seed: int) -> ut.Method:
    options: dict[str, Any] = {
        "latent_dim": 10,
        "net": nets.Conv(8, hidden=(128,)),
        "optimizer": partial(Adam, lr=1e-3),
        "seed": seed,
    }
    if name == "BetaTCVAE":
        return methods.BetaTCVAE.build(data, beta=6.0, **options)
    return methods.AdaGVAE.build(data, **options)


def run(name: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    data = ut.data.Rooms3D()
    data.render()
    method = build(name, data, seed)
    fitted, wall, cpu = timed(
        lambda: ut.fit(method, data, steps=arguments.steps, seed=seed, progress=False)
    )
    codes = ut.encode(fitted.method, data, n=5000)
    scores = {s: float(getattr(metrics, s)(codes.mean, codes.factors)) for s in SCORES}
    error = _error(fitted.method, data)
    if seed == 0:
        _traversals(name, fitted.method, data, codes)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"scores": scores, "error": error, "wall": wall, "cpu": cpu, "peak_gb": peak}


@torch.no_grad()
def _error(method: Any, data: ut.FactorDataset) -> float:
    """Root mean squared error of reconstructions of 1,000 images, in grey levels."""
    x = data.observations(np.random.default_rng(5).integers(0, len(data), 1000))
    method.eval()
    return 255 * float((method.decode(method.represent(x).mean).mean - x).square().mean().sqrt())


@torch.no_grad()
def _traversals(name: str, method: Any, data: ut.FactorDataset, codes: ut.Codes) -> None:
    """Seven values of each of the ten dimensions, the most active first, around one image.

    Each is named after the factor between whose values most of its variance lies.
    """
    import matplotlib.pyplot as plt

    method.eval()
    row = data.space.index([1, 6, 3, 4, 2, 7])
    z = method.represent(data.observations([row])).mean[0]
    order = np.argsort(-codes.mean.std(axis=0))
    low, high = np.quantile(codes.mean, (0.02, 0.98), axis=0)
    rows = []
    for k in order:
        line = z.repeat(7, 1)
        line[:, k] = torch.linspace(float(low[k]), float(high[k]), 7)
        rows.append(np.concatenate(list(method.decode(line).mean.permute(0, 2, 3, 1)), axis=1))
    figure, axes = plt.subplots(figsize=(7, 10))
    axes.imshow(np.concatenate(rows).clip(0, 1))
    shares = _shares(codes)
    best = shares.argmax(1)
    labels = [f"z{k}: {data.space.names[best[k]]} {shares[k, best[k]]:.2f}" for k in order]
    axes.set_yticks(32 + 64 * np.arange(10), labels)
    axes.set_xticks([])
    path = ROOT / f"docs/img/rooms3d_{name}.png"
    save(figure, path, dpi=70)
    few_colors(path)


def _shares(codes: ut.Codes) -> np.ndarray:
    """How much of each dimension's variance is between the values of each factor, ``(D, K)``."""
    z = codes.mean - codes.mean.mean(0)
    shares = []
    for factor in codes.factors.T:
        means = np.stack([z[factor == v].mean(0) for v in np.unique(factor)])
        counts = np.unique(factor, return_counts=True)[1]
        shares.append((counts[:, None] * means**2).sum(0) / (z**2).sum(0))
    return np.stack(shares, 1)


def main() -> None:
    options = parser(__doc__ or "", seeds=3, results=RESULTS)
    options.add_argument("--steps", type=int, default=2500)
    arguments = options.parse_args()
    torch.set_num_threads(1)
    rows = Rows(arguments.results / "rooms3d_training.jsonl")
    for seed in range(arguments.seeds):
        for name in ("BetaTCVAE", "AdaGVAE"):
            key = {"method": name, "seed": seed, "steps": arguments.steps}
            rows.once(key, lambda name=name, seed=seed: run(name, seed, arguments))
    body = []
    for group in grouped(rows, "method", "steps"):
        scores = [mean_sd([row["scores"][s] for row in group]) for s in SCORES]
        error = mean_sd([row["error"] for row in group], 1)
        cpu = f"{np.mean([row['cpu'] for row in group]):.0f} s"
        body.append([group[0]["method"], group[0]["steps"], len(group), *scores, error, cpu])
    head = ["method", "steps", "seeds", *SCORES, "error, grey levels", "CPU, each"]
    lines = ["# Trained on Rooms3D", "", ABOUT, "", *table(head, body)]
    (arguments.results / "rooms3d_training.md").write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
