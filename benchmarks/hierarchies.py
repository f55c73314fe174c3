"""Hierarchies of latents beside a flat VAE: what they reach, and what each level holds.

`mnist`: 10,000 MNIST digits, binarized anew at each step; the negative ELBO of 5,000 test digits,
binarized once. `emoji`: pictures of people, 32x32 in color, by a discretized mixture of
logistics. A twentieth of the data is held out and decides which weights are kept.

    python benchmarks/hierarchies.py --part mnist --method VAE --steps 18000
    python benchmarks/hierarchies.py --part mnist --method VeryDeepVAE --steps 3000

`guard`: what comparing each gradient with those before costs a step (`GradientGuard`). Steps of
the optimizer take turns, with it and without it, fused and not; beside them, the pass that computes
their gradients. CPU milliseconds, the median and the fastest of `--steps` rounds.

    python benchmarks/hierarchies.py --part guard --steps 60 --batch 32

Rows are appended to benchmarks/results/hierarchies.jsonl; what is there is not trained again. Each
has the CPU seconds of its training on one core. The full size, for a GPU:

    python benchmarks/hierarchies.py --part mnist --method VeryDeepVAE --steps 100000 --width 256 \
        --blocks 4 8 8 4
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from torch.optim import Adam
from torch.optim.lr_scheduler import CosineAnnealingLR

import untwine as ut
from untwine import methods as m, plots
from untwine.data import Binarized
from untwine.diagnostics import level_cuts, level_rates, level_table, level_traversal
from untwine.distributions import DiscretizedLogistics
from untwine.functional import Linear, bits_per_dimension, kl
from untwine.training import EMA
from untwine.training.final import load_final

SETTINGS = (
    "part",
    "method",
    "steps",
    "batch",
    "lr",
    "dim",
    "width",
    "blocks",
    "free",
    "warmup",
    "average",
)


def data_of(options: argparse.Namespace) -> tuple[ut.FactorDataset, ut.FactorDataset]:
    """To learn from, and to be judged on."""
    if options.part != "emoji":
        train, test = common.mnist(options.data)
        return Binarized(train), Binarized(test)
    z = np.load(options.data / "emoji_people_32x32.npz")
    names = [str(name) for name in z["factor_names"]]
    x = z["images"].transpose(0, 3, 1, 2) if z["images"].shape[-1] == 3 else z["images"]
    data = ut.FactorDataset.from_arrays(x, z["factors"], names=names)
    return data.split(0.9, seed=1)


def build(options: argparse.Namespace, data: ut.FactorDataset, seed: int) -> m.Method:
    cls = getattr(m, options.method)
    settings: dict[str, Any] = {"optimizer": partial(Adam, lr=options.lr, fused=True)}
    if options.part == "emoji":
        settings["likelihood"] = DiscretizedLogistics(5)
    if cls is not m.VAE:
        settings["free_bits"] = options.free
        if options.warmup:
            settings["beta"] = Linear(0.0, 1.0, options.warmup)
    if cls is m.VeryDeepVAE:
        settings |= {"width": options.width, "blocks": tuple(options.blocks)}
        settings["middle"] = options.width // 2
    return cls.build(data, options.dim, seed=seed, **settings)


def folder(options: argparse.Namespace, seed: int) -> Path:
    """Where a run is kept."""
    return (
        options.out
        / f"{options.part}-{options.method}-{options.steps}-free{options.free:g}-seed{seed}"
    )


@torch.no_grad()
def bound(method: m.Method, data: ut.FactorDataset, most: int = 5000) -> dict[str, float]:
    """Means of the two parts of the negative ELBO over a data set, nats, with one sample each."""
    method.eval()
    torch.manual_seed(0)
    nll, rate = 0.0, 0.0
    size = min(most, len(data))
    index = np.linspace(0, len(data) - 1, size).astype(int)
    for rows in np.array_split(index, -(-size // 250)):
        t = method.trace(data.batch(rows))
        nll -= float(t.p.log_prob(t.x).sum())
        rate += float(kl(t.q, t.prior, t.z).sum())
    return {"nelbo": (nll + rate) / size, "nll": nll / size, "kl": rate / size}


def train_one(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    train, test = data_of(options)
    method = build(options, train, seed)
    average = EMA(options.average) if options.method == "VeryDeepVAE" else None
    out = folder(options, seed)
    fitted = partial(
        ut.fit,
        method,
        train,
        steps=options.steps,
        batch_size=options.batch,
        seed=seed,
        schedule=partial(CosineAnnealingLR, T_max=options.steps),
        validation=0.05,
        validate_every=max(1, options.steps // 2),
        average=average,
        keep="best",
        out=out,
        callbacks=[common.Seconds()],
        checkpoint_every=100,
        log_every=50,
        progress=False,
    )
    run = fitted()
    row: dict[str, Any] = {"cpu": round(common.Seconds.of(out))}
    row |= {name: round(value, 3) for name, value in bound(method, test).items()}
    row["train"] = round(bound(method, train)["nelbo"], 3)
    if options.part == "emoji":
        bits = bits_per_dimension(torch.tensor(row["nelbo"]), test.shape)
        row["bits"] = round(float(bits), 4)
    if options.method == "VAE":
        return row
    rates = level_rates(method, test, n=1000)
    row["levels"] = {n: round(float(v), 3) for n, v in zip(rates.names, rates.nats, strict=True)}
    if "vae/skipped" in run.log:
        row["skipped"] = float(method.guard.skipped / method.guard.steps)
    judged = test if options.part == "mnist" else test.data  # all pictures: probes split them
    codes = ut.encode(method, judged, n=3000)
    table = level_table(codes, metrics=("mig",), chance=3)
    row["readout"], row["chance"] = table.readout.round(3).tolist(), table.chance.round(3).tolist()
    row["balanced"] = table.balanced.round(3).tolist()
    drawn = level_table(codes, metrics=(), sampled=True)
    row["sampled"] = drawn.readout.round(3).tolist()
    row["factors"] = list(table.factors)
    row["scores"] = {
        level: {n: [round(v, 3) for v in pair] for n, pair in scores.items()}
        for level, scores in table.scores.items()
    }
    return row


def guard_cost(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Medians and minima of CPU milliseconds of what a step consists of."""
    train, _ = data_of(options)
    method = build(options, train, seed)
    parameters = list(method.model.parameters())
    batch = train.batch(np.arange(options.batch))

    def gradients() -> None:
        for parameter in parameters:
            parameter.grad = None
        t = method.trace(batch)
        (kl(t.q, t.prior, t.z) - t.p.log_prob(t.x)).mean().backward()

    parts = {"gradients": gradients}
    for fused in (True, False):
        make, kind = partial(Adam, lr=1e-4, fused=fused), "fused" if fused else "not fused"
        parts[f"{kind}, bare"] = make(parameters).step
        parts[f"{kind}, guarded"] = m.GradientGuard().guarded(make)(parameters).step
    spent: dict[str, list[float]] = {name: [] for name in parts}
    for _ in range(options.steps):
        for name, part in parts.items():
            spent[name].append(1000 * common.timed(part)[2])
    row = {name: [round(float(f(v[3:])), 1) for f in (np.median, min)] for name, v in spent.items()}
    return {"parameters": [len(parameters), sum(p.numel() for p in parameters)], "ms": row}


