"""Large inputs: a million codes, a log of a million rows, many factors, dimensions and steps.

Each case runs in a process of its own, so that its peak of memory is its own. `imports` is what a
process holds that does nothing but import; the peaks hold it.

    python benchmarks/load.py               # everything, into results/load.md
    python benchmarks/load.py --only evaluate
"""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import common
import numpy as np
import torch
from common import timed

import untwine as ut
from untwine.evaluation import Evaluation
from untwine.training import Callback, State

STEPS = 20_000


def peak() -> float:
    """The most memory that the process has held so far, in MB."""
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / 1e6 if sys.platform == "darwin" else used * 1024 / 1e6


def codes_of(factors: np.ndarray, dims: int, rng: np.random.Generator) -> np.ndarray:
    """Noise, and a standardized factor in each of the first dimensions."""
    codes = rng.normal(size=(len(factors), dims)).astype(np.float32)
    used = min(dims, factors.shape[1])
    deviation = factors[:, :used].std(0)
    codes[:, :used] *= 0.1
    codes[:, :used] += (factors[:, :used] - factors[:, :used].mean(0)) / deviation
    return codes


def counts(table: Evaluation) -> str:
    return (
        f"{len(table.scores)} metrics, {len(table.skipped) - len(table.failed)} do not "
        f"apply, {len(table.failed)} failed"
    )


def nothing(folder: Path) -> str:
    return ""


def evaluate(folder: Path) -> str:
    rng = np.random.default_rng(0)
    factors = rng.integers(0, common.SIZES, (1_000_000, 5))
    codes = codes_of(factors, 64, rng)
    before = peak()
    table = ut.evaluate(codes, factors, progress=False)
    held = (codes.nbytes + factors.nbytes) / 1e6
    return (
        f"{counts(table)}; codes and factors are {held:.0f} MB, and making them had a peak of "
        f"{before:,.0f} MB"
    )


def many_factors(folder: Path) -> str:
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 5, (10_000, 200))
    table = ut.evaluate(codes_of(factors, 10, rng), factors, progress=False)
    return f"{counts(table)}; {len(str(table)):,} characters when printed"


def small_run(folder: Path, latent_dim: int) -> ut.Run:
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 4, (5_000, 6))
    np.savez(folder / "data.npz", x=codes_of(factors, 64, rng), factors=factors)
    data = ut.FactorDataset.from_npz(folder / "data.npz")
    method = ut.methods.BetaVAE.build(data, latent_dim=latent_dim, seed=0)
    return ut.fit(method, data, steps=200, out=folder / "run", progress=False)


def long_log(folder: Path) -> str:
    run = small_run(folder, 4)
    log = folder / "run/log.jsonl"
    row = json.loads(log.read_text().splitlines()[-1])
    with log.open("w") as file:
        for step in range(1, 1_000_001):
            file.write(json.dumps({**row, "step": step}) + "\n")
    megabytes = log.stat().st_size / 1e6
    page = ut.report(folder / "run", scores=False)
    assert run.path is not None
    return f"a log of {megabytes:.0f} MB; a page of {page.stat().st_size / 1e6:.1f} MB"


def many_dimensions(folder: Path) -> str:
    small_run(folder, 128)
    page = ut.report(folder / "run")
    return f"with every score; a page of {page.stat().st_size / 1e6:.1f} MB"


class Growth(Callback):
    """Memory and open files of the process on the way, MB and their number by step."""

    def __init__(self) -> None:
        self.memory: dict[int, float] = {}
        self.files: dict[int, int] = {}

    def on_step(self, state: State, losses: object) -> None:
        step = state.position.step
        if step % (STEPS // 10) == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self.memory[step] = pages * resource.getpagesize() / 1e6
            self.files[step] = len(os.listdir("/proc/self/fd"))


def long_training(folder: Path) -> str:
    rng = np.random.default_rng(0)
    data = ut.FactorDataset.from_arrays(rng.normal(size=(5_000, 64)))
    growth = Growth()
    method = ut.methods.VAE.build(data, latent_dim=2, net=ut.nets.MLP((32,)), seed=0)
    ut.fit(
        method, data, steps=STEPS, batch_size=16, out=folder / "run", callbacks=[growth],
        log_every=10, checkpoint_every=500, progress=False,
    )  # fmt: skip
    memory, files = list(growth.memory.items()), list(growth.files.values())
    (start, first), (end, last) = memory[1], memory[-1]
    return (
        f"{first:.1f} MB at step {start:,}, {last:.1f} MB at step {end:,}; open files "
        f"{min(files)} to {max(files)}"
    )


CASES: dict[str, tuple[str, Callable[[Path], str]]] = {
    "imports": ("nothing", nothing),
    "evaluate": ("`evaluate` of a million x 64 codes, five factors", evaluate),
    "factors": ("`evaluate` of 10,000 x 10 codes, 200 factors", many_factors),
    "log": ("`report` of a run with a log of a million rows", long_log),
    "dimensions": ("`report` of a run of 128 dimensions", many_dimensions),
    "steps": (f"`fit` of a small VAE, {STEPS:,} steps, 40 checkpoints", long_training),
}


def main() -> None:
    made = common.parser(__doc__, out=common.RESULTS / "load.md")
    made.add_argument("--only", choices=tuple(CASES))
    options = made.parse_args()
    if options.only is not None:
        print(json.dumps(measured(options.only)))
        return
    load, lines = os.getloadavg()[0], common.table(["what", "seconds", "peak of memory", "outcome"])
    for name, (what, _) in CASES.items():
        command = [sys.executable, __file__, "--only", name]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        case = json.loads(answer.stdout.splitlines()[-1])
        cells = [what, f"{case['seconds']:.1f}", f"{case['peak']:,.0f} MB", case["outcome"]]
        lines.append(common.line(cells))
        print(lines[-1], flush=True)
    options.out.write_text(
        "# Load\n\n`python benchmarks/load.py`: large inputs, each in a process of its own. Peaks "
        "hold what the imports take.\n\n"
        f"{os.cpu_count()} cores, {torch.get_num_threads()} threads; load at the start "
        f"{load:.1f}; Python {platform.python_version()}, numpy {np.__version__}, torch "
        f"{torch.__version__}.\n\n" + "\n".join(lines) + "\n"
    )


def measured(name: str) -> dict[str, object]:
    """Seconds, the peak of memory in MB and the outcome of a case, in this process."""
    with tempfile.TemporaryDirectory() as folder:
        outcome, seconds, _ = timed(lambda: CASES[name][1](Path(folder)))
    return {"seconds": seconds, "peak": peak(), "outcome": outcome}


if __name__ == "__main__":
    main()
