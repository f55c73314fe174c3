"""Manifest of a checkpoint: its position, its run, and the checksums of its files."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..reading import opened, read_json

__all__ = ["Position", "damage", "read_position", "read_state"]

_LARGEST_STATE = 1 << 20


@dataclass(frozen=True)
class Position:
    """Where in its training a run is.

    Attributes:
        stage: The stage's name.
        index: The stage's place among the method's stages, from 0.
        step: Moves of this stage so far.
        done: Moves of all stages so far.
        seconds: Training time so far.
    """

    stage: str
    index: int
    step: int
    done: int
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The checkpoint's folder name."""
        return f"{self.stage}-{self.step:08d}"


def read_state(path: Path) -> dict[str, Any]:
    """What a checkpoint says of itself.

    Raises:
        OSError: if it cannot be opened.
        ValueError: if it is damaged.
    """
    state = read_json(path / "state.json", _LARGEST_STATE)
    parts = {"position": dict, "files": dict, "spec": str}
    for key, kind in parts.items():
        if not isinstance(state, dict) or not isinstance(state.get(key), kind):
            raise ValueError(f"state.json lacks {key!r}")
    return state


def read_position(path: Path) -> tuple[Position, str, dict[str, Any]]:
    """Where training was, the identity of the run, and what was decided on the way.

    Raises:
        OSError: if it cannot be opened.
        ValueError: if it is damaged.
    """
    state = read_state(path)
    written = state["position"]
    for name in ("index", "step", "done"):
        number = written.get(name)
        if type(number) is not int or not 0 <= number < 2**63:
            raise ValueError(f"{name} is {number!r}; expected a number of moves or stages")
    seconds = written.get("seconds", 0.0)
    if type(seconds) not in (int, float) or not 0 <= seconds < 2**63:
        raise ValueError(f"seconds is {seconds!r}")
    position = Position(**written)
    if position.name != path.name or position.done < position.step:
        raise ValueError(f"it says that it is {position.name}, after {position.done} moves")
    course = state.get("course", {})
    if not isinstance(course, dict):
        raise ValueError(f"its course is {repr(course)[:80]}")
    return position, state["spec"], course


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint's files, if anything."""
    try:
        files = read_state(path)["files"]
        average = ("average.safetensors",) if "average.safetensors" in files else ()
        for name in ("model.safetensors", "optimizer.pt", *average):
            expected = files[name]
            with opened(path / name) as file:
                size = os.fstat(file.fileno()).st_size
                if size != expected["bytes"]:
                    return f"{name} has {size} bytes instead of {expected['bytes']}"
                if hashlib.file_digest(file, "sha256").hexdigest() != expected["sha256"]:
                    return f"the checksum of {name} is wrong"
    except (OSError, ValueError, KeyError, TypeError) as error:
        return str(error)
    return None
