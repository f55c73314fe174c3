"""Data set of image files in a folder."""

from __future__ import annotations

import csv as csv_files
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ..reading import check_within, expanded, memory_limit, open_picture, read_text
from .arrays import ArrayDataset
from .file_names import name_factors
from .space import Kinds

__all__ = ["Folder"]

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
_FILE_COLUMNS = ("file", "filename", "image", "image_id", "path")


class Folder(ArrayDataset):
    """A data set of the image files in a folder and its subfolders, read into memory as bytes.

    Factors come from the names of the subfolders (each level is a factor, its values numbered in
    sorted order), from the names of the files, or from a table. Files and subfolders whose names
    begin with a dot, such as ``.ipynb_checkpoints``, and ``__MACOSX`` are passed over with a
    warning, unless a table names them.

    Args:
        path: The folder.
        size: Height and width to bring every image to, by scaling it and cropping its center; one
            number for a square. Without it all images must have the same size.
        color: Whether to read RGB or grey images; by default RGB, unless every file is grey.
        csv: A table with a header, instead of factors from subfolders: one column, called file,
            filename, image, image_id or path, names the image, seen from the folder; the others
            are factors. Empty cells are unknown. A column of nothing but -1 and 1 becomes 0 and 1.
        names: The factors' names; by default folder, or folder0, folder1, ... from the outermost
            level inwards, or those of the table or the pattern.
        pattern: Of the files' names, which tell the factors instead of the subfolders:
            ``"{identity}_{pose:int}.png"``, where ``*`` stands for anything, or a regular
            expression with named groups; see `untwine.data.file_names.name_factors`.
        outside: Whether images may lie outside of the folder: reached through symbolic links, or
            by paths in the table that begin at the root or with ``..``.
        background: Of transparent pixels, a grey value or red, green and blue, 0 to 255: each
            becomes alpha times its color plus (1 - alpha) times the background. Without it images
            with transparent pixels are refused, since their hidden colors are arbitrary.
        kinds: What each factor's values are, in order or by name, see `FactorSpace`.

    Warns:
        UserWarning: if hidden files or subfolders with images were passed over.

    Raises:
        FileNotFoundError: for a folder or an image that is not there.
        ValueError: naming the file, for an image that cannot be read, one of another size than the
            first, one at another depth of subfolders, one whose name does not match, one with
            transparent pixels, and one that lies outside; for a folder without images; and for
            more images than memory holds.
    """

    needs = "a folder"

    def __init__(
        self,
        path: str | Path,
        *,
        size: int | tuple[int, int] | None = None,
        color: bool | None = None,
        csv: str | Path | None = None,
        names: Sequence[str] | None = None,
        pattern: str | None = None,
        outside: bool = False,
        background: int | tuple[int, int, int] | None = None,
        kinds: Kinds = None,
    ) -> None:
        root = expanded(path)
        if not root.is_dir():
            raise FileNotFoundError(f"there is no folder {root} (seen from {Path.cwd()})")
        columns: dict[str, Any]
        if csv is not None:
            if pattern is not None:
                raise ValueError("csv and pattern both tell the factors: pass one of them")
            files, columns = _read_csv(root, expanded(csv), outside)
        else:
            files = _walk(root)
            below = [file.relative_to(root).as_posix() for file in files]
            columns = _levels(files, below) if pattern is None else name_factors(below, pattern)
        if not outside:
            for file in files:
                check_within(file, root, "copy it into the folder, or pass outside=True")
        self.files = tuple(os.path.relpath(file, root) for file in files)
        square = (size, size) if isinstance(size, int) else size
        if size is not None and min(square or ()) < 1:
            raise ValueError(f"size is {size}; expected at least 1 pixel")
        behind = plain_color(background)
        headers = [header(file) for file in files]
        if color is None:
            color = any(mode not in ("1", "L", "LA") for mode, _ in headers)
        width, height = headers[0][1] if square is None else square
        memory = len(files) * width * height * (3 if color else 1)
        if memory > memory_limit():
            raise ValueError(
                f"the {len(files)} images of {root} take {memory / 2**30:,.0f} GiB, more than the "
                f"{memory_limit() / 2**30:,.0f} GiB of memory here: pass a smaller size="
            )
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            images = list(pool.map(lambda file: read_image(file, square, color, behind), files))
        for file, image in zip(files, images, strict=True):
            if image.shape != images[0].shape:
                raise ValueError(
                    f"{file} has {image.shape[0]} x {image.shape[1]} pixels but {files[0]} has "
                    f"{images[0].shape[0]} x {images[0].shape[1]} (height x width): pass size="
                )
        super().__init__(
            np.stack(images), columns, names, layout="HWC" if color else None, kinds=kinds
        )
        self._scale = 255.0  # files hold bytes, also where all of them are nearly black


