"""What a training step of every method costs in two source trees, stage by stage, in one run.

    git worktree add ../before HEAD~20
    python benchmarks/step_time.py --against ../before/src
    python benchmarks/step_time.py --against ../before/src --methods LORD DrNet --rounds 61

A step draws a batch, computes the losses of all players' moves, and steps their optimizers. The
data are squares in 64x64 pixels; a batch holds `--batch` images, or clips or groups of as many
images together, or half as many pairs. Each tree has a process of its own for each method; in each
round the two take turns, so that a slow minute of the machine slows both. A ratio says how many
times as fast this tree is as the other: of the medians over rounds, with a 95 % interval (rounds
drawn with replacement, pairs of them together); and of the fastest rounds, which other work on the
machine disturbs least. Compare a tree with itself to see how near to 1 the machine gets:
`--against src`.

Rows go to step_time.jsonl in the folder `--out`, in the place of those of the same two commits,
method and settings; step_time.md there is written from all rows.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import numpy as np
import workers

SETTINGS = ("batch", "threads", "rounds", "seconds")
IMAGES = {"Pairs": 2, "Groups": 8, "Clips": 8}
"""About how many images there are in an example of each kind of supervision; else one."""
HEAD = ("method", "stage", "this, ms", "other, ms", "times as fast", "fastest rounds")
KEPT = str(1 << 30)
MEMORY = {"MALLOC_MMAP_THRESHOLD_": KEPT, "MALLOC_TRIM_THRESHOLD_": KEPT}  # as `fit` has it


def data_for(cls: type) -> Any:
    """Squares of four sizes at 12 x 12 places, and vectors beside them for several modalities."""
    from untwine.data import FactorDataset, Multimodal

    sizes = (4, 12, 12)
    factors, at = common.all_combinations(sizes), np.arange(64)
    side, row, column = (factors * (3, 4, 4) + (8, 0, 0)).T[..., None]
    down, across = (at >= row) & (at < row + side), (at >= column) & (at < column + side)
    x = (255 * (down[:, :, None] & across[:, None, :])).astype(np.uint8)[:, None]
    names = ("size", "row", "column")
    images = FactorDataset.from_arrays(x, factors, names)
    if cls.supervision.__name__ != "Modalities":
        return images
    mix = np.random.default_rng(0).normal(size=(3, 20))
    vectors = ((factors - factors.mean(0)) @ mix / 3).astype(np.float32)
    parts = {"images": images, "vectors": FactorDataset.from_arrays(vectors, factors, names)}
    place = np.arange(len(x))
    return Multimodal(parts, {"images": place % 5 != 0, "vectors": place % 5 != 1})


class Steps:
    """Trains a method as `fit` does, a stretch of steps at a time."""

    def __init__(self, name: str, batch: int, seed: int = 0) -> None:
        import torch

        from untwine import methods
        from untwine.data import as_loader

        torch.manual_seed(seed)
        cls = getattr(methods, name)
        data = data_for(cls)
        self.size, self.method = len(data), cls.build(data, seed=seed).train()
        count = max(2, batch // IMAGES.get(cls.supervision.__name__, 1))
        self.loader = as_loader(data, self.method, batch_size=count, seed=seed)
        self.stages = {stage.name: stage for stage in self.method.stages()}
        self.optimizers: dict[str, dict] = {}
        self.step = 0

    def begin(self, name: str) -> None:
        """Prepares a stage once, as its first move wants it."""
        stage, players = self.stages[name], self.method.players()
        if stage.begin is not None:
            stage.begin([self.loader(step) for step in range(16)])
            self.method.train()
        self.optimizers[name] = {
            player: players[player].optimizer(players[player].parameters())
            for player in stage.players or players
        }
        self.step = 0

    def run(self, name: str, steps: int) -> float:
        """The seconds of so many steps of a stage."""
        import torch

        from untwine import methods

        if name not in self.optimizers:
            self.begin(name)
        began = time.perf_counter()
        for _ in range(steps):
            ctx = methods.Context(torch.tensor(self.step), self.size)
            moves = self.stages[name].moves(self.loader(self.step), ctx)
            for _ in methods.play(moves, self.optimizers[name]):
                pass
            self.step += 1
        return time.perf_counter() - began


def contestant(source: Path, name: str, batch: int, threads: int) -> None:
    """Serves one tree: the names of its methods, or the seconds of steps of a method."""

    def start() -> tuple[Any, Callable[[Any], Any]]:
        import torch

        from untwine import __file__ as imported, methods

        if source.resolve() not in Path(imported).resolve().parents:
            raise ImportError(f"untwine comes from {imported}; expected it in {source}")
        torch.set_num_threads(threads)
        if not name:
            return methods.__all__, list
        steps = Steps(name, batch)
        return list(steps.stages), lambda question: steps.run(*question)

    workers.serve(start)


def worker(tree: str, source: Path, name: str, options: argparse.Namespace) -> workers.Worker:
    sizes = ["--batch", options.batch, "--threads", options.threads]
    command = [sys.executable, "-W", "ignore", __file__, "--against", source, "--contestant", name]
    environment = {"PYTHONPATH": str(source), **MEMORY}
    return workers.Worker(tree, [*map(str, (*command, *sizes))], environment, quiet=True)


def compare(name: str, sources: dict[str, Path], options: argparse.Namespace) -> list[dict]:
    """A row for each stage: milliseconds a step, by tree and round, or what went wrong."""
    pair: list[workers.Worker] = []
    rows = []
    try:
        for tree, source in sources.items():
            pair.append(worker(tree, source, name, options))
        for stage in dict.fromkeys(stage for process in pair for stage in process.ready):
            try:
                rows.append({"stage": stage, "ms": milliseconds(pair, stage, options)})
            except RuntimeError as error:
                rows.append({"stage": stage, "error": in_a_line(error)})
    except RuntimeError as error:
        rows.append({"stage": "", "error": in_a_line(error)})
    finally:
        for process in pair:
            process.close()
    return rows


def in_a_line(error: Exception) -> str:
    return " ".join(str(error).split())[-300:].replace("|", "/")


def milliseconds(
    pair: list[workers.Worker], stage: str, options: argparse.Namespace
) -> list[list[float]]:
    """Of a step, by tree and round."""
    for process in pair:
        process.ask([stage, 3])  # first steps are slower
    steps = max(1, round(options.seconds / min(process.ask([stage, 1]) for process in pair)))
    ms = np.empty((2, options.rounds))
    for number, order in enumerate(workers.turns([0, 1], options.rounds)):
        for tree in order:
            ms[tree, number] = 1e3 * pair[tree].ask([stage, steps]) / steps
    return ms.round(4).tolist()


def commit(source: Path) -> str:
    """The last commit that changed a tree, with a + if there are changes since."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(source), *words, "--", "."]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        last = git("log", "-1", "--format=%h") or "unversioned"
        return last + "+" * bool(git("status", "--porcelain"))
    except (OSError, subprocess.CalledProcessError):
        return "unversioned"


