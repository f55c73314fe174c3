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

from functools import partial
from pathlib import Path

import common
import numpy as np
import torch
from common import chance, probe
from torch.optim import Adam

import untwine as ut
from untwine.nets import VGG16, AdaIN

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
    return z["images"] if full else common.halved(z["images"]), z["factors"], names


def cars(folder: Path, full: bool) -> tuple[np.ndarray, np.ndarray, list[str]]:
    step = 1 if full else 2
    x = common.cars3d(folder, full, every=1 if full else 3)[:, ::step, ::step]
    factors = common.all_combinations(x.shape[:3])
    return x.reshape(-1, *x.shape[3:]), factors, ["car", "elevation", "azimuth"]


def train(data, arm: str, seed: int, args) -> tuple[ut.methods.LORD, float]:
    settings = {"sigma": args.sigma, "decay": args.decay, "imitation": args.imitation}
    if arm == "pixels":
        settings["perceptual"] = 0.0
    if arm == "vgg":
        path = args.data / "vgg16_imagenet_to_conv3_3_fp16.npz"
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
    steps = {"optimize": args.steps, "amortize": args.steps // 2}
    _, seconds = common.fit(method, data, steps=steps, batch_size=args.batch_size, seed=seed)
    return method, seconds


def read_off(
    codes: dict[str, np.ndarray], factors: dict[str, np.ndarray], seed: int
) -> dict[str, tuple[float, float]]:
    """What each part of the code tells of each factor, to both probes."""
    order = np.random.default_rng(seed).permutation(len(next(iter(factors.values()))))
    return {
        f"{factor} from {part}": probe(z, y, order=order)
        for factor, y in factors.items()
        for part, z in codes.items()
    }


def measure(method, data, unseen, seed: int) -> dict[str, tuple[float, float]]:
    def parts(of) -> list[np.ndarray]:
        codes = torch.from_numpy(ut.encode(method.cpu(), of).mean)
        return [part.numpy() for part in method.split(codes)]

    factors = dict(zip(data.space.names, data.factors.T, strict=True))
    name = data.space.names[0]
    optimized = method.contents.weight.detach().numpy()
    scores = read_off({"content code (optimized)": optimized}, {name: factors[name]}, seed)
    words = ("content (encoder)", "class code (encoder)")
    scores |= read_off(dict(zip(words, parts(data), strict=True)), factors, seed)
    codes = dict(zip(("content", "class code"), parts(unseen), strict=True))
    scores |= read_off(codes, {f"unseen {name}": unseen.factors[:, 0]}, seed)
    error = common.of_all(lambda x: (method.decode(method.represent(x).mean).mean - x) ** 2, data)
    scores["squared error per value, encoders"] = (float(error.mean()),) * 2
    return scores


def chances(data) -> dict[str, float]:
    return dict(zip(data.space.names, map(chance, data.factors.T), strict=True))


def picture(method, data, unseen, path: Path) -> None:
    """Rows: classes, the last two of them never seen; columns: contents."""
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
    figure = ut.plots.swap_grid(grid, one, two, of_rows="class", of_columns="content")
    common.save(figure, path, dpi=110)


def report(rows: list[dict]) -> str:
    """A table for every set and choice of settings, with a column for every arm."""
    lines = []
    for part in common.grouped(rows, "set", "settings"):
        name, arms = part[0]["set"], [arm for arm in ARMS if any(r["arm"] == arm for r in part)]
        command = common.flags({"set": name, **part[0]["settings"], "arms": arms})
        lines += [f"## {name}: {part[0]['data']}", ""]
        lines += [f"`python benchmarks/lord.py {command}`, one thread. Means and "]
        lines[-1] += "standard deviations over seeds, linear / neighbors."
        of_arms = [[row for row in part if row["arm"] == arm] for arm in arms]
        lines += ["", *common.table(["probe", "chance", *arms])]
        for probed in part[0]["found"]:
            of_chance = part[0]["chance"].get(probed.partition(" from ")[0])
            cells = [probed, "" if of_chance is None else f"{of_chance:.3f}"]
            for runs in of_arms:
                texts = map(common.mean_sd, np.transpose([row["found"][probed] for row in runs]))
                cells.append(next(texts) if of_chance is None else " / ".join(texts))
            lines.append(common.line(cells))
        lines.append(common.line(["seeds", "", *map(len, of_arms)]))
        seconds = [f"{np.mean([row['seconds'] for row in runs]):.0f}" for runs in of_arms]
        lines += [common.line(["seconds a run", "", *seconds]), ""]
    return "\n".join(lines)


def main() -> None:
    folders = {"data": common.SHARED, "out": common.RESULTS, "pictures": Path("runs/lord")}
    parser = common.parser(__doc__, seeds=[0, 1, 2], **folders)
    parser.add_argument("--set", choices=("faces", "cars"), default="faces")
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
    args = parser.parse_args()

    x, factors, names = (faces if args.set == "faces" else cars)(args.data, args.full)
    unseen = factors[:, 0] >= 0.8 * (factors[:, 0].max() + 1)
    unseen_data = ut.FactorDataset.from_arrays(x[unseen], factors[unseen], names)
    data = ut.FactorDataset.from_arrays(x[~unseen], factors[~unseen], names)
    print(data, unseen_data, chances(data), flush=True)
    rows = common.Rows(args.out / "lord.jsonl")
    share = chances(data) | {f"unseen {names[0]}": chance(unseen_data.factors[:, 0])}

    def run(arm: str, seed: int) -> dict:
        method, seconds = train(data, arm, seed, args)
        scores = measure(method, data, unseen_data, seed)
        if seed == args.seeds[0]:
            name = f"lord_{args.set}_{arm.replace(' ', '_')}.png"
            picture(method, data, unseen_data, args.pictures / name)
        return {"data": str(data), "chance": share, "seconds": seconds, "found": scores}

    settings = common.chosen(args, SETTINGS)
    for arm in args.arms:
        for seed in args.seeds:
            key = {"set": args.set, "arm": arm, "seed": seed, "settings": settings}
            rows.once(key, partial(run, arm, seed))
    (args.out / "lord.md").write_text(HEAD + report(rows))


if __name__ == "__main__":
    main()
