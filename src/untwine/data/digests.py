"""Digests of the files that a data set was made from, so that a change of their content shows.

Reading the files once more is the whole cost: they are hashed in pieces, at the speed of SHA-256 or
of the disk (a gigabyte takes a second or two), which is less than decoding them takes. Of a file
above 4 GiB a thousand pieces are read, and of a folder of more than 20,000 files every size, and
the content of a thousand.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..reading import expanded, opened
from ..spec import Recorded
from .arrays import ArrayDataset
from .dataset import Subset
from .modalities import Data, Multimodal

__all__ = ["changed_files", "content_digest", "file_digests", "file_places", "relocated"]

_LARGE = 1 << 32
_MANY = 20_000
_PIECES = 1000

_PATHS = ("path", "csv", "image", "cells")
"""The arguments of data sets that name files or folders."""


def file_digests(data: Any) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of the content of every file that a data set was made from.

    Of a folder of images, it is that of the names, sizes and digests of the images that were read.

    Args:
        data: A data set, perhaps made of other ones, or a loader of one.

    Returns:
        By path, as the data set was given it.

    Example:
        >>> import tempfile
        >>> import numpy as np
        >>> from untwine.data import Npz
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(f"{folder}/set.npz", x=np.zeros((5, 2)))
        ...     [sorted(digest) for digest in file_digests(Npz(f"{folder}/set.npz")).values()]
        [['bytes', 'sha256']]
    """
    return {source.name: source.digest() for source in _sources(data) if source.place.exists()}


def file_places(data: Any) -> dict[str, str]:
    """Where the files of a data set are, by path as it was given them."""
    return {s.name: str(s.place.absolute()) for s in _sources(data) if s.place.exists()}


def relocated(entry: Mapping[str, Any], place: str | None = None) -> dict[str, Any]:
    """A data set's entry of a spec with its files where they are.

    Args:
        entry: Of paths that are not there, those that ``places`` notes are taken.
        place: Where its file or folder is, if it names one.

    Raises:
        ValueError: if it names none, or several.
    """
    names = dict.fromkeys(_paths(entry))
    if place is None:
        old_places = entry.get("places") or {}
        where = {n: p for n, p in old_places.items() if n in names and not _there(n) and _there(p)}
    elif len(names) == 1:
        where = {next(iter(names)): place}
    else:
        description = f"names {', '.join(names)}" if names else "names no file"
        raise ValueError(
            f"data is {place!r}, but the data of this run ({entry['class_path']}) {description}: "
            "give the data set itself"
        )
    entry_moved: dict[str, Any] = _moved(entry, where)
    if isinstance(entry.get("files"), Mapping):
        entry_moved["files"] = {where.get(name, name): v for name, v in entry["files"].items()}
    return entry_moved


def _paths(entry: Any) -> Iterator[str]:
    """The files that a spec of a data set names."""
    for name, value in (entry.get("init_args") or {}).items():
        if name in _PATHS and isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            inside = [value] if "class_path" in value else value.values()
            yield from (p for v in inside if isinstance(v, Mapping) for p in _paths(v))


def _moved(value: Any, where: Mapping[str, str], name: str = "") -> Any:
    if isinstance(value, Mapping):
        return {key: _moved(part, where, key) for key, part in value.items()}
    return where.get(value, value) if name in _PATHS and isinstance(value, str) else value


def _there(path: str) -> bool:
    return expanded(path).exists()


def changed_files(data: Any, digests: Any) -> list[str]:
    """What is different of a data set's files from what was noted, in words that name the file.

    Args:
        data: A data set, as for `file_digests`. No other files than its own are read.
        digests: By path, as `file_digests` returned it.
    """
    changes: list[str] = []
    for source in _sources(data) if isinstance(digests, Mapping) else ():
        before = digests.get(source.name)
        if not isinstance(before, Mapping) or not source.place.exists():
            continue
        now = source.digest()
        if now != dict(before):
            changes.append(
                f"the content of {source.name} has changed since the run was made "
                f"({before.get('bytes')} bytes with SHA-256 {str(before.get('sha256'))[:12]}, now "
                f"{now['bytes']} with {now['sha256'][:12]})"
            )
    return changes


