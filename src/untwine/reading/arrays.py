"""Arrays in files: what a header declares is compared with the file and with memory first."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from .files import memory_limit, opened, regular_file

if TYPE_CHECKING:
    import h5py

__all__ = ["Archive", "check_inside", "check_npy", "open_hdf5", "open_npz"]


class Archive:
    """The arrays of a NumPy archive; nothing is unpickled, and no header is believed.

    Args:
        path: Of the archive, for messages.
        file: The archive.

    Attributes:
        files: The names of the arrays.
    """

    def __init__(self, path: Path, file: zipfile.ZipFile) -> None:
        self._path, self._zip = path, file
        self._members = {
            info.filename.removesuffix(".npy"): info
            for info in file.infolist()
            if info.filename.endswith(".npy")
        }
        self.files = list(self._members)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def header(self, name: str, *, memory: bool = True) -> tuple[tuple[int, ...], bool, np.dtype]:
        """Shape, whether its order is Fortran's, and type of an array, compared with its size.

        Args:
            name: Of the array.
            memory: Whether it will be held in memory, which then must be large enough.

        Raises:
            KeyError: if there is none of that name.
            ValueError: if it is damaged, or declares more than memory holds.
        """
        info = self._members[name]
        what = f"the array {name!r} of {self._path}"
        try:
            with self._zip.open(info) as member:
                header = _header(member)
        except Exception as error:  # whatever zlib, zipfile and Python's parser say
            raise ValueError(f"{what} cannot be read: {error}") from error
        _check_header(what, header, info.file_size, memory)
        return header

    def __getitem__(self, name: str) -> np.ndarray:
        """Reads an array.

        Raises:
            KeyError: if there is none of that name.
            ValueError: if it is damaged, needs unpickling, or declares more than memory holds.
        """
        self.header(name)
        what = f"the array {name!r} of {self._path}"
        try:
            with self._zip.open(self._members[name]) as member:
                return npy.read_array(member, allow_pickle=False)
        except Exception as error:  # whatever zlib and zipfile say of damaged bytes
            if "allow_pickle" in str(error):
                raise ValueError(
                    f"{what} cannot be read without unpickling it, which could run code: save it "
                    f"as an array of numbers or text ({error})"
                ) from error
            raise ValueError(f"{what} cannot be read: {error}") from error


@contextmanager
def open_npz(path: str | Path) -> Iterator[Archive]:
    """A NumPy archive.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no archive, or is damaged.
    """
    path = regular_file(path)
    with opened(path) as file:
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise ValueError(
                f"{path} is no .npz archive ({error}): write one with "
                "np.savez(path, x=..., factors=...)"
            ) from error
        with archive:
            yield Archive(path, archive)


def check_npy(path: str | Path, *, memory: bool = True) -> Path:
    """The path of a ``.npy`` file, after comparing its header with the file and with memory.

    Args:
        path: Of the file.
        memory: Whether it will be held in memory, which then must be large enough.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, or declares more than it holds or memory can.
    """
    path = regular_file(path)
    with opened(path) as file:
        try:
            header = _header(file)
        except Exception as error:  # whatever Python's parser says of the header
            raise ValueError(f"{path} is no .npy file, or is damaged: {error}") from error
        _check_header(str(path), header, path.stat().st_size, memory)
    return path


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return read(file)


def _check_header(
    what: str, header: tuple[tuple[int, ...], bool, np.dtype], size: int, memory: bool
) -> None:
    shape, _, dtype = header
    if any(length < 0 for length in shape):
        raise ValueError(f"{what} is damaged: it has the shape {shape}")
    if dtype.hasobject:
        return  # refused by the reader, which says why
    reason = _too_large(what, _Declared(shape, dtype)) if memory else None
    if reason is not None:
        raise ValueError(reason)
    declared = math.prod(shape) * max(dtype.itemsize, 1)
    if declared > size:
        raise ValueError(
            f"{what} is damaged: {dtype} {shape} takes {declared:,} bytes, but {size:,} are there"
        )


class _Declared(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype


def _too_large(what: str, item: Any) -> str | None:
    """Why memory cannot hold an array, from its shape and type; ``None`` if it can."""
    declared = math.prod(item.shape) * max(item.dtype.itemsize, 1)
    limit = memory_limit()
    if declared <= limit:
        return None
    return (
        f"{what} is {item.dtype} {item.shape}, which takes {declared / 2**30:,.0f} GiB, more than "
        f"the {limit / 2**30:,.0f} GiB of memory here: take fewer rows"
    )


@contextmanager
def open_hdf5(path: str | Path, *, memory: bool = True) -> Iterator[h5py.File]:
    """An HDF5 file in which nothing refers to another file.

    Args:
        path: Of the file.
        memory: Whether its arrays will be held in memory, which then must be large enough.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if h5py is not installed.
        ValueError: if it is no HDF5 file, is damaged, or reads from other files.
    """
    path = regular_file(path)
    try:
        import h5py
    except ImportError as error:
        raise ImportError('reading HDF5 needs h5py: pip install "untwine[files]"') from error
    try:
        file = h5py.File(path, "r")
    except (OSError, RuntimeError) as error:
        raise ValueError(f"{path} is no HDF5 file, or is damaged: {error}") from error
    with file:
        check_inside(file, str(path), memory=memory)
        yield file


def check_inside(file: h5py.File, name: str, *, memory: bool = True) -> None:
    """Refuses a file whose data lies in other files, and arrays that memory cannot hold.

    An external link, an array in external storage and a virtual array hand over the bytes of any
    file that the reader may read.

    Raises:
        ValueError: naming the array or link.
    """
    import h5py

    advice = "write a file that holds its own data (h5repack, or read it where it is whole)"

    def link(place: str, item: Any) -> str | None:
        if isinstance(item, h5py.HardLink | h5py.SoftLink):
            return None
        where = f" {item.filename}" if hasattr(item, "filename") else ""
        return f"{place} of {name} is a link to another file{where}: {advice}"

    def check(place: str, item: Any) -> str | None:
        if not isinstance(item, h5py.Dataset):
            return None
        if item.is_virtual:
            files = sorted({source.file_name for source in item.virtual_sources()})
            return f"{place} of {name} is a virtual array of {files}: {advice}"
        if item.external:
            files = sorted({str(part[0]) for part in item.external})
            return f"{place} of {name} is stored in other files, {files}: {advice}"
        if item.shape is None or not memory:
            return None
        return _too_large(f"{place} of {name}", item)

    try:  # nothing is raised within a visit: the library cannot pass it on
        reason = file.visititems_links(link) or file.visititems(check)
    except (OSError, RuntimeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name} is damaged: {error}") from error
    if reason is not None:
        raise ValueError(reason)
