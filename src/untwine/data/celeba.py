"""CelebA: 202,599 photographs of faces with 40 attributes and the person's number."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

import numpy as np

from ..reading import (
    check_within,
    expanded,
    open_picture,
    read_bytes,
    read_text,
    regular_file,
)
from .mapped import ImageArray, converted
from .space import FactorSpace, Kind

__all__ = ["CelebA"]

_ZIP, _FOLDER = "img_align_celeba.zip", "img_align_celeba"
_ATTRIBUTES = "list_attr_celeba.txt"
_IDENTITIES = "identity_CelebA.txt"
_PARTITION = "list_eval_partition.txt"
_PARTS = ("train", "valid", "test")
_LARGEST = 1 << 24  # bytes of one photograph


class CelebA(ImageArray):
    """CelebA (64 x 64, color): faces with 40 attributes and an identity; needs the published files.

    Each attribute is a factor of two values, 0 for no; the person is the factor ``identity``, where
    the list of identities is there. The aligned images (178 x 218) are cropped to a square of
    their center and scaled with a bilinear filter, once, into a memory-mapped array in
    `data_folder` (2.5 GB for all of them).

    Args:
        path: The folder with ``list_attr_celeba.txt`` and ``img_align_celeba.zip``, or the folder
            ``img_align_celeba`` of its images; beside them ``identity_CelebA.txt``, if at hand, and
            ``list_eval_partition.txt``. The source's quota forbids fetching them by a program.
        part: "train", "valid", "test" (the official partition), or "all".
        size: Height and width of an image.
        crop: Side of the square that is cut out of the center, in pixels of the file.

    Raises:
        FileNotFoundError: for a file that is not there, by name.
        ValueError: for lists that do not fit, and images that cannot be read, by name.

    References:
        Deep Learning Face Attributes in the Wild, Liu, Luo, Wang, Tang, 2015,
        https://arxiv.org/abs/1411.7766. For research that is not commercial.
    """

    needs = "a folder"

    def __init__(
        self,
        path: str | Path,
        part: Literal["train", "valid", "test", "all"] = "train",
        *,
        size: int = 64,
        crop: int = 148,
    ) -> None:
        if part not in (*_PARTS, "all"):
            raise ValueError(f"part is {part!r}; expected one of {[*_PARTS, 'all']}")
        if size < 1 or crop < 1:
            raise ValueError(f"size is {size} and crop {crop}; expected at least 1 pixel")
        root = expanded(path)
        if not root.is_dir():
            raise FileNotFoundError(f"there is no folder {root} with the files of CelebA")
        self.path, self.part, self.size, self.crop = root, part, size, crop
        attributes, names, table = _attributes(regular_file(root / _ATTRIBUTES))
        columns, sizes = [table], [2] * len(attributes)
        if (root / _IDENTITIES).exists():
            identity = _numbers(root / _IDENTITIES, names) - 1
            if len(identity) and identity.min() < 0:
                raise ValueError(f"{root / _IDENTITIES} numbers a person 0; expected 1 and more")
            columns.append(identity[:, None])
            sizes.append(int(identity.max()) + 1)
            attributes = [*attributes, "identity"]
        factors = np.concatenate(columns, axis=1)
        source = root / _ZIP if (root / _ZIP).is_file() else root / _FOLDER
        if not source.exists():
            raise FileNotFoundError(f"there is neither {_ZIP} nor a folder {_FOLDER} in {root}")

        def pieces() -> Iterator[np.ndarray]:
            return _images(source, names, size, crop)

        shape = (len(names), size, size, 3)
        images = converted(source, shape, pieces, f"celeba-{size}-{crop}")
        nominal: Kind = "nominal"
        self.space = FactorSpace(tuple(attributes), tuple(sizes), (nominal,) * len(sizes))
        if part != "all":
            rows = _numbers(regular_file(root / _PARTITION), names) == _PARTS.index(part)
            if not rows.any():
                raise ValueError(f"{root / _PARTITION} has no image of the {part} part")
            first, last = np.flatnonzero(rows)[[0, -1]]
            if last - first + 1 != rows.sum():
                raise ValueError(f"the {part} part of {root / _PARTITION} is not in one piece")
            images, factors = images[first : last + 1], factors[first : last + 1]
        self._keep(images, factors)


def _attributes(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    """The attributes' names, the files', and the table, 0 for no and 1 for yes."""
    lines = read_text(path).splitlines()
    if len(lines) < 3 or not lines[0].strip().isdigit():
        raise ValueError(f"{path} does not begin with the number of images")
    attributes = lines[1].split()
    names, rows = [], []
    for number, line in enumerate(lines[2:], 3):
        if not line.strip():
            continue
        name, *values = line.split()
        if len(values) != len(attributes) or set(values) - {"-1", "1"}:
            raise ValueError(
                f"line {number} of {path} has {len(values)} values; expected {len(attributes)}, "
                "each -1 or 1"
            )
        names.append(name)
        rows.append(values)
    if len(names) != int(lines[0]):
        raise ValueError(f"{path} says {int(lines[0]):,} images but lists {len(names):,}")
    return attributes, names, (np.array(rows, np.int64) + 1) // 2


def _numbers(path: Path, names: list[str]) -> np.ndarray:
    """The number beside each file's name, in the order of the names."""
    numbers: dict[str, int] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        words = line.split()
        if words and (len(words) != 2 or not words[1].isdigit()):
            raise ValueError(f"line {number} of {path} is {line!r}; expected a file and a number")
        if words:
            numbers[words[0]] = int(words[1])
    missing = [name for name in names if name not in numbers]
    if missing:
        raise ValueError(f"{path} has no line for {missing[0]} ({len(missing)} are missing in all)")
    return np.array([numbers[name] for name in names], np.int64)


def _images(source: Path, names: list[str], size: int, crop: int) -> Iterator[np.ndarray]:
    with ExitStack() as stack:
        archive = members = None
        if source.is_file():
            try:
                archive = stack.enter_context(zipfile.ZipFile(source))
            except (zipfile.BadZipFile, OSError) as error:
                raise ValueError(f"{source} is no zip archive, or is damaged: {error}") from error
            members = {Path(info.filename).name: info for info in archive.infolist()}
        for name in names:
            if archive is not None and members is not None:
                if name not in members or members[name].file_size > _LARGEST:
                    raise ValueError(f"{source} has no image {name} of ordinary size")
                content = archive.read(members[name])
            else:
                check_within(source / name, source, "copy it into the folder")
                content = read_bytes(regular_file(source / name), _LARGEST)
            yield _face(content, f"{name} of {source}", size, crop)[None]


def _face(content: bytes, name: str, size: int, crop: int) -> np.ndarray:
    from PIL import Image

    with open_picture(content, name) as opened:
        if opened.width < crop or opened.height < crop:
            raise ValueError(f"it has {opened.width} x {opened.height} pixels, but crop is {crop}")
        left, top = (opened.width - crop) // 2, (opened.height - crop) // 2
        picture = opened.convert("RGB").crop((left, top, left + crop, top + crop))
    return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))
