"""A small Locatello study: does the seed matter more than the strength, and do the metrics agree?

Three methods by three strengths by five seeds on dSprites without its orientation, shrunk to 16x16
pixels, with small nets: minutes of one processor. A study that was stopped goes on.

    python benchmarks/study.py --out runs/study
    python benchmarks/study.py --out runs/study --parts table overhead --runs 10000

Parts: `study` makes the runs, `findings` writes what they say (`results/study.md`, its table and
its page), `table` times the table of many finished runs, `overhead` what a run costs beside its own
work.
"""

from __future__ import annotations

import json
import resource
import shutil
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import common
import numpy as np
from torch.optim import Adam

from untwine.data import DSprites, Slice
from untwine.plots import correlations, curves, shares, violins
from untwine.report import study_page
from untwine.study import (
    Folder,
    Measuring,
    Study,
    chain,
    fixed,
    metrics_of,
    run,
    seeds,
    sweep,
    table,
    write_table,
)
from untwine.study.analysis import (
    agreement_between_runs,
    bootstrap,
    choices,
    explained,
    rank_correlations,
    with_strengths,
)

SIDE = 16
METRICS = {
    "mig": {},
    "dci": {"predictor": "lasso"},
    "sap": {},
    "factor_vae_score": {},
    "modularity": {},
    "explicitness": {},
    "irs": {},
    "mcc": {},
    "r2": {},
    "gaussian_total_correlation": {},
    "active_units": {},
    "dimension_kl": {},
}
QUALITIES = ("mig", "dci", "sap", "factor_vae_score", "modularity", "explicitness", "irs", "mcc",
             "r2")  # fmt: skip


SHORT = "## In short"


def reduced(path: Path) -> None:
    """dSprites of one orientation, each 4x4 pixels averaged into one."""
    data = Slice(DSprites(), {"orientation": 0})
    x = data.observations(np.arange(len(data))).numpy().reshape(len(data), SIDE, 4, SIDE, 4)
    keep = [k for k in range(data.factors.shape[1]) if data.factors[:, k].max() > 0]
    np.savez_compressed(
        path,
        images=(255 * x.mean((2, 4))).round().astype(np.uint8),
        factors=data.factors[:, keep],
        factor_names=np.array([data.space.names[k] for k in keep]),
    )


def partial_adam(rate: float) -> partial:
    """Adam of a learning rate."""
    return partial(Adam, lr=rate, fused=True)


def small(path: Path) -> Study:
    """The study on a file of `reduced`."""
    base = fixed(
        {
            "data": str(path),
            "method.latent_dim": 6,
            "method.net": "MLP",
            "method.net.hidden": [64],
            "method.optimizer.lr": 1e-3,
        },
        steps=1500,
        batch_size=32,
        checkpoint_every=750,
        log_every=250,
    )
    methods = chain(
        fixed(method="BetaVAE") * sweep("method.beta", [1, 2, 4]),
        fixed(method="BetaTCVAE") * sweep("method.beta", [1, 2, 4]),
        fixed({"method.critic_width": 32}, method="FactorVAE") * sweep("method.gamma", [3, 10, 30]),
    )
    return Study(
        base * methods * seeds(5),
        "A small Locatello study",
        "Does the seed matter more than the strength? Do the metrics agree?",
        measure=Measuring(METRICS, n=2000),
        figures=False,
    )


