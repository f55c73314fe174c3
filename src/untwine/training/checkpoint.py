"""Checkpoints that survive the death of the process at any moment."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import warnings
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from .files import CheckpointError, explained, sync_folder, write_synced
from .manifest import Position, damage, read_position, read_state
from .optimizer_state import check_state
from .weights import load_weights, read_weights, tensors, weights

__all__ = ["Checkpoint", "CheckpointError", "Checkpoints", "Position"]

_NAME = re.compile(r"(?P<stage>.+)-(?P<step>\d{8,})")


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk, its files' checksums verified.

    Attributes:
        path: Its folder.
        position: Where training was.
        spec: The identity of the run that wrote it.
        course: What was decided on the way, see `Course`.
    """

    path: Path
    position: Position
    spec: str = field(default="")
    course: Mapping[str, Any] = field(default_factory=dict)

    @property
    def average(self) -> dict[str, torch.Tensor] | None:
        """Averages of the weights by name, if there were any."""
        file = self.path / "average.safetensors"
        return read_weights(file) if file.is_file() else None

    def load(self, method: nn.Module, optimizers: Mapping[str, Optimizer] | None = None) -> None:
        """Puts the weights, and the optimizers' state if any are given, back where they were.

        Raises:
            ValueError: if it is of another model, or of other optimizers.
        """
        state = None if optimizers is None else self.check(optimizers)
        load_weights(method, self.path / "model.safetensors")
        if optimizers is not None and state is not None:
            for name, optimizer in optimizers.items():
                optimizer.load_state_dict(state[name])

    def check(self, optimizers: Mapping[str, Optimizer]) -> dict[str, Any]:
        """The optimizers' state, after checking that it is of such optimizers.

        Raises:
            ValueError: if it is not, or cannot be read.
        """
        file = self.path / "optimizer.pt"
        try:
            state = torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file fails anywhere in its reader
            raise ValueError(
                f"{file} cannot be read ({type(error).__name__}: {_first_line(error)}): restore it "
                f"from a copy, or delete {self.path} to go on from the checkpoint before it"
            ) from error
        if not isinstance(state, dict):
            raise ValueError(f"{file} cannot be read: it holds a {type(state).__name__}")
        if sorted(map(str, state)) != sorted(optimizers):
            raise ValueError(
                f"{self.path} holds the optimizers of players {sorted(map(str, state))}, but the "
                f"method's players are {sorted(optimizers)}: train it with the method that it was "
                "made by"
            )
        for name, optimizer in optimizers.items():
            try:
                check_state(optimizer, state[name])
            except ValueError as error:
                raise ValueError(
                    f"{self.path}: the optimizer of player {name!r} is another one ({error}): "
                    "continue with the optimizer that it was made by, or delete that folder to go "
                    "on from the checkpoint before it"
                ) from error
        return state