def ratio(ms: list[list[float]]) -> tuple[float, float, float]:
    """How many times as fast this tree is, and the ends of an interval of 95 %."""
    times = np.array(ms)
    rows = np.random.default_rng(0).integers(times.shape[1], size=(2000, times.shape[1]))
    this, other = np.median(times[:, rows], -1)
    middle = np.median(times, 1)
    return (middle[1] / middle[0], *np.quantile(other / this, (0.025, 0.975)))


def fastest(ms: list[list[float]]) -> float:
    """How many times as fast this tree is in its fastest round as the other in its own."""
    return min(ms[1]) / min(ms[0])


def page(rows: list[dict]) -> str:
    """A table for every two trees and choice of settings."""
    text = __doc__.split("\n\n")
    lines = ["# What a training step of every method costs, beside another state", "", text[2], ""]
    for part in common.grouped(rows, "this", "other", "settings"):
        first = part[0]
        cells = []
        for row in sorted(part, key=lambda row: row["method"]):
            if "error" in row:
                cells.append([row["method"], row["stage"], "", "", "", row["error"]])
                continue
            this, other = np.median(row["ms"], 1)
            cells.append([row["method"], row["stage"], f"{this:.1f}", f"{other:.1f}"])
            cells[-1].append("{:.3f} ({:.3f} to {:.3f})".format(*ratio(row["ms"])))
            cells[-1].append(f"{fastest(row['ms']):.3f}")
        lines += [f"## {first['this']} beside {first['other']}", ""]
        command = (
            f"`python benchmarks/step_time.py --against ... {common.flags(first['settings'])}`"
        )
        lines += [command, "", *common.table(HEAD, cells), ""]
        timed = [row["ms"] for row in part if "error" not in row]
        for words, speeds in (
            ("Medians", [ratio(ms)[0] for ms in timed]),
            ("Fastest rounds", [fastest(ms) for ms in timed]),
        ):
            if speeds:
                lines += [f"{words}: {np.exp(np.mean(np.log(speeds))):.3f} times as fast in the"]
                lines[-1] += f" geometric mean, {min(speeds):.3f} to {max(speeds):.3f}."
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    parser = common.parser(__doc__, out=common.RESULTS)
    parser.add_argument("--against", type=Path, required=True, help="the other tree's src")
    parser.add_argument("--source", type=Path, default=common.ROOT / "src", help="this tree's src")
    parser.add_argument("--methods", nargs="+", help="by default all")
    parser.add_argument("--batch", type=int, default=64, help="images in a batch")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--seconds", type=float, default=0.2, help="of each tree in a round")
    parser.add_argument("--contestant", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contestant is not None:
        contestant(options.against, options.contestant, options.batch, options.threads)
        return
    sources = {"this": options.source.resolve(), "other": options.against.resolve()}
    names = options.methods
    if not names:
        listing = worker("this", sources["this"], "", options)
        names = listing.ready
        listing.close()
    this, other = map(commit, sources.values())
    rows = common.Rows(options.out / "step_time.jsonl")
    for name in names:
        key = {"this": this, "other": other, "method": name}
        key["settings"] = common.chosen(options, SETTINGS)
        rows.replace([key | row for row in compare(name, sources, options)], **key)
        (options.out / "step_time.md").write_text(page(rows))
    print(page(rows))


if __name__ == "__main__":
    main()
