"""The words of ``--trust``."""

from __future__ import annotations

import sys

__all__ = ["words"]


def words(text: str | None) -> tuple[str, ...]:
    """The packages that a user trusts; those of the working folder can be imported from now on.

    The working folder is searched last, so that no file there stands in for another package.
    """
    names = tuple(name.strip() for name in (text or "").split(",") if name.strip())
    if names and "" not in sys.path:
        sys.path.append("")
    return names
