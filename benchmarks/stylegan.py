"""StyleGAN against InfoGAN of the same training time, and what its layers change, on emoji people.

KID is the squared maximum mean discrepancy of VGG16's relu3_3, averaged over places, under the
polynomial kernel of degree 3; 0 is the best, what other real images have beside it. Style mixing:
images get the style of another code in a third of their layers. How far shape (which pixels the
person covers) and color (the mean of these) go from their own to the other's, and how many images
are given the other's value of a factor by a probe of the same features.

    python benchmarks/stylegan.py --seeds 0 --steps 1500

The full size, for a GPU:

    python benchmarks/stylegan.py --seeds 0 1 2 --steps 50000 --width 64 --widest 512 --batch 64

A row is kept for each choice of settings in benchmarks/results/stylegan.jsonl.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch

import untwine as ut
from untwine import diagnostics as d, methods as m, nets, plots

SETTINGS = ("steps", "batch", "width", "widest", "dim", "images")
FACTORS = ("activity", "gender", "skin_tone", "vendor")
VGG = "vgg16_imagenet_to_conv3_3_fp16.npz"


def emoji(options: argparse.Namespace) -> ut.FactorDataset:
    z = np.load(options.data / "emoji_people_32x32.npz")
    x = np.ascontiguousarray(z["images"].transpose(0, 3, 1, 2))
    return ut.FactorDataset.from_arrays(x, z["factors"], [str(n) for n in z["factor_names"]])


@torch.no_grad()
def looked_at(features: nets.Features, x: torch.Tensor) -> torch.Tensor:
    """Features of images, averaged over places."""
    return torch.cat([features(part)[-1].mean((2, 3)) for part in x.split(200)]).double()


def kid(real: torch.Tensor, fake: torch.Tensor) -> float:
    """The unbiased kernel inception distance of features, Binkowski et al. 2018."""

    def kernel(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def within(a: torch.Tensor) -> torch.Tensor:
        gram = kernel(a, a)
        return (gram.sum() - gram.diagonal().sum()) / (len(a) * (len(a) - 1))

    return float(within(real) + within(fake) - 2 * kernel(real, fake).mean())


def probes(features: torch.Tensor, data: ut.FactorDataset) -> dict[str, Any]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return {
        name: make_pipeline(StandardScaler(), LogisticRegression(max_iter=300)).fit(
            features, data.factors[:, k]
        )
        for k, name in enumerate(data.space.names)
    }


def outlined(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Shape and color of people on white: the share of each 4x4 pixels they cover, their mean RGB.

    What covers a pixel is darker than 0.75 in some channel.
    """
    covered = (x.min(1, keepdim=True).values < 0.75).double()
    area = covered.sum((2, 3)).clamp(min=1)
    shape = torch.nn.functional.avg_pool2d(covered, 4).flatten(1)
    return shape, (x * covered).sum((2, 3)) / area


def taken(own: torch.Tensor, other: torch.Tensor, mixed: torch.Tensor) -> float:
    """How far mixed values have gone from their own ones to the other ones: 0 not at all, 1 all."""
    way = other - own
    return float(((mixed - own) * way).sum() / way.square().sum())


@torch.no_grad()
def mixing(
    method: m.StyleGAN, features: nets.Features, readers: dict[str, Any], n: int
) -> dict[str, float]:
    """What images take from another code in a third of their layers.

    Of shape and color (see `outlined`) how far they go to the other's; of a factor the share that
    is given the other's value, among pairs whose own images differ in it.
    """
    one, two = method.codes(2 * n).chunk(2)
    ends = np.linspace(0, method.count, 4).round().astype(int)
    row: dict[str, float] = {}
    images = [method.decode(w).mean for w in (one, two)]
    own, other = (looked_at(features, x) for x in images)
    for name, first, last in zip(("coarse", "middle", "fine"), ends[:-1], ends[1:], strict=True):
        layers = method.mix(one, two, int(first))
        layers[:, int(last) :] = one[:, None]
        made = method.decode(layers).mean
        for what, values in zip(
            ("shape", "color"), zip(*map(outlined, [*images, made]), strict=True), strict=True
        ):
            row[f"{name}, {what}"] = taken(*values)
        mixed = looked_at(features, made)
        for factor, reader in readers.items():
            a, b, c = (reader.predict(h) for h in (own, other, mixed))
            differ = a != b
            row[f"{name}, {factor}"] = float((c == b)[differ].mean()) if differ.any() else np.nan
    return row


def train_style(
    options: argparse.Namespace, data: ut.FactorDataset, seed: int
) -> tuple[m.StyleGAN, float]:
    """StyleGAN and the CPU seconds of its training; a run that was stopped goes on."""
    method = m.StyleGAN.build(
        data, options.dim, width=options.width, widest=options.widest, seed=seed
    )
    out = options.out / f"StyleGAN-{options.steps}-seed{seed}"
    steps = {"fit": options.steps, "encode": options.encode}
    ut.fit(method, data, steps=steps, out=out, **arguments(options, seed))
    return method, common.Seconds.of(out)


