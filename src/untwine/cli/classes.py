"""Classes by name: short for the library's, dotted for anyone's."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence

from ..spec import check_trust, describe, locate, locate_typed
from .errors import UsageError, did_you_mean

__all__ = ["class_path", "names", "resolve"]

_HOMES = (
    "untwine.methods",
    "untwine.data",
    "untwine.nets",
    "untwine.distributions",
    "untwine.functional",
    "torch.optim",
)


def names(bases: Sequence[type]) -> dict[str, type]:
    """The library's classes that derive from any of ``bases`` and can be made, by name."""
    found: dict[str, type] = {}
    for home in _HOMES:
        module = importlib.import_module(home)
        for name, value in sorted(vars(module).items()):
            if (
                inspect.isclass(value)
                and issubclass(value, tuple(bases))
                and value.__name__ == name
                and not (inspect.isabstract(value) or name.startswith("_") or value in bases)
            ):
                found[name] = value
    return found | _themselves(bases)


def resolve(
    name: str, bases: Sequence[type], option: str, trust: Sequence[str] | None = None
) -> type:
    """The class that a name stands for.

    Args:
        name: Of one of the library's classes, or a dotted path.
        bases: The class must derive from one of these.
        option: That the name was given for, as the user knows it.
        trust: For a name from a file: the packages that it may be of, beside untwine and
            torch.optim. ``None`` for a name that the user typed, which is trusted.

    Raises:
        UsageError: for a name that stands for no such class, or is not trusted.
    """
    known = names(bases)
    wanted = " or ".join(base.__name__ for base in bases)
    if "." not in name:
        fitting = [cls for short, cls in known.items() if short.lower() == name.lower()]
        if len(fitting) == 1:
            return fitting[0]
        raise UsageError(
            f"{option}: there is no {wanted} {name!r}{did_you_mean(name, known)} There "
            f"are {', '.join(sorted(known)) or 'none here'}; one of your own is named by its "
            "dotted path, such as mypackage.MyClass"
        )
    if trust is not None:
        try:
            check_trust({"class_path": name}, trust)
        except ValueError as error:
            raise UsageError(f"{option}: {error}") from error
    try:
        cls = locate_typed(name) if trust is None or any(trust) else locate(name)
    except ImportError as error:
        raise UsageError(f"{option}: {error}") from error
    if not (inspect.isclass(cls) and issubclass(cls, tuple(bases))):
        raise UsageError(f"{option}: {name} is no {wanted}: expected a class derived from it")
    if inspect.isabstract(cls):
        lacks = ", ".join(sorted(getattr(cls, "__abstractmethods__", ())))
        raise UsageError(f"{option}: {name} cannot be made, since it does not define {lacks}")
    return cls


def class_path(cls: type) -> str:
    """The dotted path that a spec names a class by."""
    return describe(cls)["class_path"]


def _themselves(bases: Sequence[type]) -> dict[str, type]:
    """Bases that are no abstract ones."""
    from torch.optim import Optimizer

    return {b.__name__: b for b in bases if not inspect.isabstract(b) and b is not Optimizer}
