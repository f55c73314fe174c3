"""Contact sheets of data sets, on the terminal and as PNG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..plots.pictures import drawable, mosaic, pictures
from ..settings.errors import UsageError
from .screen import console

if TYPE_CHECKING:
    from ..data import FactorDataset

__all__ = ["chosen", "print_sheet", "write_sheet"]

_COLUMNS = 8


def chosen(data: FactorDataset, columns: int = _COLUMNS, seed: int = 0) -> list[tuple[str, list]]:
    """The observations of a sheet: a row at random, then one per factor with its values in order.

    Where the data has such observations, only that factor changes along a row.

    Args:
        data: The data set.
        columns: How many observations a row has, at most.
        seed: Of the choice.

    Returns:
        Titles, and the numbers of observations.
    """
    rng = np.random.default_rng(seed)
    rows: list[tuple[str, list]] = [("", rng.integers(0, len(data), columns).tolist())]
    factors = data.factors
    base = factors[rows[0][1][0]]
    for k, name in enumerate(data.space.names):
        values = np.unique(factors[:, k])
        values = values[values >= 0]
        shown = values[np.unique(np.linspace(0, len(values) - 1, columns).astype(np.int64))]
        if len(shown) < 2:
            continue
        equal = np.delete(factors, k, axis=1) == np.delete(base, k)
        likeness = equal.sum(axis=1)
        numbers = []
        for value in shown:
            candidates = np.flatnonzero(factors[:, k] == value)
            best = candidates[likeness[candidates] == likeness[candidates].max()]
            numbers.append(int(best[0]))
        rows.append((name, numbers))
    return rows


def _frames(data: FactorDataset, rows: list[tuple[str, list]]) -> list[np.ndarray]:
    """Pictures of clips: a row is the frames of one, and each factor's row differs in it alone."""
    first = rows[0][1][0]
    clips = [first]
    for name, numbers in rows[1:]:
        column = data.factors[:, data.space.position(name)]
        clips.append(max(numbers, key=lambda n: abs(column[n] - column[first])))
    shown = np.unique(np.linspace(0, data.shape[0] - 1, _COLUMNS).astype(np.int64))
    return [pictures(data.observations([n])[0, shown], leading=1) for n in clips]


def _cells(data: FactorDataset) -> tuple[list[str], np.ndarray]:
    """Titles and pictures ``(R, S, H, W, 3)``, white where a row is shorter."""
    rows = chosen(data)
    if len(data.shape) == 4 and drawable(data.shape[1:]):
        drawn = _frames(data, rows)
    elif drawable(data.shape):
        drawn = [pictures(data.observations(numbers), leading=1) for _, numbers in rows]
    else:
        raise UsageError(
            f"observations of shape {data.shape} cannot be drawn: images, clips and vectors can"
        )
    cells = np.full((len(rows), _COLUMNS, *drawn[0].shape[1:]), 255, np.uint8)
    for cell, row in zip(cells, drawn, strict=True):
        cell[: len(row)] = row
    return [title for title, _ in rows], cells


def write_sheet(data: FactorDataset, path: str | Path) -> None:
    """Writes a contact sheet as PNG, a factor a row, named at the left.

    Raises:
        UsageError: for a name that does not end in .png, and observations that cannot be drawn.
    """
    from PIL import Image, ImageDraw

    if Path(path).suffix.lower() != ".png":
        raise UsageError(f"--out is {path}; expected a name that ends in .png")
    titles, cells = _cells(data)
    scale = max(1, round(96 / cells.shape[2]))
    cells = cells.repeat(scale, axis=2).repeat(scale, axis=3)
    picture = Image.fromarray(mosaic(cells, gap=4))
    sheet = Image.new("RGB", (picture.width + 120, picture.height + 8), "white")
    sheet.paste(picture, (116, 4), picture)
    draw = ImageDraw.Draw(sheet)
    for row, title in enumerate(titles):
        draw.text((8, 4 + row * (cells.shape[2] + 4) + cells.shape[2] // 2 - 6), title, "black")
    sheet.save(path, optimize=True)


def print_sheet(data: FactorDataset) -> None:
    """Prints a contact sheet, two pixels a character, as wide as the terminal."""
    from PIL import Image
    from rich.style import Style
    from rich.text import Text

    screen = console()
    titles, cells = _cells(data)
    margin = max(map(len, titles)) + 1
    width = (screen.width - margin) // _COLUMNS - 1
    if width < 4:
        raise UsageError(f"the terminal has {screen.width} columns; a sheet needs some more")
    height = max(2, round(width * cells.shape[2] / cells.shape[3])) // 2 * 2
    for title, row in zip(titles, cells, strict=True):
        small = np.concatenate(
            [
                np.pad(
                    np.asarray(Image.fromarray(cell).resize((width, height), Image.Resampling.BOX)),
                    ((0, 0), (0, 1), (0, 0)),
                    constant_values=255,
                )
                for cell in row
            ],
            axis=1,
        )
        for line in range(0, height, 2):
            text = Text((title if line == height // 4 * 2 else "").ljust(margin))
            for upper, lower in zip(small[line].tolist(), small[line + 1].tolist(), strict=True):
                style = Style(color=_hex(upper), bgcolor=_hex(lower))
                text.append("▀", style)
            screen.print(text, no_wrap=True)
        screen.print("")


def _hex(color: list[int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
