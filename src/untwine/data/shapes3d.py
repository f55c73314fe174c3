"""Shapes3D: the published file of 480,000 rooms with one object."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..reading import open_hdf5
from .download import Published, published_file
from .mapped import ImageArray, converted
from .rooms3d import ROOMS, SHAPES

__all__ = ["Shapes3D"]

_FILE = Published(
    "shapes3d",
    "3dshapes.h5",
    "268 MB",
    ("https://storage.googleapis.com/3d-shapes/3dshapes.h5",),
    "sha256:0a0f6ed98baff276a50f3a081a7434d788da63cb135a98189b2a5b5769be1785",
)
_ROWS = 4096


class Shapes3D(ImageArray):
    """Shapes3D (64 x 64, color), from its published file; `Rooms3D` needs no file.

    Reading single images out of the file's compressed pieces is slow, so that it is converted once
    to a memory-mapped array of 5.9 GB, in `data_folder`.

    Args:
        path: The file ``3dshapes.h5``, or its folder; without it, that of earlier downloads.
        download: Whether to fetch the file, 268 MB, if it is not there.

    Raises:
        FileNotFoundError: if the file is not there, saying what to do.
        ConnectionError: if no address answers.
        ValueError: for a file of another kind, other labels, and a download with another checksum.

    References:
        3D Shapes Dataset, Burgess, Kim, 2018, https://github.com/google-deepmind/3d-shapes
        (Apache-2.0).
    """

    needs = "a file"
    space = ROOMS
    values = {"shape": SHAPES}

    def __init__(self, path: str | Path | None = None, *, download: bool = False) -> None:
        self.path = published_file(_FILE, path, download, "Shapes3D")
        with open_hdf5(self.path, memory=False) as file:
            missing = [name for name in ("images", "labels") if name not in file]
            if missing:
                raise ValueError(f"{self.path} has no arrays {missing}; it holds {list(file)}")
            images, labels = file["images"], file["labels"]
            if images.dtype != np.uint8 or images.shape[1:] != (64, 64, 3):
                raise ValueError(
                    f"images of {self.path} is {images.dtype} {images.shape}; expected uint8 "
                    "(N, 64, 64, 3)"
                )
            if labels.shape != (len(images), 6):
                raise ValueError(
                    f"labels of {self.path} has shape {labels.shape}; expected {(len(images), 6)}"
                )
            factors = _factors(labels[()], self.path)

            def pieces() -> Iterator[np.ndarray]:
                for first in range(0, len(images), _ROWS):
                    yield images[first : first + _ROWS]

            self._keep(converted(self.path, images.shape, pieces, "shapes3d"), factors)


def _factors(labels: np.ndarray, path: Path) -> np.ndarray:
    """Hues k / 10, scale 0.75 + k / 14, shape, and orientation in degrees, as numbers."""
    first, step = (0, 0, 0, 0.75, 0, -30), (0.1, 0.1, 0.1, 0.5 / 7, 1, 60 / 14)
    values = (labels - np.array(first)) / np.array(step)
    factors = np.rint(values)
    wrong = np.abs(values - factors) > 0.01
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"labels of {path} has {labels[row, column]:g} for {ROOMS.names[column]} in row {row}, "
            "which is none of its values"
        )
    return ROOMS.check(factors.astype(np.int64))
