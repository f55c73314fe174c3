"""Images kept in a file and read when they are used: memory-mapped, and converted to that once."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

from ..reading import check_npy
from .dataset import FactorDataset, Index, as_index
from .download import data_folder

__all__ = ["ImageArray", "converted"]


class ImageArray(FactorDataset):
    """Images of bytes that are rows of an array, in memory or mapped; a base class.

    Attributes:
        images: ``(N, H, W)`` or ``(N, H, W, C)`` of uint8.
    """

    images: np.ndarray
    _factors: np.ndarray

    def _keep(self, images: np.ndarray, factors: np.ndarray | None) -> None:
        """Notes images and factors, and their shape; without factors the grid of the space."""
        self.images = images
        channels = images.shape[3] if images.ndim == 4 else 1
        self.shape = (channels, *images.shape[1:3])
        if factors is not None:
            self._factors = factors

    def __len__(self) -> int:
        return len(self.images)

    @property
    def factors(self) -> np.ndarray:
        if "_factors" not in self.__dict__:
            self._factors = self.space.factors(np.arange(len(self.space)))
        return self._factors

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        rows = self.images[as_index(index, len(self))]
        x = torch.from_numpy(rows.reshape(len(rows), *self.shape[1:], self.shape[0]))
        return x.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format) / 255


def converted(
    source: Path,
    shape: tuple[int, ...],
    pieces: Callable[[], Iterable[np.ndarray]],
    name: str,
) -> np.ndarray:
    """The bytes of a file as a memory-mapped ``.npy``, written once into `data_folder`.

    Args:
        source: The file. Another one, or one that has changed, is converted again.
        shape: Of the whole array of uint8.
        pieces: Gives its rows, in order.
        name: Of the data set.

    Raises:
        OSError: if there is not enough room for it.
        ValueError: for pieces that do not make up the shape.
    """
    stat = source.stat()
    key = f"{source.resolve()} {stat.st_size} {stat.st_mtime_ns} {shape}"
    digest = hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()
    folder = data_folder() / "converted"
    target = folder / f"{name}-{digest[:16]}.npy"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        size, free = int(np.prod(shape)), shutil.disk_usage(folder).free
        if size > free:
            raise OSError(
                f"{name} takes {size / 2**30:,.1f} GiB once it can be read image by image, but "
                f"{folder} has {free / 2**30:,.1f} GiB left: name another folder in UNTWINE_DATA"
            )
        part = target.with_name(f"{target.name}.{os.getpid()}.part")
        try:
            _write(part, shape, pieces(), name)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    array = np.load(check_npy(target, memory=False), mmap_mode="r", allow_pickle=False)
    if array.shape != shape or array.dtype != np.uint8:
        raise ValueError(f"{target} is {array.dtype} {array.shape}; delete it to convert it again")
    return array


def _write(path: Path, shape: tuple[int, ...], pieces: Iterable[np.ndarray], name: str) -> None:
    from rich.progress import Progress

    with path.open("wb") as file, Progress(transient=True) as bar:
        task = bar.add_task(f"converting {name}, once", total=shape[0])
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(file, header)
        rows = 0
        for piece in pieces:
            if piece.dtype != np.uint8 or piece.shape[1:] != shape[1:]:
                raise ValueError(
                    f"images of {name} are {piece.dtype} {piece.shape[1:]}; expected uint8 "
                    f"{shape[1:]}"
                )
            file.write(np.ascontiguousarray(piece).data)
            rows += len(piece)
            bar.update(task, completed=rows)
    if rows != shape[0]:
        raise ValueError(f"{name} has {rows} images; expected {shape[0]}")
