"""Signatures as options: names, types, defaults and help of what a class can be given."""

from __future__ import annotations

import collections.abc
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from operator import or_
from pathlib import Path
from typing import Any, Literal

from ..spec import Recorded
from .docstrings import Docstring

__all__ = ["Option", "method_options", "options", "shown"]

_EMPTY = inspect.Parameter.empty
_PLAIN = (bool, int, float, str, list, tuple, dict, set)
_CONTAINERS = (
    list,
    tuple,
    dict,
    set,
    collections.abc.Sequence,
    collections.abc.Mapping,
    collections.abc.Iterable,
    collections.abc.Collection,
)
_FEW = 8
_DEFAULT = re.compile(r"\s*\(default: .*\)$")  # which torch writes into its texts


@dataclass(frozen=True)
class Option:
    """Something that a class can be given.

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
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is _EMPTY

    @property
    def expected(self) -> str:
        """What values it takes, in words."""
        kinds = [] if self.plain is None else [_type_name(self.plain)]
        return " or ".join([*kinds, *(_kind_of(base) for base in self.bases)])

    @property
    def describes(self) -> str:
        """Help with type and default."""
        tail = self.expected
        if self.required:
            tail += "; required"
        elif self.default is not None:
            tail += f"; default {shown(self.default)}"
        return f"{self.help} [{tail}]".lstrip()


def options(cls: type) -> dict[str, Option]:
    """What the constructor of a class takes, with its parents' where it passes arguments on."""
    from torch.optim import Optimizer

    found: dict[str, Option] = {}
    given = 2 if issubclass(cls, Optimizer) else 1  # self, and the parameters to optimize
    for owner, function in _functions(cls, "__init__"):
        parameters = inspect.signature(function).parameters
        for name, parameter in list(parameters.items())[given:]:
            if _settable(parameter) and name not in found:
                option = _option(cls, owner, function, parameter)
                if option is not None:
                    found[name] = option
        if not _passes_on(function):
            break
    return found


def method_options(cls: type) -> dict[str, Option]:
    """What `Method.build` takes for a class, beside the data: its own hyper-parameters first."""
    from ..methods.method import hyperparameter_names

    found: dict[str, dict[str, Option]] = {"__init__": {}, "build": {}, "parts": {}}
    for name in hyperparameter_names(cls):
        for place in ("build", "parts", "__init__"):
            owned = _owner(cls, place, name)
            if owned is None:
                continue
            owner, function = owned
            option = _option(cls, owner, function, inspect.signature(function).parameters[name])
            if option is not None:
                found[place][name] = option
            break
    return {name: option for place in found.values() for name, option in place.items()}


def shown(value: Any) -> str:
    """A default as a reader would write it.

    Example:
        >>> from torch.optim import Adam
        >>> shown(partial(Adam, lr=1e-4)), shown((256, 256)), shown("mss")
        ('Adam(lr=0.0001)', '[256, 256]', 'mss')
    """
    if isinstance(value, partial):
        name, arguments = getattr(value.func, "__name__", str(value.func)), value.keywords
    elif isinstance(value, Recorded):
        name, arguments = type(value).__name__, value.arguments
    elif isinstance(value, list | tuple):
        return f"[{', '.join(map(shown, value))}]"
    elif isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    else:
        return getattr(value, "__name__", None) or str(value)
    return f"{name}({', '.join(f'{k}={shown(v)}' for k, v in arguments.items())})"


def _functions(cls: type, name: str) -> Iterator[tuple[type, Callable[..., Any]]]:
    """The versions of a function along a class's parents, each with the class that has it."""
    for owner in cls.__mro__:
        function = owner.__dict__.get(name)
        if owner is not object and function is not None:
            function = getattr(function, "__func__", function)
            if inspect.isfunction(function):
                yield owner, function


def _owner(cls: type, function_name: str, name: str) -> tuple[type, Callable[..., Any]] | None:
    for owner, function in _functions(cls, function_name):
        if name in inspect.signature(function).parameters:
            return owner, function
    return None


def _settable(parameter: inspect.Parameter) -> bool:
    return parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)


def _passes_on(function: Callable[..., Any]) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(function).parameters.values())


