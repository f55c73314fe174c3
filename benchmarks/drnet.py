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

from functools import partial
from pathlib import Path

import common
import numpy as np
import torch
from common import halved, probe
from torch.optim import Adam

import untwine as ut
from untwine.data import Frames, LPCSprites, MovingDigits, MovingSprites
from untwine.functional import Linear
from untwine.nets import Conv

HEAD = """# DrNet on clips

Content and pose codes of single frames; probes are fitted to half of the frames of clips that were
not trained on, and scored on the other half. Classes: accuracy of logistic regression or five
nearest neighbors, whichever finds more; places (R²): of ridge regression or five nearest neighbors.
Good: what stays in a clip is told by the content and not by the pose, and what moves by the pose
and not by the content.

"""


def digits(folder: Path, full: bool):
    """Clips to train on and clips of other digits."""
    settings = {"count": 2 if full else 1, "size": 64 if full else 32, "length": 10 + 10 * full}
    return [
        MovingDigits(x if full else halved(x), y, clips=n, seed=seed, speed=3, **settings)
        for seed, ((x, y), n) in enumerate(zip(common.digits(folder), (20_000, 1_000), strict=True))
    ]


def sprites(folder: Path, full: bool):
    """Frames of 240 characters to train on, and of 60 others; all of them if full."""
    data = LPCSprites(folder / "lpc_sprites_layers.npz")
    people = np.random.default_rng(0).permutation(1296)
    parts = (people[:1000], people[1000:]) if full else (people[:240], people[240:300])
    sets = []
    for part in parts:
        rows = (part[:, None] * 72 + np.arange(72)).ravel()
        x = common.of_all(lambda x: (x * 255).round().byte(), data, rows).transpose(0, 2, 3, 1)
        x = x if full else halved(x)
        sets.append(
            ut.FactorDataset.from_arrays(x, data.factors[rows], data.space.names, data.space.sizes)
        )
    return sets


def cars(folder: Path, full: bool):
    """Views of 153 cars to train on, and of 30 others; time is the azimuth."""
    views = common.cars3d(folder, full)
    order = np.random.default_rng(0).permutation(len(views))
    sets = []
    for part in (order[:153], order[153:]):
        sizes = (len(part), 4, 24)
        x, factors = np.concatenate(np.concatenate(views[part])), common.all_combinations(sizes)
        names = ["car", "elevation", "azimuth"]
        sets.append(ut.FactorDataset.from_arrays(x, factors, names, sizes))
    return sets


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


@torch.no_grad()
def measure(method, test, n: int) -> dict[str, tuple[float, float, float]]:
    """By factor: chance, from content, from pose."""
    x, stays, moves, places = labelled_frames(test, n)
    z = torch.cat([method.represent(b).mean for b in x.split(256)]).numpy()
    content, pose = z[:, : method.content_dim], z[:, method.content_dim :]
    scores = {}
    for name, y in {**stays, **moves}.items():
        scores[name] = (common.chance(y), max(probe(content, y)), max(probe(pose, y)))
    for name, y in places.items():
        told = [max(probe(z, y, places=True)) for z in (content, pose)]
        scores[f"{name} (R²)"] = (0.0, *told)
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
    scores["future frames: squared error"] = tuple(mse)
    return scores


def picture(method, test, folder: Path, name: str) -> None:
    clips = ut.data.Loader(test, method.sampler(), batch_size=8, seed=3)(0).x
    some = torch.linspace(0, clips.shape[1] - 1, min(clips.shape[1], 10)).round().long()
    contents, poses = clips[torch.arange(6), some[[0, 3, 5, 7, 2, -1]]], clips[6, some]
    figure = ut.plots.swap_grid(
        method.swap(contents, poses), contents, poses, of_rows="content", of_columns="pose"
    )
    common.save(figure, folder / f"drnet_{name}_swap.png")
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
    common.save(figure, folder / f"drnet_{name}_predicted.png")


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
    steps = {"disentangle": args.steps, "predict": args.predict_steps}
    _, seconds = common.fit(method, train_data, steps=steps, batch_size=args.batch_size, seed=seed)
    return method.cpu(), seconds


SETTINGS = ("steps", "predict_steps", "batch_size", "width", "latent_dim", "content_dim")
SETTINGS += ("alpha", "beta", "anneal", "lr", "full")
FUTURE = ("LSTM", "last frame again", "mean image", "decoded from true poses")


def report(rows: list[dict]) -> str:
    """A table for every set and choice of settings, in the order of the runs."""
    lines = []
    for part in common.grouped(rows, "set", "settings"):
        name, seeds = part[0]["set"], [row["seed"] for row in part]
        command = common.flags({"set": name, **part[0]["settings"], "seeds": seeds})
        lines += [f"## {name}: {part[0]['data']}", ""]
        lines += [f"`python benchmarks/drnet.py {command}`; "]
        lines[-1] += (
            f"{np.mean([row['seconds'] for row in part]):.0f} s a run, one thread. Means"
            + (" and standard deviations over seeds." if len(part) > 1 else " of one seed.")
        )
        lines += ["", *common.table(("factor", "chance", "from content", "from pose"))]
        for factor in part[0]["found"]:
            columns = np.transpose([row["found"][factor] for row in part])
            cells = [common.mean_sd(column) for column in columns]
            if factor.startswith("future"):
                figures = ", ".join(f"{t} {c}" for t, c in zip(FUTURE, cells, strict=True))
                lines += ["", f"Squared error per value of the second half of clips: {figures}."]
            else:
                lines.append(common.line([factor, f"{columns[0].mean():.3f}", *cells[1:]]))
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    folders = {"data": common.SHARED, "out": common.RESULTS, "pictures": Path("runs/drnet")}
    parser = common.parser(__doc__, seeds=[0, 1, 2], **folders)
    parser.add_argument("--set", choices=("cars", "digits", "sprites", "shapes"), default="cars")
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
    args = parser.parse_args()
    if args.anneal and args.alpha is None:
        parser.error("--anneal says how long alpha takes to get to --alpha: give both")

    rows = common.Rows(args.out / "drnet.jsonl")
    makers = {"cars": cars, "digits": digits, "sprites": sprites, "shapes": shapes}
    data, test = makers[args.set](args.data, args.full)
    print(data, test, flush=True)

    def run(seed: int) -> dict:
        method, seconds = train(data, args, seed)
        if seed == args.seeds[0]:
            picture(method, test, args.pictures, args.set)
        scores = measure(method, test, args.points)
        return {"data": str(data), "seconds": round(seconds, 1), "found": scores}

    for seed in args.seeds:
        key = {"set": args.set, "settings": common.chosen(args, SETTINGS), "seed": seed}
        rows.once(key, partial(run, seed))
    (args.out / "drnet.md").write_text(HEAD + report(rows))


if __name__ == "__main__":
    main()
