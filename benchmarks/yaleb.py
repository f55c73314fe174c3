"""Generalized M2 on the Extended Yale B faces: lighting and identity from partly labelled faces.

The recognition model is q(r|x) q(l|x) q(i|x) q(s|l,i), with the light l and the identity i observed
for a share of the faces, r what is left of a face and s what light and identity make of it; the
decoder sees r and s. The prior is p(s|l,i), so that s costs nothing once light and identity are
known: with a standard normal for s, r might as well hold them. 38 people under 64 lights, 32x32;
for 7 people the light is not known, which is what incomplete=True is for. A fifth of the faces are
kept for the test.

    python benchmarks/yaleb.py --seeds 3
    python benchmarks/yaleb.py --seeds 10 --steps 20000 --shares 0.2 0.5 1.0 --out runs/yaleb_full

Each run adds a line to yaleb.jsonl in the folder `--out` and is not made again; the tables are
written from all lines there are. The picture shows test faces under lights that were set by hand.
Errors are in percent; a network that is trained on the same labels alone stands beside them.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import common
import numpy as np
import torch
from torch import nn
from torch.optim import Adam

import untwine as ut
from untwine import nets
from untwine.data import FewLabelsSampler
from untwine.methods import GeneralizedM2, Graph, Variable

PEOPLE, LIGHTS = 38, 64
LABELS = ("illumination", "identity")
SETTINGS = ("steps", "hidden", "rest", "alpha", "gamma", "temperature", "lr")


def faces(path: Path, seed: int) -> tuple[ut.FactorDataset, ut.FactorDataset]:
    """Vectors of grey values between 0 and 1: four fifths, and the rest."""
    archive = np.load(path / "yaleb_ext_32x32.npz")
    x = archive["images"].reshape(-1, 1024).astype(np.float32) / 255
    names = [str(name) for name in archive["factor_names"]]
    data = ut.FactorDataset.from_arrays(x, archive["factors"], names, (PEOPLE, LIGHTS))
    return data.split(0.8, seed)


def graph(temperature: float, rest: int) -> Graph:
    return Graph(
        r=Variable(dim=rest),
        l=Variable(classes=LIGHTS, supervised=LABELS[0], relaxed=temperature, decoded=False),
        i=Variable(classes=PEOPLE, supervised=LABELS[1], relaxed=temperature, decoded=False),
        s=Variable(dim=20, given=("l", "i"), prior_given=("l", "i")),
    )


def errors(classes: dict[str, np.ndarray], test: ut.FactorDataset) -> dict[str, float]:
    """Percent of the test faces in a wrong class, among those whose class is known."""
    result = {}
    for name, factor in zip(("l", "i"), LABELS, strict=True):
        truth = test.factors[:, test.space.position(factor)]
        known = truth >= 0
        result[factor] = 100 * float((classes[name][known] != truth[known]).mean())
    return result


def alone(train, test, sampler, options: argparse.Namespace, seed: int) -> dict[str, float]:
    """The recognition networks of the same size, trained on the labels alone."""
    rows, y = sampler.labelled_set(train.space, train.factors)
    x, y = train.observations(rows), torch.from_numpy(y)
    predicted = {}
    for k, (name, classes) in enumerate((("l", LIGHTS), ("i", PEOPLE))):
        torch.manual_seed(seed)
        net = nets.MLP(options.hidden).encoder((1024,), classes)
        optimizer = Adam(net.parameters(), options.lr)
        for _ in range(600):
            pick = torch.randint(len(x), (64,))
            loss = nn.functional.cross_entropy(net(x[pick]), y[pick, k], ignore_index=-1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            predicted[name] = net(test.observations(np.arange(len(test)))).argmax(1).numpy()
    return errors(predicted, test)


def train_one(options: argparse.Namespace, share: float, seed: int) -> dict:
    train, test = faces(options.data, seed)
    labelled = None if share == 1 else share
    sampler = FewLabelsSampler(LABELS, labelled=labelled, seed=seed, known="any")
    method = GeneralizedM2.build(
        train,
        graph=graph(options.temperature, options.rest),
        net=nets.MLP(options.hidden),
        likelihood=ut.distributions.Bernoulli(),
        alpha=options.alpha,
        gamma=options.gamma,
        incomplete=True,
        optimizer=partial(Adam, lr=options.lr, fused=True),
        seed=seed,
    )
    _, seconds = common.fit(method, train, sampler=sampler, steps=options.steps, seed=seed)
    with torch.no_grad():
        values = method.values(test.observations(np.arange(len(test))))
    if seed == 0 and share == options.shares[min(1, len(options.shares) - 1)]:
        relight(method, test, options.picture)
    row = {"labelled": len(sampler.labelled_set(train.space, train.factors)[0])}
    row |= {"seconds": round(seconds, 1)}
    row |= errors({name: values[name].argmax(1).numpy() for name in ("l", "i")}, test)
    return row | {f"{k} alone": v for k, v in alone(train, test, sampler, options, seed).items()}


@torch.no_grad()
def relight(method: GeneralizedM2, test: ut.FactorDataset, path: Path) -> None:
    """Test faces, what the model makes of them, and the same under lights set by hand."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    person = test.factors[:, test.space.position(LABELS[1])]
    light = test.factors[:, test.space.position(LABELS[0])]
    x = test.observations(np.arange(len(test)))
    bright = x.mean(1).numpy() * (light >= 0)
    rows = [int(np.argmax(bright * (person == p))) for p in (0, 3, 7, 14, 20, 27)]
    lights = (0, 8, 16, 22, 34, 44, 52, 60)
    known = [int(np.flatnonzero(light == k)[0]) for k in lights]
    x = x[rows]
    columns = [x, method.decode(method.values(x)).mean]
    for k in lights:
        values = method.values(x, l=torch.full((len(x),), k))
        columns.append(method.decode(values).mean)
    grid = torch.stack(columns, 1).reshape(len(rows), -1, 32, 32)
    top = test.observations(known).reshape(-1, 32, 32)
    figure, axes = plt.subplots(
        len(rows) + 1,
        2 + len(lights),
        figsize=(7.5, 5.4),
        gridspec_kw={"wspace": 0.05, "hspace": 0.05},
    )
    for axis in axes.flat:
        axis.set_axis_off()
    for j, image in enumerate(top):
        axes[0, j + 2].imshow(image, cmap="gray", vmin=0, vmax=1)
    for i, row in enumerate(grid):
        for j, image in enumerate(row):
            axes[i + 1, j].imshow(image, cmap="gray", vmin=0, vmax=1)
    axes[1, 0].set_title("face", fontsize=8)
    axes[1, 1].set_title("decoded", fontsize=8)
    axes[0, 2].set_title("set to the light of", fontsize=8, loc="left")
    common.save(figure, path, dpi=90)
    plt.close(figure)


