"""Few labels, shifted domains and held-out combinations: codes beside observations and components.

Methods learn without labels (FewLabelsVAE with 100, MLVAE from groups, AdaGVAE from pairs); then a
logistic regression learns a factor from 10 to 10,000 labelled rows and is judged on others: of the
same kind, of shifted domains, and on combinations of factors that no labelled row has.

    python benchmarks/transfer.py --cases sprites
    python benchmarks/transfer.py --cases fashion digits --fashion FOLDER
    python benchmarks/transfer.py --cases cells --seeds 0 1 2 3 4 5

FOLDER has Fashion-MNIST's four files. Each line of transfer.jsonl is a representation and a seed;
the same command again goes on. Every seed has rows, trainings and labels of its own.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import common
import numpy as np
import torch
from transfer_cases import CASES

from untwine.use import transfer_curves


def measured(one, name, options):
    """By factor and domain, the accuracies of one representation."""
    codes, seconds, _ = common.timed(lambda: one.codes(name))
    labels = [n for n in options.labels if name != one.raw or n <= options.raw]
    found = {factor: {} for factor in one.factors}
    for factor in one.factors:
        for learn, domains in one.groups:
            tests = {
                domain: ({name: codes[part][rows]}, one.target(part, factor)[rows])
                for domain, (part, rows) in domains.items()
            }
            y = one.target("learn", factor)[learn]
            curves = transfer_curves(
                {name: codes["learn"][learn]},
                y,
                tests,
                labels=labels,
                draws=options.draws,
                seed=one.seed,
            )
            found[factor] |= {
                domain: {
                    "labels": curve.labels.tolist(),
                    "chance": round(curve.chance, 4),
                    "accuracy": np.round(curve.accuracy[name], 4).tolist(),
                }
                for domain, curve in curves.items()
            }
    return {"seconds": round(seconds, 1), "found": found}


def summary(rows, factor, domain):
    """By representation, the mean and half of the 95 % interval for each number of labels.

    Intervals are over the means of seeds; of one seed, over draws of the labels.
    """
    from scipy.stats import t

    for group in common.grouped(rows, "code"):
        drawn = np.array([row["found"][factor][domain]["accuracy"] for row in group])
        units = drawn.mean(2) if len(drawn) > 1 else drawn[0].T
        count = len(units)
        half = t.ppf(0.975, count - 1) * units.std(0, ddof=1) / count**0.5
        yield group[0]["code"], units.mean(0), half


def written(case, rows, options):
    flags = common.flags({"cases": [case], **settings(case, options), "seeds": options.seeds})
    count = len(options.seeds)
    over = f"the means of {count} seeds" if count > 1 else "draws of the labels; one seed"
    lines = [f"# Transfer: {case}", "", f"`python benchmarks/transfer.py {flags}`, one thread:"]
    lines += [f"accuracy, ± half of the 95 % interval over {over}.", ""]
    for factor, domains in rows[0]["found"].items():
        for domain in domains:
            sizes = {tuple(row["found"][factor][domain]["labels"]) for row in rows}
            labels = heads(max(sizes, key=len), options)
            lines += [f"## {factor.capitalize()}, {domain}", ""]
            lines += common.table(["code", *labels])
            for name, mean, half in summary(rows, factor, domain):
                ends = zip(mean, half, strict=True)
                cells = [f"{m:.3f} ± {h:.3f}" if h > 1e-6 else f"{m:.3f}" for m, h in ends]
                lines.append(common.line([name, *cells, *[""] * (len(labels) - len(cells))]))
            lines += ["", f"Commonest class: {chance(rows, factor, domain):.3f}.", ""]
    return lines


def chance(rows, factor, domain):
    """The share of the commonest class, on average over seeds."""
    return np.mean([row["found"][factor][domain]["chance"] for row in rows])


def heads(sizes, options):
    """Of columns; where there are fewer rows than labels asked for, all are taken."""
    return [f"{size:,} labels" if size in options.labels else "all rows" for size in sizes]


def picture(rows, path):
    import matplotlib.pyplot as plt

    found = rows[0]["found"]
    columns = max(map(len, found.values()))
    figure, axes = plt.subplots(
        len(found),
        columns,
        figsize=(3.3 * columns + 1.5, 3.2 * len(found)),
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    for line, (factor, domains) in zip(axes, found.items(), strict=True):
        for axis, domain in zip(line, domains, strict=False):
            for k, (name, mean, half) in enumerate(summary(rows, factor, domain)):
                x = rows[-1]["found"][factor][domain]["labels"][: len(mean)]
                axis.plot(x, mean, "--" if k < 2 else "-", marker="o", ms=3, label=name)
                axis.fill_between(x, mean - half, mean + half, alpha=0.12)
            axis.axhline(chance(rows, factor, domain), color="0.5", ls=":", lw=1)
            axis.set(xscale="log", xlabel="labels", title=domain, ylim=(0, 1))
        line[0].set_ylabel(f"accuracy of {factor}")
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right center", fontsize=8)
    common.save(figure, path, dpi=80)
    common.few_colors(path, 128)


def settings(case, options):
    """What decides a row of a case."""
    names = ["steps", "draws", "labels", "raw"]
    names += [] if case == "cells" else ["n", "test"]
    return common.chosen(options, [*names, "width"] if case == "sprites" else names)


def main() -> None:
    parser = common.parser(__doc__, seeds=[0, 1, 2], out=common.RESULTS, data=common.SHARED)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--fashion", type=Path, help="the folder of Fashion-MNIST's files")
    common.numbers(parser, steps=1000, width=8, n=10_000, test=2000, draws=5)
    parser.add_argument("--labels", type=int, nargs="+", default=[10, 100, 1000, 10_000])
    parser.add_argument("--raw", type=int, default=1000, help="labels to learn from observations")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = common.Rows(options.out / "transfer.jsonl")
    for case in options.cases:
        mine = []
        for seed in options.seeds:
            one = CASES[case](seed, options)  # nothing is read before it is needed
            for name in one.names():
                key = {"case": case, "code": name, "seed": seed, **settings(case, options)}
                mine.append(rows.once(key, partial(measured, one, name, options)))
        (options.out / f"transfer_{case}.md").write_text("\n".join(written(case, mine, options)))
        picture(mine, options.out / f"transfer_{case}.png")


if __name__ == "__main__":
    main()