def train_info(
    options: argparse.Namespace, data: ut.FactorDataset, seed: int, seconds: float
) -> tuple[m.InfoGAN, float, int]:
    """InfoGAN after as many seconds, these, and its steps."""

    def built() -> m.InfoGAN:
        net = nets.DCGAN(options.width, (8 * options.width,))
        return m.InfoGAN.build(data, 10, classes=10, net=net, seed=seed)

    out = options.out / f"InfoGAN-{options.steps}-seed{seed}"
    chosen = out.with_suffix(".steps")
    if not chosen.exists():
        trial = min(100, options.steps)
        _, _, cpu = common.timed(
            lambda: ut.fit(built(), data, steps=trial, batch_size=options.batch, progress=False)
        )
        chosen.write_text(str(max(1, round(seconds * trial / cpu))))
    steps = int(chosen.read_text())
    method = built()
    average = ut.training.EMA(0.999)
    ut.fit(method, data, steps=steps, average=average, out=out, **arguments(options, seed))
    return method, common.Seconds.of(out), steps


def arguments(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Those of `untwine.fit` that both trainings share."""
    return {
        "batch_size": options.batch,
        "seed": seed,
        "callbacks": [common.Seconds()],
        "checkpoint_every": 200,
        "progress": False,
    }


def pictures(method: m.StyleGAN, folder: Path) -> None:
    """Grids of styles: coarse layers of other codes, and fine ones."""
    count = method.count
    for part, ends in {"coarse": (0, count // 3), "fine": (2 * count // 3, count)}.items():
        own, other = method.codes(4, truncation=0.8), method.codes(6, truncation=0.8)
        figure = plots.swap_grid(
            method.style_grid(own, other, *ends).numpy(),
            method.decode(own).mean.detach().numpy(),
            method.decode(other).mean.detach().numpy(),
            of_rows="all other layers",
            of_columns=f"{part} layers",
        )
        common.save(figure, folder / f"StyleGAN-{part}.png")


def measured(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """A row: both trainings, KID, path lengths, and what layers change."""
    data = emoji(options)
    features = nets.VGG16(options.data / VGG, layers=["relu3_3"])
    everything = looked_at(features, data.observations(range(len(data))))
    rows = np.random.default_rng(seed).permutation(len(data))
    real, more = everything[rows[: options.images]], everything[rows[options.images :]]
    style, seconds = train_style(options, data, seed)
    rival, of_rival, steps = train_info(options, data, seed, seconds)
    torch.manual_seed(seed)
    made = {"StyleGAN": style.sample(options.images), "InfoGAN": rival.sample(options.images)}
    one, two = style.codes(2 * options.images).chunk(2)
    z = style.draw(2 * options.images).chunk(2)
    vgg = nets.VGG16(options.data / VGG)
    if options.pictures and seed == options.seeds[0]:
        pictures(style, options.pictures)
    return {
        **{f"KID of {name}": kid(real, looked_at(features, x)) for name, x in made.items()},
        "KID of other real images": kid(real, more),
        "path length, w": d.perceptual_path_length(style, one, two, features=vgg).value,
        "path length, z": d.perceptual_path_length(
            lambda v: style.decode(style.averaged.mapping(v)).mean, *z, features=vgg, spherical=True
        ).value,
        **mixing(style, features, probes(everything, data), options.images),
        "InfoGAN's steps": steps,
        "seconds of StyleGAN": round(seconds),
        "seconds of InfoGAN": round(of_rival),
    }


def report(rows: common.Rows) -> str:
    """The results, as they are read."""
    text = ["# StyleGAN beside InfoGAN", "", __doc__.split("\n\n")[1]]
    for group in common.grouped(rows, "settings"):
        shown = common.flags({"seeds": [r["seed"] for r in group], **group[0]["settings"]})
        text += ["", f"`python benchmarks/stylegan.py {shown}`", ""]
        heads = ("KID of StyleGAN", "KID of InfoGAN", "KID of other real images",
                 "path length, w", "path length, z", "InfoGAN's steps", "seconds of StyleGAN",
                 "seconds of InfoGAN")  # fmt: skip
        text += common.table(
            ("seed", *heads), [(r["seed"], *(round(r[h], 1) for h in heads)) for r in group]
        )
        kinds = ("shape", "color", *FACTORS)
        text += ["", "What images take of another code in a third of their layers.", ""]
        text += common.table(
            ("layers", *kinds),
            [
                (part, *(common.mean_sd([r[f"{part}, {k}"] for r in group], 2) for k in kinds))
                for part in ("coarse", "middle", "fine")
            ],
        )
    return "\n".join(text) + "\n"


def main() -> None:
    folders = {"data": common.SHARED, "out": Path("runs/stylegan"), "results": common.RESULTS}
    parser = common.parser(__doc__, seeds=[0], **folders)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--encode", type=int, default=100, help="steps of the encoder")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--widest", type=int, default=64)
    parser.add_argument("--dim", type=int, default=64, help="dimensions of w")
    parser.add_argument("--images", type=int, default=1000, help="that are measured")
    parser.add_argument("--pictures", type=Path, help="a folder")
    options = parser.parse_args()
    rows = common.Rows(options.results / "stylegan.jsonl")
    for seed in options.seeds:
        key = {"seed": seed, "settings": common.chosen(options, SETTINGS)}
        rows.once(key, lambda seed=seed: measured(options, seed))
    (options.results / "stylegan.md").write_text(report(rows))


if __name__ == "__main__":
    main()
