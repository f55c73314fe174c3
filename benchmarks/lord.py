"""LORD on photographs: what a class code and a content code tell of person and pose.

    python benchmarks/lord.py --arms pyramid pixels "no noise" --seeds 0 1 2
    python benchmarks/lord.py --arms vgg --steps 500 --seeds 0 1 2
    python benchmarks/lord.py --set cars --steps 2000 --seeds 0 1 2

The first trains on the CMU face images (20 people, 60x64, halved), with 16 people for training and
4 that are only seen by the encoders afterwards; `--set cars` takes every third car of Cars3D (car
against azimuth and elevation). Each run adds a line to lord.jsonl in the folder `--out` and is not
made again; the tables of lord.md are written from all lines there are. Grids of swapped codes go
to `--pictures`; photographs of people are not kept in this repository. With a GPU, the paper's
sizes are

    python benchmarks/lord.py --set cars --full --width 256 --latent_dim 128 --class_dim 256 \
        --batch_size 128 --steps 27450 --arms vgg --seeds 0 1 2

(200 epochs of the 17,568 images of Cars3D). The folder of data is `--data`, by default
UNTWINE_SHARED/data or ../shared/data; its `vgg16_imagenet_to_conv3_3_fp16.npz` gives the weights
for the arm `vgg`.
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
from untwine.nets import VGG16, AdaIN

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("UNTWINE_SHARED", ROOT.parent / "shared")) / "data"
ARMS = ("pyramid", "pixels", "vgg", "no noise")
SETTINGS = ("steps", "batch_size", "width", "latent_dim", "class_dim", "sigma", "decay")
SETTINGS += ("imitation", "lr", "lr_codes", "full")
HEAD = """# LORD on photographs

A class is a person, or a car. Probes are fitted to the codes of half of the photographs and scored
on the other half: logistic regression / five nearest neighbors. Good: the class is told by the
class code and not by the content, everything else by the content and not by the class code. Unseen:
classes that only the encoders see, after training. *pyramid*: images compared by pixels and the
bands of a Laplacian pyramid; *pixels*: by pixels alone; *vgg*: by pixels and features of VGG16
(the first two stages); *no noise*: the pyramid, with content codes that are neither noisy nor
decayed. The photographs are for research, not to be passed on: the swap grids that the script
draws are not kept here.

