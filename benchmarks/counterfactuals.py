"""Counterfactuals of many methods on built-in worlds, beside the rendered truth.

One small net and as many steps for everyone, images of 32 x 32. Sprites: dSprites at orientation 0
(18,432 images: shape, scale and two positions). Rooms: Rooms3D at one orientation (32,000 images:
three hues, scale and shape). Tunnel: 20,000 pictures of the light tunnel; its truth is rendered
with the other variables held; tunnel_free is the same without arrows between variables. Each factor
is edited through the model; one probe reads all images.

    python benchmarks/counterfactuals.py --seeds 0 --steps 2000
    python benchmarks/counterfactuals.py --world rooms --methods VAE AdaGVAE --steps 1000

Rows are appended to benchmarks/results/counterfactuals.jsonl; what is there is not trained again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from torch.nn.functional import avg_pool2d
from torch.optim import Adam

import untwine as ut
from untwine import methods as m, nets
from untwine.data import Downsampled, FewLabelsSampler, Slice

Truth = Callable[[np.ndarray], torch.Tensor] | None
EVERYONES = ("steps", "batch", "width", "hidden", "dim", "n", "probe_steps")
LABELLED = 1000
SETTINGS: dict[str, dict[str, Any]] = {
    "VAE": {},
    "BetaVAE": {"beta": 4.0},
    "BetaTCVAE": {"beta": 6.0},
    "FactorVAE": {"gamma": 10.0},
    "DIPVAEII": {},
    "InfoVAE": {},
    "AAE": {},
    "GaussianMixtureVAE": {},
    "QLAE": {"codebook": 0.001, "commitment": 0.001},
    "AdaGVAE": {},
    "SlowVAE": {},
    "MLVAE": {"label": "shape"},
    "JointVAE": {
        "classes": 3,
        "warmup": 1000,
        "continuous_capacity": 15.0,
        "discrete_capacity": 1.1,
    },
    "M2": {"label": "shape"},
    "FewLabelsVAE": {},
}
SEEN = {
    "AdaGVAE": "pairs that differ in one factor",
    "SlowVAE": "pairs that differ in few factors by little",
    "MLVAE": "groups of one shape",
    "M2": f"{LABELLED} labels of the shape",
    "FewLabelsVAE": f"{LABELLED} labels of every factor",
}


def sprites() -> tuple[ut.FactorDataset, Truth]:
    return Downsampled(Slice(ut.data.DSprites(), {"orientation": 0}), 2), None


def rooms() -> tuple[ut.FactorDataset, Truth]:
    return common.held(Downsampled(Slice(ut.data.Rooms3D(), {"orientation": 7}), 2)), None


def tunnel() -> tuple[ut.FactorDataset, Truth]:
    world = ut.data.LightTunnel(n=20_000)
    return common.held(Downsampled(world, 2)), lambda v: avg_pool2d(world.images(v), 2)


def tunnel_free() -> tuple[ut.FactorDataset, Truth]:
    world = ut.data.LightTunnel(n=20_000, edges=())
    return common.held(Downsampled(world, 2)), lambda v: avg_pool2d(world.images(v), 2)


WORLDS = {"sprites": sprites, "rooms": rooms, "tunnel": tunnel, "tunnel_free": tunnel_free}


def build(name: str, data: ut.FactorDataset, options: argparse.Namespace, seed: int) -> m.Method:
    settings = {
        "net": nets.Conv(options.width, (options.hidden,)),
        "optimizer": partial(Adam, lr=1e-3, fused=True),
        **SETTINGS[name],
    }
    takes = m.method.build_parameters(getattr(m, name))
    settings = {key: value for key, value in settings.items() if key in takes}
    return getattr(m, name).build(data, options.dim, seed=seed, **settings)


def measure(
    name: str,
    data: Any,
    truth: Truth,
    probe: ut.use.Probe,
    options: argparse.Namespace,
    seed: int,
) -> dict[str, Any]:
    method = build(name, data, options, seed)
    sampler = None
    if name in ("M2", "FewLabelsVAE"):
        label = "shape" if name == "M2" else data.space.names
        sampler = FewLabelsSampler(label, labelled=LABELLED, balanced=name == "M2", seed=seed)
    if name == "AdaGVAE":
        sampler = ut.data.PairsSampler(1)
    _, seconds = common.fit(
        method, data, steps=options.steps, batch_size=options.batch, seed=seed, sampler=sampler
    )
    found = ut.use.counterfactuals(method, data, probe=probe, truth=truth, n=options.n, seed=0)
    controls = {
        one.factor: [one.where or "none", round(one.score, 3)] for one in found.controls.controls
    }
    numbers = {
        factor: {key: [round(x, 4) for x in (v.value, v.low, v.high)] for key, v in row.items()}
        for factor, row in found.values.items()
    }
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
        torch.save(found.examples, options.pictures / f"{name}-{seed}.pt")
    return {"seconds": round(seconds), "controls": controls, "values": numbers}


def report(rows: common.Rows) -> str:
    text = ["# Counterfactuals", "", *__doc__.strip().split("\n\n")[1:2], ""]
    for group in common.grouped(rows, "settings"):
        settings = group[0]["settings"]
        probe = ", ".join(f"{k} {v:.3f}" for k, v in group[0]["probe"].items())
        text += [f"## {settings.get('world', 'sprites').capitalize()}", ""]
        text += [f"`python benchmarks/counterfactuals.py {common.flags(settings)}`", ""]
        text += [f"The probe on held-out images (accuracy, else R²): {probe}.", ""]
        text += overview(group)
        text += ["", "Gain by factor, the control and its held-out score:", ""]
        text += by_factor(group, gain_cell)
        text += ["", "Validity and sparsity by factor:", ""]
        text += [*by_factor(group, hits_cell), ""]
    return "\n".join(text)


def by_factor(group: list[dict], cell: Callable[[dict, str], str]) -> list[str]:
    """A line for each run, a column for each factor."""
    factors = [f for f in group[0]["values"] if f != "all"]
    lines = ((row["method"], row["seed"], *(cell(row, f) for f in factors)) for row in group)
    return common.table(("method", "seed", *factors), lines)


def gain_cell(row: dict, factor: str) -> str:
    where, score = row["controls"][factor]
    return f"{interval(row['values'][factor]['gain'])} {where} {score:.2f}"


def hits_cell(row: dict, factor: str) -> str:
    found = row["values"][factor]
    return f"{found['validity'][0]:.2f}, {found['sparsity'][0]:.2f}"


def overview(group: list[dict]) -> list[str]:
    """A line for each run, the best gain first, and what the truth itself reads as."""
    ordered = sorted(group, key=lambda row: -np.nan_to_num(row["values"]["all"]["gain"][0], nan=-9))
    lines = [
        (
            row["method"],
            row["seed"],
            SEEN.get(row["method"], "images"),
            *(interval(row["values"]["all"][key]) for key in ("validity", "sparsity")),
            *(interval(row["values"]["all"][key]) for key in ("proximity", "gain")),
            *(f"{row['values']['all'][key][0]:.1f}" for key in ("error", "floor", "unedited")),
            row["seconds"],
        )
        for row in ordered
    ]
    first = group[0]["values"]["all"]
    lines.append(
        (
            "the truth",
            "",
            "",
            *(interval(first[f"{key} of the truth"]) for key in ("validity", "sparsity")),
            "1",
            "1",
            "0",
            "0",
            "",
            "",
        )
    )
    head = ("method", "seed", "sees", "validity", "sparsity", "proximity", "gain")
    return common.table((*head, "error", "floor", "unedited", "s"), lines)


def draw(folder: Path, names: Sequence[str], seed: int, out: Path, each: int = 3) -> None:
    """Originals, what edits of each factor through some methods made, and the truth."""
    examples = [torch.load(folder / f"{name}-{seed}.pt") for name in names]
    rows = []
    for k in (0, 2, 3):  # originals, edited, truth
        for one in examples if k == 2 else examples[:1]:
            rows.append(torch.cat([triple[k][:each] for triple in one.values()]))
    labels = ["original", *names, "rendered"]
    figure = ut.plots.counterfactual_grid(rows[0], torch.stack(rows[1:-1]), rows[-1], labels=labels)
    common.save(figure, out, dpi=130)
    common.few_colors(out, 32 if rows[0].shape[1] == 1 else 256)


def interval(values: list[float]) -> str:
    value, low, high = values
    return "" if np.isnan(value) else f"{value:.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    parser = common.parser(__doc__, seeds=[0], results=common.RESULTS, pictures=None)
    parser.add_argument("--methods", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--world", choices=WORLDS, default="sprites")
    parser.add_argument("--draw", nargs="+", default=[], help="methods of the page's figure")
    common.numbers(parser, steps=2000, batch=64, width=8, hidden=128, dim=8, probe_steps=2500)
    parser.add_argument("--n", type=int, default=300, help="edits of each factor")
    options = parser.parse_args()
    data, truth = WORLDS[options.world]()
    probe: ut.use.Probe | None = None
    rows = common.Rows(options.results / "counterfactuals.jsonl")
    for seed in options.seeds:
        for name in options.methods:
            settings = common.chosen(options, EVERYONES)
            settings |= {} if options.world == "sprites" else {"world": options.world}
            key = {"method": name, "seed": seed, "settings": settings}
            if rows.find(key) is None:
                if probe is None:
                    probe = ut.use.Probe.fit(data, steps=options.probe_steps, seed=0)
                scores = {k: round(float(np.float64(v)), 4) for k, v in probe.scores.items()}
                found = measure(name, data, truth, probe, options, seed)
                rows.add({**key, "probe": scores, **found})
            (options.results / "counterfactuals.md").write_text(report(rows))
    if options.draw:
        out = common.ROOT / "docs/img/counterfactuals.png"
        if options.world != "sprites":
            out = out.with_stem(f"counterfactuals_{options.world}")
        draw(options.pictures, options.draw, options.seeds[0], out)


if __name__ == "__main__":
    main()
