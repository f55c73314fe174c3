"""Adversarial methods on MNIST: priors, few labels, clusters, maps, and the classes of InfoGAN.

Trains on the first 10,000 training digits, measures on the standard 10,000 test digits.

    python benchmarks/adversarial.py --parts semi clusters infogan --seeds 0 1 2

With --pictures FOLDER what the first seed learned is drawn. Every setting is an option, a row is
kept for each choice of them in benchmarks/results/adversarial.jsonl, and what is there is not
trained again. With --validation 2,000 of the training digits are kept back and measured in the
place of the test digits, and nothing is written: settings are chosen so.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import adversarial_pictures as pictures
import common
import numpy as np
import torch
from torch import nn
from torch.optim import Adam

import untwine as ut
from untwine import methods as m, nets
from untwine.data import FewLabelsSampler
from untwine.distributions import Bernoulli, GaussianMixture, StandardNormal, SwissRollPrior
from untwine.functional import sliced_wasserstein
from untwine.metrics import cluster_accuracy, nmi
from untwine.training import Every

NAMES = {
    "priors": "AAE",
    "semi": "SemiSupervisedAAE",
    "clusters": "ClusteringAAE",
    "map": "ReducingAAE",
    "infogan": "InfoGAN",
    "elastic": "ElasticInfoGAN",
}
OF_AAE = (
    "net",
    "hidden",
    "input_noise",
    "degrees",
    "zoom",
    "shift",
    "dim",
    "critic",
    "noise",
    "lr",
    "adversarial_lr",
    "batch",
    "steps",
)
OF_GAN = (
    "width",
    "norm",
    "info",
    "generator_lr",
    "discriminator_lr",
    "degrees",
    "zoom",
    "shift",
    "batch",
    "steps",
)
SETTINGS = {
    "priors": OF_AAE,
    "semi": (*OF_AAE, "labels", "labelled", "classifier_lr"),
    "clusters": (*OF_AAE, "clusters"),
    "map": (*OF_AAE, "clusters", "distance"),
    "infogan": (*OF_GAN, "dim", "imbalance"),
    "elastic": (*OF_GAN, "dim", "imbalance", "entropy", "contrast"),
}


class Disturbed(nets.Architecture):
    """A perceptron for a decoder, and an encoder that sees images changed, in training.

    Args:
        hidden: Widths of the decoder's hidden layers, in reverse, and of the encoder's.
        convolutions: Whether the encoder has two convolutions with batch norm before one layer of
            the last width.
        noise: Standard deviation of Gaussian noise on pixels.
        affine: How an image is turned, zoomed and shifted.
    """

    def __init__(
        self, hidden: Sequence[int], convolutions: bool, noise: float, affine: nn.Module
    ) -> None:
        self.decoding = nets.MLP(hidden)
        last = tuple(hidden[-1:])
        self.encoding = nets.DCGAN(16, last, norm=True) if convolutions else self.decoding
        self.changes = nn.Sequential(affine, nets.GaussianNoise(noise))

    def encoder(self, shape: Sequence[int], features: int, covariates: int = 0) -> nn.Module:
        net = self.encoding.encoder(shape, features, covariates)
        return nn.Sequential(OnlyInTraining(self.changes), net)

    def decoder(self, latent_dim: int, shape: Sequence[int], covariates: int = 0) -> nn.Module:
        return self.decoding.decoder(latent_dim, shape, covariates)


class OnlyInTraining(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x) if self.training else x


def adam(lr: float, beta1: float = 0.9) -> Callable[..., Adam]:
    return partial(Adam, lr=lr, betas=(beta1, 0.999), fused=True)


def of_aae(part: str, options: argparse.Namespace, train: ut.FactorDataset, seed: int) -> m.Method:
    """A method of a class and a style."""
    affine = nets.RandomAffine(options.degrees, options.zoom, options.shift)
    settings: dict[str, Any] = {
        "net": Disturbed(options.hidden, options.net == "conv", options.input_noise, affine),
        "likelihood": Bernoulli(),
        "adversarial": m.Adversarial(noise=options.noise, width=options.critic),
        "optimizer": adam(options.lr),
        "critic_optimizer": adam(options.adversarial_lr, 0.1),
        "encoder_optimizer": adam(options.adversarial_lr, 0.1),
        "seed": seed,
    }
    if part == "clusters":
        return m.ClusteringAAE.build(train, options.dim, clusters=options.clusters, **settings)
    if part == "map":
        more = {"clusters": options.clusters, "distance": options.distance}
        return m.ReducingAAE.build(train, options.dim, **more, **settings)
    if part in PRIORS:
        return m.AAE.build(train, 2, prior=PRIORS[part](), **settings)
    return m.SemiSupervisedAAE.build(
        train,
        options.dim,
        labelled=options.labelled,
        classifier_optimizer=adam(options.classifier_lr),
        **settings,
    )


def petals() -> GaussianMixture:
    """Ten narrow Gaussians in a ring."""
    prior = GaussianMixture(2, 10, weights="fixed")
    angle = torch.arange(10) * (2 * torch.pi / 10)
    with torch.no_grad():
        prior.loc.copy_(4 * torch.stack([angle.cos(), angle.sin()], -1))
        prior.log_scale.fill_(-0.5)
    return prior


PRIORS = {
    "normal": partial(StandardNormal, 2),
    "mixture of ten": petals,
    "swiss roll": partial(SwissRollPrior, radius=6.0),
}


def of_gan(part: str, options: argparse.Namespace, train: ut.FactorDataset, seed: int) -> m.Method:
    """InfoGAN, or its elastic kin."""
    affine = nets.RandomAffine(options.degrees, options.zoom, options.shift)
    changed = options.degrees or options.zoom or options.shift
    settings: dict[str, Any] = {
        "augment": affine if changed else None,
        "net": nets.DCGAN(options.width, (8 * options.width,), norm=options.norm),
        "spectral": not options.norm,
        "info": options.info,
        "generator_optimizer": adam(options.generator_lr, 0.5),
        "discriminator_optimizer": adam(options.discriminator_lr, 0.5),
        "seed": seed,
    }
    if part == "infogan":
        return m.InfoGAN.build(train, options.dim, **settings)
    return m.ElasticInfoGAN.build(
        train, options.dim, entropy=options.entropy, contrast=options.contrast, **settings
    )


def assignments(method: Any, data: ut.FactorDataset) -> np.ndarray:
    """Probabilities of classes, ``(N, K)``."""
    if isinstance(method, m.InfoGAN):
        return common.of_all(lambda x: method.represent(x)["category"].mean, data)
    return common.of_all(method.cluster, data)


def measure(part: str, method: Any, test: ut.FactorDataset) -> dict[str, float]:
    """What classes or clusters say of digits; in the protocols of the papers."""
    q, y = assignments(method, test), test.factors[:, 0]
    chosen = q.argmax(1)
    share = q.mean(0)
    of_all = {
        "classes_in_use": float(np.exp(-(share * np.log(share + 1e-12)).sum())),
        "confidence": float(q.max(1).mean()),
    }
    if part == "semi":
        return {"error": 100 * float((chosen != y).mean()), **of_all}
    if part in ("clusters", "map"):
        # A cluster is named after the test digit that is surest to be in it, as in the paper.
        surest = y[q.argmax(0)]
        return {
            "error": 100 * float((surest[chosen] != y).mean()),
            "nmi": float(nmi(None, y, clusters=chosen)),
            **of_all,
        }
    return {
        "accuracy": 100 * float(cluster_accuracy(None, y, clusters=chosen)),
        "nmi": float(nmi(None, y, clusters=chosen)),
        "information": float(method.information(5000)),
        **of_all,
    }


def imbalanced(data: ut.FactorDataset, most: float, seed: int) -> ut.FactorDataset:
    """A part of the data whose digits' frequencies fall geometrically, in a random order of digits.

    Args:
        data: With digits for its only factor.
        most: How many times as frequent the first is as the last.
        seed: Of the order and of the choice.
    """
    random = np.random.default_rng(seed)
    y = data.factors[:, 0]
    order = random.permutation(10)
    count = min(np.bincount(y))
    rows = [
        random.choice(np.flatnonzero(y == digit), int(count * most ** (-place / 9)), replace=False)
        for place, digit in enumerate(order)
    ]
    return some(data, np.sort(np.concatenate(rows)))


def digits(options: argparse.Namespace) -> tuple[ut.FactorDataset, ut.FactorDataset]:
    """What is trained on, and what is measured: test digits, or training digits kept back."""
    train, test = common.mnist(options.data)
    if not options.validation:
        return train, test
    rows = np.random.default_rng(0).permutation(len(train))
    return some(train, rows[2000:]), some(train, rows[:2000])


def some(data: ut.FactorDataset, rows: np.ndarray) -> ut.FactorDataset:
    """Some digits of a data set."""
    return ut.FactorDataset.from_arrays(
        (data.observations(rows) * 255).round().to(torch.uint8).numpy(),
        data.factors[rows],
        names=["digit"],
    )


def train_one(part: str, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Trains and measures; errors on the way, too."""
    if part == "priors":
        return train_priors(options, seed)
    aae = part in ("semi", "clusters", "map")
    train, test = digits(options)
    sampler = None
    if part == "semi":
        sampler = FewLabelsSampler("digit", labelled=options.labels, seed=seed)
    if not aae and options.imbalance > 1:
        train, test = (imbalanced(d, options.imbalance, seed) for d in (train, test))
    method = (of_aae if aae else of_gan)(part, options, train, seed)
    curve: dict[int, float] = {}
    main = "error" if aae else "accuracy"

    def look(state: Any) -> None:
        values = measure(part, method, test)
        curve[state.position.step] = round(values[main], 2)
        print(f"{part}, seed {seed}, {state.position.step:,} steps: {values}", flush=True)

    callbacks = [Every(options.curve, look)] if options.curve else []
    _, seconds = common.fit(
        method,
        train,
        steps=options.steps,
        batch_size=options.batch,
        seed=seed,
        sampler=sampler,
        callbacks=callbacks,
    )
    if options.pictures and seed == options.seeds[0]:
        torch.manual_seed(seed)
        pictures.DRAW[part](method, test, options.pictures)
    return {**measure(part, method, test), "curve": curve, "seconds": round(seconds)}


