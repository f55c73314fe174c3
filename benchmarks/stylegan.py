"""StyleGAN against InfoGAN of the same training time, and what its layers change, on emoji people.

KID is the squared maximum mean discrepancy of VGG16's relu3_3, averaged over places, under the
polynomial kernel of degree 3. Style mixing is read by probes of the same features: of images with
the style of another code in some layers, how many have its factor, and how many keep their own.

    python benchmarks/stylegan.py --seeds 0 --steps 1500

The full size, for a GPU:

    python benchmarks/stylegan.py --seeds 0 1 2 --steps 50000 --width 64 --widest 512 --batch 64

A row is kept for each choice of settings in benchmarks/results/stylegan.jsonl.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch

import untwine as ut
from untwine import diagnostics as d, methods as m, nets, plots

SETTINGS = ("steps", "batch", "width", "widest", "dim", "images")
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


def mixing(
    method: m.StyleGAN, features: nets.Features, readers: dict[str, Any], n: int
) -> dict[str, float]:
    """By thirds of the layers and by factor: the share that takes the other code's value.

    Among pairs whose own images differ in the factor.
    """
    w = method.codes(2 * n)
    one, two = w[:n], w[n:]
    ends = np.linspace(0, method.count, 4).round().astype(int)
    row: dict[str, float] = {}
    own, other = (looked_at(features, method.decode(x).mean.detach()) for x in (one, two))
    for name, first, last in zip(("coarse", "middle", "fine"), ends[:-1], ends[1:], strict=True):
        layers = method.mix(one, two, int(first))
        layers[:, int(last) :] = one[:, None]
        mixed = looked_at(features, method.decode(layers).mean.detach())
        for factor, reader in readers.items():
            a, b, c = (reader.predict(h) for h in (own, other, mixed))
            differ = a != b
            row[f"{name}, {factor}"] = float((c == b)[differ].mean()) if differ.any() else np.nan
    return row


def train_one(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    data = emoji(options)
    features = nets.VGG16(options.data / VGG, layers=["relu3_3"])
    rows = np.random.default_rng(seed).permutation(len(data))[: options.images]
    real = looked_at(features, data.observations(rows))
    style = m.StyleGAN.build(
        data, options.dim, width=options.width, widest=options.widest, seed=seed
    )
    arguments = {"batch_size": options.batch, "seed": seed, "progress": False}
    start = time.process_time()
    ut.fit(style, data, steps={"fit": options.steps, "encode": options.encode}, **arguments)
    seconds = time.process_time() - start

    def info() -> m.InfoGAN:
        net = nets.DCGAN(options.width, (8 * options.width,))
        return m.InfoGAN.build(data, 10, classes=10, net=net, seed=seed)

    start = time.process_time()
    trial = min(30, options.steps)
    ut.fit(info(), data, steps=trial, **arguments)
    steps = max(1, round(seconds * trial / (time.process_time() - start)))
    rival = info()
    start = time.process_time()
    ut.fit(rival, data, steps=steps, average=ut.training.EMA(0.999), **arguments)
    of_rival = time.process_time() - start
    torch.manual_seed(seed)
    made = {"StyleGAN": style.sample(options.images), "InfoGAN": rival.sample(options.images)}
    one, two = style.codes(2 * options.images).chunk(2)
    z = style.draw(2 * options.images).chunk(2)
    vgg = nets.VGG16(options.data / VGG)
    if options.pictures and seed == options.seeds[0]:
        count = style.count
        for part, ends in {"coarse": (0, count // 3), "fine": (2 * count // 3, count)}.items():
            own, other = style.codes(4, truncation=0.8), style.codes(6, truncation=0.8)
            figure = plots.swap_grid(
                style.style_grid(own, other, *ends).numpy(),
                style.decode(own).mean.detach().numpy(),
                style.decode(other).mean.detach().numpy(),
                of_rows="all other layers",
                of_columns=f"{part} layers",
            )
            common.save(figure, options.pictures / f"StyleGAN-{part}.png")
    return {
        **{f"KID of {name}": kid(real, looked_at(features, x)) for name, x in made.items()},
        "path length, w": d.perceptual_path_length(style, one, two, features=vgg).value,
        "path length, z": d.perceptual_path_length(
            lambda v: style.decode(style.averaged.mapping(v)).mean, *z, features=vgg, spherical=True
        ).value,
        **mixing(
            style,
            features,
            probes(looked_at(features, data.observations(range(len(data)))), data),
            options.images,
        ),
        "InfoGAN's steps": steps,
        "seconds of StyleGAN": round(seconds),
        "seconds of InfoGAN": round(of_rival),
    }


def main() -> None:
    parser = common.parser(__doc__, seeds=[0], data=common.SHARED, results=common.RESULTS)
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
        rows.once(key, lambda seed=seed: train_one(options, seed))


if __name__ == "__main__":
    main()
