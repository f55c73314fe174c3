"""The tests that train, on every kind of processor that this one can be.

    python -m tests.regressions.machines
    python -m tests.regressions.machines --isa avx2 --threads 1 --seeds 0 1

A seeded training is a sample: another instruction set, another number of threads or another seed
rounds otherwise and ends elsewhere. What a test claims must hold for all of them. The command
runs the regressions once for each combination, prints a row of a table for it, and fails if any
test failed anywhere.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
ISA = {  # of PyTorch's own kernels, and of oneDNN's
    "default": {},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "avx512": {"ATEN_CPU_CAPABILITY": "avx512", "ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
}


def supported(isa: str) -> bool:
    """Whether PyTorch takes the instruction set here."""
    code = "import torch; print(torch.backends.cpu.get_cpu_capability())"
    line = [sys.executable, "-c", code]
    done = subprocess.run(
        line, env={**os.environ, **ISA[isa]}, capture_output=True, text=True, check=True
    )
    return isa == "default" or done.stdout.strip().lower() == isa


def run(isa: str, threads: int, seed: int, words: list[str]) -> tuple[str, list[str]]:
    """Runs the tests; what pytest said last, and the tests that failed."""
    settings = {"OMP_NUM_THREADS": str(threads), "UNTWINE_SEED": str(seed), **ISA[isa]}
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    line += words or ["tests/regressions", "--ignore=tests/regressions/test_resume.py"]
    done = subprocess.run(
        line, cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True, check=False
    )
    failed = re.findall(r"^(?:FAILED|ERROR) \S*?([\w.]+::\S+)", done.stdout, re.MULTILINE)
    if done.returncode and not failed:
        raise RuntimeError(f"{' '.join(line)} ended with {done.returncode}:\n{done.stdout[-2000:]}")
    return done.stdout.strip().rpartition("\n")[2], failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--isa", nargs="+", default=list(ISA), choices=list(ISA))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3])
    parser.add_argument("--tests", nargs="+", default=[], help="words for pytest instead of all")
    asked = parser.parse_args()
    print("| instruction set | threads | seed | minutes | failed |")
    print("| --- | ---: | ---: | ---: | --- |")
    wrong = 0
    for isa in filter(supported, asked.isa):
        for threads in asked.threads:
            for seed in asked.seeds:
                began = time.monotonic()
                said, failed = run(isa, threads, seed, asked.tests)
                minutes = (time.monotonic() - began) / 60
                row = [isa, threads, seed, f"{minutes:.1f}", ", ".join(failed) or "none"]
                print(f"| {' | '.join(map(str, row))} |", flush=True)
                print(f"  {said}", file=sys.stderr)
                wrong += bool(failed)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
