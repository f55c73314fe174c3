"""Options of a command line, from signatures and docstrings: names, types, defaults, help."""

from __future__ import annotations

import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union

from ..checks import annotation
from ..spec import Recorded, describe
from .docstrings import Docstring
from .errors import UsageError

__all__ = ["Option", "options", "shown"]

_PLAIN = (bool, int, float, str, type(None), Any, ...)
_CONTAINERS = (list, tuple, dict, set, Sequence, Mapping, Iterable, Collection)
_UNIONS = (Union, types.UnionType)
_FEW = 12
_EMPTY = inspect.Parameter.empty


@dataclass(frozen=True)
class Option:
    """Something that a class or a command can be given.

    Attributes:
        name: Of the parameter.
        plain: The type of its plain values, or ``None`` if it takes objects alone.
        bases: Classes whose objects it takes.
        default: ``inspect.Parameter.empty`` if it must be given.
        help: What it is.
    """

    name: str
    plain: Any
    bases: tuple[type, ...]
    default: Any
    help: str

    @property
    def expected(self) -> str:
        """What values it takes, in words."""
        return " or ".join(filter(None, [_in_words(self.plain), *map(_kind_of, self.bases)]))

    @property
    def describes(self) -> str:
        """Help with type and default."""
        tail = f"; default {shown(self.default)}" if self.default is not None else ""
        tail = "; required" if self.default is _EMPTY else tail
        return f"{self.help} [{self.expected}{tail}]".lstrip()

    def read(self, flag: str, value: Any, *, typed: bool = True) -> Any:
        """A plain value of its type; lists for tuples, as a spec holds them.

        Args:
            flag: As the user knows it.
            value: A text that was typed, or what a file holds.
            typed: Which of the two.

        Raises:
            UsageError: for a value of another type.
        """
        from jsonargparse import ArgumentParser

        if not typed and (value is None or self.plain is Any):
            return value
        parser = ArgumentParser(exit_on_error=False)
        try:
            parser.add_argument("--value", type=str if self.plain is None else self.plain)
            words = [f"--value={value}"]
            read = parser.parse_args(words) if typed else parser.parse_object({"value": value})
        except Exception as error:
            raise UsageError(f"{flag} is {str(value)!r}: expected {self.expected}") from error
        result = read.as_dict()["value"]
        return list(result) if isinstance(result, tuple) else result


def options(target: type | Callable[..., Any]) -> dict[str, Option]:
    """What a function, a constructor, or ``build`` of a method can be given in a command line."""
    takes = {}
    for name, (function, parameter) in _parameters(target).items():
        kind = annotation(parameter, function)
        plain, bases = _plain(kind), _bases(kind)
        if plain is not None or bases:
            takes[name] = Option(
                name, plain, bases, parameter.default, _help(target, function, name)
            )
    return takes


def shown(value: Any) -> str:
    """A default as a reader would write it.

    Example:
        >>> from functools import partial
        >>> from torch.optim import Adam
        >>> shown(partial(Adam, lr=1e-4)), shown((256, 256)), shown("mss")
        ('Adam(lr=0.0001)', '[256, 256]', 'mss')
    """
    try:
        spec = describe(value)
    except ValueError:  # nothing that a spec can hold
        return str(value)
    if not isinstance(spec, dict) or "class_path" not in spec:
        return json.dumps(spec).replace('"', "")
    inside = ", ".join(f"{k}={shown(v)}" for k, v in spec.get("init_args", {}).items())
    name = spec["class_path"].rpartition(".")[2]
    return f"{name}({inside})" if "init_args" in spec else name


def _parameters(
    target: type | Callable[..., Any],
) -> dict[str, tuple[Callable[..., Any], inspect.Parameter]]:
    """Parameters by name, each with the function that has it."""
    if not inspect.isclass(target):
        return {name: (target, p) for name, p in inspect.signature(target).parameters.items()}
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from ..methods.method import Method, build_parameters

    if issubclass(target, Method):  # its own come first
        order = ["__init__", "build", "parts"]
        built = build_parameters(target).items()
        return dict(sorted(built, key=lambda item: order.index(item[1][0].__name__)))
    takes: dict[str, tuple[Callable[..., Any], inspect.Parameter]] = {}
    # self, and the parameters to optimize or the optimizer whose rates to schedule
    skipped = 2 if issubclass(target, Optimizer | LRScheduler) else 1
    for owner in target.__mro__:
        function = vars(owner).get("__init__")
        if not inspect.isfunction(function):
            continue
        parameters = list(inspect.signature(function).parameters.values())
        for p in parameters[skipped:]:
            if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY):
                takes.setdefault(p.name, (function, p))
        if all(p.kind is not p.VAR_KEYWORD for p in parameters):
            break
    return takes


def _help(target: Any, function: Callable[..., Any], name: str) -> str:
    """The description of an argument: its function's, its class's, or that of a parent."""
    parents = inspect.getmro(target) if inspect.isclass(target) else ()
    inherited = [vars(parent).get(function.__name__) for parent in parents]
    for place in [function, *parents, *inherited]:
        text = Docstring.of(place).arguments.get(name)
        if text:
            return re.sub(r"\s*\(default: .*\)$", "", text)  # which torch writes into its texts
    return ""


def _bases(kind: Any) -> tuple[type, ...]:
    """The classes of objects that a type stands for."""
    from torch.optim import Optimizer

    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in _UNIONS:
        return tuple(base for part in inner for base in _bases(part))
    if origin is Callable:
        return _bases(inner[-1])
    return (kind,) if inspect.isclass(kind) and issubclass(kind, Recorded | Optimizer) else ()


def _plain(kind: Any) -> Any:
    """The part of a type whose values are plain data; ``None`` if there is none."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    parts = [] if origin is Callable else [_plain(part) for part in inner]
    if origin in _UNIONS:
        parts = [part for part in parts if part is not None]
        if Any in parts or set(parts) <= {type(None)}:
            return Any if Any in parts else None
        return Union[tuple(parts)]  # noqa: UP007
    if (origin or kind) in _CONTAINERS:
        if origin is tuple and None not in parts:
            return types.GenericAlias(tuple, tuple(parts))
        return kind if parts == list(inner) else Any
    if inspect.isclass(kind) and issubclass(kind, Path):
        return str
    return kind if kind in _PLAIN or origin is Literal else None


def _in_words(kind: Any) -> str:
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if kind in (None, type(None), Any):
        return "a value" if kind is Any else ""
    if origin in _UNIONS:
        return " or ".join(filter(None, map(_in_words, inner)))
    if origin is Literal:
        return " or ".join(map(str, inner))
    if origin in (None, dict, Mapping):
        return (origin or kind).__name__
    return (
        f"a list of {' or '.join(sorted({_in_words(part) for part in inner if part is not ...}))}"
    )


def _kind_of(base: type) -> str:
    """A class of objects and, where they are few, the library's classes of that kind."""
    from .classes import names

    kind = f"{'an' if base.__name__[0] in 'AEIOU' else 'a'} {base.__name__}"
    known = names([base])
    return f"{kind} ({', '.join(known)})" if 0 < len(known) <= _FEW else kind
