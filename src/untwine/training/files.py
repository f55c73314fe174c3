"""Atomic writes: files and folders that are replaced whole, or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "CheckpointError",
    "explained",
    "make_folder",
    "replace_file",
    "sync_folder",
    "write_synced",
]


class CheckpointError(OSError):
    """A file of a run cannot be written, or none of its checkpoints can be read."""


def write_synced(path: Path, content: bytes) -> None:
    """Writes a file and waits until it has reached the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Waits until the names in a folder have reached the disk."""
    if os.name != "posix":
        return  # elsewhere a folder cannot be opened, and renaming is already durable
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace_file(path: Path, content: bytes) -> None:
    """Writes a file beside its place and renames it into it: readers see all of it or the old one.

    Raises:
        CheckpointError: if it cannot be written; the old file is untouched.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with explained(path):
        try:
            write_synced(beside, content)
            os.replace(beside, path)
            sync_folder(path.parent)
        finally:
            beside.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Makes a folder within a run's, or sees that it is there.

    Raises:
        CheckpointError: if it cannot be made, and for a link, which may lead out of the run.
    """
    if path.is_symlink():
        raise CheckpointError(f"{path} is a link, and nothing is written through it: delete it")
    with explained(path):
        path.mkdir(parents=True, exist_ok=True)


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns an operating system's error while ``path`` is written into one that says what to do.

    Raises:
        CheckpointError: with the same ``errno``.
    """
    try:
        yield
    except CheckpointError:
        raise
    except OSError as error:
        free = shutil.disk_usage(_existing(path)).free
        full = error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)
        what = (
            "free some space (or raise the quota, or keep fewer checkpoints with keep=1)"
            if full
            else "make the folder writable"
        )
        raise CheckpointError(
            error.errno,
            f"cannot write: {error.strerror or error}; {free / 2**20:,.0f} MiB are free there. "
            f"What was written before is intact: {what}, then the same command continues from it",
            str(path),
        ) from error


def _existing(path: Path) -> Path:
    """The nearest folder above that is there."""
    return next(folder for folder in (path, *path.absolute().parents) if folder.is_dir())
