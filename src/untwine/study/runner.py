"""Runs a study: what is left of it, one run after the other or on a cluster of Ray."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..settings.errors import UsageError
from ..training.files import CheckpointError
from .folder import Folder, Made
from .forecast import Forecast, forecast, kind_of
from .points import Planned
from .progress import Progress
from .study import Study
from .together import groups, train_together
from .work import Outcome, Sets, Work, due, make

__all__ = ["Summary", "check", "run", "sequential"]

Runner = Literal["auto", "sequential", "ray"]

_NEEDED = 3 << 30  # bytes of free memory, without which no cluster is started
_CHECKING = 30.0  # seconds, after which the remaining methods are not built before they are trained
_PATIENCE = 30  # tries to enter a folder that another process is in
_PAUSE = 2.0


@dataclass(frozen=True)
class Summary:
    """What a study came to.

    Attributes:
        folder: Of the study.
        total: Runs of it.
        finished: How many are finished now.
        made: How many came to an end this time.
        failed: Names and messages of those that failed, now or before.
        seconds: Wall time.
        forecast: Of what was left at the beginning.
    """

    folder: Path
    total: int
    finished: int
    made: int
    failed: dict[str, str]
    seconds: float
    forecast: Forecast


def run(
    study: Study,
    out: str | Path,
    *,
    runner: Runner = "auto",
    workers: int | None = None,
    address: str | None = None,
    gpus: float | None = None,
    threads: int = 1,
    together: int = 1,
    time_limit: float | None = None,
    retry: bool = False,
    retries: int = 3,
    only_forecast: bool = False,
    progress: bool = True,
) -> Summary:
    """Makes the runs of a study that are not finished in a folder.

    Everything is checked before the first run begins: settings by their types, each method by
    building it once. A run that fails writes down its error and stops nobody. Called again, this
    makes what is left: runs go on from their checkpoints, finished ones are not repeated, those
    that failed by a fault of the machine are tried again.

    Args:
        study: What to run.
        out: Its folder.
        runner: ``"sequential"`` in this process; ``"ray"``; or ``"auto"``: Ray where it is
            installed, two runs or more can be made at a time and there are 3 GB of free memory.
            Results are the same.
        workers: Runs at a time; by default as many as there are processors for.
        address: Of a cluster of Ray that is running, ``"auto"`` for this machine's; without, one is
            started for the study. Its nodes must see the folder under the same path.
        gpus: Of each run, a fraction where several share one; by default one where there is any.
        threads: Of each run.
        together: Runs that differ in their seed alone to train at once, one after the other
            otherwise, see `training.fit_stacked`: small models gain. Their results are those of
            single runs but for rounding, and they have no checkpoints on the way.
        time_limit: Seconds that a run may train.
        retry: Whether to try again what failed, whatever the reason.
        retries: How often a run is begun again whose worker dies.
        only_forecast: Check and forecast, and make nothing.
        progress: Whether to show progress on standard error.

    Raises:
        UsageError: for settings that cannot be, before anything is written.
        CheckpointError: if the disk is full; the same call goes on once there is room.
        KeyboardInterrupt: after Ctrl-C, once the step is done and a checkpoint is written.

    Example:
        >>> import tempfile, numpy as np
        >>> from untwine.study import Measuring, fixed, seeds
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/a.npz", x=np.random.rand(50, 4), factors=np.arange(50)[:, None])
        ...     points = fixed({"data": f"{folder}/a.npz"}, method="VAE", steps=2) * seeds(2)
        ...     study = Study(points, measure=Measuring(["active_units"], n=30))
        ...     summary = run(study, f"{folder}/study", runner="sequential", progress=False)
        >>> summary.finished, summary.failed
        (2, {})
    """
    began = time.monotonic()
    for name, value, least in (("threads", threads, 1), ("workers", workers, 1),
                               ("together", together, 1), ("retries", retries, 0)):  # fmt: skip
        if value is not None and value < least:
            raise UsageError(f"{name} is {value}: expected at least {least}")
    if time_limit is not None and time_limit <= 0:
        raise UsageError(f"time_limit is {time_limit}: expected seconds above 0")
    if gpus is not None and gpus < 0:
        raise UsageError(f"gpus is {gpus}: expected 0 or more, such as 0.25")
    folder = Folder(out)
    runs = study.runs()
    work = Work(study.measure, study.figures, tuple(study.trust), threads, time_limit)
    made = {one.name: one for one in folder.compare(runs)}
    left = [r for r in runs if _left(made[r.name], work, retry)]
    sets = Sets(study.trust)
    check(left, sets, study.trust)
    foreseen = forecast(left, runs, list(made.values()), sets, study.trust)
    if together > 1:
        if runner == "ray" or address is not None:
            raise UsageError(f"together is {together}: Ray makes single runs; leave one out")
        runner = "sequential"
    chosen, why = _runner(runner, workers, address, len(left), threads)
    count = 1 if chosen == "sequential" else _workers(workers, threads, address, len(left))
    each = {r.name: foreseen.seconds.get(kind_of(r), 0.0) for r in left}
    with Progress(len(runs), len(runs) - len(left), count, each, progress) as bar:
        if why:
            bar.say(why)
        done = sum(one.status == "finished" for one in made.values())
        bar.say(f"{len(runs):,} runs, {done:,} finished; {foreseen.line(count)}")
        ended = 0
        if left and not only_forecast:
            with folder.taken():
                study.write(folder.path / "study.yaml")
                outcomes: Iterator[Outcome]
                if chosen == "ray":
                    from .cluster import on_ray

                    outcomes = on_ray(
                        left, folder, work, workers=count, address=address, gpus=gpus,
                        retries=retries, say=bar.say,
                    )  # fmt: skip
                else:
                    outcomes = sequential(left, folder, work, sets, bar, together)
                ended = _followed(outcomes, left, folder, bar)
        elif not only_forecast and folder.path.is_dir():
            study.write(folder.path / "study.yaml")
    now = folder.compare(runs)
    return Summary(
        folder.path,
        len(runs),
        sum(one.status == "finished" for one in now),
        ended,
        {o.name: f"{o.error.get('error')}: {o.error.get('message')}" for o in now
         if o.status == "failed"},
        time.monotonic() - began,
        foreseen,
    )  # fmt: skip


def check(runs: Sequence[Planned], sets: Sets, trust: Sequence[str] = ()) -> None:
    """Builds each method of some runs once on its data, so that what cannot be is said first.

    Raises:
        UsageError: naming the run.
    """
    from ..data import FactorDataset, default_sampler
    from ..spec import instantiate
    from ..training.plan import make_method, moves_by_stage

    end = time.monotonic() + _CHECKING
    seen = set()
    for run in runs:
        spec = run.spec
        arguments = {k: v for k, v in spec["method"]["init_args"].items() if k != "seed"}
        key = json.dumps([spec["method"]["class_path"], arguments, spec["data"], spec["sampler"],
                          spec["steps"]], sort_keys=True)  # fmt: skip
        if key in seen or time.monotonic() > end:
            continue
        seen.add(key)
        try:
            data = sets.get(spec)
            method = make_method(spec, data, trust)
            moves_by_stage(spec["steps"], method.stages())
            sampler = instantiate(spec["sampler"], trust=trust)
            if sampler is None:
                sampler = method.sampler() or default_sampler(method.supervision)
            if isinstance(data, FactorDataset):
                sampler.bind(data.space, data.factors)
        except (ValueError, TypeError, NotImplementedError, OSError, ImportError) as error:
            settings = ", ".join(f"{k}={v}" for k, v in run.settings.items())
            raise UsageError(f"run {run.name} ({settings}): {error}") from error


def sequential(
    runs: Sequence[Planned],
    folder: Folder,
    work: Work,
    sets: Sets,
    bar: Progress,
    together: int = 1,
) -> Iterator[Outcome]:
    """Makes runs one after the other in this process, or trains those of some seeds at once."""
    said = set()
    for group in groups(runs, folder, together):
        if len(group) > 1:
            why = train_together(group, folder, work, sets)
            if why and group[0].method not in said:
                said.add(group[0].method)
                bar.say(f"seeds of {group[0].method} are trained one after the other: {why}")
        yield from _singly(group, folder, work, sets, bar)


def _singly(
    runs: Sequence[Planned], folder: Folder, work: Work, sets: Sets, bar: Progress
) -> Iterator[Outcome]:
    for run in runs:
        total = run.spec["steps"]
        total = sum(total.values()) if isinstance(total, dict) else total

        def step(made: int, name: str = run.name, total: int = total) -> None:
            bar.step(name, made, total)

        for _ in range(_PATIENCE):
            outcome = make(run, folder.runs / run.name, work, sets, step)
            if outcome.status != "busy":
                break
            time.sleep(_PAUSE)
        yield outcome


def _followed(
    outcomes: Iterator[Outcome], runs: Sequence[Planned], folder: Folder, bar: Progress
) -> int:
    """Counts what came of runs, and stops where the disk is full."""
    settings = {r.name: ", ".join(f"{k}={v}" for k, v in r.settings.items()) for r in runs}
    ended = 0
    for outcome in outcomes:
        if outcome.status == "full":
            raise CheckpointError(
                errno.ENOSPC,
                "the disk is full: free some space, then the same command goes on",
                str(folder.path),
            )
        ended += 1
        bar.add(outcome, settings[outcome.name])
    return ended


def _left(made: Made, work: Work, retry: bool) -> bool:
    return due(made.status, made.done, made.error, work, retry)


def _runner(
    runner: Runner, workers: int | None, address: str | None, runs: int, threads: int
) -> tuple[Literal["sequential", "ray"], str]:
    """Which runner to take, and why it is not Ray where it could have been."""
    installed = importlib.util.find_spec("ray") is not None
    if runner == "ray" or address is not None:
        if runner == "sequential":
            raise UsageError(f"address is {address!r}, but the runner is sequential: leave one out")
        if not installed:
            raise UsageError(
                "the runner 'ray' needs a package that is not installed: "
                "pip install 'untwine[study]', or leave it out to make one run after the other"
            )
        return "ray", ""
    many = (os.cpu_count() or 1) // threads
    if runner == "sequential" or workers == 1 or runs < 2 or (workers is None and many < 2):
        return "sequential", ""
    free = free_memory()
    if not installed:
        return "sequential", (
            "one run after the other: Ray, which makes several at a time, is not installed "
            "(pip install 'untwine[study]')"
        )
    if free is not None and free < _NEEDED:
        return "sequential", (
            f"one run after the other: {free / 2**30:.1f} GB of memory are free, and several at a "
            "time need 3"
        )
    return "ray", ""


def _workers(workers: int | None, threads: int, address: str | None, runs: int) -> int:
    """Runs at a time; on a cluster that is there, as many as it has room for, unless said."""
    if workers is None:
        workers = max((os.cpu_count() or 1) // threads, 1)
        free = free_memory()
        if free is not None and address is None:
            workers = max(min(workers, free // (_NEEDED // 2)), 1)
    return min(workers, max(runs, 1))


def free_memory() -> int | None:
    """Bytes that processes may still take, where the system says."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            lines = dict(line.split(":", 1) for line in file)
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None
    try:
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
        return min(free, max(limit - used, 0))
    except (OSError, ValueError):  # no limit
        return free
