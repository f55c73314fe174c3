"""What Ray costs a study: seconds from one run's end to the next one's start, and memory.

Small runs on vectors, made by one worker of Ray and then one after the other in a process, each
study in a process of its own. A run writes `point.json` when it begins and `done.json` when it has
ended, so that what passes between them on one worker is the scheduler's.

    python benchmarks/scheduling.py --runs 40
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import common
import numpy as np

from untwine.study import Folder, Measuring, Study, fixed, run, seeds

MINUTE = 60.0


def small(path: Path, count: int) -> Study:
    """Runs of a second or less on vectors."""
    points = fixed({"data": str(path), "method.latent_dim": 3, "method.net": "MLP"}, steps=100)
    points = points * fixed(method="BetaVAE", batch_size=16) * seeds(count)
    return Study(points, measure=Measuring(["mig"], n=60), figures=False)


def memory(root: int) -> dict[str, float]:
    """Resident memory of a process and of its descendants now, MB of the largest of each kind."""
    words = ["ps", "-e", "-o", "pid=,ppid=,rss=,args="]
    lines = [line.split(None, 3) for line in subprocess.check_output(words, text=True).splitlines()]
    parents = {int(pid): int(parent) for pid, parent, *_ in lines}
    large: dict[str, float] = {}
    for pid, _, kilobytes, line in lines:
        above = int(pid)
        while above in parents and above != root:
            above = parents[above]
        if above == root:
            name = kind(line, int(pid) == root)
            large[name] = max(large.get(name, 0.0), int(kilobytes) / 1024)
    return large


def kind(line: str, first: bool) -> str:
    """What a process of a study is."""
    if first:
        return "command"
    for word, name in (("ray::Worker", "worker"), ("ray::", "spare worker"),
                       ("raylet/raylet", "raylet"), ("gcs_server", "gcs")):  # fmt: skip
        if word in line:
            return name
    return "others of Ray, the largest"


def study(runner: str, path: Path, folder: Path, count: int) -> tuple[float, dict[str, float]]:
    """Makes the study in a process; its seconds, and the peaks of its processes."""
    words = [sys.executable, __file__, "--make", runner, "--data", str(path), "--out", str(folder),
             "--runs", str(count)]  # fmt: skip
    began = time.time()
    process = subprocess.Popen(words)
    most: dict[str, float] = {}
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.5):
            for name, value in memory(process.pid).items():
                most[name] = max(most.get(name, 0.0), value)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        if process.wait() != 0:
            raise RuntimeError(f"the study on {runner} failed")
    finally:
        done.set()
        thread.join()
    return began, most


def gaps(folder: Path, began: float) -> tuple[float, list[float], list[float]]:
    """Seconds until the first run begins, from each run's end to the next one's start, and of the
    runs."""
    times = sorted(
        ((one.path / "point.json").stat().st_mtime, (one.path / "done.json").stat().st_mtime)
        for one in Folder(folder).made()
    )
    between = [start - end for (_, end), (start, _) in itertools.pairwise(times)]
    return times[0][0] - began, between, [end - start for start, end in times]


def measured(runner: str, path: Path, count: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        began, most = study(runner, path, Path(folder) / "s", count)
        start, between, own = gaps(Path(folder) / "s", began)
    return {
        "runner": runner,
        "runs": count,
        "start_s": round(start, 1),
        "run_s": round(median(own), 3),
        "gap_ms": round(1000 * float(np.mean(between)), 1),
        "gap_median_ms": round(1000 * median(between), 1),
        "gap_max_ms": round(1000 * max(between), 1),
        "share_of_a_minute_percent": round(100 * float(np.mean(between)) / MINUTE, 3),
        "peak_MB": {name: round(value) for name, value in sorted(most.items())},
    }


def main() -> None:
    parser = common.parser(__doc__, out=Path("runs/scheduling"), results=common.RESULTS)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--make", choices=["ray", "sequential"], help="in this process, for itself")
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    if options.make:
        made = run(small(options.data, options.runs), options.out, runner=options.make, workers=1,
                   progress=False)  # fmt: skip
        sys.exit(0 if made.finished == options.runs else 1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.npz"
        factors = common.all_combinations((3, 4, 5))
        np.savez(path, x=(factors / 5).astype("f4"), factors=factors)
        rows = [measured(runner, path, options.runs) for runner in ("ray", "sequential")]
    for row in rows:
        print(json.dumps(row), flush=True)
    place = options.results / "study_costs.json"
    options.results.mkdir(parents=True, exist_ok=True)
    before = json.loads(place.read_text()) if place.exists() else {}
    place.write_text(json.dumps({**before, "scheduling": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
