"""Ada-GVAE beside beta-VAE on dSprites: what it helps to see pairs that share most factors.

Both are trained with the same nets, the same beta, the same number of steps, and as many images a
step: Ada-GVAE on pairs that differ in one factor or several (nobody says which), beta-VAE on single
images. The scores are those of `untwine.evaluate`, on 10,000 codes.

    python benchmarks/weak_supervision.py --seeds 5 --steps 3000 --out runs/weak

A run that is there already is not trained again. Ada-GVAE alone, on pairs drawn in two ways:

    python benchmarks/weak_supervision.py --pairs any locatello2020 --seeds 3 --steps 2000

At full size (the study's budget; a GPU):

    python benchmarks/weak_supervision.py --seeds 5 --steps 300000 --net Locatello2019 \\
        --lr 1e-4 --images 128 --out runs/weak_full
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import common
import pandas as pd
from torch.optim import Adam

import untwine as ut
from untwine import methods, nets

SETTINGS = ("pairs", "seeds", "steps", "beta", "net", "lr", "images")
METRICS = ("mig", "dci", "factor_vae_score", "beta_vae_score", "sap", "modularity")


def train(
    name: str, seed: int, options: argparse.Namespace, data: ut.FactorDataset, pairs: str = "any"
) -> dict:
    """Trains one model, or loads it; returns its scores."""
    net = nets.Locatello2019() if options.net == "Locatello2019" else nets.Conv(8, (256, 256))
    cls = getattr(methods, name)
    settings = {"beta": options.beta} if name == "BetaVAE" else {}
    if name != "BetaVAE":
        settings["penalty"] = methods.KL(options.beta)
    method = cls.build(
        data, net=net, seed=seed, optimizer=partial(Adam, lr=options.lr, fused=True), **settings
    )
    weak = name != "BetaVAE"
    label = name if pairs == "any" else f"{name}, {pairs}"
    run, seconds = common.fit(
        method,
        data,
        steps=options.steps,
        batch_size=options.images // 2 if weak else options.images,
        sampler=ut.data.PairsSampler(pairs) if weak else None,
        seed=seed,
        out=options.out / f"{label.replace(', ', '-')}-beta{options.beta:g}-seed{seed}",
        log_every=500,
        progress=options.progress,
    )
    codes = ut.encode(run.method, data, n=15_000, seed=0)
    scores = ut.evaluate(codes, metrics=METRICS, progress=False).scores
    row = {"method": label, "seed": seed, "seconds": round(seconds)}
    return row | {metric: float(score) for metric, score in scores.items()}


def report(rows: list[dict], options: argparse.Namespace) -> str:
    """The table of medians with their ranges, and every run."""
    frame = pd.DataFrame(rows)
    lines = [
        "# Weak supervision: Ada-GVAE on dSprites, "
        + ("beside beta-VAE" if options.pairs is None else "on pairs drawn in several ways"),
        "",
        f"`python benchmarks/weak_supervision.py {common.flags(common.chosen(options, SETTINGS))}`",
        "",
        f"{options.steps:,} steps of {options.images} images (Ada-GVAE: {options.images // 2} "
        f"pairs), 10 latents, beta {options.beta:g}, Adam {options.lr:g}. "
        f"Medians over {options.seeds} seeds, smallest and largest in brackets; 10,000 codes.",
        "",
    ]
    medians = [
        [name, *(f"{v.median():.3f} ({v.min():.3f} to {v.max():.3f})" for _, v in group.items())]
        for name, group in frame.set_index("method")[list(METRICS)].groupby("method")
    ]
    runs = [
        [row["method"], row["seed"], row["seconds"], *(f"{row[m]:.3f}" for m in METRICS)]
        for row in sorted(rows, key=lambda r: (r["method"], r["seed"]))
    ]
    lines += common.table(["method", *METRICS], medians)
    lines += ["", "Every run:", "", *common.table(["method", "seed", "s", *METRICS], runs)]
    return "\n".join([*lines, ""])


def main() -> None:
    folders = {"out": Path("runs/weak"), "results": common.RESULTS}
    parser = common.parser(__doc__, seeds=5, **folders)
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--pairs", nargs="+", help="how they are drawn; without beta-VAE")
    parser.add_argument("--images", type=int, default=128, help="per step")
    parser.add_argument("--beta", type=float, default=4.0)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--net", choices=("Conv", "Locatello2019"), default="Conv")
    parser.add_argument("--progress", action="store_true")
    options = parser.parse_args()
    data = ut.data.DSprites()
    rows: list[dict] = []
    for seed in range(options.seeds):
        for name, pairs in (
            [("AdaGVAE", "any"), ("BetaVAE", "any")]
            if options.pairs is None
            else [("AdaGVAE", pairs) for pairs in options.pairs]
        ):
            rows.append(train(name, seed, options, data, pairs))
            print({k: round(v, 3) if isinstance(v, float) else v for k, v in rows[-1].items()})
            file = "weak_supervision.md" if options.pairs is None else "pairs.md"
            (options.results / file).write_text(report(rows, options))


if __name__ == "__main__":
    main()
