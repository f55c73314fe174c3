"""Run folder during training: lock, spec, log, checkpoints and final weights."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import IO, Any

import torch
import yaml
from torch import nn
from torch.optim import Optimizer

from .checkpoint import Checkpoint, Checkpoints, Position
from .files import CheckpointError, explained, replace_file
from .final import forget_final, write_final
from .plan import differences, identity, with_start
from .record import Record, Row
from .spec_file import read_spec

__all__ = ["RunFolder"]

_HEADER = """\
# This run, complete: `untwine train --config {name} --out ANOTHER_FOLDER` repeats it.
"""
_HEADER_CUSTOM = """\
# What is marked `custom` was made by hand and is not written down here. To continue the run, call
# untwine.fit again with the same objects; to load it, give them to untwine.Run.load.
"""

_WRITTEN = (
    "checkpoints",
    "log.jsonl",
    "environment.json",
    "model.safetensors",
    "model.sha256",
    "scores.json",
    "report.html",
)
"""What a run writes beside its spec."""


class RunFolder:
    """Writes a run's spec, record, checkpoints and weights; without a path, writes nothing.

    Nothing is written before `begin`, so that a run that is refused leaves no trace.

    Args:
        path: The run's folder.
        spec: The run to be made.
        keep: How many checkpoints to keep.
        writes: Whether this process writes; one process of a run does.
        resume: Whether to continue a run that is there already.
        seed_drawn: Whether nobody chose the seed of the initial weights; the checkpoint of a run
            that is there holds weights that they led to, and its seed is taken over.

    Raises:
        FileExistsError: if another run is there, or this one and ``resume`` is false.
        NotADirectoryError: if a file is in its place.
        CheckpointError: if there are checkpoints and none of them is complete.
    """

    def __init__(
        self,
        path: Path | None,
        spec: dict[str, Any],
        keep: int,
        writes: bool,
        resume: bool,
        seed_drawn: bool = False,
    ) -> None:
        self.path, self.spec = path, spec
        self.found: Checkpoint | None = None
        self.record = Record()
        self._identity = identity(spec)
        self._writes = path is not None and writes
        self._lock: IO[str] | None = None
        self._written: Position | None = None
        self._place: _Place | None = None
        if path is None:
            return
        above = next(p for p in (path, *path.absolute().parents) if os.path.lexists(p))
        if not above.is_dir():
            raise NotADirectoryError(
                f"{above} is no folder, so that no run can be written to {path}: choose another out"
            )
        self._checkpoints = Checkpoints(path / "checkpoints", keep)
        if (path / "spec.yaml").exists():
            if not resume:
                raise FileExistsError(
                    f"{path} holds a run already: choose another folder, or resume=True to "
                    "continue it"
                )
            old = read_spec(path)
            if seed_drawn:
                self.spec = _with_seed_of(old, spec)
                self._identity = identity(self.spec)
            self._check(old)
            self.found = self._checkpoints.newest()
            if self.found is None and seed_drawn:  # nothing came of the old seed
                self.spec, self._identity = spec, identity(spec)
            if self.found is not None:  # its weights are what the run began with
                self.spec = with_start(self.spec, old["method"])
            if self.found is not None and self.found.spec != self._identity:
                raise FileExistsError(
                    f"{self.found.path} is of another run than {path / 'spec.yaml'} describes: "
                    "choose another folder"
                )
        elif taken := next((path / n for n in _WRITTEN if os.path.lexists(path / n)), None):
            raise FileExistsError(
                f"{path} holds no run (there is no spec.yaml), but {taken}, which a run would "
                "overwrite: choose another folder"
            )

    def starts(self, words: Mapping[str, Any]) -> None:
        """Notes what the weights are before the first step, see `plan.start`."""
        self.spec = with_start(self.spec, words)

    def begin(self, order: Mapping[str, int], finished: bool) -> None:
        """Takes possession of the folder.

        Args:
            order: Places of the stages, by name.
            finished: Whether the run that was found has nothing left to do.
        """
        if self.path is None or not self._writes:
            return
        with explained(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        self._take()
        self._place = _Place(self.path)
        for name in ("spec.yaml", *_WRITTEN):
            for half_written in self.path.glob(f".{name}.*.tmp"):
                if not half_written.is_dir():
                    half_written.unlink(missing_ok=True)
        self._checkpoints.clean()
        custom = any(
            isinstance(self.spec[k], Mapping) and {"parts", "initial"} & {*self.spec[k]}
            for k in ("method", "data", "sampler", "validation", "schedule")
            if k in self.spec
        )
        header = _HEADER_CUSTOM if custom else _HEADER.format(name=self.path / "spec.yaml")
        text = header + yaml.safe_dump(self.spec, sort_keys=False, allow_unicode=True)
        replace_file(self.path / "spec.yaml", text.encode())
        replace_file(self.path / "environment.json", json.dumps(_environment(), indent=2).encode())
        at = self.found.position if self.found else None

        def keep(row: Row) -> bool:
            place = order.get(str(row.get("stage")), len(order)), row.get("step", 0)
            return at is not None and place <= (at.index, at.step)

        self.record = Record(self.path / "log.jsonl", keep)
        if not finished:
            with explained(self.path / "model.safetensors"):
                forget_final(self.path)

    def checkpoint(
        self,
        position: Position,
        method: nn.Module,
        optimizers: Mapping[str, Optimizer],
        *,
        course: Mapping[str, Any] | None = None,
        average: Mapping[str, torch.Tensor] | None = None,
        also: Collection[str] = (),
    ) -> None:
        """Writes a checkpoint, unless this position has one; see `Checkpoints.write`.

        Raises:
            CheckpointError: if the folder is not the one that the run began in.
        """
        place = (position.index, position.step)
        before = self._written or (self.found.position if self.found else None)
        if self._writes and (before is None or place != (before.index, before.step)):
            if self._place is not None:
                self._place.check()
            self._checkpoints.write(
                position,
                method,
                optimizers,
                self._identity,
                course=course,
                average=average,
                also=also,
            )
            self._written = position

    def at(self, name: str) -> Checkpoint | None:
        """The complete checkpoint of a name, if it is there."""
        return None if self.path is None else self._checkpoints.at(name)

    @property
    def last(self) -> Path | None:
        """The newest checkpoint of this run."""
        if self._written is not None and self.path is not None:
            return self.path / "checkpoints" / self._written.name
        return self.found.path if self.found else None

    def finish(self, method: nn.Module) -> None:
        """Writes the final weights, if they are not there or damaged.

        Raises:
            CheckpointError: if the folder is not the one that the run began in.
        """
        if self._writes and self.path is not None and self._place is not None:
            self._place.check()
            write_final(self.path, method)

    def close(self) -> None:
        """Gives the folder back."""
        self.record.close()
        if self._place is not None:
            self._place.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _check(self, old: dict[str, Any]) -> None:
        changed = differences(old, self.spec)
        if changed:
            raise FileExistsError(
                f"{self.path} holds another run: {'; '.join(changed)}. Choose another folder, or "
                "give the arguments of the run that is there to continue it"
            )

    def _take(self) -> None:
        """Refuses to write where another process writes; the system forgets locks of the dead."""
        if self.path is None or os.name != "posix":
            return
        import fcntl

        # A link of that name is not followed: what it leads to would be opened for writing.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with explained(self.path / ".lock"):
            self._lock = os.fdopen(os.open(self.path / ".lock", flags, 0o644), "w")
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise CheckpointError(
                error.errno, "another process is training in this folder", str(self.path)
            ) from error
        except OSError:  # a file system without locks
            pass


class _Place:
    """A folder, told from another one that takes its name later.

    It is kept open where the system allows that: the number of a removed folder would be given to
    the next one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_RDONLY) if os.name == "posix" else None
        self._status = os.stat(path)

    def check(self) -> None:
        """Refuses another folder.

        Raises:
            CheckpointError: if the folder was removed, renamed or replaced.
        """
        try:
            same = os.path.samestat(os.stat(self._path), self._status)
        except OSError:
            same = False
        if not same or not self._path.is_dir():
            raise CheckpointError(
                f"{self._path} is gone, or another folder than the one that training began in: "
                "nothing more is written. If it was renamed, give it its name back, and the same "
                "command continues from its last checkpoint"
            )

    def close(self) -> None:
        """Lets the folder go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _with_seed_of(old: Mapping[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    """A run's spec with the method's seed of another one."""
    try:
        seed = old["method"]["init_args"]["seed"]
    except (KeyError, TypeError):
        return spec
    method = spec["method"]
    return {**spec, "method": {**method, "init_args": {**method["init_args"], "seed": seed}}}


def _environment() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "command": sys.argv,
    }
