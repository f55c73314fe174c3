"""Catalog of data sets."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from .dataset import FactorDataset

__all__ = ["Entry", "available"]

_KINDS = ("nothing", "a file", "a folder", "arrays", "an annotated matrix", "a data set")


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
    """The library's classes of data sets that say what they need, those that need nothing first.

    Example:
        >>> [entry.name for entry in available() if entry.built_in][:4]
        ['DSprites', 'DrawnFaces', 'LightTunnel', 'MovingSprites']
    """
    entries = []
    for cls in _classes(FactorDataset):
        line = (inspect.getdoc(cls) or "").partition("\n")[0]
        if cls.needs == "nothing":
            data = cls()
            sizes = dict(zip(data.space.names, data.space.sizes, strict=True))
            entries.append(Entry(cls.__name__, line, "nothing", data.shape, sizes, len(data)))
        elif cls.needs:
            entries.append(Entry(cls.__name__, line, cls.needs))
    return tuple(sorted(entries, key=lambda entry: _KINDS.index(entry.needs)))


def _classes(parent: type) -> Iterator[type[FactorDataset]]:
    """The classes of this room that derive from one, in the order in which they were defined."""
    for cls in cast("list[type[FactorDataset]]", parent.__subclasses__()):
        if cls.__module__.startswith(f"{__package__}."):
            yield cls
        yield from _classes(cls)
