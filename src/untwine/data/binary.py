"""Binary arrays of MNIST and SmallNORB, whose headers are compared with what is there."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from ..reading import memory_limit, opened

__all__ = ["read_idx", "read_matrix"]


def read_idx(path: Path) -> np.ndarray:
    """The bytes of an IDX file (``...-ubyte``), perhaps compressed with gzip.

    Raises:
        ValueError: for another kind of file, and for one that is shorter or longer than it says.
    """
    content = _content(path)
    if len(content) < 4 or content[:3] != b"\0\0\x08" or not 1 <= content[3] <= 4:
        raise ValueError(f"{path} is no IDX file of bytes (it begins with {content[:4].hex()})")
    axes = content[3]
    return _array(path, content, 4, axes, np.dtype(np.uint8), order=">")


def read_matrix(path: Path) -> np.ndarray:
    """The bytes or integers of a matrix of SmallNORB, perhaps compressed with gzip.

    A header of magic number, number of axes and their lengths, at least three, little end first.

    Raises:
        ValueError: for another kind of file, and for one that is shorter or longer than it says.
    """
    content = _content(path)
    magic, axes = struct.unpack_from("<II", content) if len(content) >= 8 else (0, 0)
    kinds: dict[int, np.dtype] = {0x1E3D4C55: np.dtype(np.uint8), 0x1E3D4C54: np.dtype("<i4")}
    if magic not in kinds or not 1 <= axes <= 4:
        raise ValueError(f"{path} is no matrix of SmallNORB (it begins with {content[:4].hex()})")
    return _array(path, content, 8, axes, kinds[magic], order="<", least=3)


def _array(
    path: Path, content: bytes, start: int, axes: int, dtype: np.dtype, order: str, least: int = 0
) -> np.ndarray:
    lengths = max(axes, least)
    if len(content) < start + 4 * lengths:
        raise ValueError(f"{path} ends within its header")
    shape = struct.unpack_from(f"{order}{lengths}I", content, start)[:axes]
    first = start + 4 * lengths
    size = math.prod(shape) * dtype.itemsize
    if first + size != len(content):
        raise ValueError(
            f"{path} is damaged: {dtype} {shape} takes {size:,} bytes, but "
            f"{len(content) - first:,} are there"
        )
    return np.frombuffer(content, dtype, offset=first).reshape(shape)


def _content(path: Path) -> bytes:
    """All of a file, unpacked, if memory holds it."""
    limit = memory_limit() // 4
    with opened(path) as file:
        gzipped = file.peek(2)[:2] == b"\x1f\x8b"
        try:
            content = (gzip.GzipFile(fileobj=file) if gzipped else file).read(limit + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path} is damaged: {error}") from error
    if len(content) > limit:
        raise ValueError(f"{path} unpacks to more than the {limit:,} bytes that are read of it")
    return content