def _walk(root: Path) -> list[Path]:
    """The images below, sorted; hidden ones are passed over."""
    files: list[Path] = []
    hidden: list[Path] = []
    for file in sorted(root.rglob("*")):
        if file.suffix.lower() in SUFFIXES and not file.is_dir():
            parts = file.relative_to(root).parts
            (hidden if any(map(is_hidden, parts)) else files).append(file)
    if hidden:
        warnings.warn(
            f"{len(hidden)} hidden images of {root} are passed over, such as {hidden[0]}: name "
            "them in a table (csv=) if they belong to the data",
            stacklevel=3,
        )
    if not files:
        raise ValueError(f"there are no images in {root}: looked for {', '.join(SUFFIXES)}")
    return files


def _levels(files: list[Path], below: list[str]) -> dict[str, np.ndarray]:
    """The subfolders of each level as factors."""
    levels = [name.split("/")[:-1] for name in below]
    for file, level in zip(files, levels, strict=True):
        if len(level) != len(levels[0]):
            raise ValueError(
                f"{file} lies in {len(level)} subfolders but {files[0]} in {len(levels[0])}: each "
                "level is a factor, so all images must lie equally deep, or their factors be "
                "given with csv= or pattern="
            )
    depth = len(levels[0])
    names = ["folder"] if depth == 1 else [f"folder{k}" for k in range(depth)]
    return {name: np.array([level[k] for level in levels]) for k, name in enumerate(names)}


def is_hidden(name: str) -> bool:
    """Whether programs wrote it for themselves: notebooks, desktops, archivers."""
    return name.startswith(".") or name == "__MACOSX"


def _read_csv(root: Path, csv: Path, outside: bool) -> tuple[list[Path], dict[str, np.ndarray]]:
    if not csv.exists() and (root / csv).exists():
        csv = root / csv
        if not outside:
            check_within(csv, root, "name the table itself with csv=, or pass outside=True")
    if not csv.exists():
        raise FileNotFoundError(f"there is no table {csv} (looked in {Path.cwd()} and {root})")
    lines = read_text(csv).splitlines(keepends=True)
    try:
        table = [
            [cell.strip() for cell in row] for row in csv_files.reader(lines, strict=True) if row
        ]
    except csv_files.Error as error:
        raise ValueError(f"{csv} is no table of comma-separated values: {error}") from error
    header, *rows = table or [[]]
    for i, name in enumerate(header):
        if name in header[:i]:
            raise ValueError(f"two columns of {csv} are named {name!r}; names must differ")
    place = next((i for i, name in enumerate(header) if name.lower() in _FILE_COLUMNS), None)
    if place is None:
        raise ValueError(
            f"{csv} has the columns {header}; one of them must name the images and be called "
            f"{', '.join(_FILE_COLUMNS)}"
        )
    if not rows:
        raise ValueError(f"{csv} has a header but no rows")
    for i, row in enumerate(rows):
        if len(row) != len(header):
            raise ValueError(f"row {i + 1} of {csv} has {len(row)} cells; expected {len(header)}")
    files = [root / row[place] for row in rows]
    for file in files:
        if "\0" in str(file) or not file.exists():
            raise FileNotFoundError(f"{csv} names {file}, which is not there")
    columns = {
        name: _column([row[k] for row in rows]) for k, name in enumerate(header) if k != place
    }
    return files, columns


def _column(cells: list[str]) -> np.ndarray:
    """Numbers if all cells are numbers or empty, or else text."""
    try:
        column = np.array([float(cell) if cell else np.nan for cell in cells])
    except ValueError:
        return np.array(cells)
    present = column[~np.isnan(column)]
    return (column + 1) / 2 if set(present.tolist()) == {-1.0, 1.0} else column


def header(file: Path) -> tuple[str, tuple[int, int]]:
    """The mode of an image, and its width and height, as its header says."""
    with open_picture(file) as image:
        return image.mode, image.size


def plain_color(background: int | tuple[int, int, int] | None) -> tuple[int, int, int] | None:
    """A background as red, green and blue."""
    if background is None:
        return None
    parts = (background,) * 3 if isinstance(background, int) else tuple(background)
    if len(parts) != 3 or not all(isinstance(part, int) and 0 <= part <= 255 for part in parts):
        raise ValueError(
            f"background is {background!r}; expected a grey value, or red, green and blue, of "
            "0 to 255"
        )
    return parts


def read_image(
    file: Path,
    size: tuple[int, int] | None,
    color: bool,
    background: tuple[int, int, int] | None,
) -> np.ndarray:
    from PIL import Image, ImageOps

    with open_picture(file) as opened:
        deep = opened.mode.startswith(("I", "F"))
        image = ImageOps.exif_transpose(opened)
        transparent = False
        if image.has_transparency_data:
            image = image.convert("RGBA")
            transparent = bool((np.asarray(image)[..., 3] < 255).any())
            if background is not None:
                image = Image.alpha_composite(Image.new("RGBA", image.size, background), image)
        image = image.convert("RGB" if color else "L")
    if deep:
        raise ValueError(f"{file} has more than 8 bits per pixel: convert it to 8 bits")
    if transparent and background is None:
        raise ValueError(
            f"{file} has transparent pixels, whose colors are arbitrary: pass background=255 for "
            "white behind them, 0 for black, or a color (255, 255, 255)"
        )
    if size is not None:
        image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(image)
