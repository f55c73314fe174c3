"""Regular files: opened without waiting for a pipe, and read up to a limit."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from io import BufferedReader
from pathlib import Path

__all__ = [
    "check_within",
    "expanded",
    "memory_limit",
    "opened",
    "read_bytes",
    "regular_file",
]

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def expanded(path: str | os.PathLike[str]) -> Path:
    """A path with ``~`` replaced by the home of the user that it names.

    Raises:
        ValueError: for a user who is not there, and for a path with a null character.

    Example:
        >>> expanded("runs/first").parts
        ('runs', 'first')
    """
    if "\0" in os.fspath(path):
        raise ValueError(f"the path {os.fspath(path)!r} has a null character in it")
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ValueError(
            f"the path {os.fspath(path)!r} begins with the home of a user who is not there: write "
            f"./{os.fspath(path)} for a name that begins with ~"
        ) from error


def regular_file(path: str | os.PathLike[str]) -> Path:
    """The path, if a regular file is there; pipes, sockets and devices never end.

    Raises:
        FileNotFoundError: if nothing is there.
        ValueError: for a pipe, a socket or a device.
    """
    path = expanded(path)
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise FileNotFoundError(
            f"there is no file {path} (the working folder is {Path.cwd()}): "
            f"{error.strerror or error}"
        ) from error
    if stat.S_ISDIR(mode):
        raise FileNotFoundError(f"there is no file {path} (it is a folder)")
    if not stat.S_ISREG(mode):
        raise ValueError(_irregular(path, mode))
    return path


def opened(path: str | os.PathLike[str]) -> BufferedReader:
    """A regular file, open for reading; nothing waits for who might write into a pipe.

    Raises:
        OSError: if it cannot be opened.
        ValueError: for what is no regular file.
    """
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        raise ValueError(_irregular(Path(path), mode))
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _BINARY)
    try:
        mode = os.fstat(descriptor).st_mode  # what was looked at may have been replaced
        if not stat.S_ISREG(mode):
            raise ValueError(_irregular(Path(path), mode))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: str | os.PathLike[str], limit: int | None = None) -> bytes:
    """The content of a regular file of at most ``limit`` bytes, or of what memory can hold.

    Raises:
        OSError: if it cannot be opened.
        ValueError: for what is no regular file, and for a file that is larger.
    """
    limit = memory_limit() if limit is None else limit
    with opened(path) as file:
        content = file.read(min(limit + 1, os.fstat(file.fileno()).st_size + 1))
    if len(content) > limit:
        raise ValueError(f"{path} is larger than the {limit:,} bytes that are read of such a file")
    return content


def check_within(path: Path, root: Path, advice: str) -> None:
    """Refuses a path that leaves a folder, by ``..``, from the root, or through a symbolic link.

    Raises:
        ValueError: naming where it leads, followed by the advice.
    """
    try:
        target = path.resolve(strict=True)
    except FileNotFoundError:
        target = path.resolve()
    except (OSError, RuntimeError) as error:  # a loop of links
        raise ValueError(f"{path} leads nowhere: {error}") from error
    if not target.is_relative_to(root.resolve()):
        raise ValueError(f"{path} leads out of {root}, to {target}: {advice}")


def memory_limit() -> int:
    """Bytes of memory that this machine, or the container that the process is in, has in all."""
    limits = [1 << 62]
    with suppress(AttributeError, ValueError, OSError):
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # the first file says "max" where there is no limit
            limits.append(int(Path(name).read_text()))
    return min(limit for limit in limits if limit > 0)


_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def _irregular(path: Path, mode: int) -> str:
    kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
    return f"{path} is {kind}; expected a regular file"
