"""Recorded constructor arguments: specs of objects, from which they are made again.

A *spec* is plain data: numbers, strings, lists, dictionaries, and for an object
``{"class_path": "package.Class", "init_args": {...}}``, the form that jsonargparse reads too.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from numbers import Integral
from typing import Any, Self

import numpy as np

from .checks import check_kind, hints_of

__all__ = [
    "Recorded",
    "check_trust",
    "class_paths",
    "describe",
    "instantiate",
    "locate",
    "locate_typed",
]

_SAFE = re.compile(r"(untwine|torch\.optim)(\.[A-Za-z][A-Za-z0-9_]*)+")


class Recorded:
    """Remembers the arguments of its constructor (or of the class method that built it).

    Subclasses do nothing for it: the arguments are noted before ``__init__`` runs.

    Example:
        >>> class Point(Recorded):
        ...     def __init__(self, x, y=0): self.x, self.y = x, y
        >>> Point(1, y=2).arguments
        {'x': 1, 'y': 2}
    """

    _made: tuple[str | None, tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        self = super().__new__(cls)
        object.__setattr__(self, "_made", (None, args, dict(kwargs)))
        try:
            arguments = self.arguments
        except (TypeError, ValueError):  # which the constructor will say, or does not name
            return self
        cls.check_arguments(arguments)
        return self

    @classmethod
    def check_arguments(cls, arguments: Mapping[str, Any]) -> None:
        """Refuses arguments of the constructor, before it runs.

        Raises:
            TypeError: for an object of another kind than the constructor's annotation says.
        """
        hints = hints_of(cls)  # type: ignore[arg-type]
        for name, value in arguments.items():
            check_kind(name, value, hints.get(name, Any))

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments by name, as given; defaults that were not given are not among them."""
        how, args, kwargs = self._made
        function = getattr(type(self), how) if how else type(self)
        bound = inspect.signature(function).bind_partial(*args, **kwargs)
        by_name: dict[str, Any] = {}
        for name, value in bound.arguments.items():
            kind = bound.signature.parameters[name].kind
            if kind is inspect.Parameter.VAR_KEYWORD:
                by_name |= value
            elif kind is inspect.Parameter.VAR_POSITIONAL:
                raise ValueError(
                    f"{type(self).__name__} was made from positional arguments that its signature "
                    f"does not name (*{name}): it cannot be written down"
                )
            else:
                by_name[name] = value
        return by_name

    def made_by(self, how: str, /, **kwargs: Any) -> Self:
        """Notes that class method ``how`` built this from ``kwargs``; returns the object."""
        object.__setattr__(self, "_made", (how, (), kwargs))
        return self


