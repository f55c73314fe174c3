"""Where results are printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["console"]

_WIDTH = 120


def console(*, stderr: bool = False) -> Console:
    """A console: as wide as the terminal, or of a fixed width where there is none."""
    from rich.console import Console

    made = Console(stderr=stderr, highlight=False)
    return made if made.is_terminal else Console(stderr=stderr, highlight=False, width=_WIDTH)
