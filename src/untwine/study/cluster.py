"""Runs on Ray: workers that stay warm, on this machine or on a cluster that is running."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ..settings.errors import UsageError
from ..training.files import replace_file
from .folder import DONE, ERROR, Folder
from .points import Planned
from .work import Outcome, Sets, Work, make

__all__ = ["on_ray"]

_STORE = 100 << 20  # bytes of the object store: results lie in the folder, not there
_POLL = 1.0
_GRACE = 120.0  # seconds beyond twice the time limit, after which a worker is taken to hang
_BUSY = 2.0  # seconds before a run is tried again in whose folder another process is
_PATIENCE = 30
_FAILURES = 5  # workers in a row that do not start, after which there is something wrong
_LOOK = 5.0  # seconds without any run at work, after which the cluster's nodes are looked at


class Worker:
    """Makes runs in a process of its own, one after the other, with its data sets at hand.

    Args:
        work: How runs are made.
        place: The working folder of the command, for relative paths of data.
    """

    def __init__(self, work: Work, place: str) -> None:
        if os.path.isdir(place):
            os.chdir(place)
        if work.trust and "" not in sys.path:
            sys.path.append("")
        self._work, self._sets = work, Sets(work.trust)

    def ready(self) -> None:
        """Returns once the worker has started."""

    def make(self, run: Planned, folder: str) -> Outcome:
        """Makes a run, see `work.make`."""
        return make(run, Path(folder), self._work, self._sets)


def on_ray(
    runs: Sequence[Planned],
    folder: Folder,
    work: Work,
    *,
    workers: int,
    address: str | None = None,
    gpus: float | None = None,
    retries: int = 3,
    say: Callable[[str], object] = print,
) -> Iterator[Outcome]:
    """Makes runs on workers of Ray, each an actor; yields what comes of them as it comes.

    A worker that dies is replaced, and its run goes on from its checkpoint, up to ``retries``
    times. Results lie in the folder, which every node must see under the same path.

    Args:
        runs: What to make.
        folder: Of the study.
        work: How.
        workers: Runs at a time.
        address: Of a running cluster; without, one is started in this machine and ended after.
        gpus: Of each run.
        retries: How often a run is begun again whose worker died.
        say: Tells the user of workers that died.

    Raises:
        UsageError: if the cluster cannot be reached, has no room for a single worker, or has lost
            all of its nodes.
    """
    import ray

    own = not ray.is_initialized()
    if own:
        _connect(ray, workers, work.threads, address)
    try:
        there = ray.cluster_resources()
        share = min(1.0, there.get("GPU", 0.0)) if gpus is None else gpus
        _check_room(there, work.threads, share)
        crew = _Crew(ray, work, share, folder)
        crew.hire(workers)
        yield from crew.work_off(runs, retries, say)
    finally:
        if own:
            ray.shutdown()


class _Crew:
    """Workers, and what each is at."""

    def __init__(self, ray: Any, work: Work, gpus: float, folder: Folder) -> None:
        self._ray, self._work, self._folder = ray, work, folder
        self._class = ray.remote(Worker).options(
            num_cpus=work.threads, num_gpus=gpus, max_restarts=0, max_task_retries=0
        )
        self._starting: dict[Any, Any] = {}
        self._failures = 0
        self._idle: list[Any] = []
        self._at: dict[Any, tuple[Any, Planned, int, float]] = {}

    def hire(self, count: int) -> None:
        """Starts workers; those that there is no room for wait for it, and are given no run."""
        for _ in range(count):
            worker = self._class.remote(self._work, os.getcwd())
            self._starting[worker.ready.remote()] = worker

    def work_off(
        self, runs: Sequence[Planned], retries: int, say: Callable[[str], object]
    ) -> Iterator[Outcome]:
        """Gives runs to workers until all have come to an end."""
        waiting = deque((run, 0) for run in runs)
        waits: dict[str, int] = {}
        last = time.monotonic()
        try:
            while waiting or self._at:
                while waiting and self._idle:
                    self._give(*waiting.popleft())
                tasks = [*self._at, *self._starting]
                ready, _ = self._ray.wait(tasks, num_returns=1, timeout=_POLL)
                if ready or self._at:
                    last = time.monotonic()
                elif time.monotonic() - last > _LOOK:
                    self._check_nodes()
                    last = time.monotonic()
                for task in ready:
                    if task in self._starting:
                        self._started(task)
                        continue
                    worker, run, attempt, began = self._at.pop(task)
                    try:
                        outcome = self._ray.get(task)
                        self._idle.append(worker)
                    except self._ray.exceptions.RayError as error:
                        self._replace(worker)
                        outcome = self._crashed(run, attempt, retries, error, began, say)
                        if outcome is None:
                            waiting.append((run, attempt + 1))
                            continue
                    if outcome.status == "busy" and waits.get(run.name, 0) < _PATIENCE:
                        waits[run.name] = waits.get(run.name, 0) + 1
                        waiting.append((run, attempt))
                        if not self._at:
                            time.sleep(_BUSY)
                        continue
                    yield outcome
                yield from self._hanging()
        finally:
            busy = [worker for worker, *_ in self._at.values()]
            for worker in (*busy, *self._idle, *self._starting.values()):
                self._ray.kill(worker)

    def _check_nodes(self) -> None:
        """Refuses to wait for workers where no node is left to start them."""
        if not any(node["Alive"] for node in self._ray.nodes()):
            raise UsageError(
                "no node of Ray is alive any more: the same command goes on from what is finished, "
                "and from checkpoints"
            )

    def _started(self, task: Any) -> None:
        """A worker that has started can be given runs; one that could not is replaced."""
        worker = self._starting.pop(task)
        try:
            self._ray.get(task)
        except self._ray.exceptions.RayError as error:
            self._failures += 1
            if self._failures > _FAILURES:
                reason = str(error).strip().splitlines()[-1]
                raise UsageError(f"workers of Ray do not start: {reason}") from error
            self._replace(worker)
            return
        self._failures = 0
        self._idle.append(worker)

    def _give(self, run: Planned, attempt: int) -> None:
        worker = self._idle.pop()
        task = worker.make.remote(run, str((self._folder.runs / run.name).absolute()))
        self._at[task] = worker, run, attempt, time.monotonic()

    def _replace(self, worker: Any) -> None:
        self._ray.kill(worker)
        self.hire(1)

    def _crashed(
        self,
        run: Planned,
        attempt: int,
        retries: int,
        error: Exception,
        began: float,
        say: Callable[[str], object],
    ) -> Outcome | None:
        """What came of a run whose worker died; ``None`` if it is tried again."""
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
        place = self._folder.runs / run.name
        if (place / DONE).exists():  # it died after its work was done
            return Outcome(run.name, "finished", time.monotonic() - began)
        if attempt < retries:
            say(f"the worker of {run.name} died ({reason}): it is begun again from its checkpoint")
            return None
        message = f"its worker died {attempt + 1} times, the last time with {reason}"
        write_failure(place, "Crashed", message)
        return Outcome(run.name, "failed", time.monotonic() - began, message)

    def _hanging(self) -> Iterator[Outcome]:
        """Ends runs that do not look at the clock."""
        limit = self._work.limit
        if limit is None:
            return
        now = time.monotonic()
        for task, (worker, run, _, began) in list(self._at.items()):
            if now - began > 2 * limit + _GRACE:
                del self._at[task]
                self._replace(worker)
                message = f"it gave no sign for {now - began:.0f} seconds: its worker was ended"
                write_failure(self._folder.runs / run.name, "TimeLimit", message, limit)
                yield Outcome(run.name, "failed", now - began, message)


def write_failure(folder: Path, kind: str, message: str, limit: float | None = None) -> None:
    """Writes down for a run why it failed whose worker could not."""
    content = {
        "error": kind,
        "message": message,
        "traceback": "",
        "seconds": 0.0,
        "again": limit is None,
        "limit": limit,
    }
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / ERROR, (json.dumps(content) + "\n").encode())


def _connect(ray: Any, workers: int, threads: int, address: str | None) -> None:
    """Starts a cluster in this machine, or joins one."""
    quiet = {"logging_level": "ERROR", "log_to_driver": False, "namespace": "untwine"}
    try:
        if address is not None:
            ray.init(address=address, **quiet)
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_worker_niceness", "0")  # 15 otherwise: runs starve beside others
        ray.init(
            num_cpus=max(workers * threads, os.cpu_count() or 1),
            include_dashboard=False,
            object_store_memory=_STORE,
            **quiet,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        where = f"no cluster of Ray at {address!r}" if address else "Ray does not start"
        first = str(error).strip().splitlines()[0]
        raise UsageError(
            f"{where} ({first}): leave --address out, or take --runner sequential"
        ) from error


def _check_room(there: dict[str, float], threads: int, gpus: float) -> None:
    if there.get("CPU", 0.0) < threads:
        raise UsageError(
            f"a run takes {threads} threads, and the cluster has {there.get('CPU', 0):g} processors"
        )
    if there.get("GPU", 0.0) < gpus:
        raise UsageError(
            f"a run takes {gpus:g} of a GPU, and the cluster has {there.get('GPU', 0.0):g}"
        )
