"""Catalog of data sets."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from .arrays import Arrays
from .cells import H5AD, Cells
from .clips import Frames, Scenes
from .dataset import FactorDataset
from .dsprites import DSprites
from .files import H5, Npz
from .folder import Folder
from .lpc import LPCSprites
from .moving import MovingDigits, MovingSprites
from .variants import (
    ColorDSprites,
    Colored,
    Noisy,
    NoisyDSprites,
    OnBackground,
    ScreamDSprites,
)

__all__ = ["Entry", "available"]


@dataclass(frozen=True)
class Entry:
    """A class of data sets.

    Attributes:
        name: Of the class in `untwine.data`, as the command line takes it.
        description: One line.
        needs: What it is made from: "nothing", "a file", "a folder", "arrays", "an annotated
            matrix" or "a data set".
        shape: Of one observation, where that is always the same.
        factors: The sizes of the factors by name, where they are always the same.
        size: The number of observations, where that is always the same.
    """

    name: str
    description: str
    needs: str
    shape: tuple[int, ...] | None = None
    factors: dict[str, int] | None = None
    size: int | None = None

    @property
    def built_in(self) -> bool:
        """Whether it can be made without any argument."""
        return self.needs == "nothing"


def available() -> tuple[Entry, ...]:
    """The classes of data sets, those that need nothing first.

    Example:
        >>> [entry.name for entry in available() if entry.built_in]
        ['DSprites', 'ColorDSprites', 'NoisyDSprites', 'ScreamDSprites', 'MovingSprites']
    """
    entries = []
    for cls in (DSprites, ColorDSprites, NoisyDSprites, ScreamDSprites, MovingSprites):
        data = cls()
        sizes = dict(zip(data.space.names, data.space.sizes, strict=True))
        entries.append(Entry(cls.__name__, _line(cls), "nothing", data.shape, sizes, len(data)))
    sources: tuple[tuple[type[FactorDataset], str], ...] = (
        (Npz, "a file"),
        (H5, "a file"),
        (H5AD, "a file"),
        (LPCSprites, "a file"),
        (Folder, "a folder"),
        (Arrays, "arrays"),
        (Cells, "an annotated matrix"),
        (Scenes, "arrays"),
        (MovingDigits, "a data set"),
        (Frames, "a data set"),
        (Colored, "a data set"),
        (Noisy, "a data set"),
        (OnBackground, "a data set"),
    )
    return (*entries, *(Entry(cls.__name__, _line(cls), needs) for cls, needs in sources))


def _line(cls: type) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]
