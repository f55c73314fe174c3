"""Data set of a folder with any number of image files, read when they are used."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..reading import check_within, expanded, open_npz
from .dataset import FactorDataset, Index, as_index
from .download import data_folder
from .factorize import factorize
from .file_names import name_factors
from .folder import SUFFIXES, header, is_hidden, plain_color, read_image
from .space import Kinds

__all__ = ["FolderOnDisk"]

_LOOKED_AT = 200  # files whose headers decide whether images are grey


class FolderOnDisk(FactorDataset):
    """A data set of the image files in a folder and its subfolders, each read when it is used.

    As `Folder`, for as many images as a disk holds: memory keeps their names and factors. The list
    of files is made once and kept in `data_folder`; it is made again when a folder has changed.

    Args:
        path: The folder.
        size: Height and width to bring every image to, by scaling it and cropping its center; one
            number for a square. Without it all images must have the size of the first.
        color: Whether to read RGB or grey images; by default RGB, unless 200 files spread evenly
            are all grey.
        names: The factors' names; by default folder, or folder0, folder1, ... from the outermost
            level inwards, or those of the pattern.
        pattern: Of the files' names, which tell the factors instead of the subfolders, see
            `Folder`.
        background: Of transparent pixels, see `Folder`.
        kinds: What each factor's values are, in order or by name, see `FactorSpace`.

    Raises:
        FileNotFoundError: for a folder that is not there.
        ValueError: for a folder without images, with some at another depth, or with names that do
            not match the pattern; and, when they are read, naming the file, for an image that
            cannot be read, has another size, has transparent pixels, or lies outside of the folder.
    """

    needs = "a folder"

    def __init__(
        self,
        path: str | Path,
        *,
        size: int | tuple[int, int] | None = None,
        color: bool | None = None,
        names: Sequence[str] | None = None,
        pattern: str | None = None,
        background: int | tuple[int, int, int] | None = None,
        kinds: Kinds = None,
    ) -> None:
        self.path = expanded(path)
        if not self.path.is_dir():
            raise FileNotFoundError(f"there is no folder {self.path} (seen from {Path.cwd()})")
        self._behind = plain_color(background)
        self._square = (size, size) if isinstance(size, int) else size
        if self._square is not None and min(self._square) < 1:
            raise ValueError(f"size is {size}; expected at least 1 pixel")
        self._names = _index(self.path)
        sample = np.unique(np.linspace(0, len(self._names) - 1, _LOOKED_AT).astype(np.int64))
        headers = [header(self._file(int(row))) for row in sample]
        if color is None:
            color = any(mode not in ("1", "L", "LA") for mode, _ in headers)
        self._color = color
        width, height = headers[0][1] if self._square is None else self._square[::-1]
        self.shape = (3 if color else 1, height, width)
        if pattern is None:
            columns = _levels(self.path, self._names)
        else:
            columns = name_factors([os.fsdecode(name) for name in self._names], pattern)
        self._factors, self.space, self.values = factorize(
            columns, len(self._names), names, None, kinds
        )
        self._pool: tuple[int, ThreadPoolExecutor] | None = None

    def __len__(self) -> int:
        return len(self._names)

    @property
    def factors(self) -> np.ndarray:
        return self._factors

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        rows = as_index(index, len(self)).tolist()
        if not rows:
            return torch.empty(0, *self.shape)
        images = np.stack(list(self._threads().map(self._read, rows)))
        x = torch.from_numpy(images.reshape(len(rows), *self.shape[1:], self.shape[0]))
        return x.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format) / 255

    def _file(self, row: int) -> Path:
        return self.path / os.fsdecode(self._names[row])

    def _read(self, row: int) -> np.ndarray:
        file = self._file(row)
        check_within(file, self.path, "copy it into the folder")
        image = read_image(file, self._square, self._color, self._behind)
        if image.shape[:2] != self.shape[1:]:
            raise ValueError(
                f"{file} has {image.shape[0]} x {image.shape[1]} pixels but the first image has "
                f"{self.shape[1]} x {self.shape[2]} (height x width): pass size="
            )
        return image

    def _threads(self) -> ThreadPoolExecutor:
        """Decoders, of this process: threads do not survive a fork."""
        if self._pool is None or self._pool[0] != os.getpid():
            self._pool = (os.getpid(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)))
        return self._pool[1]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_pool": None}


def _index(root: Path) -> np.ndarray:
    """The files' names, seen from the folder, sorted, from the kept list if nothing has changed."""
    key = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    list_file = data_folder() / "indexes" / f"{key}.npz"
    if list_file.exists():
        try:
            with open_npz(list_file) as archive:
                folders, times = archive["folders"], archive["times"]
                if all(_time(root, name) == t for name, t in zip(folders, times, strict=True)):
                    return archive["files"]
        except (ValueError, KeyError):
            pass  # of an earlier version, or damaged: made again
    files, below = _walk(root)
    if not files:
        raise ValueError(f"there are no images in {root}: looked for {', '.join(SUFFIXES)}")
    names = np.array(sorted(files))
    list_file.parent.mkdir(parents=True, exist_ok=True)
    part = list_file.with_name(f"{key}.{os.getpid()}.part.npz")
    places = np.array(below)
    times = np.array([_time(root, name) for name in places], np.int64)
    np.savez(part, files=names, folders=places, times=times)
    part.replace(list_file)
    return names


def _time(root: Path, name: bytes) -> int:
    try:
        return os.stat(os.path.join(os.fsencode(root), name)).st_mtime_ns
    except OSError:
        return -1


def _walk(root: Path) -> tuple[list[bytes], list[bytes]]:
    """Images and folders below, as bytes; hidden ones and links to folders are passed over."""
    from rich.progress import Progress

    files: list[bytes] = []
    folders: list[bytes] = []
    waiting = [b"."]
    suffixes = tuple(suffix.encode() for suffix in SUFFIXES)
    base = os.fsencode(root)
    with Progress(transient=True) as bar:
        task = bar.add_task(f"listing {root}", total=None)
        while waiting:
            folder = waiting.pop()
            folders.append(folder)
            with os.scandir(os.path.join(base, folder)) as entries:
                for entry in entries:
                    name = entry.name
                    if is_hidden(os.fsdecode(name)):
                        continue
                    below = name if folder == b"." else folder + b"/" + name
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(below)
                    elif name.lower().endswith(suffixes):
                        files.append(below)
            bar.update(task, completed=len(files))
    return files, folders


def _levels(root: Path, names: np.ndarray) -> dict[str, np.ndarray]:
    """The subfolders of each level as factors."""
    depth = np.char.count(names, b"/")
    if (depth != depth[0]).any():
        row = int((depth != depth[0]).argmax())
        raise ValueError(
            f"{root / os.fsdecode(names[row])} lies in {depth[row]} subfolders but "
            f"{root / os.fsdecode(names[0])} in {depth[0]}: each level is a factor, so all images "
            "must lie equally deep, or pattern= tell the factors"
        )
    levels = {}
    tails = names
    titles = ["folder"] if depth[0] == 1 else [f"folder{k}" for k in range(int(depth[0]))]
    for title in titles:
        parts = np.char.partition(tails, b"/")
        levels[title] = np.char.decode(parts[:, 0], "utf-8", "replace")
        tails = parts[:, 2]
    return levels
