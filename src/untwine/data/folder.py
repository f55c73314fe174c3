"""Data set of image files in a folder."""

from __future__ import annotations

import csv as csv_files
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from .arrays import ArrayDataset

__all__ = ["Folder"]

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
_FILE_COLUMNS = ("file", "filename", "image", "image_id", "path")


class Folder(ArrayDataset):
    """A data set of the image files in a folder and its subfolders, read into memory as bytes.

    Factors come from the names of the subfolders (each level is a factor, its values numbered in
    sorted order), or from a table.

    Args:
        path: The folder.
        size: Height and width to bring every image to, by scaling it and cropping its center; one
            number for a square. Without it all images must have the same size.
        color: Whether to read RGB or grey images; by default RGB, unless every file is grey.
        csv: A table with a header, instead of factors from subfolders: one column, called file,
            filename, image, image_id or path, names the image, seen from the folder; the others
            are factors. Empty cells are unknown. A column of nothing but -1 and 1 becomes 0 and 1.
        names: The factors' names; by default folder, or folder0, folder1, ... from the outermost
            level inwards, or those of the table.

    Raises:
        FileNotFoundError: for a folder or an image that is not there.
        ValueError: naming the file, for an image that cannot be read, one of another size than the
            first, and one at another depth of subfolders; and for a folder without images.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        size: int | tuple[int, int] | None = None,
        color: bool | None = None,
        csv: str | Path | None = None,
        names: Sequence[str] | None = None,
    ) -> None:
        root = Path(path).expanduser()
        if not root.is_dir():
            raise FileNotFoundError(f"there is no folder {root} (seen from {Path.cwd()})")
        if csv is None:
            files, columns = _walk(root)
        else:
            files, columns = _read_csv(root, Path(csv).expanduser())
        self.files = tuple(os.path.relpath(file, root) for file in files)
        square = (size, size) if isinstance(size, int) else size
        if color is None:
            color = any(_modes(files))
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            images = list(pool.map(lambda file: _read(file, square, color), files))
        for file, image in zip(files, images, strict=True):
            if image.shape != images[0].shape:
                raise ValueError(
                    f"{file} has {image.shape[0]} x {image.shape[1]} pixels but {files[0]} has "
                    f"{images[0].shape[0]} x {images[0].shape[1]} (height x width): pass size="
                )
        super().__init__(np.stack(images), columns, names, layout="HWC" if color else None)
        self._scale = 255.0  # files hold bytes, also where all of them are nearly black


def _walk(root: Path) -> tuple[list[Path], dict[str, np.ndarray]]:
    files = sorted(file for file in root.rglob("*") if file.suffix.lower() in _SUFFIXES)
    if not files:
        raise ValueError(f"there are no images in {root}: looked for {', '.join(_SUFFIXES)}")
    levels = [file.relative_to(root).parts[:-1] for file in files]
    for file, level in zip(files, levels, strict=True):
        if len(level) != len(levels[0]):
            raise ValueError(
                f"{file} lies in {len(level)} subfolders but {files[0]} in {len(levels[0])}: each "
                "level is a factor, so all images must lie equally deep, or their factors be "
                "given with csv="
            )
    depth = len(levels[0])
    names = ["folder"] if depth == 1 else [f"folder{k}" for k in range(depth)]
    return files, {name: np.array([level[k] for level in levels]) for k, name in enumerate(names)}


def _read_csv(root: Path, csv: Path) -> tuple[list[Path], dict[str, np.ndarray]]:
    if not csv.is_file() and (root / csv).is_file():
        csv = root / csv
    if not csv.is_file():
        raise FileNotFoundError(f"there is no table {csv} (looked in {Path.cwd()} and {root})")
    with csv.open(newline="", encoding="utf-8-sig") as lines:
        header, *rows = [[cell.strip() for cell in row] for row in csv_files.reader(lines) if row]
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
        if not file.is_file():
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


def _modes(files: list[Path]) -> list[bool]:
    """Whether each file is in color, as its header says."""
    from PIL import Image, UnidentifiedImageError

    in_color = []
    for file in files:
        try:
            with Image.open(file) as image:
                in_color.append(image.mode not in ("1", "L", "LA"))
        except (UnidentifiedImageError, OSError) as error:
            raise ValueError(f"{file} cannot be read as an image: {error}") from error
    return in_color


def _read(file: Path, size: tuple[int, int] | None, color: bool) -> np.ndarray:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(file) as opened:
            image = ImageOps.exif_transpose(opened)
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"{file} has more than 8 bits per pixel: convert it to 8 bits")
            image = image.convert("RGB" if color else "L")
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise ValueError(f"{file} cannot be read as an image: {error}") from error
    if size is not None:
        image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BILINEAR)
    return np.asarray(image)