def _option(
    cls: type, owner: type, function: Callable[..., Any], parameter: inspect.Parameter
) -> Option | None:
    """An option for a parameter, unless no value for it can be written in a command line."""
    plain, bases = _accepted(_annotation(function, parameter))
    if plain is None and not bases:
        return None
    text = _help(cls, owner, function, parameter.name)
    return Option(parameter.name, plain, bases, parameter.default, text)


def _help(cls: type, owner: type, function: Callable[..., Any], name: str) -> str:
    """The description of an argument: its function's, its class's, or that of a parent."""
    places: list[Any] = [function, owner, *cls.__mro__]
    for parent in cls.__mro__:
        places += [f for _, f in _functions(parent, function.__name__)]
    texts = [Docstring.of(place).arguments.get(name, "") for place in places]
    text = max(texts[:2], key=len) or next(filter(None, texts), "")
    return _DEFAULT.sub("", text)


def _annotation(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """The type of a parameter; ``Any`` if it says nothing, or a name that only checkers know."""
    if parameter.annotation is _EMPTY:
        return Any

    class Stand:
        __annotations__ = {parameter.name: parameter.annotation}

    space = getattr(inspect.unwrap(function), "__globals__", {})
    try:
        return typing.get_type_hints(Stand, space)[parameter.name]
    except (NameError, TypeError):
        return Any


def _accepted(annotation: Any) -> tuple[Any, tuple[type, ...]]:
    """The plain type and the classes of objects that a type stands for."""
    plain: list[Any] = []
    bases: list[type] = []
    nothing = False
    for part in _alternatives(annotation):
        origin, arguments = typing.get_origin(part), typing.get_args(part)
        if part is type(None):
            nothing = True
        elif part is Any or origin is Literal:
            plain.append(part)
        elif origin is collections.abc.Callable:
            bases += [r for r in _alternatives(arguments[-1]) if _is_base(r)]
        elif _is_base(part):
            bases.append(part)
        elif inspect.isclass(part) and issubclass(part, Path):
            plain.append(str)
        elif part in _PLAIN or origin in _CONTAINERS or part in _CONTAINERS:
            plain.append(_without_classes(part))
    unique = list(dict.fromkeys(plain))
    if not unique:
        return None, tuple(bases)
    if Any in unique:
        return Any, tuple(bases)
    return reduce(or_, [*unique, type(None)] if nothing else unique), tuple(bases)


def _alternatives(annotation: Any) -> list[Any]:
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [p for part in typing.get_args(annotation) for p in _alternatives(part)]
    return [annotation]


def _is_base(part: Any) -> bool:
    from torch.optim import Optimizer

    return inspect.isclass(part) and issubclass(part, Recorded | Optimizer)


def _without_classes(container: Any) -> Any:
    """A container's type; of anything, if its values are no plain ones alone."""
    arguments = typing.get_args(container)
    parts = [p for a in arguments for p in _alternatives(a)]
    if all(p in (*_PLAIN, type(None), ...) or typing.get_origin(p) is Literal for p in parts):
        return container
    kept = [[p for p in _alternatives(a) if p in _PLAIN or p is ...] for a in arguments]
    origin = typing.get_origin(container)
    if origin is tuple and all(kept):
        plain = (reduce(or_, part) if part != [...] else ... for part in kept)
        return types.GenericAlias(tuple, tuple(plain))
    return Any


def _type_name(kind: Any) -> str:
    parts = [p for p in _alternatives(kind) if p is not type(None)]
    names = []
    for part in parts:
        origin, arguments = typing.get_origin(part), typing.get_args(part)
        if part is Any:
            names.append("a value")
        elif origin is Literal:
            names += [str(value) for value in arguments]
        elif origin is not None and origin not in (dict, collections.abc.Mapping):
            inner = {p for a in arguments for p in _alternatives(a) if p is not ...}
            kinds = sorted(getattr(p, "__name__", str(p)) for p in inner)
            names.append(f"a list of {' or '.join(kinds)}")
        else:
            names.append(getattr(part, "__name__", str(part)))
    return " or ".join(names)


def _kind_of(base: type) -> str:
    """A class of objects and, where they are few, the library's classes of that kind."""
    from .classes import names

    kind = f"{'an' if base.__name__[0] in 'AEIOU' else 'a'} {base.__name__}"
    known = names([base])
    return f"{kind} ({', '.join(known)})" if 0 < len(known) <= _FEW else kind