def describe(value: Any) -> Any:
    """Writes a value down as plain data; the inverse of `instantiate`.

    Numbers of NumPy and tensors without axes become plain numbers.

    Raises:
        ValueError: for a value that is neither plain data, nor `Recorded`, nor an importable class
            or function, nor a `functools.partial` of one.
    """
    plain = _plain(value)
    if plain is not None or value is None:
        return plain
    if isinstance(value, Mapping):
        return {str(k): describe(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [describe(v) for v in value]
    if isinstance(value, Recorded):
        arguments = {k: describe(v) for k, v in value.arguments.items()}
        return {"class_path": _path(type(value)), "init_args": arguments}
    if isinstance(value, partial) and not value.args:
        keywords = {k: describe(v) for k, v in value.keywords.items()}
        return {"class_path": _path(value.func), "init_args": keywords}
    if inspect.isclass(value) or inspect.isfunction(value):
        return {"class_path": _path(value)}
    if hasattr(value, "__fspath__"):
        return value.__fspath__()
    raise ValueError(
        f"value is a {type(value).__name__}, which cannot be written into a spec: give plain "
        "values, objects of untwine's classes, or functools.partial of an importable class"
    )


def _plain(value: Any) -> bool | int | float | str | None:
    """A number or a text, of whatever subclass or library, as Python's own; otherwise ``None``."""
    from torch import Tensor  # here, so that help of the command line starts without torch

    if isinstance(value, np.bool_ | bool):
        return bool(value)
    if isinstance(value, Tensor) and value.ndim == 0 and not value.requires_grad:
        return value.item()
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value)
    return str.__str__(value) if isinstance(value, str) else None


def instantiate(
    spec: Any,
    base: type | tuple[type, ...] | None = None,
    *,
    trust: Sequence[str] = (),
) -> Any:
    """Makes the value that a spec describes; the inverse of `describe`.

    A spec may come from anywhere. It names only classes of ``untwine`` and ``torch.optim``, and of
    packages in ``trust``; this is decided from its text, before anything is imported. Of these,
    only classes derived from ``base`` at the top (`Recorded` and torch optimizers, if it is not
    given), and from `Recorded` or a torch optimizer inside, are made; of optimizers and of
    schedules of learning rates, a `functools.partial` is.

    Args:
        spec: Plain data.
        base: What the value's class derives from.
        trust: Packages, modules or classes beside those that may be imported, see `check_trust`.

    Raises:
        ValueError: for a class that is not trusted, or of another kind.
        ImportError: for a class that cannot be imported.
    """
    check_trust(spec, trust)
    return _instantiate(spec, base)


def _instantiate(spec: Any, base: type | tuple[type, ...] | None) -> Any:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    base = (Recorded, Optimizer) if base is None else base
    if isinstance(spec, Mapping) and "class_path" in spec:
        cls = locate(spec["class_path"])
        bases = base if isinstance(base, tuple) else (base,)
        if not (inspect.isclass(cls) and issubclass(cls, bases)):
            raise ValueError(
                f"{spec['class_path']} is not a class that a spec may name here; expected one "
                f"derived from {' or '.join(b.__name__ for b in bases)}"
            )
        inside = (Recorded, Optimizer)
        arguments = {k: _instantiate(v, inside) for k, v in (spec.get("init_args") or {}).items()}
        if issubclass(cls, Optimizer | LRScheduler):
            return partial(cls, **arguments)
        return cls(**arguments)
    if isinstance(spec, Mapping):
        return {k: _instantiate(v, base) for k, v in spec.items()}
    if isinstance(spec, list):
        return [_instantiate(v, base) for v in spec]
    return spec


def check_trust(spec: Any, trust: Sequence[str] = ()) -> None:
    """Refuses a spec that names code which nobody has asked for; imports nothing.

    Args:
        spec: Plain data.
        trust: Dotted paths of packages, modules or classes; what is inside one is trusted, too.

    Raises:
        ValueError: naming the first path that is neither in ``untwine``, nor in ``torch.optim``,
            nor trusted.

    Example:
        >>> check_trust({"class_path": "mypackage.Net"}, trust=["mypackage"])
        >>> check_trust([{"class_path": "os.system"}])
        Traceback (most recent call last):
        ValueError: os.system is not a class that a spec may name: ...
    """
    if isinstance(trust, str):
        raise TypeError(f"trust is {trust!r}: expected a list of names, such as [{trust!r}]")
    for path in class_paths(spec):
        if not isinstance(path, str):
            raise ValueError(
                f"class_path is {path!r}: expected a dotted path such as untwine.methods.VAE"
            )
        if _SAFE.fullmatch(path) or any(
            path == word or path.startswith(f"{word}.") for word in trust if word
        ):
            continue
        package = path.partition(".")[0]
        raise ValueError(
            f"{path} is not a class that a spec may name: only those of untwine and torch.optim "
            f"are imported unasked. If you trust the code of {package}, say so: --trust {package} "
            f"on the command line, trust=[{package!r}] in Python"
        )


def class_paths(spec: Any) -> Iterator[Any]:
    """Every ``class_path`` in a spec."""
    if isinstance(spec, Mapping):
        if "class_path" in spec:
            yield spec["class_path"]
        for value in spec.values():
            yield from class_paths(value)
    elif isinstance(spec, list | tuple):
        for value in spec:
            yield from class_paths(value)


def locate_typed(path: str) -> Any:
    """Imports what a user named; also from the working folder, which is searched last.

    Searched last, a file there cannot stand in for a package that is installed.
    """
    if "" not in sys.path:
        sys.path.append("")
    return locate(path)


def locate(path: str) -> Any:
    """Imports what a dotted path names.

    Raises:
        ImportError: naming the part of the path that is missing.
    """
    parts = path.split(".")
    if not all(part.isidentifier() for part in parts):
        raise ImportError(f"{path!r} is no dotted path, such as mypackage.MyVAE")
    for cut in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:cut])
        try:
            target: Any = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
                raise  # the module is there, but something that it imports is not
            continue
        for part in parts[cut:]:
            if not hasattr(target, part):
                raise ImportError(f"{path}: module {name} has no {part!r}")
            target = getattr(target, part)
        return target
    raise ImportError(
        f"{path}: there is no module {parts[0]!r}; a class is named by its dotted import path, "
        "such as mypackage.MyVAE, and its package must be importable (installed, or on PYTHONPATH)"
    )


def _path(target: type | Callable[..., Any]) -> str:
    """The dotted import path, by the shortest public module that holds the same object."""
    name = target.__qualname__
    if "<" in name:
        raise ValueError(f"{name} is defined inside a function: move it to a module's top level")
    parts = target.__module__.split(".")
    for cut in range(1, len(parts) + 1):
        module = ".".join(parts[:cut])
        try:
            if getattr(importlib.import_module(module), name, None) is target:
                return f"{module}.{name}"
        except ImportError:
            continue
    return f"{target.__module__}.{name}"