"""


def faces(folder: Path, full: bool) -> tuple[np.ndarray, np.ndarray, list[str]]:
    z = np.load(folder / "cmu_faces_60x64.npz")
    names = [str(name) for name in z["factor_names"]]
    return halved(z["images"], full), z["factors"], names


def cars(folder: Path, full: bool) -> tuple[np.ndarray, np.ndarray, list[str]]:
    from PIL import Image

    z = np.load(folder / "cars3d_64_webp.npz")
    blob, ends = z["blob"].tobytes(), z["offsets"]
    step = 1 if full else 2
    found = []
    for i, j in list(pairwise(ends))[:: 1 if full else 3]:
        mosaic = np.asarray(Image.open(io.BytesIO(blob[i:j])).convert("RGB"))
        views = mosaic.reshape(4, 64, 24, 64, 3).transpose(0, 2, 1, 3, 4)
        found.append(halved(views[::step, ::step].reshape(-1, 64, 64, 3), full))
    x = np.stack(found)
    shape = (len(x), 4 // step, 24 // step)
    factors = np.stack(np.unravel_index(np.arange(np.prod(shape)), shape), 1)
    return x.reshape(-1, *x.shape[2:]), factors, ["car", "elevation", "azimuth"]


def halved(x: np.ndarray, full: bool) -> np.ndarray:
    """Means of 2x2 pixels."""
    if full:
        return x
    h, w = x.shape[1] // 2, x.shape[2] // 2
    y = x[:, : 2 * h, : 2 * w].reshape(len(x), h, 2, w, 2, *x.shape[3:]).mean((2, 4))
    return y.round().astype(np.uint8)


def scaled(codes: np.ndarray) -> np.ndarray:
    """Of unit variance on average: a dimension that hardly varies is not blown up."""
    z = codes - codes.mean(0)
    return z / np.sqrt((z**2).mean() + 1e-16)


def probe(codes: np.ndarray, y: np.ndarray, seed: int) -> tuple[float, float]:
    """Accuracy on the other half of the rows: logistic regression, five nearest neighbors."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    z = scaled(codes)
    order = np.random.default_rng(seed).permutation(len(z))
    one, two = order[: len(z) // 2], order[len(z) // 2 :]
    return tuple(
        model.fit(z[one], y[one]).score(z[two], y[two])
        for model in (LogisticRegression(max_iter=1000), KNeighborsClassifier(5))
    )


def train(data, arm: str, seed: int, args) -> tuple[ut.methods.LORD, float]:
    settings = {"sigma": args.sigma, "decay": args.decay, "imitation": args.imitation}
    if arm == "pixels":
        settings["perceptual"] = 0.0
    if arm == "vgg":
        path = Path(args.data) / "vgg16_imagenet_to_conv3_3_fp16.npz"
        layers = None if args.full else ["relu1_2", "relu2_2"]
        settings["features"] = VGG16(path, layers=layers)
    if arm == "no noise":
        settings |= {"sigma": 0.0, "decay": 0.0}
    method = ut.methods.LORD.build(
        data,
        args.latent_dim,
        seed=seed,
        class_dim=args.class_dim,
        net=AdaIN(args.width),
        code_optimizer=partial(Adam, lr=args.lr_codes, betas=(0.5, 0.999)),
        generator_optimizer=partial(Adam, lr=args.lr, betas=(0.5, 0.999)),
        encoder_optimizer=partial(Adam, lr=args.lr, betas=(0.5, 0.999)),
        **settings,
    )
    start = time.perf_counter()
    steps = {"optimize": args.steps, "amortize": args.steps // 2}
    ut.fit(method, data, steps=steps, batch_size=args.batch_size, seed=seed, progress=False)
    return method, time.perf_counter() - start


@torch.no_grad()
def measure(method, data, unseen, seed: int) -> dict[str, tuple[float, float]]:
    codes = ut.encode(method.cpu(), data).mean
    content, label = method.split(torch.from_numpy(codes))
    optimized = method.contents.weight.numpy()
    names, factors = data.space.names, data.factors
    found = {
        f"{names[0]} from content code (optimized)": probe(optimized, factors[:, 0], seed),
        f"{names[0]} from content (encoder)": probe(content.numpy(), factors[:, 0], seed),
        f"{names[0]} from class code (encoder)": probe(label.numpy(), factors[:, 0], seed),
    }
    for k, name in enumerate(names[1:], 1):
        found[f"{name} from content (encoder)"] = probe(content.numpy(), factors[:, k], seed)
        found[f"{name} from class code (encoder)"] = probe(label.numpy(), factors[:, k], seed)
    codes = ut.encode(method, unseen).mean
    content, label = method.split(torch.from_numpy(codes))
    who = unseen.factors[:, 0]
    found[f"unseen {names[0]} from content"] = probe(content.numpy(), who, seed)
    found[f"unseen {names[0]} from class code"] = probe(label.numpy(), who, seed)
    x = data.observations(range(len(data)))
    error = torch.cat(
        [(method.decode(method.represent(b).mean).mean - b) ** 2 for b in x.split(256)]
    )
    found["squared error per value, encoders"] = (float(error.mean()),) * 2
    return found


def chance(data) -> dict[str, float]:
    return {
        name: float(np.bincount(column).max() / len(column))
        for name, column in zip(data.space.names, data.factors.T, strict=True)
    }


def picture(method, data, unseen, path: Path) -> None:
    """Rows: class of the first image, the last two of people never seen; columns: contents."""
    label = data.factors[:, 0]
    rng = np.random.default_rng(1)
    classes = np.unique(label)[:: max(1, len(np.unique(label)) // 4)][:4]
    rows = [rng.choice(np.flatnonzero(label == c)) for c in classes]
    first = np.flatnonzero(label == np.unique(label)[1])
    columns = first[:: max(1, len(first) // 8)][:8]
    others = [np.flatnonzero(unseen.factors[:, 0] == c)[0] for c in np.unique(unseen.factors[:, 0])]
    one = torch.cat([data.observations(rows), unseen.observations(others[:2])])
    two = data.observations(columns)
    grid = method.swap(two, one)
    blank = torch.ones_like(two[:1])
    top = torch.cat([blank, two])[None]
    cells = torch.cat([top, torch.cat([one[:, None], grid], 1)])
    labels = ["content of", *["class of"] * 4, *["unseen class"] * 2]
    figure = ut.plots.traversal_grid(cells.clamp(0, 1).numpy(), labels)
    figure.savefig(path, dpi=110, bbox_inches="tight")


def report(rows: list[dict]) -> str:
    """A table for every set and choice of settings, with a column for every arm."""
    lines = []
    for key in dict.fromkeys(json.dumps([row["set"], row["settings"]]) for row in rows):
        part = [row for row in rows if json.dumps([row["set"], row["settings"]]) == key]
        name, settings = json.loads(key)
        arms = [arm for arm in ARMS if any(row["arm"] == arm for row in part)]
        arguments = " ".join(f"--{k} {v:g}" for k, v in settings.items() if k != "full")
        arguments += " --full" * settings["full"]
        lines += [f"## {name}: {part[0]['data']}", ""]
        arguments += " --arms " + " ".join(f'"{arm}"' if " " in arm else arm for arm in arms)
        lines += [f"`python benchmarks/lord.py --set {name} {arguments}`, one thread. Means and "]
        lines[-1] += "standard deviations over seeds, linear / neighbors."
        lines += ["", "| probe | chance | " + " | ".join(arms) + " |"]
        lines.append("|---" * (len(arms) + 2) + "|")
        for probed in part[0]["found"]:
            of_chance = part[0]["chance"].get(probed.partition(" from ")[0])
            cells = [probed, "" if of_chance is None else f"{of_chance:.3f}"]
            for arm in arms:
                values = np.array([row["found"][probed] for row in part if row["arm"] == arm])
                spread = values.std(0, ddof=1) if len(values) > 1 else None
                text = [
                    f"{m:.3f}" if spread is None else f"{m:.3f} ± {spread[k]:.3f}"
                    for k, m in enumerate(values.mean(0))
                ]
                cells.append(text[0] if of_chance is None else " / ".join(text))
            lines.append("| " + " | ".join(cells) + " |")
        for title, key in (("seeds", "seed"), ("seconds a run", "seconds")):
            counts = [[row[key] for row in part if row["arm"] == arm] for arm in arms]
            texts = [str(len(n)) if key == "seed" else f"{np.mean(n):.0f}" for n in counts]
            lines.append(f"| {title} | | " + " | ".join(texts) + " |")
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--set", choices=("faces", "cars"), default="faces")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=["pyramid"])
    parser.add_argument(
        "--steps", type=int, default=1000, help="of the first stage; half in the second"
    )
    parser.add_argument("--batch_size", type=int, default=32)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--latent_dim", type=int, default=8)
    parser.add_argument("--class_dim", type=int, default=16)
    parser.add_argument("--sigma", type=float, default=1.0)
    parser.add_argument("--decay", type=float, default=0.5)
    parser.add_argument("--imitation", type=float, default=10.0)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--lr_codes", type=float, default=1e-2)
    parser.add_argument("--full", action="store_true", help="images and set at full size")
    parser.add_argument("--data", default=str(SHARED))
    parser.add_argument("--out", default=str(ROOT / "benchmarks/results"))
    parser.add_argument("--pictures", default="runs/lord")
    args = parser.parse_args()

    x, factors, names = (faces if args.set == "faces" else cars)(Path(args.data), args.full)
    unseen = factors[:, 0] >= 0.8 * (factors[:, 0].max() + 1)
    unseen_data = ut.FactorDataset.from_arrays(x[unseen], factors[unseen], names)
    data = ut.FactorDataset.from_arrays(x[~unseen], factors[~unseen], names)
    print(data, unseen_data, chance(data), flush=True)
    out, pictures = Path(args.out), Path(args.pictures)
    out.mkdir(parents=True, exist_ok=True)
    pictures.mkdir(parents=True, exist_ok=True)
    kept = out / "lord.jsonl"
    rows = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    settings = {name: getattr(args, name) for name in SETTINGS}
    share = chance(data) | {f"unseen {names[0]}": chance(unseen_data)[names[0]]}
    for arm in args.arms:
        for seed in args.seeds:
            key = {"set": args.set, "arm": arm, "seed": seed, "settings": settings}
            if any(key.items() <= row.items() for row in rows):
                continue
            method, seconds = train(data, arm, seed, args)
            found = measure(method, data, unseen_data, seed)
            row = key | {"data": str(data), "chance": share, "seconds": seconds, "found": found}
            rows.append(row)
            with kept.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(arm, seed, json.dumps(found), flush=True)
            if seed == args.seeds[0]:
                name = f"lord_{args.set}_{arm.replace(' ', '_')}.png"
                picture(method, data, unseen_data, pictures / name)
    (out / "lord.md").write_text(HEAD + report(json.loads(json.dumps(rows))))


if __name__ == "__main__":
    main()
