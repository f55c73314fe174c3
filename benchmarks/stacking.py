"""Several seeds at once: the processor's time beside that of one after the other.

`fit_stacked` of S seeds and `fit` of one, alternately, each the median of three trainings on one
thread; steps of a beta-VAE on images of 16x16 pixels with an MLP of one hidden layer of 64, and of
64x64 with the usual convolutions.

    python benchmarks/stacking.py
"""

from __future__ import annotations

import time
from statistics import median

import common
import torch

import untwine as ut
from untwine.training import fit_stacked

CASES = {  # name: side, net, examples of a step, steps of a training
    "MLP of 64, 16x16, batches of 32": (16, ut.nets.MLP([64]), 32, 150),
    "MLP of 64, 16x16, batches of 64": (16, ut.nets.MLP([64]), 64, 150),
    "MLP of 64, 16x16, batches of 256": (16, ut.nets.MLP([64]), 256, 20),
    "convolutions, 64x64, batches of 64": (64, None, 64, 4),
}


def trainings(case: str, count: int):
    """Two functions: trains one seed, trains all at once."""
    side, net, batch_size, steps = CASES[case]
    data = ut.data.FactorDataset.from_arrays(torch.rand(2000, 1, side, side))
    options = {"steps": steps, "batch_size": batch_size, "log_every": 100}
    parts = {"latent_dim": 6, "beta": 4.0} | ({} if net is None else {"net": net})

    def methods():
        return [ut.methods.BetaVAE.build(data, seed=seed, **parts) for seed in range(count)]

    def one():
        (method, *_) = methods()
        return lambda: ut.fit(method, data, seed=0, progress=False, **options)

    def all_at_once():
        made = methods()
        return lambda: fit_stacked(made, data, seeds=range(count), **options)

    return one, all_at_once, steps


def seconds(make) -> float:
    train = make()
    began = time.process_time()
    train()
    return time.process_time() - began


def main() -> None:
    parser = common.parser(__doc__, results=common.RESULTS)
    parser.add_argument("--counts", type=int, nargs="+", default=[2, 5, 10, 20])
    parser.add_argument("--cases", type=int, nargs="+", default=range(len(CASES)))
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for case in [list(CASES)[number] for number in options.cases]:
        counts = options.counts if CASES[case][1] is not None else [5]
        for count in counts:
            one, together, steps = trainings(case, count)
            pairs = []
            for _ in range(options.repeats + 1):
                pairs.append((seconds(one), seconds(together)))
            single, stacked = (1000 * median(values) / steps
                               for values in zip(*pairs[1:], strict=True))  # fmt: skip
            rows.append([case, count, f"{single:.1f}", f"{stacked:.1f}",
                         f"{count * single / stacked:.2f}"])  # fmt: skip
            print(rows[-1], flush=True)
    head = ["model", "seeds", "a step of one, ms", "a step of all at once, ms", "gain"]
    text = "\n".join(
        ["# Several seeds at once", "", "`python benchmarks/stacking.py`", "",
         "Processor time on one thread, median of three; the gain is as many steps of one seed as "
         "there are seeds over a step of all at once.", "", *common.table(head, rows)]
    )  # fmt: skip
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "stacking.md").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
