"""dSprites: 737,280 images of a square, an ellipse and a heart, rendered instead of downloaded."""

from __future__ import annotations

import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np
import torch
from numpy.lib import format as npy
from torch import Tensor

from ..reading import open_npz
from .dataset import FactorDataset, Index, as_index
from .files import existing_file
from .sprites import SPACE, shared_sprites, unpack

__all__ = ["DSprites"]


class DSprites(FactorDataset):
    r"""dSprites (64 x 64, one white sprite on black), rendered on demand or read from its file.

    The image of shape (square, ellipse, heart), scale :math:`s = 0.5 + 0.1 i`, orientation
    :math:`\theta = 2 \pi k / 39` and position :math:`(a / 31, b / 31)` has the index
    :math:`(((\text{shape} \cdot 6 + i) \cdot 40 + k) \cdot 32 + a) \cdot 32 + b`.
    Nothing is drawn when the data set is made: an image is drawn when it is first asked for, and
    kept as bits. All of them take 95 MB, shared by every `DSprites` of the process.

    Args:
        path: The published ``.npz`` file, to use its images instead of rendered ones, or a file of
            the same arrays with fewer rows. It is read when the first image is asked for, and its
            pickled metadata are not touched.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file lacks the arrays ``imgs`` and ``latents_classes``, or they have
            other shapes than ``(N, 64, 64)`` and ``(N, 6)``.

    References:
        dSprites: Disentanglement testing Sprites dataset, Matthey, Higgins, Hassabis, Lerchner,
        2017, https://github.com/google-deepmind/dsprites-dataset

    Deviations:
        About 102 of the 737,280 rendered images (95%: 47 to 194, extrapolated from 65,101 real
        ones) differ from the published ones, in a single pixel each, where the original's
        arithmetic in single precision decided an exact tie.

    Example:
        >>> data = DSprites()
        >>> len(data), str(data.space)
        (737280, 'shape 3, scale 6, orientation 40, posX 32, posY 32')
        >>> heart = data.space.index([2, 5, 0, 16, 16])
        >>> int(data.observations([heart]).sum())
        226
    """

    needs = "nothing"
    shape = (1, 64, 64)
    space = SPACE
    values = {"shape": ("square", "ellipse", "heart")}

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = None if path is None else existing_file(path)
        if self.path is not None:
            self._length = _check(self.path)

    def __len__(self) -> int:
        return len(SPACE) if self.path is None else self._length

    @cached_property
    def factors(self) -> np.ndarray:
        """The factors of every image, ``(N, 5)`` of int64."""
        if self.path is None:
            return SPACE.factors(np.arange(len(SPACE)))
        with open_npz(self.path) as archive:
            classes = archive["latents_classes"]
        return SPACE.check(classes[:, 1:])

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        numbers = as_index(index, len(self))
        rows = shared_sprites().rows(numbers) if self.path is None else self._rows[numbers]
        return torch.from_numpy(unpack(rows)).to(torch.float32)[:, None]

    def render(self) -> None:
        """Draws every image now, which takes seconds; without it each is drawn when it is used."""
        if self.path is None:
            shared_sprites().draw_all()

    @cached_property
    def _rows(self) -> np.ndarray:
        """The images of the file as row masks, ``(N, 64)`` of uint64, read piece by piece."""
        assert self.path is not None
        packed = np.empty((self._length, 64, 8), np.uint8)
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open("imgs.npy") as member:
                self._read(member, packed)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ValueError(f"the images of {self.path} are damaged: {error}") from error
        return packed.view("<u8")[:, :, 0].astype(np.uint64, copy=False)

    def _read(self, member: IO[bytes], packed: np.ndarray) -> None:
        """Packs the images of a file's member."""
        version = npy.read_magic(member)
        _ = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(member)
        for start in range(0, self._length, 4096):
            part = packed[start : start + 4096]
            images = np.frombuffer(member.read(len(part) * 4096), np.uint8)
            if images.size != len(part) * 4096:
                raise ValueError(f"{self.path} ends within its images: download it again")
            if images.max() > 1:
                raise ValueError(
                    f"the images of {self.path} have the value {images.max()}; expected 0 and 1"
                )
            part[:] = np.packbits(images.reshape(-1, 64, 64), axis=2, bitorder="little")


def _check(path: Path) -> int:
    """The number of images in a file, after checking that it is the published kind."""
    if not zipfile.is_zipfile(path):
        raise ValueError(
            f"{path} is no .npz archive: give the file "
            "dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz, or no path to render the images"
        )
    with open_npz(path) as archive:
        for name in ("imgs", "latents_classes"):
            if name not in archive:
                raise ValueError(f"{path} has no array {name!r}; it holds {archive.files}")
        images, fortran, kind = archive.header("imgs")
        classes = archive.header("latents_classes")[0]
    if images[1:] != (64, 64) or kind != np.uint8 or fortran:
        raise ValueError(f"imgs of {path} is {kind} {images}; expected uint8 (N, 64, 64)")
    if classes != (images[0], 6):
        raise ValueError(
            f"latents_classes of {path} has shape {classes}; expected {(images[0], 6)}: color, "
            "shape, scale, orientation, posX, posY of each image"
        )
    return images[0]