def pictures(options: argparse.Namespace, seed: int) -> None:
    """Cuts at every depth, and traversals of two levels, of a run that was made."""
    train, test = data_of(options)
    method = build(options, train, seed)
    load_final(folder(options, seed), method)
    method.eval()
    rows = np.linspace(0, len(test) - 1, 8).astype(int)
    x = test.observations(rows)
    images = level_cuts(method, x)
    names = method.levels
    figure = plots.level_cuts(images.numpy(), names, x.numpy())
    common.save(figure, options.pictures / f"hierarchies_{options.part}_cuts.png", 110)
    for level in (names[1], names[2]):
        moved, dims = level_traversal(method, x[:1], level, dims=5, steps=9)
        figure = plots.traversal_grid(moved[0].numpy(), [f"{level}, {j}" for j in dims])
        common.save(figure, options.pictures / f"hierarchies_{options.part}_{level}.png", 110)


def report(rows: common.Rows) -> str:
    """The results, as they are read."""
    text = ["# Hierarchies beside a flat VAE", "", __doc__.split("\n\n")[1]]
    for part in ("mnist", "emoji"):
        group = [row for row in rows if row["part"] == part]
        if not group:
            continue
        text += ["", f"## {part}", ""]
        for row in group:
            text.append(f"`python benchmarks/hierarchies.py {flags(row)}`")
            text.append("")
        text += common.table(
            ("method", "seed", "steps", "CPU s", "-ELBO", "-log p(x given z)", "KL",
             "-ELBO, training", "bits/dim", "skipped"),
            [
                (r["method"], r["seed"], r["steps"], r["cpu"], r["nelbo"], r["nll"], r["kl"],
                 r.get("train", ""), r.get("bits", ""),
                 "" if "skipped" not in r else f"{r['skipped']:.2%}")
                for r in group
            ],
        )  # fmt: skip
        for row in group:
            if "levels" not in row:
                continue
            total = sum(row["levels"].values())
            metrics = sorted({name for scores in row["scores"].values() for name in scores})
            name = f"{row['method']}, {row['steps']:,} steps, seed {row['seed']}"
            what = f"Levels of {name}: nats, and what a linear probe"
            text += [
                "",
                f"{what} reads off each alone: off means (off samples).",
                "",
            ]
            text += common.table(
                ("level", "nats", "share", *row["factors"], *metrics),
                [
                    (
                        name,
                        f"{nats:.2f}",
                        f"{nats / total:.0%}",
                        *(
                            f"{a:.3f}" if b is None else f"{a:.3f} ({b:.3f})"
                            for a, b in zip(
                                row["readout"][i],
                                row.get("sampled", [[None] * len(row["readout"][i])] * 99)[i],
                                strict=True,
                            )
                        ),
                        *(
                            "{:.3f} (chance {:.3f})".format(*row["scores"][name][n])
                            if n in row["scores"][name]
                            else ""
                            for n in metrics
                        ),
                    )
                    for i, (name, nats) in enumerate(row["levels"].items())
                ]
                + [("chance", "", "", *(f"{c:.3f}" for c in row["chance"]), *[""] * len(metrics))],
            )
    for row in rows:
        if row["part"] == "guard":
            tensors, numbers = row["parameters"]
            text += ["", "## guard", "", f"`python benchmarks/hierarchies.py {flags(row)}`", ""]
            text += [f"{numbers:,} parameters in {tensors} tensors.", ""]
            lines = [(name, *pair) for name, pair in row["ms"].items()]
            text += common.table(("part of a step", "median, ms", "fastest, ms"), lines)
    return "\n".join(text) + "\n"


