"""Interventions on codes of the light tunnel, and causal discovery on them beside the true graph.

The tunnel is rendered, and its causal model is known: red -> green -> blue, red -> polarizer 1,
blue -> polarizer 2. Methods learn from pictures alone, and one from 1,000 labels of every variable,
too. Then every dimension of a code is set to five quantiles of its own, decoded, and the five
variables are read off the picture by inverting the renderer. The graph is searched, and the true
one tested, on the variables themselves, on what the inverse reads of pictures, on the dimensions
(and principal components) that correlate best with one variable each, and on what boosting reads
off the code after 1,000 labels.

    python benchmarks/interventions.py
    python benchmarks/interventions.py --methods VAE BetaTCVAE --steps 400 --seeds 0
    python benchmarks/interventions.py --methods --seeds 0 1 2

Each line of interventions.jsonl is a training; the same command again goes on, also within one.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch

import untwine as ut
from untwine.data import Downsampled, FewLabelsSampler, LightTunnel
from untwine.metrics._estimators.predictors import fit_predictor
from untwine.use import agreement, discover, falsify, intervene, match, tunnel_reader

WAYS = ("pc", "ges", "lingam")
KEY = ("steps", "width", "hidden", "n", "test", "rows", "by")
LABELLED = 1000
METHODS: dict[str, dict[str, Any]] = {
    "VAE": {},
    "BetaTCVAE": {"beta": 6.0},
    "FactorVAE": {"gamma": 10.0, "critic_width": 200},
    "FewLabelsVAE": {},
}


def searched(values, names, truth):
    found = {}
    for way in WAYS:
        graph = discover(values, names, way)
        result = agreement(graph, truth)
        found[way] = {
            "f1": result.f1,
            "chance": result.chance,
            "directions": result.directions,
            "distance": result.distance,
            "graph": str(graph),
        }
    tested = falsify(values, truth, names)
    found["the true graph"] = {
        "violated": tested.share,
        "chance": tested.by_chance,
        "p": tested.p_value,
        "falsified": tested.falsified,
        "broken": [name for name, _ in tested.broken],
    }
    return found


def readout(z, v, rows):
    """Variables as boosting reads them off codes, learned from the first rows; of all others."""
    columns = [
        fit_predictor("fast", z[:rows], v[:rows, k].astype(float), None).predict(z[rows:])
        for k in range(v.shape[1])
    ]
    return np.stack(columns, 1)


def fitted(name, options, seed):
    """A trained method and the processor seconds that it took; its run is kept and taken again."""
    data = common.held(Downsampled(LightTunnel(n=options.n, seed=0), options.by))
    method = getattr(ut.methods, name).build(
        data,
        latent_dim=10,
        net=ut.nets.Conv(options.width, (options.hidden,)),
        seed=seed,
        optimizer=partial(torch.optim.Adam, lr=1e-3, fused=True),
        **METHODS[name],
    )
    sampler = None
    if name == "FewLabelsVAE":
        sampler = FewLabelsSampler("*", labelled=LABELLED, balanced=False, seed=seed)
    out = options.runs / "-".join(map(str, [name, seed, *common.chosen(options, KEY).values()]))
    common.fit(
        method, data, steps=options.steps, seed=seed, sampler=sampler, out=out,
        batch_size=128 if name == "FactorVAE" else 64,  # which its two halves share
        callbacks=[common.Seconds()],
    )  # fmt: skip
    return method, common.Seconds.of(out)


def trained(name, options, seed):
    test, truth, names = unseen(options, seed)
    method, seconds = fitted(name, options, seed)
    effects = intervene(method, test, tunnel_reader(options.by), n=options.rows, seed=seed)
    z, v = ut.encode(method, test).mean, test.factors
    matched = match(z, v)
    return {
        "seconds": seconds,
        "effect": effects.effect.round(3).tolist(),
        "low": effects.low.round(3).tolist(),
        "high": effects.high.round(3).tolist(),
        "additive": np.nan_to_num(effects.additive, nan=-1).round(3).tolist(),
        "roundtrip": effects.roundtrip.round(3).tolist(),
        "reading": effects.reading.round(3).tolist(),
        "answers": effects.answers.astype(int).tolist(),
        "compactness": weighted(effects.compactness, effects.effect.sum(1)),
        "own": weighted(effects.own_share, effects.effect.sum(1)),
        "dci": ut.metrics.dci(z, v, predictor="fast", seed=0).parts["disentanglement"],
        "matched": matched.tolist(),
        "graphs": {
            "its dimensions": searched(z[:, matched], names, truth),
            "read off its code": searched(readout(z, v, 1000), names, truth),
        },
    }


def unseen(options, seed):
    """Pictures that no method has learned from, the arrows, and the names of the variables."""
    test = Downsampled(LightTunnel(n=options.test, seed=1 + seed), options.by)
    return test, test.data.weights, test.space.names


def weighted(shares, weights):
    """The mean over dimensions, by the size of their effects; those without any do not count."""
    shown = ~np.isnan(shares)
    return float(np.average(shares[shown], weights=weights[shown]))


def references(options, seed):
    """The graphs of the variables, of what is read of pictures, of principal components."""
    from sklearn.decomposition import PCA

    test, truth, names = unseen(options, seed)
    x = common.of_all(lambda x: x.flatten(1).numpy(), test)
    pictures = common.of_all(tunnel_reader(options.by), test)
    v = test.factors
    z = PCA(10, random_state=0).fit_transform(x)
    apart = [float(np.abs(pictures[:, k] - v[:, k]).mean()) for k in range(5)]
    return {
        "inverse_error": apart,
        "graphs": {
            "the variables": searched(v, names, truth),
            "read off pictures": searched(pictures, names, truth),
            "principal components": searched(z[:, match(z, v)], names, truth),
            "read off components": searched(readout(z, v, 1000), names, truth),
        },
    }


def graphs_of(rows):
    """By representation, the graphs of all rows."""
    everything: dict[str, list] = {}
    for row in rows:
        for name, graphs in row["graphs"].items():
            label = name.replace("its", row["method"] + "'s") if row["method"] else name
            everything.setdefault(label, []).append(graphs)
    return everything


def picture(rows, names, path):
    import matplotlib.pyplot as plt

    own = [group[0] for group in common.grouped([r for r in rows if r["method"]], "method")]
    graphs = graphs_of(rows)
    figure = plt.figure(figsize=(11, 7.6 if own else 3.6), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[1.1, 1]) if own else (None, figure)
    panels = above.subplots(1, len(own), squeeze=False)[0] if own else ()
    for axis, row in zip(panels, own, strict=True):
        effect = np.array(row["effect"])
        axis.imshow(effect, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (j, k), e in np.ndenumerate(effect):
            if e >= 0.05:
                bold = "bold" if row["answers"][j][k] else "normal"
                axis.text(k, j, f"{e:.2f}", ha="center", va="center", fontsize=7, weight=bold,
                          color="w" if e > 0.6 else "k")  # fmt: skip
        axis.set_xticks(range(5), [n.replace("polarizer_", "pol. ") for n in names], rotation=45)
        axis.set_yticks(range(len(effect)), [f"z{j}" for j in range(len(effect))])
        axis.set_title(f"{row['method']}, seed {row['seed']}: effects", fontsize=9)
    left, right = below.subplots(1, 2, sharey=True)
    places = np.arange(len(graphs))
    for i, way in enumerate(WAYS):
        bars(left, graphs, way, "f1", places + 0.26 * (i - 1), 0.24, label=way)
    bars(right, graphs, "the true graph", "violated", places, 0.5, color="tab:gray")
    for place, group in zip(places, graphs.values(), strict=True):
        count = sum(g["the true graph"]["falsified"] for g in group)
        right.text(1.05, place, f"{count} of {len(group)}", fontsize=8, va="center")
    left.set_yticks(places, list(graphs), fontsize=8)
    left.invert_yaxis()
    left.set(xlim=(0, 1.02))
    right.set(xlim=(0, 1.25), xticks=[0, 0.5, 1])
    left.set_title("F1 of the skeletons found (black: chance; dots: seeds)", fontsize=9)
    right.set_title("share of the true graph's independences violated,\n"
                    "and in how many seeds it is falsified (black: permuted names)",
                    fontsize=9)  # fmt: skip
    left.legend(fontsize=7, loc="lower right")
    common.save(figure, path)


def bars(axis, graphs, way, key, places, height, **style):
    """Means over seeds, a dot for each seed, and chance in black."""
    values = [[g[way][key] for g in group] for group in graphs.values()]
    chance = [np.mean([g[way]["chance"] for g in group]) for group in graphs.values()]
    axis.barh(places, [np.mean(v) for v in values], height, **style)
    for place, seeds in zip(places, values, strict=True):
        axis.plot(seeds, [place] * len(seeds), ".", color="white", mec="k", mew=0.5, ms=4)
    axis.plot(chance, places, "k|", ms=7)


def written(rows, names, options):
    lines = common.table(["on", "search", "F1", "chance", "arrows right", "distance"])
    tests = common.table(
        ["on", "independences violated", "with permuted names", "p", "falsified in"]
    )
    for label, group in graphs_of(rows).items():
        for way in WAYS:
            keys = ("f1", "chance", "directions", "distance")
            most = {"distance": 10.0}
            cells = [
                common.interval([g[way][key] for g in group], within=(0, most.get(key, 1.0)))
                for key in keys
            ]
            lines.append(common.line([label, way, *cells]))
        true = [g["the true graph"] for g in group]
        cells = [common.interval([t[key] for t in true]) for key in ("violated", "chance", "p")]
        count = f"{sum(t['falsified'] for t in true)} of {len(true)}"
        tests.append(common.line([label, *cells, count]))
    own = [row for row in rows if row["method"]]
    effects = common.table(
        ["method", "dimensions that move something", "factors that are moved",
         "effects on one factor", "additive", "DCI", "seconds", "seeds"]
    )  # fmt: skip
    trips = common.table(["method", *names])
    for group in common.grouped(own, "method"):
        moves = [np.array(row["answers"], bool) for row in group]
        cells = [
            common.interval([int(m.any(axis).sum()) for m in moves], 1, (0, 5 * (1 + axis)))
            for axis in (1, 0)
        ] + [common.interval([row[key] for row in group]) for key in ("compactness", "own", "dci")]
        seconds = f"{np.mean([row['seconds'] for row in group]):.0f}"
        effects.append(common.line([group[0]["method"], *cells, seconds, len(group)]))
        errors = np.array([row["roundtrip"] for row in group]).T
        trips.append(
            common.line(
                [
                    group[0]["method"],
                    *[common.interval(error, within=(0, np.inf)) for error in errors],
                ]
            )
        )
    error = np.mean([row["inverse_error"] for row in rows if not row["method"]], 0)
    errors = ", ".join(f"{n} {e:.1f}" for n, e in zip(names, error, strict=True))
    intro = [
        "# Interventions on the light tunnel",
        "",
        f"`python benchmarks/interventions.py {common.flags(settings(options))}`, one thread.",
        "Means with 95 % t intervals over seeds, of the method and of the pictures that it is",
        "judged on, cut where no value can be. Mean error of the inverse renderer on pictures, in",
        f"each variable's unit: {errors}.",
        "",
    ]
    if own:
        intro += [*effects, "", "Roundtrip:", "", *trips, ""]
    return [*intro, *lines, "", "The true graph, tested:", "", *tests, ""]


def settings(options):
    return {
        "methods": options.methods,
        **common.chosen(options, (*KEY, "seeds")),
    }


def main() -> None:
    parser = common.parser(__doc__, seeds=[0, 1, 2], out=common.RESULTS)
    parser.add_argument("--methods", nargs="*", default=list(METHODS), help="none: no training")
    common.numbers(parser, steps=4000, width=16, hidden=128)
    parser.add_argument("--runs", type=Path, default=Path("runs/interventions"))
    parser.add_argument("--n", type=int, default=20_000, help="pictures to learn from")
    parser.add_argument("--test", type=int, default=2000, help="pictures to search causes in")
    parser.add_argument("--rows", type=int, default=200, help="pictures to intervene on")
    parser.add_argument("--by", type=int, default=2, help="pixels that are averaged")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = common.Rows(options.out / "interventions.jsonl")
    key = common.chosen(options, KEY)
    for seed in options.seeds:
        rows.once({"method": "", "seed": seed, **key}, partial(references, options, seed))
        for name in options.methods:
            measure = partial(trained, name, options, seed)
            rows.once({"method": name, "seed": seed, **key}, measure)
    mine = [r for r in rows if key.items() <= r.items() and r["seed"] in options.seeds]
    mine = [r for name in ("", *options.methods) for r in mine if r["method"] == name]
    names = LightTunnel.space.names
    (options.out / "interventions.md").write_text("\n".join(written(mine, names, options)))
    picture(mine, names, options.out / "interventions.png")


if __name__ == "__main__":
    main()
