"""Cars3D: renderings of 183 car models from 4 elevations and 24 azimuths."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..reading import check_within, expanded, read_bytes
from .download import Published, published_file
from .mapped import ImageArray
from .space import FactorSpace

__all__ = ["Cars3D"]

_FILE = Published(
    "cars3d",
    "nips2015-analogy-data.tar.gz",
    "300 MB",
    ("http://www.scottreed.info/files/nips2015-analogy-data.tar.gz",),
    "md5:4e866a7919c1beedf53964e6f7a23686",
)
_NAME = re.compile(r"car_(\d+)_mesh\.mat")
_LARGEST = 1 << 26  # bytes of one car, several times over


class Cars3D(ImageArray):
    """Cars3D (64 x 64, color): 183 cars x 4 elevations x 24 azimuths, from the published files.

    Images are scaled to 64 x 64 with Lanczos' filter, as the studies on it did, and kept in memory
    (216 MB). Cars are numbered by the number in the name of their file, azimuth and elevation by
    the order in it.

    Args:
        path: The archive ``nips2015-analogy-data.tar.gz``, or a folder in which the files
            ``car_NNN_mesh.mat`` are (at any depth); without it, that of earlier downloads.
        download: Whether to fetch the archive if it is not there.

    Raises:
        FileNotFoundError: if the archive is not there, saying what to do.
        ConnectionError: if no address answers.
        ValueError: for an archive without cars, and for a car of another kind, by name.

    References:
        Deep Visual Analogy-Making, Reed, Zhang, Zhang, Lee, 2015; the renderings are those of 3D
        Object Detection and Viewpoint Estimation with a Deformable 3D Cuboid Model, Fidler,
        Dickinson, Urtasun, 2012. No licence is stated.

    Deviations:
        Libraries number the cars differently (by sorted name, by a list, with elevation first):
        numbers of cars cannot be compared with theirs, angles can.
    """

    needs = "a file"

    def __init__(self, path: str | Path | None = None, *, download: bool = False) -> None:
        if (
            path is not None
            and expanded(path).is_dir()
            and not (expanded(path) / _FILE.name).is_file()
        ):
            self.path = expanded(path)
            members = _in_folder(self.path)
        else:
            self.path = published_file(_FILE, path, download, "Cars3D")
            members = _in_archive(self.path)
        cars: dict[int, np.ndarray] = {}
        for number, name, content in members:
            cars[number] = _car(content, name)
        if not cars:
            raise ValueError(f"{self.path} holds no file car_NNN_mesh.mat")
        images = np.stack([cars[number] for number in sorted(cars)])
        self.space = FactorSpace(
            ("elevation", "azimuth", "car"), (4, 24, len(cars)), ("ordinal", "angle", "nominal")
        )
        self.values = {"car": tuple(str(number) for number in sorted(cars))}
        self._keep(images.transpose(1, 2, 0, 3, 4, 5).reshape(-1, 64, 64, 3), None)


def _in_folder(folder: Path) -> Iterator[tuple[int, str, bytes]]:
    for file in sorted(folder.rglob("car_*_mesh.mat")):
        if match := _NAME.fullmatch(file.name):
            check_within(file, folder, "copy it into the folder")
            yield int(match[1]), str(file), read_bytes(file, _LARGEST)


def _in_archive(path: Path) -> Iterator[tuple[int, str, bytes]]:
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                match = _NAME.fullmatch(Path(member.name).name)
                if match is None or not member.isreg():
                    continue
                if member.size > _LARGEST:
                    raise ValueError(f"{member.name} of {path} has {member.size:,} bytes: no car")
                file = archive.extractfile(member)
                assert file is not None
                yield int(match[1]), f"{member.name} of {path}", file.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ValueError(f"{path} is no archive of cars, or is damaged: {error}") from error


def _car(content: bytes, name: str) -> np.ndarray:
    """The images of a car, ``(elevation 4, azimuth 24, 64, 64, 3)``."""
    from PIL import Image
    from scipy.io import loadmat

    try:
        images = loadmat(io.BytesIO(content), variable_names=["im"]).get("im")
    except Exception as error:  # whatever the parser says of damaged bytes
        raise ValueError(f"{name} is no MATLAB file, or is damaged: {error}") from error
    if images is None or images.dtype != np.uint8 or images.shape != (128, 128, 3, 24, 4):
        what = "no array 'im'" if images is None else f"an 'im' of {images.dtype} {images.shape}"
        raise ValueError(f"{name} has {what}; expected uint8 (128, 128, 3, 24, 4)")
    small = np.empty((4, 24, 64, 64, 3), np.uint8)
    for elevation in range(4):
        for azimuth in range(24):
            picture = Image.fromarray(np.ascontiguousarray(images[..., azimuth, elevation]))
            picture = picture.resize((64, 64), Image.Resampling.LANCZOS)
            small[elevation, azimuth] = np.asarray(picture)
    return small
