"""jsonargparse's parser, with errors that are one line and help that is written by hand."""

from __future__ import annotations

import re
import shutil
import textwrap
import typing
from argparse import Action
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from jsonargparse import ArgumentParser, DefaultHelpFormatter

from .errors import UsageError, did_you_mean

__all__ = ["TRUST", "Parser", "read_yaml"]

TRUST = (
    "packages of your own, with commas, whose code the run's spec may name; "
    "beside untwine and torch.optim nothing else is imported"
)
"""Help of ``--trust``."""

_LONGEST = 1 << 22  # bytes of a file of options
_KEY = re.compile(r'Parser key "(?P<key>[^"]*)"|argument (?P<flag>-[\w.-]+)')
_VALUE = re.compile(r"(?:Got value: ?|Given value: ?|invalid \w+ value: )(?P<value>.*)")


class _Formatter(DefaultHelpFormatter):
    def __init__(self, prog: str) -> None:
        width = min(shutil.get_terminal_size((100, 24)).columns - 2, 100)
        super().__init__(prog, max_help_position=34, width=width)

    def _get_help_string(self, action: Action) -> str:
        return action.help or ""

    def _expand_help(self, action: Action) -> str:
        return action.help or ""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(
            textwrap.fill(line, width, initial_indent=indent, subsequent_indent=indent)
            for line in text.splitlines()
        )

    def add_usage(self, usage: Any, actions: Any, groups: Any, prefix: Any = None) -> None:
        """Usage is given in words: a list of every option would hide it."""
        super().add_usage(usage or "%(prog)s [options]", [], [], prefix)


class Parser(ArgumentParser):
    """A parser whose complaints are `UsageError`.

    Args:
        command: Of ``untwine``.
        usage: What follows the command's name.
        description: The first lines of its help.
    """

    def __init__(self, command: str, usage: str, description: str) -> None:
        super().__init__(
            prog=f"untwine {command}",
            usage=f"untwine {command} {usage}",
            description=description,
            formatter_class=_Formatter,
            exit_on_error=False,
            allow_abbrev=False,
        )
        self._expected: dict[str, str] = {}

    def option(
        self,
        flag: str,
        kind: Any,
        text: str,
        *,
        group: Any = None,
        expected: str = "",
        **settings: Any,
    ) -> None:
        """Adds an option.

        Args:
            flag: As it is typed, or the name of a positional argument.
            kind: Its type.
            text: Its help.
            group: The group of options under which help shows it.
            expected: The type in words, for complaints.
            **settings: Of argparse.
        """
        settings["metavar"] = settings.get("metavar") or _metavar(kind)
        action = (group or self).add_argument(flag, type=kind, help=text, **settings)
        self._expected[action.dest] = expected or _in_words(kind)

    def switch(self, flag: str, text: str, *, group: Any = None) -> None:
        """Adds an option that takes no value."""
        (group or self).add_argument(flag, action="store_true", help=text)

    def read(self, argv: Sequence[str], namespace: Any = None) -> dict[str, Any]:
        """What was given, without defaults."""
        return self.parse_args(list(argv), namespace=namespace, defaults=False).as_dict()

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raises the complaint, in one line.

        Raises:
            UsageError: always.
        """
        raise UsageError(self._explained(str(message))) from ex

    def _explained(self, message: str) -> str:
        if message.lower().startswith("unrecognized arguments: "):
            flag = message.split(": ", 1)[1].split()[0].split("=")[0]
            if not flag.startswith("-"):
                return f"{self.prog} does not take {flag!r}; see {self.prog} --help"
            known = [flag for action in self._actions for flag in action.option_strings]
            return f"{self.prog} has no option {flag}{did_you_mean(flag, known)}"
        found = _KEY.search(message)
        action = self._named(found) if found else None
        if found is None or action is None:
            return " ".join(message.split())
        flag = (action.option_strings or [str(action.metavar)])[0]
        expected = self._expected.get(action.dest, "")
        value = _VALUE.search(message)
        if value is None or not expected:
            return f"{flag}: {' '.join(message[found.end() :].strip(' :').split())}"
        given = value["value"].strip("'")
        return f"{flag} is {given!r}: expected {expected}"

    def _named(self, found: re.Match[str]) -> Action | None:
        for action in self._actions:
            if action.dest == found["key"] or found["flag"] in action.option_strings:
                return action
        return None


def read_yaml(path: str | Path) -> dict[str, Any]:
    """A mapping from a YAML file.

    Raises:
        UsageError: if there is none.
    """
    from ..reading import expanded, parse_yaml, read_text

    path = expanded(path)
    if path.is_dir() and (path / "spec.yaml").is_file():
        path = path / "spec.yaml"
    if not path.is_file():
        raise UsageError(f"there is no file {path} (the working folder is {Path.cwd()})")
    try:
        content = parse_yaml(read_text(path, _LONGEST))
    except ValueError as error:
        raise UsageError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no options: expected lines such as `steps: 20000`")
    return content


def _metavar(kind: Any) -> Any:
    if typing.get_origin(kind) is typing.Literal:
        return "{" + ",".join(map(str, typing.get_args(kind))) + "}"
    return {int: "N", float: "X", str: "NAME"}.get(kind, "VALUE")


def _in_words(kind: Any) -> str:
    if typing.get_origin(kind) is typing.Literal:
        return " or ".join(map(str, typing.get_args(kind)))
    words = {int: "a whole number", float: "a number", str: "text"}
    return words.get(kind, getattr(kind, "__name__", str(kind)))
