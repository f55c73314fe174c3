"""Augmentation along one factor: does a classifier that learned a coincidence get over it?

dSprites at orientation 0, 18,432 images of 32 x 32. A few hundred labelled images, in which a
sprite's place across goes with what is to be read (large ones stand at the right, say), and a
small net of convolutions that learns from them alone; it is judged on images without the
coincidence. Then it learns from the same images and three edits of each, with the place across
drawn anew by `Controls.augment` of a method. Beside: three reconstructions instead, and the
rendered truth instead.

    python benchmarks/augmenting.py --seeds 0 --steps 2000

Rows are appended to benchmarks/results/augmenting.jsonl; what is there is not computed again.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from counterfactuals import build, sprites

import untwine as ut
from untwine.data import FewLabelsSampler, PairsSampler, Subset

EVERYONES = ("steps", "batch", "width", "hidden", "dim", "labelled", "probe_steps", "test")
METHODS = ("VAE", "BetaTCVAE", "AAE", "AdaGVAE", "FewLabelsVAE")
NUISANCE = "posX"
COPIES = 3
HEAD = {"scale": "scale, R²", "shape": "shape, accuracy"}


def coincidence(data: ut.FactorDataset, target: str, rng: np.random.Generator) -> np.ndarray:
    """Rows whose place across is within an eighth of the width of what the target would say."""
    value = data.factors[:, data.space.position(target)]
    place = data.factors[:, data.space.position(NUISANCE)]
    middle = (value + 0.5) * 32 / (value.max() + 1)
    return rng.permutation(np.flatnonzero(np.abs(place + 0.5 - middle) <= 4))


def judged(
    train: ut.FactorDataset, target: str, judge: ut.FactorDataset, steps: int, seed: int
) -> float:
    """What a net that learned from `train` reads of the target: R², or the accuracy of a shape."""
    column = train.space.position(target)
    only = ut.FactorDataset.from_arrays(
        train.observations(range(len(train))),
        train.factors[:, column],
        names=[target],
        sizes=[train.space.sizes[column]],
        kinds=[train.space.kinds[column]],
    )
    probe = ut.use.Probe.fit(only, steps=steps, held_out=8, seed=seed)
    read = probe.read(judge.observations(range(len(judge))))[:, 0]
    truth = judge.factors[:, judge.space.position(target)]
    if target == "shape":
        return float((read.round() == truth).mean())
    return float(1 - ((read - truth) ** 2).mean() / truth.var())


def repeated(labelled: ut.FactorDataset, method: Any) -> ut.FactorDataset:
    """The images and three reconstructions of each: what decoding alone does."""
    x = labelled.observations(range(len(labelled)))
    with torch.no_grad():
        again = method.decode(method.represent(ut.data.Batch.of(x)).mean).mean.clamp(0, 1)
    factors = np.concatenate([labelled.factors] * (COPIES + 1))
    return common.like(labelled, torch.cat([x, *[again] * COPIES]), factors)


def rendered(
    data: ut.FactorDataset, labelled: ut.FactorDataset, rng: np.random.Generator
) -> ut.FactorDataset:
    """The images and three true ones of each, with the place across drawn anew."""
    sizes = data.space.sizes
    parts = [labelled.factors]
    for _ in range(COPIES):
        table = labelled.factors.copy()
        table[:, data.space.position(NUISANCE)] = rng.integers(0, 32, len(table))
        parts.append(table)
    return Subset(data, np.ravel_multi_index(tuple(np.concatenate(parts).T), sizes))


def measure(
    data: ut.FactorDataset, source: str, method: Any, controls: Any, options: argparse.Namespace
) -> dict[str, Any]:
    """Scores by target and draw of the labelled rows."""
    scores: dict[str, list[float]] = {}
    for target in HEAD:
        for draw in range(options.draws):
            rng = np.random.default_rng([draw, len(target)])
            labelled = Subset(data, coincidence(data, target, rng)[: options.labelled])
            judge = Subset(data, rng.choice(len(data), options.test, replace=False))
            if source == "none":
                train = labelled
            elif source == "truth":
                train = rendered(data, labelled, rng)
            elif source == "reconstructions":
                train = repeated(labelled, method)
            else:
                train = controls.augment(labelled, NUISANCE, copies=COPIES, seed=draw)
            score = judged(train, target, judge, options.probe_steps, draw)
            scores.setdefault(target, []).append(round(score, 4))
    return {"scores": scores}


def trained(
    name: str, data: ut.FactorDataset, options: argparse.Namespace, seed: int
) -> tuple[Any, Any]:
    method = build(name, data, options, seed)
    sampler: Any = None
    if name == "FewLabelsVAE":
        sampler = FewLabelsSampler(data.space.names, labelled=1000, seed=seed)
    if name == "AdaGVAE":
        sampler = PairsSampler(1)
    common.fit(
        method, data, steps=options.steps, batch_size=options.batch, seed=seed, sampler=sampler
    )
    return method, ut.use.Controls.fit(method, data, probe=False, seed=seed)


def report(rows: common.Rows) -> str:
    text = ["# Augmentation along one factor", "", *__doc__.strip().split("\n\n")[1:2], ""]
    for group in common.grouped(rows, "settings"):
        text += [f"`python benchmarks/augmenting.py {common.flags(group[0]['settings'])}`", ""]
        text += ["Mean ± standard deviation over draws of the labelled images.", ""]
        head = ("learned from", "seed", "control", *HEAD.values())
        lines = [
            (
                row["source"],
                row["seed"],
                row.get("control", ""),
                *(common.mean_sd(row["scores"][target]) for target in HEAD),
            )
            for row in group
        ]
        text += [*common.table(head, lines), ""]
    return "\n".join(text)


def picture(rows: list[dict], path: Path) -> None:
    """A point for each draw, a row for each way to augment."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(HEAD), figsize=(9, 3.2), sharey=True, layout="constrained")
    names = [row["source"] for row in rows]
    for axis, (target, title) in zip(axes, HEAD.items(), strict=True):
        for i, row in enumerate(rows):
            plain = row["source"] in ("none", "reconstructions", "truth")
            axis.plot(row["scores"][target], [i] * len(row["scores"][target]), "o", alpha=0.6)
            axis.lines[-1].set_color("0.4" if plain else "C0")
        axis.set(xlabel=title, yticks=range(len(names)), yticklabels=names)
        axis.grid(axis="x", alpha=0.3)
    axes[0].invert_yaxis()
    common.save(figure, path)


