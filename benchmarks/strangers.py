"""What becomes of runs whose process is killed, at moments that nobody chose.

    python benchmarks/strangers.py --methods BetaTCVAE --kills 10
    python benchmarks/strangers.py --kills 10

The real command is started, killed with SIGKILL at a random moment between its first instruction
and its usual end (imports, spec, first checkpoint, training and last weights included), and given
again until it ends. The end is compared, byte by byte, with that of a run that was never killed.
``--kills`` is per method; without ``--methods`` there are five, one of each kind: one player, two
players, several stages, pairs, and a prior that begins from codes.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

METHODS = {
    "BetaTCVAE": "one player",
    "FactorVAE": "two players",
    "LORD": "two stages",
    "AdaGVAE": "pairs",
    "VaDE": "two stages, a prior that begins from codes",
}
PLACES = ("before there is a spec", "before a checkpoint", "after a checkpoint", "after its end")


def command(method: str, data: Path, out: Path, steps: int) -> list[str]:
    """A training as a user types it."""
    line = (
        f"train --method {method} --data Npz --data.path {data} --steps {steps} --batch_size 16 "
        f"--seed 3 --log_every 10 --checkpoint_every 20 --accelerator cpu --out {out}"
    )
    return [sys.executable, "-m", "untwine", *line.split()]


def data_set(path: Path) -> Path:
    """Vectors that two factors decide."""
    factors = np.stack(np.unravel_index(np.arange(120), (10, 12)), 1)
    x = np.random.default_rng(0).normal(size=(120, 8)) * 0.1
    x[:, :2] += factors / 10
    np.savez(path, x=x.astype(np.float32), factors=factors, factor_names=["row", "column"])
    return path


def run(line: list[str], seconds: float | None = None) -> int:
    """Gives a command, kills it after so many seconds; returns its status."""
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            _, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return -signal.SIGKILL
    if process.returncode:
        raise RuntimeError(f"{' '.join(line)} ended with {process.returncode}: {said.decode()}")
    return 0


def place(out: Path) -> str:
    """How far a run had come when it was killed."""
    if not (out / "spec.yaml").exists():
        return PLACES[0]
    if (out / "model.safetensors").exists():
        return PLACES[3]
    checkpoints = out / "checkpoints"
    written = checkpoints.is_dir() and any(p.name[0] != "." for p in checkpoints.iterdir())
    return PLACES[2] if written else PLACES[1]


def digest(out: Path) -> str:
    return hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()


def campaign(method: str, folder: Path, kills: int, steps: int, seed: int) -> dict[str, int]:
    """Kills runs of a method; counts the moments, and the ends that were equal."""
    moments = random.Random(seed)
    data = data_set(folder / f"{method}.npz")
    whole = folder / f"{method}-whole"
    run(command(method, data, whole, steps))  # the first start reads the library from the disk
    began = time.monotonic()
    run(command(method, data, folder / f"{method}-again", steps))
    usual = time.monotonic() - began
    counts = dict.fromkeys((*PLACES, "killed", "equal"), 0)
    while counts["killed"] < kills:
        out = folder / f"{method}-{counts['killed']}"
        line = command(method, data, out, steps)
        if run(line, moments.uniform(0, usual)) == 0:
            continue  # it was quicker than usual
        counts["killed"] += 1
        counts[place(out)] += 1
        if moments.random() < 0.5:  # and once more while it recovers
            run(line, moments.uniform(0, usual))
        run(line)
        counts["equal"] += digest(out) == digest(whole)
        print(f"  {method}: {counts['equal']} of {counts['killed']}", file=sys.stderr)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--kills", type=int, default=10, help="per method")
    parser.add_argument("--steps", type=int, default=400, help="of each stage")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    asked = parser.parse_args()
    print(f"| method | kind | killed | {' | '.join(PLACES)} | equal ends |")
    print(f"| --- | --- | {' | '.join(['---:'] * (len(PLACES) + 2))} |")
    with tempfile.TemporaryDirectory() as folder:
        for method in asked.methods:
            counts = campaign(method, Path(folder), asked.kills, asked.steps, asked.seed)
            numbers = [counts["killed"], *(counts[p] for p in PLACES), counts["equal"]]
            print(f"| {method} | {METHODS[method]} | {' | '.join(map(str, numbers))} |", flush=True)


if __name__ == "__main__":
    main()
