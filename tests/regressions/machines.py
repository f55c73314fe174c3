"""The tests that train, on every kind of processor that this one can be.

    python -m tests.regressions.machines
    python -m tests.regressions.machines --isa avx2 --threads 1 --seeds 0 1
    python -m tests.regressions.machines --sample 3

A seeded training is a sample: another instruction set, another number of threads or another seed
rounds otherwise and ends elsewhere. What a test claims must hold for all of them. The command
runs the regressions once for each combination, prints a row of a table for it, and fails if any
test failed anywhere. With ``--sample N`` each test runs in N of the combinations, not in all.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import product
from pathlib import Path

Cell = tuple[str, int, int]
"""An instruction set, a number of threads, a seed."""

ROOT = Path(__file__).parents[2]
ISA = {  # of PyTorch's own kernels, and of oneDNN's
    "default": {},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "avx512": {"ATEN_CPU_CAPABILITY": "avx512", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
}
ALL = [
    "tests/regressions",
    "--ignore=tests/regressions/test_resume.py",
    "--ignore=tests/regressions/test_machines.py",
]


def cells(isas: Sequence[str], threads: Sequence[int], seeds: Sequence[int]) -> list[Cell]:
    """All combinations, along diagonals: neighbors differ in everything that they can."""
    return [
        (isa, threads[(i + t) % len(threads)], seeds[(i + s) % len(seeds)])
        for t, s in product(range(len(threads)), range(len(seeds)))
        for i, isa in enumerate(isas)
    ]


def spread(tests: Sequence[str], where: Sequence[Cell], n: int) -> dict[Cell, list[str]]:
    """Each test in n cells that follow each other, the next test in those after them."""
    n = min(n, len(where))
    chosen: dict[Cell, list[str]] = {cell: [] for cell in where}
    for i, test in enumerate(tests):
        for j in range(n):
            chosen[where[(n * i + j) % len(where)]].append(test)
    return {cell: mine for cell, mine in chosen.items() if mine}


def collected(words: Sequence[str]) -> list[str]:
    """The names of the tests that pytest finds."""
    line = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*line, *(words or ALL)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [found for found in done.stdout.splitlines() if "::" in found]


def supported(isa: str) -> bool:
    """Whether PyTorch takes the instruction set here."""
    code = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    line = [sys.executable, "-c", code]
    done = subprocess.run(
        line, env={**os.environ, **ISA[isa]}, capture_output=True, text=True, check=True
    )
    return isa == "default" or done.stdout.strip().lower() == isa


def run(cell: Cell, words: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Runs the tests; what pytest said last, and of the tests that failed with what."""
    isa, threads, seed = cell
    settings = {"OMP_NUM_THREADS": str(threads), "UNTWINE_SEED": str(seed), "COLUMNS": "250"}
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(words or ALL)]
    done = subprocess.run(
        line,
        cwd=ROOT,
        env={**os.environ, **settings, **ISA[isa]},
        capture_output=True,
        text=True,
        check=False,
    )
    pattern = r"^(?:FAILED|ERROR) \S*?([\w.]+::\S+)(?: - (.*))?"
    failed = dict(re.findall(pattern, done.stdout, re.MULTILINE))
    if done.returncode and not failed:
        raise RuntimeError(f"{' '.join(line)} ended with {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout.strip().rpartition("\n")[2], failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--isa", nargs="+", default=list(ISA), choices=list(ISA))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3])
    parser.add_argument("--tests", nargs="+", default=[], help="words for pytest instead of all")
    parser.add_argument("--sample", type=int, metavar="N", help="combinations for each test")
    asked = parser.parse_args()
    where = cells(list(filter(supported, asked.isa)), asked.threads, asked.seeds)
    plan = dict.fromkeys(where, asked.tests)
    if asked.sample is not None:
        plan = spread(collected(asked.tests), where, asked.sample)
    print("| instruction set | threads | seed | tests | minutes | failed |")
    print("| --- | ---: | ---: | ---: | ---: | --- |")
    wrong = 0
    for cell, words in plan.items():
        began = time.monotonic()
        said, failed = run(cell, words)
        minutes = (time.monotonic() - began) / 60
        count = len(words) if asked.sample is not None else "all"
        row = [*cell, count, f"{minutes:.1f}", ", ".join(failed) or "none"]
        print(f"| {' | '.join(map(str, row))} |", flush=True)
        print(f"  {said}", *(f"  {name}: {why}" for name, why in failed.items()), sep="\n",
              file=sys.stderr)  # fmt: skip
        wrong += bool(failed)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
