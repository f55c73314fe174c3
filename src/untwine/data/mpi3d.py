"""MPI3D: a robot arm that holds an object, simulated and photographed."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.lib import format as npy

from ..reading import open_npz
from .download import Published, published_file
from .mapped import ImageArray, converted
from .space import FactorSpace, Kind

__all__ = ["MPI3D"]

_NAMES = ("color", "shape", "size", "height", "background", "horizontal", "vertical")
_KINDS: tuple[Kind, ...] = (
    "nominal",
    "nominal",
    "ordinal",
    "ordinal",
    "nominal",
    "ordinal",
    "ordinal",
)
_SPACES = {
    "toy": FactorSpace(_NAMES, (6, 6, 2, 3, 3, 40, 40), _KINDS),
    "realistic": FactorSpace(_NAMES, (6, 6, 2, 3, 3, 40, 40), _KINDS),
    "real": FactorSpace(_NAMES, (6, 6, 2, 3, 3, 40, 40), _KINDS),
    "complex": FactorSpace(_NAMES, (4, 4, 2, 3, 3, 40, 40), _KINDS),
}
_HOST = "https://storage.googleapis.com/mpi3d_disentanglement_dataset/data"
_FILES = {
    "toy": Published("mpi3d", "mpi3d_toy.npz", "several GB", (f"{_HOST}/mpi3d_toy.npz",)),
    "realistic": Published(
        "mpi3d", "mpi3d_realistic.npz", "several GB", (f"{_HOST}/mpi3d_realistic.npz",)
    ),
    "real": Published("mpi3d", "real.npz", "12 GB", (f"{_HOST}/real.npz",)),
    "complex": Published(
        "mpi3d",
        "real3d_complicated_shapes_ordered.npz",
        "several GB",
        (f"{_HOST}/real3d_complicated_shapes_ordered.npz",),
    ),
}
_ROWS = 2048
_VALUES = {
    "shape": ("cone", "cube", "cylinder", "hexagonal", "pyramid", "sphere"),
    "color": ("white", "green", "red", "blue", "brown", "olive"),
    "size": ("small", "large"),
    "height": ("top", "center", "bottom"),
    "background": ("purple", "sea green", "salmon"),
}
_VALUES_COMPLEX = {
    **_VALUES,
    "color": ("yellow", "green", "olive", "red"),
    "shape": ("coffee cup", "tennis ball", "croissant", "beer cup"),
}


class MPI3D(ImageArray):
    """MPI3D (64 x 64, color), from its published file: 1,036,800 images, or 460,800 of complex.

    A file's images carry no labels but their order, so that their number is checked: three of the
    sets have 6 colors and 6 shapes, the complex one 4 and 4. The file is unpacked once into a
    memory-mapped array (12.7 GB, or 5.7 GB), in `data_folder`.

    Args:
        variant: "toy" (simple renderings), "realistic" (photorealistic renderings), "real"
            (photographs), or "complex" (photographs of everyday objects).
        path: The ``.npz``, or its folder; without it, that of earlier downloads.
        download: Whether to fetch the file if it is not there.

    Raises:
        FileNotFoundError: if the file is not there, saying what to do.
        ConnectionError: if no address answers.
        ValueError: for an unknown variant, a file of another kind, and another number of images.

    References:
        On the Transfer of Inductive Bias from Simulation to the Real World: a New Disentanglement
        Dataset, Gondal et al., 2019, https://arxiv.org/abs/1906.03292 (CC BY 4.0).

    Deviations:
        No checksum is compared: those in circulation belong to earlier names of the files.
    """

    needs = "a file"

    def __init__(
        self,
        variant: Literal["toy", "realistic", "real", "complex"] = "toy",
        path: str | Path | None = None,
        *,
        download: bool = False,
    ) -> None:
        if variant not in _SPACES:
            raise ValueError(f"variant is {variant!r}; expected one of {list(_SPACES)}")
        self.variant, self.space = variant, _SPACES[variant]
        self.values = _VALUES_COMPLEX if variant == "complex" else _VALUES
        self.path = published_file(_FILES[variant], path, download, f"MPI3D({variant!r})")
        with open_npz(self.path) as archive:
            if "images" not in archive:
                raise ValueError(f"{self.path} has no array 'images'; it holds {archive.files}")
            shape, fortran, kind = archive.header("images", memory=False)
        if shape[1:] != (64, 64, 3) or kind != np.uint8 or fortran:
            raise ValueError(
                f"images of {self.path} is {kind} {shape}; expected uint8 (N, 64, 64, 3)"
            )
        if shape[0] != len(self.space):
            alternatives = [name for name, space in _SPACES.items() if len(space) == shape[0]]
            advice = f": is it {' or '.join(alternatives)}?" if alternatives else ""
            raise ValueError(
                f"{self.path} holds {shape[0]:,} images, but {variant} has {len(self.space):,} "
                f"({self.space}){advice}"
            )
        self._keep(converted(self.path, shape, self._pieces, f"mpi3d-{variant}"), None)

    def _pieces(self) -> Iterator[np.ndarray]:
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open("images.npy") as member:
                yield from _images(member, len(self.space))
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ValueError(f"the images of {self.path} are damaged: {error}") from error


def _images(member: IO[bytes], count: int) -> Iterator[np.ndarray]:
    version = npy.read_magic(member)
    _ = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(member)
    for first in range(0, count, _ROWS):
        rows = min(_ROWS, count - first)
        piece = member.read(rows * 64 * 64 * 3)
        if len(piece) != rows * 64 * 64 * 3:
            raise EOFError(f"it ends within image {first + len(piece) // (64 * 64 * 3)}")
        yield np.frombuffer(piece, np.uint8).reshape(rows, 64, 64, 3)
