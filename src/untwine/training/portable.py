"""Portable files of a run: what it needs to be opened elsewhere, and a folder made of them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import yaml
from torch import nn

from .._version import __version__
from ..reading import memory_limit, read_bytes, read_json, regular_file
from .files import explained
from .weights import weights

__all__ = [
    "PORTABLE",
    "check_names",
    "new_folder",
    "portable_files",
    "read_travel",
    "write_portable",
]

PORTABLE: dict[str, int | None] = {
    "spec.yaml": 1 << 22,
    "model.safetensors": None,
    "model.sha256": 1 << 10,
    "travel.json": 1 << 16,
    "scores.json": 1 << 28,
    "log.jsonl": 1 << 30,
    "report.html": 1 << 28,
}
"""Names of files that travel, with the most bytes of each; ``None`` means what memory can hold."""

_NEEDED = ("spec.yaml", "model.safetensors", "model.sha256")
_BESIDE = ("scores.json", "log.jsonl", "report.html")
_CHUNK = 1 << 20
_HEADER = "# A run that came from elsewhere: untwine.Run.load opens this folder.\n"


def portable_files(
    folder: Path, spec: Mapping[str, Any], method: nn.Module, steps: int, stopped: str | None = None
) -> dict[str, bytes]:
    """The files of a run that travel, by name.

    The weights are the method's, whether the run has finished or not. Where its data was on this
    machine is left out.

    Args:
        folder: The run's.
        spec: Of the run.
        method: With its weights.
        steps: Moves made.
        stopped: Why training ended early, if it did.
    """
    without_places = {
        key: {k: v for k, v in value.items() if k != "places"}
        if isinstance(value, Mapping)
        else value
        for key, value in spec.items()
    }
    text = _HEADER + yaml.safe_dump(without_places, sort_keys=False, allow_unicode=True)
    parameters = weights(method)
    digest = hashlib.sha256(parameters).hexdigest()
    about = {"untwine": __version__, "steps": steps, "stopped": stopped}
    files = {
        "spec.yaml": text.encode(),
        "model.safetensors": parameters,
        "model.sha256": f"{digest}  model.safetensors\n".encode(),
        "travel.json": f"{json.dumps(about)}\n".encode(),
    }
    for name in _BESIDE:
        if os.path.lexists(folder / name):
            files[name] = read_bytes(folder / name, PORTABLE[name])
    return files


def read_travel(folder: Path) -> dict[str, Any]:
    """How far a run was trained that came from elsewhere; nothing of one that was trained here.

    Raises:
        ValueError: for a file that says something else.
    """
    file = folder / "travel.json"
    if not os.path.lexists(file):
        return {}
    about = read_json(file, 1 << 16)
    steps, stopped = (about.get(k) for k in ("steps", "stopped")) if _is(about) else (None, None)
    if type(steps) is not int or steps < 0 or not isinstance(stopped, str | None):
        raise ValueError(f"{file} is damaged: expected how many steps were made")
    return {"steps": steps, "stopped": stopped}


def check_names(names: list[str], source: str | Path) -> None:
    """Refuses names beside those of files that travel, names twice, and a run without weights.

    Raises:
        ValueError: naming the first one.
    """
    for name in names:
        if name not in PORTABLE:
            raise ValueError(
                f"{source} holds {name!r}, which no run that travels has: expected "
                f"{', '.join(PORTABLE)}"
            )
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise ValueError(f"{source} holds {twice[0]} twice")
    lacking = [name for name in _NEEDED if name not in names]
    if lacking:
        raise ValueError(f"{source} is no run that travels: it has no {lacking[0]}")


def write_portable(streams: Mapping[str, Path | IO[bytes]], folder: Path) -> None:
    """Writes files of a run into a folder, each up to its limit.

    Args:
        streams: By name, files or what is read from.
        folder: Where; it is there.

    Raises:
        ValueError: for a file beyond its limit.
    """
    for name, source in streams.items():
        if isinstance(source, Path):
            with regular_file(source).open("rb") as file:
                _copy(file, folder / name, PORTABLE[name])
        else:
            _copy(source, folder / name, PORTABLE[name])


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to write into, which takes its name when all is written.

    Raises:
        FileExistsError: if something is there already, but for an empty folder.
    """
    if os.path.lexists(out) and not (out.is_dir() and not any(out.iterdir())):
        raise FileExistsError(f"{out} is there already: name another folder, or load what is there")
    with explained(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            beside.chmod(0o755)
            yield beside
            if out.is_dir():
                out.rmdir()
            beside.replace(out)
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def _copy(source: IO[bytes], target: Path, limit: int | None) -> None:
    left = memory_limit() if limit is None else limit
    with target.open("wb") as file:
        while chunk := source.read(min(_CHUNK, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise ValueError(f"{target.name} is larger than what such a file may have")
            file.write(chunk)


def _is(value: Any) -> bool:
    return isinstance(value, dict)
