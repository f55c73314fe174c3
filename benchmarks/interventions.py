"""Interventions on codes of the light tunnel, and causal discovery on them beside the true graph.

The tunnel is rendered, and its causal model is known: red -> green -> blue, red -> polarizer 1,
blue -> polarizer 2. Each method learns from pictures alone. Then every dimension of its code is set
to five quantiles of its own, decoded, and the five variables are read off the picture by inverting
the renderer: each polarizer's angle is the one whose mark fits the ring best, the colors are those
of the disc over the light that passes. The graph is searched on the variables themselves, on what
the inverse reads of pictures, on the dimensions (and principal components) that correlate best with
one variable each, and on what boosting reads off the code after 1,000 labels.

    python benchmarks/interventions.py
    python benchmarks/interventions.py --methods VAE BetaTCVAE --steps 400 --seeds 0
    python benchmarks/interventions.py --methods --test 2000

Each line of interventions.jsonl is a training; the same command again goes on.
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
from untwine.use import agreement, discover, intervene, match, tunnel_reader

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
    test = Downsampled(LightTunnel(n=options.test, seed=1), options.by)
    truth, names = test.data.weights, test.space.names
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
        "compactness": float(np.average(effects.compactness, weights=effects.effect.sum(1))),
        "dci": ut.metrics.dci(z, v, predictor="fast", seed=0).parts["disentanglement"],
        "matched": matched.tolist(),
        "graphs": {
            "its dimensions": searched(z[:, matched], names, truth),
            "read off its code": searched(readout(z, v, 1000), names, truth),
        },
    }


def references(options):
    """The graphs of the variables, of what is read of pictures, of principal components."""
    from sklearn.decomposition import PCA

    test = Downsampled(LightTunnel(n=options.test, seed=1), options.by)
    truth, names = test.data.weights, test.space.names
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
    figure, axes = plt.subplots(
        1, len(own) + 1, figsize=(3.6 * len(own) + 5.5, 4.2), layout="constrained",
        width_ratios=[1] * len(own) + [1.5],
    )  # fmt: skip
    axes = np.atleast_1d(axes)
    for axis, row in zip(axes, own, strict=False):
        effect = np.array(row["effect"])
        axis.imshow(effect, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (j, k), e in np.ndenumerate(effect):
            axis.text(k, j, f"{e:.2f}", ha="center", va="center", fontsize=7,
                      color="w" if e > 0.6 else "k")  # fmt: skip
        axis.set_xticks(range(5), [n.replace("polarizer_", "pol. ") for n in names], rotation=45)
        axis.set_yticks(range(len(effect)), [f"z{j}" for j in range(len(effect))])
        axis.set_title(f"{row['method']}: effect of do(z)", fontsize=10)
    graphs = graphs_of(rows)
    places = np.arange(len(graphs))
    for i, way in enumerate(WAYS):
        values = [np.mean([g[way]["f1"] for g in group]) for group in graphs.values()]
        chance = [np.mean([g[way]["chance"] for g in group]) for group in graphs.values()]
        axes[-1].barh(places + 0.26 * (i - 1), values, 0.24, label=way)
        axes[-1].plot(chance, places + 0.26 * (i - 1), "k|", ms=7)
    axes[-1].set_yticks(places, list(graphs), fontsize=8)
    axes[-1].invert_yaxis()
    axes[-1].set(xlim=(0, 1.02), title="F1 of the skeleton (black: chance)")
    axes[-1].title.set_fontsize(10)
    axes[-1].legend(fontsize=7)
    common.save(figure, path)


def written(rows, names, options):
    lines = common.table(["on", "search", "F1", "chance", "arrows right", "distance"])
    for label, group in graphs_of(rows).items():
        for way in WAYS:
            values = {
                key: [g[way][key] for g in group]
                for key in ("f1", "chance", "directions", "distance")
            }
            cells = [common.mean_sd(v, 2) for v in values.values()]
            lines.append(common.line([label, way, *cells]))
    own = [row for row in rows if row["method"]]
    effects = common.table(["method", "effects on one factor", "additive", "DCI", "seeds"])
    for group in common.grouped(own, "method"):
        share = []
        for row in group:
            effect, additive = np.array(row["effect"]), np.array(row["additive"])
            share.append(
                float((effect * additive)[additive >= 0].sum() / effect[additive >= 0].sum())
            )
        cells = [common.mean_sd([row[key] for row in group], 2) for key in ("compactness", "dci")]
        effects.append(
            common.line(
                [group[0]["method"], cells[0], common.mean_sd(share, 2), cells[1], len(group)]
            )
        )
    error = next(row for row in rows if not row["method"])["inverse_error"]
    errors = ", ".join(f"{n} {e:.1f}" for n, e in zip(names, error, strict=True))
    return [
        "# Interventions on the light tunnel",
        "",
        f"`python benchmarks/interventions.py {common.flags(settings(options))}`, one thread,",
        "mean ± standard deviation over seeds. Mean error of the inverse renderer on pictures, in",
        f"each variable's unit: {errors}.",
        "",
        *([*effects, ""] if own else []),
        *lines,
        "",
    ]


def settings(options):
    return {
        "methods": options.methods,
        **common.chosen(options, (*KEY, "seeds")),
    }


def main() -> None:
    parser = common.parser(__doc__, seeds=[0, 1], out=common.RESULTS)
    parser.add_argument("--methods", nargs="*", default=list(METHODS), help="none: no training")
    common.numbers(parser, steps=3000, width=16, hidden=128)
    parser.add_argument("--runs", type=Path, default=Path("runs/interventions"))
    parser.add_argument("--n", type=int, default=20_000, help="pictures to learn from")
    parser.add_argument("--test", type=int, default=5000, help="pictures to search causes in")
    parser.add_argument("--rows", type=int, default=200, help="pictures to intervene on")
    parser.add_argument("--by", type=int, default=2, help="pixels that are averaged")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = common.Rows(options.out / "interventions.jsonl")
    key = common.chosen(options, KEY)
    rows.once({"method": "", "seed": 0, **key}, lambda: references(options))
    for seed in options.seeds:
        for name in options.methods:
            measure = partial(trained, name, options, seed)
            rows.once({"method": name, "seed": seed, **key}, measure)
    mine = [row for row in rows if key.items() <= row.items()]
    names = LightTunnel.space.names
    (options.out / "interventions.md").write_text("\n".join(written(mine, names, options)))
    picture(mine, names, options.out / "interventions.png")


if __name__ == "__main__":
    main()
