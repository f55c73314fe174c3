"""Few labels: M1, M2 and M1+M2 on MNIST, and what labels do for the codes of dSprites.

MNIST: 10,000 training digits (the paper used 50,000), of which 100 or 1,000 have labels, as many
of each class; errors are of the 10,000 test digits. dSprites: a VAE with gamma times the supervised
regularizer of Locatello et al. 2020 on 100 or 1,000 labelled images, of all factors (partial: of
two); scores are of 10,000 codes.

    python benchmarks/labels.py --seeds 3 --parts mnist dsprites
    python benchmarks/labels.py --parts mnist --m2-dim 5 --m2-beta 3 --m2-steps 8000 \\
        --m1-steps 4000 --stacked-steps 8000 --curve 2000

Rows are kept in --out (labels.jsonl) with the settings that made them and not made again; the
tables are written from all rows there are.
Nearer to the papers' size (a GPU):

    python benchmarks/labels.py --seeds 10 --hidden 600 600 --m1-steps 50000 --m2-steps 100000 \\
        --stacked-steps 100000 --dsprites-steps 300000 --net Locatello2019 --out runs/labels_full
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import cache, partial

import common
import numpy as np
import pandas as pd
import torch
from common import of_all
from torch.optim import Adam

import untwine as ut
from untwine import methods, nets
from untwine.data import FewLabelsSampler
from untwine.distributions import Bernoulli
from untwine.methods import classify_codes

LABELLED = (100, 1000)
PUBLISHED = {("M2", 100): "11.97 ± 1.71", ("M1+M2", 100): "3.33 ± 0.14"}
KINDS = ("svm", "self_training", "spreading")
METRICS = ("mig", "dci")
ARMS = (("none", 0), ("perfect", 100))
ARMS += tuple((kind, 1000) for kind in ("perfect", "binned", "noisy", "permuted", "partial"))
ORDER = ["pixels, logistic regression", "M1", *(f"M1, {kind}" for kind in KINDS), "M2", "M1+M2"]
ORDER += [kind for kind, _ in ARMS]
SETTINGS = {
    "mnist": (
        "hidden",
        "m1_steps",
        "m2_steps",
        "stacked_steps",
        "alpha",
        "labelled",
        "m2_dim",
        "m2_beta",
    ),
    "dsprites": ("net", "beta", "gamma", "dsprites_steps", "batch"),
}


def once(
    rows: common.Rows, options: argparse.Namespace, part: str, *key: object, measure: Callable
) -> None:
    """Measures a method with a number of labels and a seed, where it was asked for and is new."""
    if part == "mnist" and (
        (options.methods and key[0] not in options.methods) or key[1] not in options.labels
    ):
        return
    settings = common.chosen(options, SETTINGS[part])
    rows.once({"key": [part, *key], "settings": settings}, measure)


def tables(rows: common.Rows, part: str) -> list[tuple[dict, pd.DataFrame]]:
    """The rows of each choice of settings, the smallest first."""
    result = []
    for group in common.grouped([row for row in rows if row["key"][0] == part], "settings"):
        names = ["part", "method", "labels", "seed"]
        table = pd.DataFrame([dict(zip(names, r["key"], strict=True)) | r for r in group])
        place = table["method"].map(ORDER.index)
        table = table.assign(place=place).sort_values(["labels", "place", "seed"])
        result.append((group[0]["settings"], table))
    return result


def mnist(options: argparse.Namespace, rows: common.Rows) -> None:
    train, test = common.mnist(options.data, flat=True)
    truth = test.factors[:, 0]
    adam = partial(Adam, lr=1e-3, fused=True)
    parts = {"net": nets.MLP(options.hidden), "likelihood": Bernoulli(), "optimizer": adam}
    weights = {"alpha": options.alpha, "labelled": options.labelled}
    regularizer = methods.KL(options.m2_beta)

    def error(classify: Callable) -> float:
        return 100 * float((of_all(classify, test) != truth).mean())

    def error_of(method: ut.Method) -> float:
        return error(lambda x: method.classify(x).probs.argmax(1))

    for seed in range(options.first, options.seeds):
        samplers = {n: FewLabelsSampler("digit", labelled=n, seed=seed) for n in LABELLED}

        @cache
        def m1(seed: int = seed, sampler: FewLabelsSampler = samplers[LABELLED[0]]) -> tuple:
            """M1 with its features, which are learned without labels, and their seconds."""
            method = methods.M1.build(train, 50, seed=seed, **parts)
            return method, stage(method, 0, train, sampler, options.m1_steps, seed)

        for n, sampler in samplers.items():
            labelled, y = sampler.labelled_set(train.space, train.factors)

            def pixels(x=labelled, y=y) -> dict:
                predict = classify_codes(train.observations(x), y, "logistic")
                return {"seconds": 0, "error": error(predict)}

            def classifier(sampler=sampler, seed=seed, m1=m1) -> dict:
                method, seconds = m1()
                method.classifier.reset_parameters()
                stage(method, 1, train, sampler, 2000, seed)
                return {"seconds": round(seconds, 1), "error": error_of(method)}

            def of_codes(kind: str, labelled=labelled, y=y, m1=m1) -> dict:
                method, seconds = m1()
                codes = partial(of_all, lambda x: method.represent(x).mean)
                rest = np.setdiff1d(np.arange(len(train)), labelled)
                classify = classify_codes(
                    codes(train, labelled), y, kind, unlabelled=codes(train, rest)
                )
                percent = 100 * float((classify(codes(test)) != truth).mean())
                return {"seconds": round(seconds, 1), "error": percent}

            def stacked(sampler=sampler, seed=seed, m1=m1) -> dict:
                features, seconds = m1()
                method = methods.M1M2.build(
                    train,
                    options.m2_dim,
                    features_dim=50,
                    m2_penalty=regularizer,
                    seed=seed,
                    **parts,
                    **weights,
                )
                method.m1.encoder.load_state_dict(features.encoder.state_dict())
                method.m1.decoder.load_state_dict(features.decoder.state_dict())
                seconds += stage(method, 1, train, sampler, options.stacked_steps, seed)
                return {"seconds": round(seconds, 1), "error": error_of(method)}

            def m2(sampler=sampler, seed=seed) -> dict:
                method = methods.M2.build(
                    train, options.m2_dim, penalty=regularizer, seed=seed, **parts, **weights
                )
                curve = {}

                def watch(step: int) -> None:
                    if options.curve and step % options.curve == 0:
                        curve[step] = round(error_of(method), 2)
                        print(f"{step:,} steps: {curve[step]:.2f} %", flush=True)

                seconds = stage(method, 0, train, sampler, options.m2_steps, seed, watch)
                return {"seconds": round(seconds, 1), "error": error_of(method), "curve": curve}

            arms = {"pixels, logistic regression": pixels, "M1": classifier}
            arms |= {f"M1, {kind}": partial(of_codes, kind) for kind in KINDS}
            for name, measure in (arms | {"M1+M2": stacked, "M2": m2}).items():
                once(rows, options, "mnist", name, n, seed, measure=measure)


def stage(
    method: ut.Method,
    which: int,
    data: ut.FactorDataset,
    sampler: FewLabelsSampler,
    steps: int,
    seed: int,
    watch: Callable[[int], None] = lambda step: None,
) -> float:
    """One stage of a method alone, so that the features of M1 are learned once; its seconds."""
    began = time.perf_counter()
    loader = ut.data.Loader(data, sampler, batch_size=64, seed=seed)
    chosen, players = method.stages()[which], method.players()
    if chosen.begin is not None:
        chosen.begin(loader.batches(80))
    optimizers = {
        name: players[name].optimizer(players[name].parameters())
        for name in chosen.players or players
    }
    torch.manual_seed(seed)
    method.train()
    for step in range(steps):
        ctx = methods.Context(torch.tensor(step), len(data))
        for _ in methods.play(chosen.moves(loader(step), ctx), optimizers):
            pass
        watch(step + 1)
    method.eval()
    return time.perf_counter() - began


def dsprites(options: argparse.Namespace, rows: common.Rows) -> None:
    data = ut.data.DSprites()
    net = nets.Locatello2019() if options.net == "Locatello2019" else nets.Conv(8, (128,))

    def measure(labels: str, n: int, seed: int) -> dict:
        method = methods.FewLabelsVAE.build(
            data,
            net=net,
            seed=seed,
            gamma=options.gamma if n else 0.0,
            penalty=methods.KL(options.beta),
            optimizer=partial(Adam, lr=1e-3, fused=True),
        )
        sampler = FewLabelsSampler(
            "*", labelled=n or 100, balanced=False, seed=seed, batch_labelled=options.batch
        )
        if n:
            sampler = FewLabelsSampler(**{**sampler.arguments, "labels": labels})
        steps = {"steps": options.dsprites_steps, "batch_size": options.batch}
        _, seconds = common.fit(method, data, sampler=sampler, seed=seed, **steps)
        codes = ut.encode(method, data, n=10_000, seed=0)
        scores = ut.evaluate(codes, metrics=METRICS, progress=False).scores
        values = {metric: float(score) for metric, score in scores.items()}
        return {"seconds": round(seconds, 1), **values}

    for seed in range(options.first, options.seeds):
        for labels, n in ARMS:
            run = partial(measure, labels, n, seed)
            once(rows, options, "dsprites", labels, n, seed, measure=run)


def summary(table: pd.DataFrame, head: list[str], columns: list[str]) -> list[str]:
    """A line for each method and number of labels."""
    lines = []
    for (method, n), part in table.groupby(["method", "labels"], sort=False):
        cells = [common.mean_sd(part[c], 2) for c in columns]
        published = [PUBLISHED.get((method, n), "")] if "published" in head else []
        cells += [*published, len(part), f"{part['seconds'].mean():.0f}"]
        lines.append([method, n, *cells])
    return common.table([*head, "seeds", "seconds"], lines)


def arguments(settings: dict) -> str:
    """Those of the command line that give the settings."""
    return common.flags({name.replace("_", "-"): value for name, value in settings.items()})


def write(options: argparse.Namespace, rows: common.Rows) -> None:
    text = ["# Few labels", "", __doc__.split("\n\n")[1].replace("\n", " "), ""]
    text += ["`python benchmarks/labels.py`, one thread. Mean ± standard deviation over seeds, "]
    text[-1] += "which choose labels and initial weights."
    for settings, table in tables(rows, "mnist"):
        text += [
            "",
            f"## MNIST, test error in percent: z of {settings['m2_dim']} dimensions, beta "
            f"{settings['m2_beta']:g}, {settings['m2_steps']:,} steps of M2, "
            f"{settings['stacked_steps']:,} of M1+M2",
            "",
            f"`python benchmarks/labels.py --parts mnist {arguments(settings)}`",
            "",
            f"Perceptrons of {settings['hidden']} hidden units, 50 features in M1, batches of 64 "
            f"and 64; {settings['m1_steps']:,} steps of M1; z and beta are of M2, alone and in "
            "M1+M2. Published: Kingma et al. 2014, with 50,000 digits, larger nets and far longer "
            "training.",
            "",
            *summary(table, ["method", "labels", "error", "published"], ["error"]),
        ]
        curves = []
        for row in table[table["method"] == "M2"].to_dict("records"):
            if isinstance(row.get("curve"), dict) and row["curve"]:
                points = ", ".join(f"{e:.1f} ({int(s):,})" for s, e in row["curve"].items())
                curves += [f"- {row['labels']} labels, seed {row['seed']}: {points} steps"]
        text += ["", "M2, after so many steps:", "", *curves] if curves else []
    for settings, table in tables(rows, "dsprites"):
        text += [
            "",
            f"## dSprites, codes with few labels, {settings['dsprites_steps']:,} steps",
            "",
            f"`python benchmarks/labels.py --parts dsprites {arguments(settings)}`",
            "",
            f"Net {settings['net']}, beta {settings['beta']:g}, gamma {settings['gamma']:g} on the "
            f"cross entropy, steps of {settings['batch']} unlabelled and as many labelled images; "
            "10,000 codes. The study trains 300,000 steps.",
            "",
            *summary(table, ["labels", "how many", "MIG", "DCI"], list(METRICS)),
        ]
    (options.out / "labels.md").write_text("\n".join(text) + "\n")
    print("\n".join(text))


def main() -> None:
    parser = common.parser(__doc__, seeds=3, data=common.SHARED, out=common.RESULTS)
    parser.add_argument("--parts", nargs="*", default=["mnist", "dsprites"])
    parser.add_argument("--first", type=int, default=0, help="seed to begin with")
    parser.add_argument("--methods", nargs="*", help="of MNIST, all by default")
    parser.add_argument("--labels", type=int, nargs="+", default=LABELLED, help="of MNIST")
    parser.add_argument("--curve", type=int, default=0, help="errors of M2 every so many steps")
    parser.add_argument("--hidden", type=int, nargs="+", default=[256])
    parser.add_argument("--m1-steps", type=int, default=2000)
    parser.add_argument("--m2-steps", type=int, default=1000)
    parser.add_argument("--stacked-steps", type=int, default=1500)
    parser.add_argument("--alpha", type=float, default=10.0)
    parser.add_argument("--labelled", type=float, default=0.1)
    parser.add_argument("--m2-dim", type=int, default=20, help="dimensions of z in M2 and M1+M2")
    parser.add_argument("--m2-beta", type=float, default=1.0, help="weight of its KL divergence")
    parser.add_argument("--dsprites-steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--net", default="Conv", choices=["Conv", "Locatello2019"])
    parser.add_argument("--beta", type=float, default=4.0)
    parser.add_argument("--gamma", type=float, default=100.0)
    options = parser.parse_args()
    rows = common.Rows(options.out / "labels.jsonl")
    for part in options.parts:
        {"mnist": mnist, "dsprites": dsprites}[part](options, rows)
    write(options, rows)


if __name__ == "__main__":
    main()
