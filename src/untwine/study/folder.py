"""Folder of a study: its file, and a folder for each run that was made."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from ..reading import expanded, read_json
from ..settings.errors import UsageError
from .points import Planned
from .study import Study

__all__ = ["DONE", "ERROR", "POINT", "Folder", "Made", "Status"]

POINT, DONE, ERROR = "point.json", "done.json", "error.json"
"""What a run of a study writes beside what any run writes: what it is, that it is finished, why
it failed."""
_SMALL = 1 << 22  # bytes of such a file
_STUDY = "study.yaml"

Status = Literal["finished", "failed", "started", "planned"]


@dataclass(frozen=True)
class Made:
    """What lies in a run's folder.

    Attributes:
        name: Of the run and of its folder.
        path: The folder.
        status: ``finished`` (trained and measured), ``failed``, ``started`` (something is there to
            go on from), or ``planned`` (nothing is there).
        done: What ``done.json`` says: seconds, versions, what was measured.
        error: What ``error.json`` says.
    """

    name: str
    path: Path
    status: Status
    done: Mapping[str, Any]
    error: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        """Of all its work; 0 where ``done.json`` does not say."""
        seconds = self.done.get("seconds")
        values = seconds.values() if isinstance(seconds, dict) else ()
        return sum(min(v, 1e9) for v in values if type(v) in (int, float) and v > 0)


class Folder:
    """The folder of a study: ``study.yaml``, and ``runs/NAME`` for each run.

    Args:
        path: Need not be there.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = expanded(path)

    @property
    def runs(self) -> Path:
        """The folder of the runs."""
        return self.path / "runs"

    def study(self) -> Study:
        """The study that was last run here.

        Raises:
            FileNotFoundError: if there is none.
        """
        if not (self.path / _STUDY).is_file():
            raise FileNotFoundError(
                f"{self.path} is no study: it has no {_STUDY}; untwine study run makes one"
            )
        return Study.read(self.path / _STUDY, trust=())

    def made(self) -> list[Made]:
        """Every run that lies here, of this study or of an earlier one, by name."""
        if not self.runs.is_dir():
            return []
        entries = os.scandir(self.runs)
        names = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False))
        return [self.look(name) for name in names]

    def look(self, name: str) -> Made:
        """What lies in the folder of a run."""
        path = self.runs / name
        done, error = _read(path / DONE), _read(path / ERROR)
        status: Status = "planned"
        if done is not None:
            status = "finished"
        elif error is not None:
            status = "failed"
        elif (path / "spec.yaml").exists():
            status = "started"
        return Made(name, path, status, done or {}, error or {})

    def compare(self, runs: Sequence[Planned]) -> list[Made]:
        """What lies here of the runs that are wanted, in their order.

        Raises:
            UsageError: where a link stands in the place of a folder.
        """
        there = {made.name: made for made in self.made()}
        for path in (self.runs, *(self.runs / run.name for run in runs)):
            if path.is_symlink():
                raise UsageError(f"{path} is a link, and nothing is written through it: delete it")
        return [
            there.get(r.name) or Made(r.name, self.runs / r.name, "planned", {}, {}) for r in runs
        ]

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Makes the folder, and keeps other processes from running a study in it meanwhile.

        Raises:
            UsageError: if another process does.
        """
        from ..training.files import explained

        with explained(self.path):
            self.runs.mkdir(parents=True, exist_ok=True)
        lock = _lock(self.path / ".lock")
        try:
            yield
        finally:
            if lock is not None:
                lock.close()


def _read(path: Path) -> dict[str, Any] | None:
    """What a small file says; ``None`` if it is not there or damaged, so that it is made again."""
    try:
        content = read_json(path, _SMALL)
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


def _lock(path: Path) -> IO[str] | None:
    if os.name != "posix":
        return None
    import fcntl

    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file = os.fdopen(os.open(path, flags, 0o644), "w")
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise UsageError(f"another process runs a study in {path.parent}: wait for it, or stop "
                         "it") from error  # fmt: skip
    except OSError:  # a file system without locks
        pass
    return file
