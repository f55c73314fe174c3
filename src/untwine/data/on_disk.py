"""Data sets larger than memory: rows of files, read when they are used."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

from ..reading import check_npy, expanded, open_hdf5, opened, read_text, regular_file
from .arrays import Layout, channels_last, image_shape
from .dataset import FactorDataset, Index, as_index
from .factorize import as_text, factorize
from .space import Kinds

__all__ = ["Hdf5Rows", "NpyRows", "OnDisk", "Rows", "ZarrRows"]

_X = ("x", "X", "images", "imgs")
_FACTORS = ("factors", "latents_classes", "labels", "label", "y")
_CACHE = 1 << 26  # bytes of unpacked pieces that HDF5 keeps
_CODECS = frozenset(
    (
        *("blosc", "zlib", "gzip", "zstd", "lz4", "bz2", "lzma", "shuffle", "delta", "bytes"),
        *("transpose", "crc32c", "sharding_indexed", "fixedscaleoffset", "packbits"),
    )
)


class Rows(ABC):
    """Rows of an array in a file.

    Attributes:
        shape: Of the whole array.
        dtype: Of its values.
    """

    shape: tuple[int, ...]
    dtype: np.dtype

    @abstractmethod
    def read(self, rows: np.ndarray) -> np.ndarray:
        """Some rows, in any order and as often as they are named."""


class OnDisk(FactorDataset):
    """A data set of a file larger than memory: ``.npy``, HDF5 or zarr; rows are read when used.

    Memory holds the factors and a batch, whatever the size of the file. A batch remains a function
    of seed, step and rank: each process of a distributed run reads its own rows alone.

    Args:
        path: A ``.npy`` file, an HDF5 file (``.h5``, ``.hdf5``), or the folder of a zarr array or
            group (``.zarr``).
        factors: A ``.npy`` file of factors, ``(N, K)``; instead of those in the file.
        x_key: The array of observations in an HDF5 file or zarr group; by default ``x``, ``X``,
            ``images`` or ``imgs``.
        factors_key: The array of factors there; by default ``factors``, ``latents_classes``,
            ``labels``, ``label`` or ``y``, if there.
        names: The factors' names.
        sizes: How many values each factor has; by default the largest value plus one.
        layout: Whether channels come first or last; needed only where the shape does not tell.
        kinds: What each factor's values are, in order or by name, see `FactorSpace`.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if h5py or zarr is needed and not installed.
        ValueError: for a file of another kind, an array that is not there, shapes that do not fit,
            and, when they are read, rows that are not finite and images of floats outside [0, 1].

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(f"{folder}/x.npy", np.full((1000, 8, 8), 51, np.uint8))
        ...     data = OnDisk(f"{folder}/x.npy")
        ...     x = data.observations([999, 0])
        >>> data.shape, round(x.max().item(), 3)
        ((1, 8, 8), 0.2)
    """

    needs = "a file"

    def __init__(
        self,
        path: str | Path,
        factors: str | Path | None = None,
        *,
        x_key: str | None = None,
        factors_key: str | None = None,
        names: Sequence[str] | None = None,
        sizes: Sequence[int] | None = None,
        layout: Layout | None = None,
        kinds: Kinds = None,
    ) -> None:
        self.path = expanded(path)
        self._rows, table = _opened(self.path, x_key, factors_key)
        if factors is not None:
            table = np.load(check_npy(factors), allow_pickle=False)
        shape = self._rows.shape
        if len(shape) < 2 or 0 in shape or self._rows.dtype.kind not in "fiub":
            raise ValueError(
                f"{self.path} holds {self._rows.dtype} {shape}; expected numbers: vectors (N, F), "
                "images (N, H, W), (N, C, H, W) or (N, H, W, C)"
            )
        self._last = len(shape) > 2 and channels_last(shape, layout)
        self.shape = (shape[1],) if len(shape) == 2 else image_shape(shape, self._last)
        self._factors, self.space, self.values = factorize(table, shape[0], names, sizes, kinds)

    def __len__(self) -> int:
        return self._rows.shape[0]

    @property
    def factors(self) -> np.ndarray:
        return self._factors

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        numbers = as_index(index, len(self))
        rows = self._rows.read(numbers)
        if self._last:
            rows = np.moveaxis(rows, -1, -3)
        x = torch.from_numpy(np.ascontiguousarray(rows)).to(torch.float32)
        if rows.dtype == np.uint8 and len(self.shape) > 1:
            x = x.div_(255)
        elif rows.dtype.kind == "f" and len(x):
            self._check(x, numbers)
        return x.reshape(len(x), *self.shape)

    def _check(self, x: Tensor, numbers: np.ndarray) -> None:
        low, high = torch.aminmax(x.flatten(1), dim=1)
        good = torch.isfinite(low) & torch.isfinite(high)
        if len(self.shape) > 1:
            good &= (low >= 0) & (high <= 1)
        if not good.all():
            row = int((~good).nonzero()[0])
            what = "finite values" if len(self.shape) == 1 else "an image of floats in [0, 1]"
            raise ValueError(
                f"row {numbers[row]} of {self.path} has values from {low[row]:g} to {high[row]:g}; "
                f"expected {what}"
            )


class NpyRows(Rows):
    """Rows of a ``.npy`` file, or of any array that lies in one piece of a file.

    Args:
        path: The file.
        shape: Of the array; by default as the header of a ``.npy`` says.
        dtype: Of its values.
        offset: Where its bytes begin.

    Raises:
        ValueError: for a file of another kind, or in Fortran's order.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, ...] | None = None,
        dtype: np.dtype | None = None,
        offset: int = 0,
    ) -> None:
        self.path = path
        if shape is None or dtype is None:
            check_npy(path, memory=False)
            with opened(path) as file:
                version = npy.read_magic(file)
                old = version == (1, 0)
                read = npy.read_array_header_1_0 if old else npy.read_array_header_2_0
                shape, fortran, dtype = read(file)
                offset = file.tell()
            if fortran and len(shape) > 1:
                raise ValueError(f"{path} is in Fortran's order: save np.ascontiguousarray(x)")
        if dtype.hasobject:
            raise ValueError(f"{path} holds Python objects, which could run code: save numbers")
        self.shape, self.dtype, self._offset = tuple(shape), dtype, offset
        self._bytes = int(np.prod(shape[1:], dtype=np.int64)) * dtype.itemsize
        self._file: tuple[int, Any] | None = None

    def read(self, rows: np.ndarray) -> np.ndarray:
        # Not a memory map: every page that was ever touched would count as memory of the process.
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        if not out.size:
            return out
        view = out.data.cast("B")
        file, size = self._descriptor(), self._bytes
        for place, row in enumerate(rows.tolist()):
            part = view[place * size : (place + 1) * size]
            if _read_at(file, part, self._offset + row * self._bytes) != self._bytes:
                raise ValueError(f"{self.path} ends within row {row}")
        return out

    def _descriptor(self) -> int:
        if self._file is None or self._file[0] != os.getpid():
            self._file = (os.getpid(), opened(self.path))
        return self._file[1].fileno()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}


