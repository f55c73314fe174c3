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
from functools import partial

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
OF_M1 = ("M1", *(f"M1, {kind}" for kind in KINDS), "M1+M2")


class Rows(common.Rows):
    """Rows by part, method, number of labels and seed."""

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__(options.out / "labels.jsonl")
        self.settings = {part: common.chosen(options, names) for part, names in SETTINGS.items()}
        self.wanted = options.methods, options.labels

    def missing(self, *key: object) -> bool:
        methods, labels = self.wanted
        if key[0] == "mnist" and ((methods and key[1] not in methods) or key[2] not in labels):
            return False
        return self.find({"key": [*key], "settings": self.settings[key[0]]}) is None

    def measured(self, *key: object, seconds: float, **values: object) -> None:
        row = {"key": key, "settings": self.settings[key[0]], "seconds": round(seconds, 1)}
        self.add(row | values)

    def tables(self, part: str) -> list[tuple[dict, pd.DataFrame]]:
        """The rows of each choice of settings, the smallest first."""
        tables = []
        for rows in common.grouped([row for row in self if row["key"][0] == part], "settings"):
            names = ["part", "method", "labels", "seed"]
            table = pd.DataFrame([dict(zip(names, r["key"], strict=True)) | r for r in rows])
            place = table["method"].map(ORDER.index)
            table = table.assign(place=place).sort_values(["labels", "place", "seed"])
            tables.append((rows[0]["settings"], table))
        return tables


def mnist(options: argparse.Namespace, rows: Rows) -> None:
    train, test = common.mnist(options.data, flat=True)
    truth = test.factors[:, 0]
    adam = partial(Adam, lr=1e-3, fused=True)
    parts = {"net": nets.MLP(options.hidden), "likelihood": Bernoulli(), "optimizer": adam}
    weights = {"alpha": options.alpha, "labelled": options.labelled}
    regularizer = methods.KL(options.m2_beta)

    def error(classify: Callable) -> float:
        return 100 * float((of_all(classify, test) != truth).mean())

    for seed in range(options.first, options.seeds):
        features = None
        for n in LABELLED:
            sampler = FewLabelsSampler("digit", labelled=n, seed=seed)
            labelled, y = sampler.labelled_set(train.space, train.factors)
            others = np.setdiff1d(np.arange(len(train)), labelled)
            if rows.missing("mnist", "pixels, logistic regression", n, seed):
                predict = classify_codes(train.observations(labelled), y, "logistic")
                rows.measured(
                    "mnist", "pixels, logistic regression", n, seed, seconds=0, error=error(predict)
                )
            if features is None and any(
                rows.missing("mnist", name, k, seed) for name in OF_M1 for k in LABELLED
            ):
                m1 = methods.M1.build(train, 50, seed=seed, **parts)
                features = m1, stage(m1, 0, train, sampler, options.m1_steps, seed)
            if rows.missing("mnist", "M1", n, seed):
                m1, seconds = features
                m1.classifier.reset_parameters()
                stage(m1, 1, train, sampler, 2000, seed)
                percent = error(lambda x, m=m1: m.classify(x).probs.argmax(1))
                rows.measured("mnist", "M1", n, seed, seconds=seconds, error=percent)
            for kind in KINDS:
                if not rows.missing("mnist", f"M1, {kind}", n, seed):
                    continue
                m1, seconds = features
                codes = partial(of_all, lambda x, m=m1: m.represent(x).mean)
                classify = classify_codes(
                    codes(train, labelled), y, kind, unlabelled=codes(train, others)
                )
                percent = 100 * float((classify(codes(test)) != truth).mean())
                rows.measured("mnist", f"M1, {kind}", n, seed, seconds=seconds, error=percent)
            if rows.missing("mnist", "M1+M2", n, seed):
                m1, seconds = features
                method = methods.M1M2.build(
                    train,
                    options.m2_dim,
                    features_dim=50,
                    m2_penalty=regularizer,
                    seed=seed,
                    **parts,
                    **weights,
                )
                method.m1.encoder.load_state_dict(m1.encoder.state_dict())
                method.m1.decoder.load_state_dict(m1.decoder.state_dict())
                seconds += stage(method, 1, train, sampler, options.stacked_steps, seed)
                percent = error(lambda x, m=method: m.classify(x).probs.argmax(1))
                rows.measured("mnist", "M1+M2", n, seed, seconds=seconds, error=percent)
            if rows.missing("mnist", "M2", n, seed):
                method = methods.M2.build(
                    train, options.m2_dim, penalty=regularizer, seed=seed, **parts, **weights
                )
                curve = {}

                def watch(step: int, classify=method.classify, curve=curve) -> None:
                    if options.curve and step % options.curve == 0:
                        curve[step] = round(error(lambda x: classify(x).probs.argmax(1)), 2)
                        print(f"{step:,} steps: {curve[step]:.2f} %", flush=True)

                seconds = stage(method, 0, train, sampler, options.m2_steps, seed, watch)
                percent = error(lambda x, m=method: m.classify(x).probs.argmax(1))
                rows.measured("mnist", "M2", n, seed, seconds=seconds, error=percent, curve=curve)


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


def dsprites(options: argparse.Namespace, rows: Rows) -> None:
    data = ut.data.DSprites()
    net = nets.Locatello2019() if options.net == "Locatello2019" else nets.Conv(8, (128,))
    for seed in range(options.first, options.seeds):
        for labels, n in ARMS:
            if not rows.missing("dsprites", labels, n, seed):
                continue
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
            rows.measured("dsprites", labels, n, seed, seconds=seconds, **values)


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


def write(options: argparse.Namespace, rows: Rows) -> None:
    text = ["# Few labels", "", __doc__.split("\n\n")[1].replace("\n", " "), ""]
    text += ["`python benchmarks/labels.py`, one thread. Mean ± standard deviation over seeds, "]
    text[-1] += "which choose labels and initial weights."
    for settings, table in rows.tables("mnist"):
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
    for settings, table in rows.tables("dsprites"):
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
    rows = Rows(options)
    for part in options.parts:
        {"mnist": mnist, "dsprites": dsprites}[part](options, rows)
    write(options, rows)


if __name__ == "__main__":
    main()