class Checkpoints:
    """The checkpoints of one run, the newest few of which are kept.

    A checkpoint is a folder ``<stage>-<step>`` with ``model.safetensors``, ``optimizer.pt`` (which
    loads with ``weights_only=True``), ``average.safetensors`` where weights are averaged, and
    ``state.json``: the position, the identity of the run, and size and SHA-256 of the others. It is
    written under another name, synced to the disk, and renamed: a name without a leading dot is
    always a complete one.

    Args:
        folder: Made when the first one is written.
        keep: How many to keep.
    """

    def __init__(self, folder: str | Path, keep: int = 2) -> None:
        self.folder, self.keep = Path(folder), keep

    def write(
        self,
        position: Position,
        method: nn.Module,
        optimizers: Mapping[str, Optimizer],
        spec: str = "",
        *,
        course: Mapping[str, Any] | None = None,
        average: Mapping[str, torch.Tensor] | None = None,
        also: Collection[str] = (),
    ) -> Path:
        """Writes one, then removes those that are older than the newest ``keep``.

        Args:
            position: Where training is.
            method: Whose weights.
            optimizers: Of the players of the stage.
            spec: The identity of the run.
            course: What was decided on the way, as plain data.
            average: Averages of the weights, by name.
            also: Names of those that are kept in any case.

        Raises:
            CheckpointError: if the disk is full or not writable; older checkpoints are untouched.
        """
        path = self.folder / position.name
        temporary = self.folder / f".{position.name}.{os.getpid()}.tmp"
        buffer = io.BytesIO()
        torch.save({name: o.state_dict() for name, o in optimizers.items()}, buffer)
        contents = {"model.safetensors": weights(method), "optimizer.pt": buffer.getvalue()}
        if average:
            contents["average.safetensors"] = tensors(average)
        state: dict[str, Any] = {
            "position": asdict(position),
            "spec": spec,
            **({"course": course} if course else {}),
            "files": {
                name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
                for name, content in contents.items()
            },
        }
        contents["state.json"] = json.dumps(state, indent=2).encode()
        try:
            with explained(path):
                temporary.mkdir(parents=True)
                for name, content in contents.items():
                    write_synced(temporary / name, content)
                sync_folder(temporary)
                self._discard(path)
                temporary.rename(path)
                sync_folder(self.folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        for old in sorted(self._readable(), key=_order)[: -self.keep]:
            if old.path.name not in also:
                self._discard(old.path)
        return path

    def newest(self) -> Checkpoint | None:
        """The newest complete one, or ``None`` where there never was one.

        Warns:
            UserWarning: naming each newer one that is damaged.

        Raises:
            CheckpointError: if there are some and all are damaged.
        """
        damaged: list[str] = []
        found = sorted(self._readable(damaged), key=_order, reverse=True)
        for checkpoint in found:
            reason = damage(checkpoint.path)
            if reason is None:
                for complaint in damaged:
                    warnings.warn(
                        f"damaged checkpoint: {complaint}; going back to {checkpoint.path}",
                        stacklevel=2,
                    )
                return checkpoint
            damaged.append(f"{checkpoint.path} ({reason})")
        if damaged:
            raise CheckpointError(
                f"no checkpoint in {self.folder} is complete: {'; '.join(damaged)}. Restore one "
                "from a copy, or delete the run's folder to begin again"
            )
        return None

    def at(self, name: str) -> Checkpoint | None:
        """The one of a name, if it is there and complete."""
        for checkpoint in self._readable():
            if checkpoint.path.name == name and damage(checkpoint.path) is None:
                return checkpoint
        return None

    def last_digest(self) -> str | None:
        """SHA-256 of the file of weights in the newest one, as it says, if there is any."""
        newest = max(self._readable(), key=_order, default=None)
        if newest is None:
            return None
        try:
            return read_state(newest.path)["files"]["model.safetensors"]["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def clean(self) -> None:
        """Removes what killed runs left behind, and sets damaged checkpoints aside.

        A damaged one is renamed to ``<name>.damaged``, so that its place is free.
        """
        if not self.folder.is_dir():
            return
        for path in list(self.folder.iterdir()):
            if path.name.startswith(".") and path.name.endswith(".tmp"):
                _remove(path)
            elif _NAME.fullmatch(path.name) and damage(path) is not None:
                aside = path.with_name(path.name + ".damaged")
                _remove(aside)
                path.rename(aside)

    def _readable(self, damaged: list[str] | None = None) -> list[Checkpoint]:
        """Those whose state can be read; the others' names are added to ``damaged``."""
        found = []
        for path in sorted(self.folder.iterdir()) if self.folder.is_dir() else []:
            if not _NAME.fullmatch(path.name):
                continue
            try:
                found.append(Checkpoint(path, *read_position(path)))
            except (OSError, ValueError, KeyError, TypeError) as error:
                if damaged is not None:
                    damaged.append(f"{path} (state.json: {error})")
        return found

    def _discard(self, path: Path) -> None:
        """Removes a checkpoint; one that is half removed no longer has a checkpoint's name."""
        if os.path.lexists(path):
            away = path.with_name(f".{path.name}.{os.getpid()}.old.tmp")
            path.rename(away)
            _remove(away)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]


def _order(checkpoint: Checkpoint) -> tuple[int, int]:
    return checkpoint.position.index, checkpoint.position.step


def _remove(path: Path) -> None:
    """Removes a folder with all that is in it, or a file, as far as that is allowed."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
