"""Seconds of each metric beside the reference implementation's own procedure.

The same codes, the same machine, the same run. A *world* gives the code of every combination of
dSprites' factors; the reference samples it as it samples its data (`reference.py`), untwine scores
a table drawn from it once. Both then report the score, the wall seconds and the CPU seconds.

    python benchmarks/metrics.py            # everything, tens of minutes: the reference is slow
    python benchmarks/metrics.py --only speed|dci|suite|size
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import common
import numpy as np
import reference
from common import SIZES, timed

import untwine as ut
from untwine import metrics

DATE = "2026-11-29"
CLASSIC = ("beta_vae_score", "factor_vae_score", "mig", "modularity", "explicitness", "dci", "sap")


def mixed(factors: np.ndarray, dims: int, share: float, noise: float, seed: int) -> np.ndarray:
    """Standardized factors, partly replaced by a nonlinear mixture, with noise."""
    rng = np.random.default_rng(seed)
    u = common.standardized(factors)
    z = 2 * share * common.nonlinear(u, dims, rng)
    z[:, :5] += (1 - share) * u
    return (z + noise * rng.normal(size=z.shape)).astype(np.float32)


def machine() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    name = models[0] if models else platform.processor()
    import lightgbm
    import sklearn
    import torch

    versions = (
        f"Python {platform.python_version()}, numpy {np.__version__}, scikit-learn "
        f"{sklearn.__version__}, torch {torch.__version__}, lightgbm {lightgbm.__version__}"
    )
    load = os.getloadavg()[0]
    return f"{DATE}; {os.cpu_count()} cores of {name}; load at the start {load:.1f}; {versions}."


# speed


def speed(out: list[str]) -> None:
    """Each metric once by the reference's procedure and once by untwine, on one 10-dim code."""
    factors = common.all_combinations(SIZES)
    codes = mixed(factors, 10, share=0.5, noise=0.1, seed=0)
    world = reference.World(codes, SIZES)
    rows = np.random.default_rng(1).integers(len(codes), size=15_000)
    z, v = codes[rows], factors[rows]
    train, test = slice(0, 10_000), slice(10_000, 15_000)
    parts = {"codes_test": z[test], "factors_test": v[test]}
    dci = reference.dci
    pairs: list[tuple[str, Callable[[], Any], Callable[[], Any]]] = [
        (
            "beta_vae_score",
            lambda: reference.beta_vae_score(world, 0),
            lambda: metrics.beta_vae_score(z, v),
        ),
        (
            "factor_vae_score",
            lambda: reference.factor_vae_score(world, 0),
            lambda: metrics.factor_vae_score(z, v),
        ),
        ("mig", lambda: reference.mig(world, 0), lambda: metrics.mig(z[train], v[train])),
        (
            "modularity",
            lambda: reference.modularity(world, 0),
            lambda: metrics.modularity(z[train], v[train]),
        ),
        (
            "explicitness",
            lambda: reference.explicitness(world, 0),
            lambda: metrics.explicitness(z[train], v[train], **parts),
        ),
        (
            "dci",
            lambda: dci(world, 0)["disentanglement"],
            lambda: metrics.dci(z[train], v[train], predictor="fast", **parts),
        ),
        ("sap", lambda: reference.sap(world, 0), lambda: metrics.sap(z[train], v[train], **parts)),
        ("irs", lambda: reference.irs(world, 0), lambda: metrics.irs(z[train], v[train])),
    ]
    # Imports are not part of a metric: everything runs once on a few points first.
    small = reference.World(np.random.default_rng(2).normal(size=(12, 5)), (3, 4))
    for theirs in (reference.explicitness, reference.dci, reference.sap, reference.mig):
        theirs(small, 0)
    ut.evaluate(z[:600], v[:600, :2], [name for name, _, _ in pairs])
    out += [
        "## Seconds per metric",
        "",
        "One code of 10 dimensions, 10,000 points (and 5,000 for a test part), dSprites' factors.",
        "The reference's seconds hold its sampling loops, with a table look-up for an encoder.",
        "",
        "| metric | reference | wall s | CPU s | untwine | wall s | CPU s | ratio of CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    sums, without = np.zeros(4), np.zeros(4)
    for name, theirs, ours in pairs:
        value = ours()
        cpu, wall = min(timed(ours)[:0:-1] for _ in range(3))
        their_value, their_wall, their_cpu = timed(theirs)
        if name in CLASSIC:
            sums += (their_wall, their_cpu, wall, cpu)
            without += (name != "dci") * np.array((their_wall, their_cpu, wall, cpu))
        out.append(
            f"| {name} | {float(their_value):.4f} | {their_wall:.2f} | {their_cpu:.2f} "
            f"| {float(value):.4f} | {wall:.3f} | {cpu:.3f} | {their_cpu / cpu:.0f} |"
        )
        print(out[-1], flush=True)
    for label, total in (("**the seven classic**", sums), ("the six without dci", without)):
        out.append(
            f"| {label} | | {total[0]:.1f} | {total[1]:.1f} | | {total[2]:.2f} | {total[3]:.2f} "
            f"| **{total[1] / total[3]:.0f}** |"
        )
        print(out[-1], flush=True)
    out += [
        "",
        "untwine: the least of three; reference: one run. Ratios are of CPU seconds, which other",
        "work on the machine hardly changes. untwine's `dci` has the fast predictor; with",
        '`predictor="boosting"` it fits the reference\'s own models, several factors at a time.',
        "",
    ]


# DCI: the fast predictor beside the reference's


def dci(out: list[str], count: int, points: int, factors_used: int) -> None:
    from scipy.stats import spearmanr

    factors = common.all_combinations(SIZES)
    rng = np.random.default_rng(5)
    rows = rng.integers(len(factors), size=3 * points // 2)
    v = factors[rows][:, :factors_used]
    names = ("disentanglement", "completeness", "informativeness")
    theirs, ours, seconds = [], [], np.zeros(4)
    for i in range(count):
        share, noise = i / max(1, count - 1), (0.0, 0.1, 0.3, 0.6)[i % 4]
        z = mixed(factors[rows], 6 + i % 5, share, noise, seed=i)
        parts = (z[:points], v[:points], z[points:], v[points:])
        a, wall, cpu = timed(partial(reference.dci_arrays, *parts))
        theirs.append([a[name] for name in names])
        seconds[:2] += (wall, cpu)
        test = {"codes_test": parts[2], "factors_test": parts[3]}
        b, wall, cpu = timed(partial(metrics.dci, *parts[:2], predictor="fast", **test))
        ours.append([b.parts[name] for name in names])
        seconds[2:] += (wall, cpu)
        print(i, f"share {share:.2f} noise {noise}", theirs[-1], ours[-1], seconds, flush=True)
    a, b = np.array(theirs), np.array(ours)
    out += [
        "## DCI: the fast predictor beside scikit-learn's boosting",
        "",
        f"{count} codes of 6 to 10 dimensions, from clean to a nonlinear mixture, noise 0 to 0.6;",
        f"{points:,} points to learn from, {points // 2:,} to be judged on, the first",
        f"{factors_used} of dSprites' factors ({SIZES[:factors_used]} values).",
        f"Reference {seconds[1]:.0f} s of CPU, fast {seconds[3]:.1f} s: "
        f"**{seconds[1] / seconds[3]:.0f} times** less.",
        "",
        "| part | Spearman's correlation | mean deviation | largest deviation |",
        "|---|---|---|---|",
    ]
    for i, name in enumerate(names):
        rho = spearmanr(a[:, i], b[:, i]).statistic
        out.append(
            f"| {name} | {rho:.3f} | {np.mean(b[:, i] - a[:, i]):+.3f} "
            f"| {np.abs(b[:, i] - a[:, i]).max():.3f} |"
        )
        print(out[-1], flush=True)
    out.append("")


# the whole suite


def suite(out: list[str]) -> None:
    factors = common.all_combinations(SIZES)
    rows = np.random.default_rng(1).integers(len(factors), size=10_000)
    z, v = mixed(factors[rows], 10, 0.5, 0.1, 0), factors[rows]
    stddev = np.full_like(z, 0.1)
    ut.evaluate(z[:300], v[:300, :2], ["mig", "dci", "explicitness"])
    table, wall, cpu = timed(lambda: ut.evaluate(z, v, stddev=stddev, progress=False))
    cells = [(n, f"{s.value:.4f}", f"{s.seconds:.2f}") for n, s in table.scores.items()]
    out += [
        "## The whole suite",
        "",
        "`untwine.evaluate(codes, factors, stddev=stddev)`, 10,000 x 10 codes, dSprites' factors:",
        f"{len(table)} metrics in **{wall:.1f} s** wall, {cpu:.1f} s CPU.",
        "",
        *common.table(("metric", "value", "seconds"), cells),
        "",
    ]
    print("\n".join(out[-len(table) - 8 :]), flush=True)


# size


def size(out: list[str], counts: tuple[int, ...] = (125_000, 250_000, 500_000, 1_000_000)) -> None:
    """CPU seconds and peak memory of every metric, each in a process of its own."""
    names = [name for name, m in metrics.METRICS.items() if "a set of runs" not in m.needs]
    out += [
        "## A million points by 32 dimensions",
        "",
        "Each metric in a process of its own, given float32 codes of 32 dimensions, standard",
        "deviations and dSprites' factors, through `evaluate(points=None)`: metrics on points use",
        "every row, those that fit something their protocol's numbers. Seconds are of CPU, of",
        "all threads. Peak resident memory includes Python, the libraries and the data.",
        "",
        *common.table(["metric", *(f"{n:,}: s" for n in counts), "peak GB", "last doubling"]),
    ]
    for name in names:
        seconds, peak = [], 0.0
        for n in counts:
            done = subprocess.run(
                [sys.executable, "-W", "ignore", __file__, "--child", f"{name}:{n}"],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                print(name, n, done.stderr.strip().splitlines()[-1:], flush=True)
                seconds.append(np.nan)
                continue
            cpu, memory = map(float, done.stdout.split()[-2:])
            seconds.append(cpu)
            peak = max(peak, memory)
        growth = (seconds[-1] / seconds[-2]) if len(seconds) > 1 else np.nan
        cells = [f"{s:.2f}" for s in (*seconds, peak)]
        out.append(common.line([name, *cells, f"{growth:.1f}"]))
        print(out[-1], flush=True)
    out.append("")


def child(task: str) -> None:
    import resource

    name, _, n = task.partition(":")
    rng = np.random.default_rng(0)
    count = int(n)
    factors = np.stack([rng.integers(s, size=count) for s in SIZES], axis=1).astype(np.int16)
    z = np.empty((count, 32), np.float32)
    for d in range(32):
        z[:, d] = factors[:, d % 5] / SIZES[d % 5] + 0.3 * rng.standard_normal(count, np.float32)
    settings: dict[str, Any] = (
        {"stddev": np.full_like(z, 0.1)} if "stddev" in metrics.METRICS[name].needs else {}
    )
    blocks = [list(range(16)), list(range(16, 32))] if name == "block_mutual_information" else None
    ut.evaluate(z[:500], factors[:500], ["mig", "explicitness", "dci"], progress=False)  # imports
    cpu = time.process_time()
    ut.evaluate(z, factors, [name], points=None, blocks=blocks, progress=False, **settings)
    cpu = time.process_time() - cpu
    print(cpu, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def main() -> None:
    parser = common.parser(__doc__, results=common.RESULTS)
    parser.add_argument("--only", default="speed,dci,suite,size")
    parser.add_argument("--codes", type=int, default=20, help="codes of the DCI comparison")
    parser.add_argument("--points", type=int, default=2000, help="its points to learn from")
    parser.add_argument("--factors", type=int, default=3, help="how many of dSprites' factors")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.child:
        child(options.child)
        return
    parts: dict[str, Callable[[list[str]], None]] = {
        "speed": speed,
        "dci": lambda out: dci(out, options.codes, options.points, options.factors),
        "suite": suite,
        "size": size,
    }
    options.results.mkdir(parents=True, exist_ok=True)
    for name in options.only.split(","):
        out: list[str] = [machine(), ""]
        parts[name](out)
        (options.results / f"metrics_{name}.part").write_text("\n".join(out))
    head = [
        "# Metrics: speed",
        "",
        "`python benchmarks/metrics.py`. The reference's procedure is written out step by step in",
        "`benchmarks/reference.py`; on the golden arrays it gives the reference's own values.",
        "",
    ]
    texts = [options.results / f"metrics_{name}.part" for name in parts]
    (options.results / "metrics.md").write_text(
        "\n".join(head) + "\n".join(p.read_text() for p in texts if p.exists())
    )


if __name__ == "__main__":
    main()
