"""`untwine methods` and `untwine data`: what there is."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from .classes import class_path, names, resolve
from .docstrings import Docstring, plain_text
from .line import entries
from .options import options, shown
from .screen import console, print_table

__all__ = ["data", "data_in_short", "methods", "methods_in_short"]


def methods(name: str | None = None) -> int:
    """Lists the methods; with a name, explains one: equation, hyper-parameters, references.

    Args:
        name: A class, by its name.
    """
    from ..methods.method import Method

    if name:
        cls = resolve(name, [Method], "untwine methods")
        _explain(cls, "method", "--data DSprites", [f"learns from {_supervision(cls)}"])
        return 0
    rows = []
    for short, cls in sorted(names([Method]).items()):
        about = Docstring.of(cls)
        rows.append((short, about.summary, _supervision(cls), about.paper))
    print_table(("method", "what it is", "learns from", "paper"), rows)
    console().print("untwine methods NAME explains one; untwine train --method NAME trains it.")
    return 0


def data(name: str | None = None) -> int:
    """Lists the data sets; with a name, explains one: factors and arguments.

    Args:
        name: A class, by its name.
    """
    from ..data import FactorDataset, Multimodal, available

    extents = {
        e.name: "" if e.size is None else f"{e.size:,} x {'x'.join(map(str, e.shape or ()))}"
        for e in available()
    }
    if name:
        cls = resolve(name, [FactorDataset, Multimodal], "untwine data")
        facts = []
        for entry in available():
            if entry.name == cls.__name__ and entry.factors:
                factors = ", ".join(f"{k} {v}" for k, v in entry.factors.items())
                facts = [extents[entry.name], f"factors: {factors}"]
        _explain(cls, "data", "--method BetaTCVAE", facts)
        return 0
    rows = [
        (e.name, plain_text(e.description), "" if e.built_in else e.needs, extents[e.name])
        for e in available()
    ]
    print_table(("data", "what it is", "made from", "size"), rows)
    console().print("untwine data NAME explains one; untwine train --data NAME trains on it.")
    return 0


def methods_in_short() -> str:
    """The methods' names and first lines."""
    from ..methods.method import Method

    known = names([Method])
    return f"methods:\n{entries((n, Docstring.of(known[n]).summary) for n in sorted(known))}"


def data_in_short() -> str:
    """The data sets' names and first lines."""
    from ..data import available

    rows = ((e.name, plain_text(e.description)) for e in available() if e.needs != "arrays")
    return f"data:\n{entries(rows)}"


def _supervision(cls: type) -> str:
    return getattr(cls, "supervision", object).__name__


def _explain(cls: type, root: str, other: str, facts: Sequence[str]) -> None:
    """Everything about a class that its docstring and its signature say."""
    about, takes = Docstring.of(cls), options(cls).values()
    screen = console()
    required = [o.name for o in takes if o.default is inspect.Parameter.empty]
    lines = [class_path(cls), "", about.summary, *facts]
    for text in about.body:
        lines += ["", text]
    screen.print("\n".join([*lines, ""]), markup=False)
    if takes:
        rows = []
        for o in takes:
            default = (
                "" if o.default is None else "required" if o.name in required else shown(o.default)
            )
            rows.append((f"--{root}.{o.name}", default, o.help, o.expected))
        print_table(("option", "default", "what it is", "takes"), rows)
    for section in ("References", "Deviations"):
        if section in about.sections:
            screen.print(f"\n{section}:\n  {about.sections[section]}", markup=False)
    needed = "".join(f" --{root}.{name} {name.upper()}" for name in required)
    line = f"untwine train --{root} {cls.__name__}{needed} {other} --steps 20000"
    screen.print(f"\n{line}", markup=False)
