"""Factors that the names of files tell, by a pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["name_factors"]

_FIELD = re.compile(r"\{([^{}]*)\}|(\*)")
_TYPES = {"": r"[^/]+?", "str": r"[^/]+?", "int": r"[+-]?\d+", "float": r"[+-]?\d+(?:\.\d+)?"}
_NUMBERS: dict[str, Callable[[str], float]] = {"int": int, "float": float}
_NUMBER = re.compile(_TYPES["float"])


def name_factors(files: Sequence[str], pattern: str) -> dict[str, Any]:
    r"""Columns of factors from the names of files.

    A pattern is a template, in which ``{name}`` stands for a factor's value and ``*`` for anything,
    or a regular expression with named groups, ``(?P<name>...)``. It must match the whole of a
    file's name; of its path, seen from the folder, where the pattern has a ``/``. Values of
    ``{name:int}`` and ``{name:float}`` are numbers in their order (ordinal); those of ``{name}``,
    of ``{name:str}`` and of groups are names (nominal), which are sorted as numbers where all are
    numbers. A group that takes no part in the match is unknown.

    Args:
        files: Paths with ``/`` between folders.
        pattern: ``"{identity}_{pose:int}.png"``, or ``r"(?P<identity>\w+)_(?P<pose>\d+)\.png"``.

    Returns:
        Categories ``(N,)`` by the factors' names, as `factorize` takes them.

    Raises:
        ValueError: for a pattern without factors or that is none, and naming the first file that
            does not match.

    Example:
        >>> names = ["anna_-30.png", "anna_0.png", "bert_0.png"]
        >>> columns = name_factors(names, "{who}_{pose:int}.png")
        >>> columns["pose"].codes.tolist(), columns["pose"].categories.tolist()
        ([0, 1, 1], ['-30', '0'])
    """
    import pandas as pd

    expression, types = _compiled(pattern)
    whole = "/" in pattern
    matches = [expression.fullmatch(f if whole else f.rpartition("/")[2]) for f in files]
    wrong = [file for file, match in zip(files, matches, strict=True) if match is None]
    if wrong:
        what = "path, seen from the folder," if whole else "name"
        others = f" ({len(wrong)} of {len(files)} files do not)" if len(wrong) > 1 else ""
        raise ValueError(
            f"{wrong[0]} does not match the pattern {pattern!r}{others}: the whole {what} must; "
            "* stands for what is no factor"
        )
    columns = {}
    for name, kind in types.items():
        codes, labels = _coded([match[name] for match in matches if match is not None], kind)
        columns[name] = pd.Categorical.from_codes(codes, pd.Index(labels), ordered=kind in _NUMBERS)
    return columns


def _coded(texts: Sequence[str | None], kind: str) -> tuple[np.ndarray, list[str]]:
    """Places of the values among the sorted ones, -1 where there is none, and their names."""
    known = [text for text in texts if text is not None]
    read: Callable[[str], Any] = _NUMBERS.get(kind, str)
    order: Callable[[Any], Any] = float if all(map(_NUMBER.fullmatch, known)) else str
    values = sorted({read(text) for text in known}, key=lambda value: (order(value), str(value)))
    place = {value: k for k, value in enumerate(values)}
    codes = [-1 if text is None else place[read(text)] for text in texts]
    return np.array(codes, np.int64), list(map(str, values))


def _compiled(pattern: str) -> tuple[re.Pattern[str], dict[str, str]]:
    """The pattern as a regular expression, and the types of its factors by name."""
    if "(?P<" in pattern:
        try:
            expression = re.compile(pattern)
        except re.error as error:
            raise ValueError(
                f"pattern is {pattern!r}, which is no regular expression ({error})"
            ) from error
        return expression, dict.fromkeys(expression.groupindex, "")
    types: dict[str, str] = {}
    parts, end = [], 0
    for field in _FIELD.finditer(pattern):
        parts.append(re.escape(pattern[end : field.start()]))
        end = field.end()
        if field[2]:
            parts.append("[^/]*")
            continue
        name, _, kind = field[1].partition(":")
        if not name.isidentifier() or kind not in _TYPES:
            raise ValueError(
                f"pattern is {pattern!r}, in which {field[0]} is no factor: expected {{name}}, "
                "{name:int}, {name:float} or {name:str}"
            )
        if name in types:
            raise ValueError(f"pattern is {pattern!r}, in which {name!r} is there twice")
        types[name] = kind
        parts.append(f"(?P<{name}>{_TYPES[kind]})")
    rest = pattern[end:]
    if not types or {"{", "}"} & set("".join(_FIELD.split(pattern)[::3])):
        raise ValueError(
            f"pattern is {pattern!r}; expected factors in braces, such as "
            "'{identity}_{pose:int}.png', or a regular expression with named groups, (?P<name>...)"
        )
    return re.compile("".join(parts) + re.escape(rest)), types