def examples(data: ut.FactorDataset, sources: dict[str, Any], path: Path) -> None:
    """Labelled sprites, and what each method makes of them with the place across drawn anew."""
    rng = np.random.default_rng([0, len("scale")])
    rows = coincidence(data, "scale", rng)[:8]
    labelled = Subset(data, rows)
    edits = [
        controls.augment(labelled, NUISANCE, originals=False, seed=0)
        for controls in sources.values()
    ]
    truth = Subset(data, np.ravel_multi_index(tuple(edits[0].factors.T), data.space.sizes))
    figure = ut.plots.counterfactual_grid(
        labelled.observations(range(8)),
        torch.stack([made.observations(range(8)) for made in edits]),
        truth.observations(range(8)),
        labels=["labelled", *sources, "rendered"],
    )
    common.save(figure, path, dpi=130)
    common.few_colors(path, 32)


def main() -> None:
    parser = common.parser(__doc__, seeds=[0], results=common.RESULTS)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    common.numbers(parser, steps=2000, batch=64, width=8, hidden=128, dim=8, labelled=300)
    common.numbers(parser, probe_steps=500, test=2000, draws=5)
    options = parser.parse_args()
    data, _ = sprites()
    rows = common.Rows(options.results / "augmenting.jsonl")
    settings = common.chosen(options, (*EVERYONES, "draws"))
    sources: dict[str, Any] = {}
    for seed in options.seeds:
        plain = {"seed": seed, "settings": settings}
        for source in ("none", "truth"):
            if rows.find({"source": source, **plain}) is None:
                rows.add({"source": source, **plain, **measure(data, source, None, None, options)})
        for name in options.methods:
            if rows.find({"source": name, **plain}) is not None:
                continue
            method, controls = trained(name, data, options, seed)
            sources[name] = controls
            if name == "VAE" and rows.find({"source": "reconstructions", **plain}) is None:
                found = measure(data, "reconstructions", method, None, options)
                rows.add({"source": "reconstructions", **plain, **found})
            control = controls[NUISANCE]
            where = f"{control.where} ({control.score:.2f})"
            found = measure(data, name, method, controls, options)
            rows.add({"source": name, "control": where, **plain, **found})
            (options.results / "augmenting.md").write_text(report(rows))
    shown = [row for row in rows if row["settings"] == settings and row["seed"] == options.seeds[0]]
    picture(shown, options.results / "augmenting.png")
    if len(sources) == len(options.methods):  # all were trained just now
        examples(data, sources, options.results / "augmenting_examples.png")


if __name__ == "__main__":
    main()
