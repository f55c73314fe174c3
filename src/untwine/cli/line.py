"""Words of a command line: options and their values, help, and complaints in one line."""

from __future__ import annotations

import inspect
import json
import re
import shutil
import textwrap
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ..settings.docstrings import Docstring
from ..settings.errors import UsageError, did_you_mean
from ..settings.options import Option, options

__all__ = ["call", "entries", "line", "split"]

_FLAG = re.compile(r"--(?P<name>[A-Za-z_][\w.-]*)(?:=(?P<text>.*))?", re.DOTALL)
_COLUMN = 34  # where help begins


def call(
    command: str, function: Callable[..., Any], argv: Sequence[str], epilog: Callable[[], str] = str
) -> int:
    """Calls a function with what a command line gives it.

    Args:
        command: Of ``untwine``.
        function: Its signature and docstring are the command's options and help; what it takes by
            position are words without an option's name.
        argv: The words after the command.
        epilog: Makes the last lines of help.

    Raises:
        UsageError: for words that the function does not take, and those that it lacks.
    """
    takes = options(function)
    signature = inspect.signature(function).parameters
    places = [n for n in takes if signature[n].kind is not inspect.Parameter.KEYWORD_ONLY]
    flags = {n: option for n, option in takes.items() if n not in places}
    if "-h" in argv or "--help" in argv:
        about = Docstring.of(function)
        usage = " ".join([command, *map(str.upper, places), "[options]"])
        print(f"usage: untwine {usage}\n", about.summary, *about.body, "", sep="\n")
        print(entries((n.upper(), takes[n].help) for n in places))
        print("options:", entries(map(line, flags.values())), epilog(), sep="\n")
        return 0
    many = bool(places) and takes[places[-1]].plain == list[str]  # the last takes all that follow
    loose, texts = split(command, argv, flags, len(argv) if many else len(places))
    if many and len(loose) >= len(places):
        last = len(places) - 1
        loose[last:] = [f"[{','.join(map(json.dumps, loose[last:]))}]"]
    texts |= dict(zip(places, loose, strict=False))
    for name in places:
        if takes[name].default is inspect.Parameter.empty and name not in texts:
            raise UsageError(f"untwine {command} needs {takes[name].help.rstrip('.')}")
    return function(**{n: takes[n].read(f"--{n}", text) for n, text in texts.items()})


def split(
    command: str, argv: Sequence[str], takes: Mapping[str, Option], places: int = 0
) -> tuple[list[str], dict[str, str]]:
    """The words that are no options, and the last text of each option.

    Args:
        command: Of ``untwine``.
        argv: The words after the command.
        takes: The command's options. Bools are switches, without a value; lists take all words up
            to the next option; below a dict there are further options, ``--method.beta``.
        places: How many words may be no options.

    Raises:
        UsageError: for an option without its value, and for words that the command does not take,
            with the option that was probably meant.
    """
    loose: list[str] = []
    texts: dict[str, str] = {}
    words = list(argv)
    while words:
        word = words.pop(0)
        match = _FLAG.fullmatch(word)
        if match is None and not word.startswith("--") and len(loose) < places:
            loose.append(word)
            continue
        root, dot, below = (match["name"] if match else "").partition(".")
        root = root.replace("-", "_")
        kind = takes[root].plain if root in takes else None
        if match is None and not word.startswith("-"):
            see = f"see untwine {command} --help"
            raise UsageError(f"untwine {command} does not take {word!r}; {see}")
        if match is None or root not in takes or (dot and not _has_parts(kind)):
            flag = word.partition("=")[0]
            near = did_you_mean(flag, [f"--{name}" for name in takes])
            raise UsageError(f"untwine {command} has no option {flag}{near}")
        text = "true" if kind is bool and match["text"] is None else match["text"]
        if text is None:
            if not words or words[0].startswith("--"):
                raise UsageError(f"{word} needs a value")
            text = words.pop(0)
        if kind in (list[str], list[int]):
            while words and not words[0].startswith("--"):
                text += f",{words.pop(0)}"
            text = f"[{text}]"
        texts[root + dot + below] = text
    return loose, texts


def _has_parts(kind: Any) -> bool:
    return dict in [typing.get_origin(part) for part in (kind, *typing.get_args(kind))]


def line(option: Option) -> tuple[str, str]:
    """An option of a command, and what it is."""
    if option.plain is bool:
        return f"--{option.name.replace('_', '-')}", option.help
    return f"--{option.name} {option.name.upper()}", option.describes


def entries(rows: Iterable[tuple[str, str]]) -> str:
    """Names and what they are, in two columns."""
    width = min(shutil.get_terminal_size((100, 24)).columns - 2, 100)
    rows = list(rows)
    column = min(_COLUMN, max((len(f"  {name}  ") for name, _ in rows), default=0))
    lines = []
    for name, text in rows:
        head = f"  {name}  ".ljust(column)
        below = textwrap.wrap(text, width - column) or [""]
        first = [head + below.pop(0)] if len(head) == column else [head.rstrip()]
        lines += [*first, *(" " * column + line for line in below)]
    return "\n".join([*lines, ""])
