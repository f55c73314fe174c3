"""Classes by name: short for the library's, dotted for anyone's."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Sequence

from ..spec import check_trust, describe, locate, locate_typed
from .errors import UsageError, did_you_mean

__all__ = ["class_path", "entry_points", "names", "resolve", "trusted"]

_HOMES = ("methods", "data", "nets", "distributions", "functional", "training")


def names(bases: Sequence[type]) -> dict[str, type]:
    """The library's classes that derive from any of ``bases`` and can be made, by name."""
    from torch import optim
    from torch.optim import lr_scheduler

    homes = [importlib.import_module(f"untwine.{home}") for home in _HOMES]
    classes = {
        name: value
        for home in [*homes, optim, lr_scheduler]
        for name, value in sorted(vars(home).items())
        if inspect.isclass(value)
        and issubclass(value, tuple(bases))
        and value.__name__ == name
        and not name.startswith("_")
        and value not in bases
    } | {base.__name__: base for base in bases if base is not optim.Optimizer}
    return {name: cls for name, cls in classes.items() if not inspect.isabstract(cls)}


def entry_points(base: type) -> dict[str, str]:
    """Dotted paths of classes that installed packages announce, by their short names.

    A package announces its methods under ``[project.entry-points."untwine.methods"]``, as
    ``MyVAE = "mypackage:MyVAE"``, and its data sets under ``"untwine.data"``. Nothing of it is
    imported here: the code of a package runs when its name is typed.

    Args:
        base: `Method`, or `FactorDataset`.
    """
    from importlib.metadata import entry_points as announced

    from ..methods.method import Method

    group = "untwine.methods" if issubclass(base, Method) else "untwine.data"
    points = sorted(announced(group=group), key=lambda point: point.name)
    return {point.name: point.value.replace(":", ".") for point in points}


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
    base_names = " or ".join(base.__name__ for base in bases)
    if "." not in name:
        classes = names(bases)
        for short, cls in classes.items():
            if short.lower() == name.lower():
                return cls
        for short, path in entry_points(bases[0]).items() if trust is None else ():
            if short.lower() == name.lower():
                return resolve(path, bases, option)
        raise UsageError(
            f"{option}: there is no {base_names} {name!r}{did_you_mean(name, classes)} There "
            f"are {', '.join(sorted(classes)) or 'none here'}; one of your own is named by its "
            "dotted path, such as mypackage.MyClass"
        )
    try:
        if trust is not None:
            check_trust({"class_path": name}, trust)
        target = locate_typed(name) if trust is None or any(trust) else locate(name)
    except (ValueError, ImportError) as error:
        raise UsageError(f"{option}: {error}") from error
    if not (inspect.isclass(target) and issubclass(target, tuple(bases))):
        raise UsageError(f"{option}: {name} is no {base_names}: expected a class derived from it")
    if inspect.isabstract(target):
        lacks = ", ".join(sorted(vars(target)["__abstractmethods__"]))
        raise UsageError(f"{option}: {name} cannot be made, since it does not define {lacks}")
    return target


def class_path(cls: type) -> str:
    """The dotted path that a spec names a class by."""
    return describe(cls)["class_path"]


def trusted(text: str | None) -> tuple[str, ...]:
    """The packages of ``--trust``; those of the working folder can be imported from now on.

    The working folder is searched last, so that no file there stands in for another package.
    """
    words = tuple(word.strip() for word in (text or "").split(",") if word.strip())
    if words and "" not in sys.path:
        sys.path.append("")
    return words