def _read_at(file: int, part: memoryview, offset: int) -> int:
    if os.name == "posix":
        content = os.pread(file, len(part), offset)
    else:
        os.lseek(file, offset, os.SEEK_SET)
        content = os.read(file, len(part))
    part[: len(content)] = content
    return len(content)


class Hdf5Rows(Rows):
    """Rows of an array in an HDF5 file; one in a single piece is read as a ``.npy`` is.

    Args:
        path: The file, which has been checked.
        key: Of the array.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key
        self._file: tuple[int, Any] | None = None
        array = self._array()
        self.shape, self.dtype = tuple(array.shape), array.dtype
        self._plain: NpyRows | None = None
        offset = array.id.get_offset()
        if array.chunks is None and offset is not None and not array.dtype.hasobject:
            self._plain = NpyRows(path, self.shape, self.dtype, offset)

    def read(self, rows: np.ndarray) -> np.ndarray:
        if self._plain is not None:
            return self._plain.read(rows)
        array = self._array()
        distinct, places = np.unique(rows, return_inverse=True)
        out = np.empty((len(distinct), *self.shape[1:]), self.dtype)
        try:
            for place, row in enumerate(distinct.tolist()):  # sorted: a piece is unpacked once
                array.read_direct(out, np.s_[row], np.s_[place])
        except (OSError, RuntimeError, ValueError) as error:
            raise ValueError(f"{self.key!r} of {self.path} is damaged: {error}") from error
        return out[places.reshape(-1)]

    def _array(self) -> Any:
        import h5py

        if self._file is None or self._file[0] != os.getpid():
            file = h5py.File(self.path, "r", rdcc_nbytes=_CACHE)
            self._file = (os.getpid(), file[self.key])
        return self._file[1]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}


class ZarrRows(Rows):
    """Rows of a zarr array.

    Args:
        path: Its folder, which has been checked.
    """

    def __init__(self, path: Path) -> None:
        import zarr

        self.path = path
        self._array = zarr.open_array(str(path), mode="r")
        self.shape, self.dtype = tuple(self._array.shape), np.dtype(self._array.dtype)

    def read(self, rows: np.ndarray) -> np.ndarray:
        distinct, places = np.unique(rows, return_inverse=True)
        if not len(distinct):
            return np.empty((0, *self.shape[1:]), self.dtype)
        try:
            return np.asarray(self._array.oindex[distinct])[places.reshape(-1)]
        except Exception as error:  # whatever codecs say of damaged pieces
            raise ValueError(f"{self.path} is damaged: {error}") from error


def _opened(path: Path, x_key: str | None, factors_key: str | None) -> tuple[Rows, Any]:
    """The rows of a file, and the factors beside them, if any."""
    if path.is_dir():
        return _open_zarr(path, x_key, factors_key)
    path = regular_file(path)
    with opened(path) as file:
        start = file.read(8)
    if start[:6] == b"\x93NUMPY":
        return NpyRows(path), None
    if start != b"\x89HDF\r\n\x1a\n":
        raise ValueError(f"{path} is neither .npy nor HDF5 nor a folder of zarr: see Npz, Folder")
    import_error = None
    try:
        with open_hdf5(path, memory=False) as file_:
            import h5py

            keys: list[str] = []
            file_.visititems(
                lambda name, item: keys.append(name) if isinstance(item, h5py.Dataset) else None
            )
            x, y = _keys(path, keys, x_key, factors_key)
            table = None if y is None else file_[y][()]
            if isinstance(table, np.ndarray) and table.dtype.kind in "OS":
                table = np.array([as_text(value) for value in table.ravel().tolist()])
    except ImportError as error:
        import_error = error
    if import_error is not None:
        raise import_error
    return Hdf5Rows(path, x), table


def _open_zarr(path: Path, x_key: str | None, factors_key: str | None) -> tuple[Rows, Any]:
    try:
        import zarr  # noqa: F401
    except ImportError as error:
        raise ImportError('reading zarr needs zarr: pip install "untwine[files]"') from error
    _check_zarr(path)
    if (path / ".zarray").exists() or _node(path / "zarr.json") == "array":
        return ZarrRows(path), None
    keys = [
        place.name
        for place in sorted(path.iterdir())
        if (place / ".zarray").exists() or _node(place / "zarr.json") == "array"
    ]
    if not keys:
        raise ValueError(f"{path} is no zarr array, nor a group that has one")
    x, y = _keys(path, keys, x_key, factors_key)
    if y is None:
        return ZarrRows(path / x), None
    factors = ZarrRows(path / y)
    return ZarrRows(path / x), factors.read(np.arange(factors.shape[0]))


def _check_zarr(path: Path) -> None:
    """Refuses links, which lead to other files, and codecs that could run code."""
    for folder, folders, files in os.walk(path):
        for name in (*folders, *files):
            if os.path.islink(os.path.join(folder, name)):
                raise ValueError(f"{folder}/{name} is a symbolic link: copy what it leads to")
        for name in {".zarray", "zarr.json"} & set(files):
            for codec in _codecs(_metadata(Path(folder) / name)):
                if codec not in _CODECS:
                    raise ValueError(
                        f"{folder} is packed with {codec!r}, which is not read; those that are: "
                        f"{', '.join(sorted(_CODECS))}"
                    )


def _metadata(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(read_text(path))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    return value if isinstance(value, dict) else {}


def _node(path: Path) -> str:
    return str(_metadata(path).get("node_type", "")) if path.exists() else ""


def _codecs(value: Any) -> list[str]:
    """The names of all codecs in the description of an array."""
    names: list[str] = []
    if not isinstance(value, dict):
        return names
    listed = [value.get("compressor"), *(value.get("filters") or []), *(value.get("codecs") or [])]
    for codec in listed:
        if isinstance(codec, dict):
            names.append(str(codec.get("id") or codec.get("name")))
            inner = codec.get("configuration")
            if isinstance(inner, dict):
                names += _codecs({"codecs": inner.get("codecs")})
                names += _codecs({"codecs": inner.get("index_codecs")})
    if str(value.get("dtype", "")).strip("<>|") == "O":
        names.append("pickle")
    return names


def _keys(
    path: Path, keys: Sequence[str], x: str | None, factors: str | None
) -> tuple[str, str | None]:
    for key in (x, factors):
        if key is not None and key not in keys:
            raise ValueError(f"{path} has no array {key!r}; it holds {list(keys)}")
    x = x or next((key for key in _X if key in keys), None)
    if x is None:
        raise ValueError(
            f"{path} has no array called {', '.join(map(repr, _X))}; it holds {list(keys)}: name "
            "the one of the observations with x_key="
        )
    return x, factors or next((key for key in _FACTORS if key in keys), None)