def write(options: argparse.Namespace, rows: list[dict]) -> None:
    text = """# Generalized M2 on Extended Yale B

`python benchmarks/yaleb.py`, one thread. Steps of 64 unlabelled and 64 labelled faces, perceptrons.
Errors in percent of the test faces (a fifth), mean ± standard deviation over seeds, which choose
the split, the labels and the initial weights; *alone*: the same recognition networks, trained on
the same labels and nothing else. 38 people, 64 lights.
"""
    head = ("share", "labelled", "light", "alone", "identity", "alone", "seeds", "seconds")
    for group in common.grouped(rows, "settings"):
        cells = []
        for share in sorted({row["share"] for row in group}):
            part = [row for row in group if row["share"] == share]
            columns = [key for name in LABELS for key in (name, f"{name} alone")]
            scores = [common.mean_sd([row[key] for row in part], 1) for key in columns]
            labelled, seconds = (np.mean([row[k] for row in part]) for k in ("labelled", "seconds"))
            cells.append([f"{share:g}", round(labelled), *scores, len(part), f"{seconds:.0f}"])
        lines = ["", f"`{common.flags(group[0]['settings'])}`", "", *common.table(head, cells), ""]
        text += "\n".join(lines)
    (options.out / "yaleb.md").write_text(text)
    print(text)


def main() -> None:
    paths = {"data": common.SHARED, "out": common.RESULTS, "picture": Path("runs/yaleb.png")}
    parser = common.parser(__doc__, seeds=3, **paths)
    parser.add_argument("--first", type=int, default=0, help="seed to begin with")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.2, 0.5])
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--hidden", type=int, nargs="+", default=[512, 512])
    parser.add_argument("--alpha", type=float, default=100.0)
    parser.add_argument("--gamma", type=float, default=1.0)
    parser.add_argument("--temperature", type=float, default=0.5)
    parser.add_argument("--rest", type=int, default=5, help="dimensions of r")
    parser.add_argument("--lr", type=float, default=1e-3)
    options = parser.parse_args()
    rows = common.Rows(options.out / "yaleb.jsonl")
    settings = common.chosen(options, SETTINGS)
    for seed in range(options.first, options.seeds):
        for share in options.shares:
            key = {"share": share, "seed": seed, "settings": settings}
            rows.once(key, partial(train_one, options, share, seed))
    write(options, rows)


if __name__ == "__main__":
    main()