def content_digest(data: Data) -> str:
    """SHA-256 of what a data set in memory holds, every row; of what is rendered or read, of the
    arguments and of a thousand rows spread evenly.
    """
    digest = hashlib.sha256()
    if isinstance(data, ArrayDataset):
        for array in data.arrays():
            digest.update(f"{array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    elif isinstance(data, Multimodal):
        for name, part in data.parts.items():
            present = data.present[name].numpy().tobytes()
            digest.update(f"{name} {content_digest(part)}".encode() + present)
    elif isinstance(data, Subset):
        digest.update(content_digest(data.data).encode())
        digest.update(np.ascontiguousarray(data.indices).view(np.uint8).data)
    else:
        rows = np.unique(np.linspace(0, len(data) - 1, 1000).astype(np.int64))
        digest.update(np.ascontiguousarray(data.observations(rows).numpy()).view(np.uint8).data)
    digest.update(np.ascontiguousarray(data.factors).view(np.uint8).data)
    if data.covariates is not None:
        digest.update(np.ascontiguousarray(data.covariates.numpy()).view(np.uint8).data)
    return digest.hexdigest()


@dataclass(frozen=True)
class _Source:
    """A file or folder that a data set was made from.

    Attributes:
        name: As the data set was given it.
        place: Where it is.
        files: Those of a folder that were read; ``None`` for all.
    """

    name: str
    place: Path
    files: tuple[str, ...] | None = None

    def digest(self) -> dict[str, Any]:
        if not self.place.is_dir():
            return _digest(self.place)
        files = self.files
        if files is None:
            inside = (file for file in self.place.rglob("*") if file.is_file())
            files = tuple(str(file.relative_to(self.place)) for file in inside)
        whole, size = hashlib.sha256(), 0
        step = max(1, len(files) // _PIECES) if len(files) > _MANY else 1
        for number, name in enumerate(sorted(files)):
            if number % step:
                part: dict[str, Any] = {"bytes": (self.place / name).stat().st_size, "sha256": ""}
            else:
                part = _digest(self.place / name)
            size += part["bytes"]
            line = f"{part['sha256']} {part['bytes']} {Path(name).as_posix()}\n"
            whole.update(line.encode(errors="surrogateescape"))
        return {"bytes": size, "sha256": whole.hexdigest()}


def _sources(data: Any) -> list[_Source]:
    """Files among the arguments of a data set and of those that it was made of."""
    if not isinstance(data, Recorded):
        inner = getattr(data, "data", None)  # of a loader
        return _sources(inner) if isinstance(inner, Recorded) else []
    try:
        arguments = data.arguments
    except (TypeError, ValueError):  # arrays in memory, which no spec holds
        return []
    sources: list[_Source] = []
    folder = arguments.get("path")
    for name, value in arguments.items():
        if name in _PATHS and isinstance(value, str | os.PathLike):
            place = expanded(value)
            if name == "csv" and folder is not None and not place.exists():
                place = expanded(folder) / value
            sources.append(_Source(os.fspath(value), place, getattr(data, "files", None)))
        elif isinstance(value, Recorded):
            sources += _sources(value)
        elif isinstance(value, Mapping):
            sources += [s for v in value.values() if isinstance(v, Recorded) for s in _sources(v)]
    return sources


def _digest(path: Path) -> dict[str, Any]:
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > _LARGE:
            digest = hashlib.sha256()
            for place in range(0, size, size // _PIECES):
                file.seek(place)
                digest.update(file.read(1 << 16))
            return {"bytes": size, "sha256": digest.hexdigest(), "pieces": _PIECES}
        return {"bytes": size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