def findings(out: Path, results: Path) -> None:
    """Writes what the runs say."""
    frame = agreement_between_runs(out, with_strengths(table(out)))
    weight = frame["strength"].str.partition("=")[2].astype(float)
    frame = frame.assign(weight=weight).sort_values(["method", "weight", "seed"])
    frame = frame.drop(columns="weight").reset_index(drop=True)
    names = [m for m in QUALITIES if m in metrics_of(frame)]
    results.mkdir(parents=True, exist_ok=True)
    write_table(frame.drop(columns="data.path"), results / "study.csv")
    study_page(out, results / "study.html")
    seconds = frame.filter(regex=r"^seconds\.").sum(axis=1)
    total = len(small(out / "dsprites16.npz").runs())
    counts = [f"{n} of {method}" for method, n in frame["method"].value_counts().items()]
    lines = [
        "# A small Locatello study",
        "",
        f"`python benchmarks/study.py --out {out}`",
        "",
        f"{len(frame)} of {total} runs are finished: {', '.join(counts)}; three strengths, five "
        f"seeds. dSprites without its orientation, {SIDE}x{SIDE} pixels; an MLP of one hidden "
        "layer of 64, six latents, 1,500 steps of 32 images, Adam 0.001; scores of 2,000 points, "
        "DCI with the lasso. "
        f"{seconds.sum() / 60:.0f} minutes of wall time on a shared core. All runs are in "
        "[study.csv](study.csv), the page that `untwine study report` makes is "
        "[study.html](study.html).",
        "",
        "Strengths are the papers' divided by what the smaller pictures take from the "
        "reconstruction; budgets are a hundredth of theirs. What holds here need not hold there.",
        "",
        SHORT,
        "## Does the seed matter more than the strength?",
        "",
        "Shares of variance, adjusted for chance; the last column is the seed's less the "
        "strength's, with a 95 % interval over seeds.",
        "",
    ]
    rows, clear = [], {"more": 0, "less": 0}
    for metric in names:
        found = explained(frame, metric)

        def gap(rows, metric=metric):
            return seed_less_strength(explained(rows, metric))

        low, high = bootstrap(frame, gap, repeats=200)
        clear["more"] += low > 0
        clear["less"] += high < 0
        method, strength = found["method adjusted"], found["strength adjusted"]
        rows.append([metric, *(f"{v:.2f}" for v in (method, strength, 1 - method - strength)),
                     f"{gap(frame):.2f} ({low:.2f} to {high:.2f})"])  # fmt: skip
    lines += common.table(["score", "method", "strength", "seed", "seed − strength"], rows)
    matrix = rank_correlations(frame, names)
    off = matrix.to_numpy()[np.triu_indices(len(names), 1)]

    def middle(rows):
        inside = rank_correlations(rows, names).to_numpy()
        return float(np.nanmedian(inside[np.triu_indices(len(names), 1)]))

    low, high = bootstrap(frame, middle, repeats=60)
    lines += [
        "",
        f"For {clear['more']} of {len(names)} scores the whole interval is above 0: the seed "
        f"explains more than the strength. It is below 0 for {clear['less'] or 'none'}.",
        "",
        "![Shares of variance](study_shares.png)",
        "",
        "## Do the metrics agree?",
        "",
        f"The median rank correlation of two of the {len(names)} scores is "
        f"{np.nanmedian(off):.2f} (95 % interval {low:.2f} to {high:.2f}); the lowest is "
        f"{np.nanmin(off):.2f}, the highest {np.nanmax(off):.2f}.",
        "",
        "![Rank correlations](study_agreement.png)",
        "",
        "## Scores by method and strength",
        "",
    ]
    cells = []
    for (method, strength), runs in frame.groupby(["method", "strength"], sort=False):
        cells.append([method, strength, *(common.mean_sd(runs[m]) for m in (*names[:5], "nll")),
                      common.mean_sd(runs["gaussian_total_correlation"], 2)])  # fmt: skip
    head = [
        "method",
        "strength",
        *names[:5],
        "reconstruction (nats)",
        "Gaussian TC (nats)",
    ]
    lines += [
        "Mean and standard deviation over five seeds.",
        "",
        *common.table(head, cells),
        "",
        "![Violins](study_violins.png)",
        "",
        "![Reconstruction against MIG](study_tradeoff.png)",
        "",
    ]
    told, sentence = choosing(frame, names)
    pairs = {(names[i], names[j]): matrix.iloc[i, j]
             for i, j in zip(*np.triu_indices(len(names), 1), strict=True)}  # fmt: skip
    apart, alike = min(pairs, key=pairs.__getitem__), max(pairs, key=pairs.__getitem__)
    place = lines.index(SHORT) + 1
    lines[place:place] = [
        "",
        f"- The seed explains more than the strength of {clear['more']} of {len(names)} scores "
        f"(the whole 95 % interval above 0), less of {clear['less'] or 'none'}.",
        f"- Two scores rank the runs alike with a median correlation of {np.nanmedian(off):.2f} "
        f"({low:.2f} to {high:.2f}): {alike[0]} and {alike[1]} with {pairs[alike]:.2f}, {apart[0]} "
        f"and {apart[1]} with {pairs[apart]:.2f}.",
        sentence,
        "",
    ]
    lines += told
    (results / "study.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    parts = {m: explained(frame, m) for m in names}
    keys = ("method", "strength", "seed")
    common.save(shares({m: {k: p[k] for k in keys} for m, p in parts.items()}),
                results / "study_shares.png")  # fmt: skip
    common.save(correlations(matrix.to_numpy(), names), results / "study_agreement.png")
    groups = {
        f"{m} {s}": runs for (m, s), runs in frame.groupby(["method", "strength"], sort=False)
    }
    common.save(violins({m: {k: r[m] for k, r in groups.items()} for m in names}),
                results / "study_violins.png")  # fmt: skip
    series = {}
    for method, runs in frame.groupby("method"):
        by = [r for _, r in runs.groupby("strength", sort=False)]
        series[method] = (np.stack([r["nll"].to_numpy()[:5] for r in by]),
                          np.stack([r["mig"].to_numpy()[:5] for r in by]))  # fmt: skip
    common.save(curves(series, xlabel="reconstruction: −log p(x|z), nats", ylabel="mig"),
                results / "study_tradeoff.png")  # fmt: skip


def choosing(frame: Any, names: Sequence[str]) -> tuple[list[str], str]:
    """What comes of choosing a run by what needs no labels: a section, and its sentence."""
    ways = [w for w in ("elbo", "kl", "seam_gap", "udr", "model_centrality",
                        "gaussian_total_correlation")
            if w in frame and frame[w].notna().any()]  # fmt: skip
    made = choices(frame, ways, names).set_index(["by", "metric"])
    regained = {way: made.loc[way, "regained"].mean() for way in ways}
    rows, surely = [], []
    for way in ways:

        def agrees(runs, way=way):
            return float(np.nanmedian(rank_correlations(runs, [way], names).to_numpy()))

        low, high = bootstrap(frame, agrees, repeats=100)
        surely += [way] if low > 0 else []
        ranks = (f"{100 * made.loc[(way, name), 'rank']:.0f}" for name in names)
        rows.append([way, *ranks, f"{regained[way]:.2f}",
                     f"{agrees(frame):.2f} ({low:.2f} to {high:.2f})"])  # fmt: skip
    head = ["chosen by", *names, "of the way to the best", "rank correlation, median"]
    nearest = max(regained, key=regained.__getitem__)
    told = [
        "## Choosing a run without labels",
        "",
        "The run with the highest score of the row (the lowest divergence, gap or correlation), by "
        "each score of factors: the share of all runs that are not better, in percent. A random "
        "run has 50. The last column is the median over scores of factors of the rank correlation "
        "with it over all runs, with a 95 % interval over seeds.",
        "",
        *common.table(head, rows),
    ]
    sentence = (
        f"- Without labels: the run that {nearest} chooses goes {100 * regained[nearest]:.0f} % of "
        "the way from the mean run to the best, averaged over scores. Rank correlations with "
        f"scores of factors are above 0 with their whole interval for {', '.join(surely) or 'none'}"
        f", of {', '.join(ways)}."
    )
    return told, sentence


def seed_less_strength(found: dict[str, float]) -> float:
    """Adjusted shares."""
    return 1 - found["method adjusted"] - 2 * found["strength adjusted"]


def many(out: Path, count: int) -> str:
    """Times the table of many finished runs, each a copy of one that is there."""
    (first, *_) = [one for one in Folder(out).made() if one.status == "finished"]
    texts = {n: (first.path / n).read_text() for n in ("point.json", "done.json", "scores.json")}
    folder = out.parent / f"{out.name}-{count}"
    for number in range(count):
        name = f"{number:012x}"
        path = folder / "runs" / name
        path.mkdir(parents=True, exist_ok=True)
        for file, text in texts.items():
            (path / file).write_text(text.replace(first.name, name))
        (path / "spec.yaml").write_text("method: VAE\n")
    before = peak()
    frame, wall, cpu = common.timed(lambda: table(folder))
    grown = peak() - before
    size = sum(len(text) for text in texts.values())
    write_table(frame, folder / "table.parquet")
    shutil.rmtree(folder)
    return (
        f"{len(frame):,} finished runs, {size / 1000:.0f} kB of files each: tabulated in "
        f"{wall:.1f} s ({cpu:.1f} s of processor), {len(frame.columns)} columns; the process grew "
        f"by {grown:.0f} MB to {before + grown:.0f} MB at its peak"
    )


def peak() -> float:
    """The most memory that this process has had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def overhead(out: Path) -> str:
    """The cost of a run beside training, encoding and measuring: listing, files, checks."""
    made = [one for one in Folder(out).made() if one.status == "finished"]
    study = small(out / "dsprites16.npz")
    _, wall, cpu = common.timed(lambda: run(study, out, runner="sequential", progress=False))
    own = sum(sum(one.done["seconds"].values()) for one in made) / len(made)
    each = cpu / len(made)
    return (
        f"a study of {len(made)} finished runs is found finished in {wall:.1f} s ({cpu:.1f} s of "
        f"processor), {1000 * each:.0f} ms a run; a run's own work is {own:.0f} s"
    )


def main() -> None:
    parser = common.parser(__doc__, out=Path("runs/study"), results=common.RESULTS)
    parser.add_argument("--parts", nargs="+", default=["study", "findings"],
                        choices=["study", "findings", "table", "overhead"])  # fmt: skip
    parser.add_argument("--runs", type=int, default=10_000)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / "dsprites16.npz"
    if not file.exists():
        reduced(file)
    if "study" in options.parts:
        run(small(file), options.out, runner="sequential")
    if "findings" in options.parts:
        findings(options.out, options.results)
    notes = {}
    for part, make in (("table", lambda: many(options.out, options.runs)),
                       ("overhead", lambda: overhead(options.out))):  # fmt: skip
        if part in options.parts:
            began = time.monotonic()
            notes[part] = make()
            print(f"{notes[part]} ({time.monotonic() - began:.0f} s in all)", flush=True)
    if notes:
        options.results.mkdir(parents=True, exist_ok=True)
        place = options.results / "study_costs.json"
        before = json.loads(place.read_text()) if place.exists() else {}
        place.write_text(json.dumps({**before, **notes}, indent=1) + "\n")


if __name__ == "__main__":
    main()
