"""Quantized codes on dSprites: QLAE beside beta-TCVAE at an equal budget.

InfoM, InfoE and InfoC (protocol hsu2023) of 10,000 codes; the codes of QLAE also as labels.

    python benchmarks/quantized.py --seeds 0 1 2 --steps 2000

Rows are appended to benchmarks/results/quantized.jsonl; what is there is not trained again.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import common
from torch.optim import Adam, AdamW

import untwine as ut
from untwine import methods as m, nets
from untwine.metrics import infomec

EVERYONES = ("steps", "batch", "width", "hidden", "dim")
SETTINGS = {
    "BetaTCVAE": (*EVERYONES, "beta"),
    "QLAE": (*EVERYONES, "values", "commitment", "decay"),
}


def build(name: str, data: ut.FactorDataset, options: argparse.Namespace, seed: int) -> m.Method:
    net = nets.Conv(options.width, (options.hidden,))
    if name == "BetaTCVAE":
        adam = partial(Adam, lr=1e-3, fused=True)
        return m.BetaTCVAE.build(
            data, options.dim, net=net, beta=options.beta, optimizer=adam, seed=seed
        )
    return m.QLAE.build(
        data,
        options.dim,
        net=net,
        values=options.values,
        codebook=options.commitment,
        commitment=options.commitment,
        optimizer=partial(AdamW, lr=1e-3, weight_decay=options.decay, fused=True),
        seed=seed,
    )


def train_one(name: str, options: argparse.Namespace, seed: int) -> dict[str, Any]:
    data = ut.data.DSprites()
    method = build(name, data, options, seed)
    run, seconds = common.fit(
        method, data, steps=options.steps, batch_size=options.batch, seed=seed
    )
    codes = ut.encode(method, data, n=10_000, seed=0)
    score = infomec(codes.mean, codes.factors)
    row = {part: float(score.parts[part]) for part in ("infom", "infoe", "infoc")}
    if name == "QLAE":
        labels = infomec(codes.mean, codes.factors, discrete_codes=True)
        row |= {f"{part}, labels": float(labels.parts[part]) for part in row}
    last = run.log.iloc[-3:]
    column = next(c for c in last.columns if c.endswith("/nll"))
    return {**row, "nll": float(last[column].mean()), "seconds": round(seconds)}


def report(rows: common.Rows) -> str:
    columns = ("infom", "infoe", "infoc", "infom, labels", "infoe, labels", "infoc, labels")
    text = ["# Quantized codes on dSprites", "", __doc__.split("\n\n")[1]]
    for group in common.grouped(rows, "method", "settings"):
        name, settings = group[0]["method"], group[0]["settings"]
        seeds = " ".join(map(str, sorted(row["seed"] for row in group)))
        command = f"python benchmarks/quantized.py --methods {name} --seeds {seeds}"
        cells = [
            len(group),
            *(common.mean_sd([r[c] for r in group if c in r], 3) for c in columns),
            common.mean_sd([r["nll"] for r in group], 1),
            round(sum(r["seconds"] for r in group) / len(group)),
        ]
        text += ["", f"## {name}", "", f"`{command} {common.flags(settings)}`", ""]
        text += common.table(("seeds", *columns, "NLL", "s"), [cells])
    return "\n".join([*text, ""])


def main() -> None:
    parser = common.parser(__doc__, seeds=[0, 1, 2], results=common.RESULTS)
    parser.add_argument("--methods", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    common.numbers(parser, steps=2000, batch=64, width=8, hidden=128, dim=10)
    parser.add_argument("--values", type=int, default=10, help="of a dimension of QLAE")
    parser.add_argument("--commitment", type=float, default=0.001, help="and weight of codebooks")
    parser.add_argument("--decay", type=float, default=0.1, help="of QLAE's weights")
    parser.add_argument("--beta", type=float, default=6.0, help="of beta-TCVAE")
    options = parser.parse_args()
    rows = common.Rows(options.results / "quantized.jsonl")
    for seed in options.seeds:
        for name in options.methods:
            settings = common.chosen(options, SETTINGS[name])
            key = {"method": name, "seed": seed, "settings": settings}
            rows.once(key, partial(train_one, name, options, seed))
            (options.results / "quantized.md").write_text(report(rows))


if __name__ == "__main__":
    main()
