"""Usage errors: one line, with the name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["UsageError", "did_you_mean"]


class UsageError(ValueError):
    """A command line, or a file of settings, asks for something that cannot be done."""


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """The name that was probably meant, as a question; a full stop if none is close.

    Example:
        >>> did_you_mean("bta", ["alpha", "beta"]), did_you_mean("x", ["alpha", "beta"])
        (': did you mean beta?', '.')
    """
    names = {k.lower(): k for k in candidates}
    close = difflib.get_close_matches(name.lower(), list(names), 1, cutoff=0.5)
    return f": did you mean {names[close[0]]}?" if close else "."
