"""The metric audit: which scores to trust, on codes whose disentanglement is known.

For every score the coefficient of variation over reseeds, its rank correlation with the truth on
five ladders of codes, and how surely it tells neighboring rungs, and steps of a training, apart;
see `untwine.study.metric_audit`. The training is Ada-GVAE's on dSprites without its orientation,
16x16 pixels. What was stopped goes on from its folder.

    python benchmarks/audit.py --workers 2
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

import common
import numpy as np

import study as small_study
import untwine as ut
from untwine.metrics import METRICS
from untwine.study.metric_audit import LADDERS, audit
from untwine.training import Every

STEPS = (0, 100, 200, 400, 800, 1600)


def training(out: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Codes along a training, made once."""
    file = out / "path.npz"
    if not file.exists():
        out.mkdir(parents=True, exist_ok=True)
        if not (out / "dsprites16.npz").exists():
            small_study.reduced(out / "dsprites16.npz")
        data = ut.data.Npz(out / "dsprites16.npz")
        method = ut.methods.AdaGVAE.build(
            data, latent_dim=6, net=ut.nets.MLP([64]), seed=0, penalty=ut.methods.KL(1.0),
            optimizer=small_study.partial_adam(1e-3),
        )  # fmt: skip
        kept = [ut.encode(method, data, n=6000)]

        def keep(state):
            if state.position.step in STEPS:
                kept.append(ut.encode(state.method, data, n=6000))

        ut.fit(method, data, steps=STEPS[-1], batch_size=32, seed=0, progress=False,
               callbacks=[Every(100, keep)], sampler=ut.data.PairsSampler(1))  # fmt: skip
        np.savez_compressed(file, codes=np.stack([c.mean for c in kept]), factors=kept[0].factors)
    with np.load(file) as arrays:
        return [(codes, arrays["factors"]) for codes in arrays["codes"]]


def verdict(row) -> str:
    """What the figures come to, in words."""
    words = []
    if np.isnan(row["follows"]):
        return "no ladder is about it"
    if row["follows"] < 0.8:
        words.append("does not notice " + " and ".join(
            name for name in LADDERS
            if LADDERS[name].expects(row.name) == "falls" and row[name] < 0.8))  # fmt: skip
    if row["false alarm"] > 0.1:
        words.append(f"moves by {100 * row['false alarm']:.0f} % where it should stay")
    worst = max(row["cv 1000"], row["cv 10000"])
    if worst > 0.05:
        words.append(f"varies by {100 * worst:.0f} %")
    return "; ".join(words) or "trust it"


def processor() -> float:
    """Seconds of processor of this process and of those that it started and that have ended."""
    uses = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(use.ru_utime + use.ru_stime for use in uses)


def main() -> None:
    parser = common.parser(__doc__, out=Path("runs/audit"), results=common.RESULTS)
    parser.add_argument("--metrics", nargs="+", help="instead of all")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--reseeds", type=int, default=20)
    parser.add_argument("--ladder-reseeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, help="of processor time, then stop; goes on later")
    options = parser.parse_args()
    path = training(options.out)
    began, before = time.monotonic(), processor()

    def say(text: str) -> None:
        print(text, flush=True)
        if options.seconds and processor() - before > options.seconds:
            sys.exit(3)

    frame = audit(
        options.metrics,
        reseeds=options.reseeds,
        ladder_reseeds=options.ladder_reseeds,
        path=path,
        workers=options.workers,
        keep=options.out / "audit.jsonl",
        say=say,
    )
    frame["verdict"] = [verdict(row) for _, row in frame.iterrows()]
    options.results.mkdir(parents=True, exist_ok=True)
    frame.round(4).to_csv(options.results / "audit.csv")
    columns = ["cv 1000", "cv 10000", *LADDERS, "false alarm", "tells rungs", "tells steps",
               "seconds"]  # fmt: skip
    rows = []
    order = ["follows", "false alarm"]
    for name, row in frame.sort_values(order, ascending=[False, True]).iterrows():
        cells = []
        for column in columns:
            value = row[column]
            expected = LADDERS[column].expects(name) if column in LADDERS else None
            text = "" if np.isnan(value) else f"{value:.2f}"
            cells.append(f"**{text}**" if expected == "falls" else text)
        captures = ", ".join(METRICS[name].captures)
        rows.append([f"[`{name}`](../metrics/{name}.md)", captures, *cells, row["verdict"]])
    head = ["score", "asks for", *columns, "in short"]
    text = "\n".join(common.table(head, rows))
    cost = (
        f"{time.monotonic() - began:.0f} s of wall time with {options.workers} processes, "
        f"{processor() - before:.0f} s of processor, the training's left out; "
        f"{options.reseeds} reseeds, {options.ladder_reseeds} draws on each rung."
    )
    (options.results / "audit.md").write_text(f"{text}\n\n{cost}\n", encoding="utf-8")
    print(text)
    print(cost)


if __name__ == "__main__":
    main()
