"""Adversarial methods on MNIST: classes with a hundred labels, clusters, and InfoGAN's classes.

Trains on the first 10,000 training digits, measures on the standard 10,000 test digits.

    python benchmarks/adversarial.py --parts semi clusters infogan --seeds 0 1 2

Every setting is an option, a row is kept for each choice of them in
benchmarks/results/adversarial.jsonl, and what is there is not trained again.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import common
import numpy as np
import torch
from torch.optim import Adam

import untwine as ut
from untwine import methods as m, nets
from untwine.data import FewLabelsSampler
from untwine.distributions import Bernoulli
from untwine.metrics import cluster_accuracy, nmi
from untwine.training import Every

NAMES = {
    "semi": "SemiSupervisedAAE",
    "clusters": "ClusteringAAE",
    "infogan": "InfoGAN",
    "elastic": "ElasticInfoGAN",
}
OF_AAE = ("net", "hidden", "dim", "critic", "noise", "lr", "adversarial_lr", "batch", "steps")
OF_GAN = ("width", "norm", "info", "generator_lr", "discriminator_lr", "batch", "steps")
SETTINGS = {
    "semi": (*OF_AAE, "labels", "labelled"),
    "clusters": (*OF_AAE, "clusters"),
    "infogan": (*OF_GAN, "dim", "imbalance"),
    "elastic": (*OF_GAN, "dim", "imbalance", "entropy", "contrast"),
}


def adam(lr: float, beta1: float = 0.9) -> Callable[..., Adam]:
    return partial(Adam, lr=lr, betas=(beta1, 0.999), fused=True)


def of_aae(part: str, options: argparse.Namespace, train: ut.FactorDataset, seed: int) -> m.Method:
    """A method of a class and a style."""
    conv = options.net == "conv"
    settings: dict[str, Any] = {
        "net": nets.Conv(options.hidden[0], options.hidden[1:])
        if conv
        else nets.MLP(options.hidden),
        "likelihood": Bernoulli(),
        "adversarial": m.Adversarial(noise=options.noise, width=options.critic),
        "optimizer": adam(options.lr),
        "critic_optimizer": adam(options.adversarial_lr, 0.1),
        "encoder_optimizer": adam(options.adversarial_lr, 0.1),
        "seed": seed,
    }
    if part == "clusters":
        return m.ClusteringAAE.build(train, options.dim, clusters=options.clusters, **settings)
    return m.SemiSupervisedAAE.build(
        train,
        options.dim,
        labelled=options.labelled,
        classifier_optimizer=adam(options.lr),
        **settings,
    )


def of_gan(part: str, options: argparse.Namespace, train: ut.FactorDataset, seed: int) -> m.Method:
    """InfoGAN, or its elastic kin."""
    settings: dict[str, Any] = {
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
    if part == "clusters":
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
    rows = np.sort(np.concatenate(rows))
    return ut.FactorDataset.from_arrays(
        (data.observations(rows) * 255).round().to(torch.uint8).numpy(),
        data.factors[rows],
        names=["digit"],
    )


def train_one(part: str, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Trains and measures; errors on the way, too."""
    aae = part in ("semi", "clusters")
    train, test = common.mnist(options.data, flat=aae and options.net == "mlp")
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
    method.eval()
    return {**measure(part, method, test), "curve": curve, "seconds": round(seconds)}


def report(rows: common.Rows) -> str:
    text = ["# Adversarial methods on MNIST", "", __doc__.split("\n\n")[1].replace("\n", " ")]
    for part, name in NAMES.items():
        for group in common.grouped([r for r in rows if r["part"] == part], "settings"):
            settings = {k.replace("_", "-"): v for k, v in group[0]["settings"].items()}
            columns = [c for c in ("error", "accuracy", "nmi", "information") if c in group[0]]
            columns += ["classes_in_use", "confidence"]
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
            text += ["", *(f"- seed {r['seed']}: {c}" for r, c in zip(group, curves, strict=False))]
    return "\n".join([*text, ""])


def main() -> None:
    parser = common.parser(__doc__, seeds=[0, 1, 2], data=common.SHARED, results=common.RESULTS)
    parser.add_argument("--parts", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--dim", type=int, default=10, help="dimensions beside the class")
    parser.add_argument("--curve", type=int, default=500, help="measured every so many steps")
    of_aae = parser.add_argument_group("of adversarial autoencoders")
    of_aae.add_argument("--net", choices=["mlp", "conv"], default="mlp")
    of_aae.add_argument("--hidden", type=int, nargs="+", default=[256, 256])
    of_aae.add_argument("--critic", type=int, default=100, help="width of the critics")
    of_aae.add_argument("--noise", type=float, default=0.3, help="on what the critics see")
    of_aae.add_argument("--lr", type=float, default=1e-3)
    of_aae.add_argument("--adversarial-lr", type=float, default=5e-4)
    of_aae.add_argument("--labels", type=int, default=100)
    of_aae.add_argument("--labelled", type=float, default=1.0, help="weight of the labelled part")
    of_aae.add_argument("--clusters", type=int, default=30)
    of_gan = parser.add_argument_group("of InfoGAN")
    of_gan.add_argument("--width", type=int, default=16, help="channels of the first convolution")
    of_gan.add_argument("--norm", action="store_true", help="batch norm in the discriminator")
    of_gan.add_argument("--info", type=float, default=1.0)
    of_gan.add_argument("--generator-lr", type=float, default=1e-3)
    of_gan.add_argument("--discriminator-lr", type=float, default=2e-4)
    of_gan.add_argument("--imbalance", type=float, default=1.0)
    of_gan.add_argument("--entropy", type=float, default=1.0)
    of_gan.add_argument("--contrast", type=float, default=10.0)
    options = parser.parse_args()
    rows = common.Rows(options.results / "adversarial.jsonl")
    for part in options.parts:
        for seed in options.seeds:
            settings = common.chosen(options, SETTINGS[part])
            key = {"part": part, "seed": seed, "settings": settings}
            rows.once(key, partial(train_one, part, options, seed))
            (options.results / "adversarial.md").write_text(report(rows))


if __name__ == "__main__":
    main()