def train_priors(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """An AAE of two dimensions under each prior: how far codes of test digits are from it."""
    train, test = digits(options)
    made, row = {}, {"seconds": 0}
    for name in PRIORS:
        made[name] = of_aae(name, options, train, seed)
        steps = {"steps": options.steps, "batch_size": options.batch}
        _, seconds = common.fit(made[name], train, seed=seed, **steps)
        z = torch.from_numpy(common.of_all(lambda x, of=made[name]: of.represent(x).mean, test))
        torch.manual_seed(seed)
        drawn, other = (made[name].prior().sample((len(z),)).detach() for _ in range(2))
        row[f"{name}, distance"] = sliced_wasserstein(z, drawn, 500).item() ** 0.5
        row[f"{name}, floor"] = sliced_wasserstein(other, drawn, 500).item() ** 0.5
        row["seconds"] += round(seconds)
    if options.pictures and seed == options.seeds[0]:
        pictures.codes_of_priors(made, test, options.pictures)
    return row


def report(rows: common.Rows) -> str:
    text = ["# Adversarial methods on MNIST", "", __doc__.split("\n\n")[1].replace("\n", " ")]
    for part, name in NAMES.items():
        for group in common.grouped([r for r in rows if r["part"] == part], "settings"):
            settings = {k.replace("_", "-"): v for k, v in group[0]["settings"].items()}
            columns = [
                name
                for name, value in group[0].items()
                if isinstance(value, float) and name != "seconds"
            ]
            text += [
                "",
                f"## {name}, {group[0]['settings']['steps']:,} steps",
                "",
                f"`python benchmarks/adversarial.py --parts {part} {common.flags(settings)}`",
                "",
                *common.table(
                    ["seeds", *(c.replace("_", " ") for c in columns), "s"],
                    [
                        [
                            len(group),
                            *(common.mean_sd([r[c] for r in group], 2) for c in columns),
                            round(np.mean([r["seconds"] for r in group])),
                        ]
                    ],
                ),
            ]
            curves = [
                ", ".join(f"{value:.1f} ({int(step):,})" for step, value in r["curve"].items())
                for r in group
                if r.get("curve")
            ]
            lines = [f"- seed {r['seed']}: {c}" for r, c in zip(group, curves, strict=False)]
            text += ["", *lines] if lines else []
    return "\n".join([*text, ""])


def main() -> None:
    parser = common.parser(__doc__, seeds=[0, 1, 2], data=common.SHARED, results=common.RESULTS)
    parser.add_argument("--parts", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--pictures", type=Path, help="a folder")
    parser.add_argument("--validation", action="store_true", help="on training digits kept back")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--dim", type=int, default=10, help="dimensions beside the class")
    parser.add_argument("--degrees", type=float, default=0.0, help="that images are turned at most")
    parser.add_argument("--zoom", type=float, default=0.0, help="that they are zoomed, as a share")
    parser.add_argument("--shift", type=float, default=0.0, help="that they are shifted, likewise")
    parser.add_argument("--curve", type=int, default=500, help="measured every so many steps")
    of_aae = parser.add_argument_group("of adversarial autoencoders")
    of_aae.add_argument("--net", choices=["mlp", "conv"], default="mlp")
    of_aae.add_argument("--hidden", type=int, nargs="+", default=[200, 200])
    of_aae.add_argument("--input-noise", type=float, default=0.0, help="on the encoder's input")
    of_aae.add_argument("--critic", type=int, default=100, help="width of the critics")
    of_aae.add_argument("--noise", type=float, default=0.3, help="on what the critics see")
    of_aae.add_argument("--lr", type=float, default=1e-3)
    of_aae.add_argument("--adversarial-lr", type=float, default=5e-4)
    of_aae.add_argument("--labels", type=int, default=100)
    of_aae.add_argument("--labelled", type=float, default=1.0, help="weight of the labelled part")
    of_aae.add_argument("--classifier-lr", type=float, default=1e-3)
    of_aae.add_argument("--clusters", type=int, default=30)
    of_aae.add_argument("--distance", type=float, default=6.0, help="between heads of the map")
    of_gan = parser.add_argument_group("of InfoGAN")
    of_gan.add_argument("--width", type=int, default=16, help="channels of the first convolution")
    of_gan.add_argument("--norm", action="store_true", help="batch norm in place of spectral norm")
    of_gan.add_argument("--info", type=float, default=1.0)
    of_gan.add_argument("--generator-lr", type=float, default=1e-3)
    of_gan.add_argument("--discriminator-lr", type=float, default=2e-4)
    of_gan.add_argument("--imbalance", type=float, default=1.0)
    of_gan.add_argument("--entropy", type=float, default=1.0)
    of_gan.add_argument("--contrast", type=float, default=10.0)
    options = parser.parse_args()
    torch.set_flush_denormal(True)
    rows = common.Rows(options.results / "adversarial.jsonl")
    for part in options.parts:
        for seed in options.seeds:
            if options.validation:
                print(train_one(part, options, seed), flush=True)
                continue
            settings = common.chosen(options, SETTINGS[part])
            key = {"part": part, "seed": seed, "settings": settings}
            rows.once(key, partial(train_one, part, options, seed))
            (options.results / "adversarial.md").write_text(report(rows))


if __name__ == "__main__":
    main()
