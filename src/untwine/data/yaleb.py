"""Extended Yale B: faces of 38 people in up to 64 lights each."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..reading import check_within, expanded, open_picture, read_bytes, regular_file
from .mapped import ImageArray
from .space import FactorSpace

__all__ = ["YaleB"]

_NAME = re.compile(r"yaleB(\d+)_P00A([+-]\d+)E([+-]\d+)\.pgm")
_LARGEST = 1 << 20  # bytes of one image, several times over


class YaleB(ImageArray):
    """Extended Yale B, cropped (grey): 38 people, each in up to 64 lights; needs published files.

    The light's azimuth and elevation are in the name of each file: factors, numbered in order, and
    in degrees in ``values``. Ambient images and those that the authors call bad are left out.

    Args:
        path: The archive ``CroppedYale.zip``, or the folder of its folders ``yaleB01`` and so on.
            Its address changed too often to be fetched by a program.
        size: Height and width of an image, scaled from 192 x 168 with Lanczos' filter.

    Raises:
        FileNotFoundError: if nothing is there.
        ValueError: for an archive or folder without such images, and one that cannot be read, by
            name.

    References:
        From Few to Many: Illumination Cone Models for Face Recognition under Variable Lighting and
        Pose, Georghiades, Belhumeur, Kriegman, 2001; Acquiring Linear Subspaces for Face
        Recognition under Variable Lighting, Lee, Ho, Kriegman, 2005. For research use.
    """

    needs = "a folder"

    def __init__(self, path: str | Path, *, size: int = 64) -> None:
        if size < 1:
            raise ValueError(f"size is {size}; expected at least 1 pixel")
        self.path, self.size = expanded(path), size
        members = _in_folder(self.path) if self.path.is_dir() else _in_archive(self.path)
        rows, images = [], []
        for person, azimuth, elevation, name, content in sorted(members, key=lambda m: m[:3]):
            rows.append((person, azimuth, elevation))
            images.append(_face(content, name, size))
        if not rows:
            raise ValueError(f"{path} holds no image such as yaleB01_P00A+000E+00.pgm")
        columns, values = [], []
        for column in np.array(rows).T:
            present, numbers = np.unique(column, return_inverse=True)
            values.append(tuple(str(value) for value in present.tolist()))
            columns.append(numbers.reshape(-1))
        names = ("person", "azimuth", "elevation")
        sizes = tuple(len(words) for words in values)
        self.space = FactorSpace(names, sizes, ("nominal", "ordinal", "ordinal"))
        self.values = dict(zip(names, values, strict=True))
        self._keep(np.stack(images), np.stack(columns, axis=1).astype(np.int64))


_Member = tuple[int, int, int, str, bytes]


def _in_folder(folder: Path) -> Iterator[_Member]:
    for file in folder.rglob("*.pgm"):
        if match := _NAME.fullmatch(file.name):
            check_within(file, folder, "copy it into the folder")
            person, azimuth, elevation = (int(word) for word in match.groups())
            yield person, azimuth, elevation, str(file), read_bytes(file, _LARGEST)


def _in_archive(path: Path) -> Iterator[_Member]:
    try:
        with zipfile.ZipFile(regular_file(path)) as archive:
            for info in archive.infolist():
                match = _NAME.fullmatch(Path(info.filename).name)
                if match is None:
                    continue
                if info.file_size > _LARGEST:
                    raise ValueError(f"{info.filename} has {info.file_size:,} bytes")
                person, azimuth, elevation = (int(word) for word in match.groups())
                name = f"{info.filename} of {path}"
                yield person, azimuth, elevation, name, archive.read(info)
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise ValueError(f"{path} is no archive of Yale B, or is damaged: {error}") from error


def _face(content: bytes, name: str, size: int) -> np.ndarray:
    from PIL import Image

    with open_picture(content, name) as opened:
        picture = opened.convert("L")
    return np.asarray(picture.resize((size, size), Image.Resampling.LANCZOS))
