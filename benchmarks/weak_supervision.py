"""Ada-GVAE beside beta-VAE on dSprites: what it helps to see pairs that share most factors.

Both are trained with the same nets, the same beta, the same number of steps, and as many images a
step: Ada-GVAE on pairs that differ in one factor or several (nobody says which), beta-VAE on single
images. The scores are those of `untwine.evaluate`, on 10,000 codes.

    python benchmarks/weak_supervision.py --seeds 5 --steps 3000 --out runs/weak

A run that is there already is not trained again. At full size (the study's budget; a GPU):

    python benchmarks/weak_supervision.py --seeds 5 --steps 300000 --net Locatello2019 \\
        --lr 1e-4 --images 128 --out runs/weak_full
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

import pandas as pd
from torch.optim import Adam

import untwine as ut
from untwine import methods, nets

RESULTS = Path(__file__).parent / "results"
METRICS = ("mig", "dci", "factor_vae_score", "beta_vae_score", "sap", "modularity")


def train(name: str, seed: int, options: argparse.Namespace, data: ut.FactorDataset) -> dict:
    """Trains one model, or loads it; returns its scores."""
    net = nets.Locatello2019() if options.net == "Locatello2019" else nets.Conv(8, (256, 256))
    cls = getattr(methods, name)
    settings = {"beta": options.beta} if name == "BetaVAE" else {}
    if name != "BetaVAE":
        settings["penalty"] = methods.KL(options.beta)
    method = cls.build(
        data, net=net, seed=seed, optimizer=partial(Adam, lr=options.lr, fused=True), **settings
    )
    pairs = name != "BetaVAE"
    out = Path(options.out) / f"{name}-beta{options.beta:g}-seed{seed}"
    began = time.perf_counter()
    run = ut.fit(
        method,
        data,
        steps=options.steps,
        batch_size=options.images // 2 if pairs else options.images,
        seed=seed,
        out=out,
        log_every=500,
        progress=options.progress,
    )
    seconds = time.perf_counter() - began
    codes = ut.encode(run.method, data, n=15_000, seed=0)
    scores = ut.evaluate(codes, metrics=METRICS, progress=False).scores
    row = {"method": name, "seed": seed, "seconds": round(seconds)}
    return row | {metric: float(score) for metric, score in scores.items()}


def report(rows: list[dict], options: argparse.Namespace) -> str:
    """The table of medians with their ranges, and every run."""
    frame = pd.DataFrame(rows)
    lines = [
        "# Weak supervision: Ada-GVAE beside beta-VAE on dSprites",
        "",
        f"`python benchmarks/weak_supervision.py --seeds {options.seeds} --steps {options.steps} "
        f"--beta {options.beta:g} --net {options.net} --lr {options.lr:g} "
        f"--images {options.images}`",
        "",
        f"{options.steps:,} steps of {options.images} images (Ada-GVAE: {options.images // 2} "
        f"pairs), 10 latents, beta {options.beta:g} for both, Adam {options.lr:g}. "
        f"Medians over {options.seeds} seeds, smallest and largest in brackets; 10,000 codes.",
        "",
        "| method | " + " | ".join(METRICS) + " |",
        "|---|" + "---|" * len(METRICS),
    ]
    for name, group in frame.groupby("method"):
        cells = [
            f"{group[m].median():.3f} ({group[m].min():.3f} to {group[m].max():.3f})"
            for m in METRICS
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines += [
        "",
        "Every run:",
        "",
        "| method | seed | s | " + " | ".join(METRICS) + " |",
        "|---|---|---|" + "---|" * len(METRICS),
    ]
    for row in sorted(rows, key=lambda r: (r["method"], r["seed"])):
        lines.append(
            f"| {row['method']} | {row['seed']} | {row['seconds']} | "
            + " | ".join(f"{row[m]:.3f}" for m in METRICS)
            + " |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--images", type=int, default=128, help="per step")
    parser.add_argument("--beta", type=float, default=4.0)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--net", choices=("Conv", "Locatello2019"), default="Conv")
    parser.add_argument("--out", default="runs/weak")
    parser.add_argument("--progress", action="store_true")
    options = parser.parse_args()
    data = ut.data.DSprites()
    rows: list[dict] = []
    for seed in range(options.seeds):
        for name in ("AdaGVAE", "BetaVAE"):
            rows.append(train(name, seed, options, data))
            print({k: round(v, 3) if isinstance(v, float) else v for k, v in rows[-1].items()})
            (RESULTS / "weak_supervision.md").write_text(report(rows, options))


if __name__ == "__main__":
    main()