def flags(row: dict[str, Any]) -> str:
    """The settings of a row that matter for its method."""
    flat = ("blocks", "free", "warmup", "average", "width")
    names = [n for n in SETTINGS if not (row["method"] == "VAE" and n in flat)]
    return common.flags({**{n: row[n] for n in names}, "seeds": [row["seed"]]})


def main() -> None:
    folders = {"data": common.SHARED, "out": Path("runs/hierarchies"), "results": common.RESULTS}
    parser = common.parser(__doc__, seeds=[0], **folders)
    parser.add_argument("--part", choices=("mnist", "emoji", "guard"), default="mnist")
    names = ("VAE", "LadderVAE", "VLAE", "VeryDeepVAE")
    parser.add_argument("--method", choices=names, default="VeryDeepVAE")
    parser.add_argument("--steps", type=int, default=1700)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--dim", type=int, default=8, help="latent_dim")
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--blocks", type=int, nargs="+", default=[2, 3, 2])
    parser.add_argument("--free", type=float, default=0.0, help="free bits, nats of each level")
    parser.add_argument("--warmup", type=int, default=0, help="steps of beta's warm-up")
    parser.add_argument("--average", type=float, default=0.995, help="decay of averaged weights")
    parser.add_argument(
        "--pictures", type=Path, help="a folder for pictures of a run that is there"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = common.Rows(options.results / "hierarchies.jsonl")
    settings = common.chosen(options, SETTINGS)
    measure = guard_cost if options.part == "guard" else train_one
    for seed in options.seeds:
        rows.once({"seed": seed, **settings}, lambda seed=seed: measure(options, seed))
    (options.results / "hierarchies.md").write_text(report(rows))
    if options.pictures:
        pictures(options, options.seeds[0])


if __name__ == "__main__":
    main()
