"""`untwine methods` and `untwine data`: what there is."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..settings.classes import class_path, entry_points, names, resolve
from ..settings.docstrings import Docstring, plain_text
from ..settings.errors import UsageError
from ..settings.options import options
from .files import DATA_FILES
from .line import entries
from .screen import console, print_table

if TYPE_CHECKING:
    from ..data import Entry

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
    announced = entry_points(Method)
    if announced:
        print_table(("of installed packages", "class"), [*announced.items()])
    console().print("untwine methods NAME explains one; untwine train --method NAME trains it.")
    return 0


def data(
    name: str | None = None,
    *,
    sheet: bool = False,
    out: str | None = None,
    path: str | None = None,
    pattern: str | None = None,
) -> int:
    """Lists the data sets; with a name, explains one: factors and arguments, or shows it.

    Args:
        name: A class, by its name, or a file or folder of data.
        sheet: Show observations in the terminal: some at random, then a row per factor.
        out: Write these as a picture, to a name that ends in .png.
        path: The file or folder that the data set is made from, if it needs one.
        pattern: Of a folder's file names that tell factors, such as "{identity}_{pose:int}.png".
    """
    from ..data import FactorDataset, Multimodal, available

    if sheet or out:
        return _show(name, out, {"path": path, "pattern": pattern})
    if pattern is not None:
        raise UsageError("--pattern reads a folder that is shown: add --sheet or --out FILE.png")

    entry_of = {entry.name: entry for entry in available()}
    if name:
        cls = resolve(name, [FactorDataset, Multimodal], "untwine data")
        entry, facts = entry_of.get(cls.__name__), []
        if entry is not None and entry.factors:
            factors = ", ".join(f"{name} {size}" for name, size in entry.factors.items())
            facts = [_extent(entry), f"factors: {factors}"]
        _explain(cls, "data", "--method BetaTCVAE", facts)
        return 0
    rows = [
        (e.name, plain_text(e.description), "" if e.built_in else e.needs, _extent(e))
        for e in entry_of.values()
    ]
    print_table(("data", "what it is", "made from", "size"), rows)
    console().print("untwine data NAME explains one; untwine train --data NAME trains on it.")
    return 0


def _show(name: str | None, out: str | None, typed: dict[str, str | None]) -> int:
    """A contact sheet, as a picture or on the terminal."""
    from ..data import FactorDataset
    from .sheet import print_sheet, write_sheet

    if name is None:
        raise UsageError("--sheet and --out need one: name a data set, such as Rooms3D")
    if Path(name).suffix in DATA_FILES or {"/", os.sep} & set(name):
        typed["path"] = name
        name = DATA_FILES.get(Path(name).suffix, "Folder")
    arguments = {key: value for key, value in typed.items() if value is not None}
    cls = resolve(name, [FactorDataset], "untwine data")
    takes = options(cls)
    needs = [n for n, o in takes.items() if o.default is inspect.Parameter.empty]
    if set(needs) - set(arguments):
        flags = ", ".join("--path" if n == "path" else n for n in needs)
        raise UsageError(f"{name} needs {flags}")
    for key in arguments:
        if key not in takes:
            raise UsageError(f"{name} takes no --{key}")
    data: FactorDataset = cls(**arguments)
    if out is None:
        print_sheet(data)
    else:
        write_sheet(data, out)
        console().print(f"{out} shows {data!r}", markup=False)
    return 0


def methods_in_short() -> str:
    """The methods' names and first lines."""
    from ..methods.method import Method

    classes = names([Method])
    return f"methods:\n{entries((n, Docstring.of(classes[n]).summary) for n in sorted(classes))}"


def data_in_short() -> str:
    """The data sets' names and first lines."""
    from ..data import available

    rows = ((e.name, plain_text(e.description)) for e in available() if e.needs != "arrays")
    return f"data:\n{entries(rows)}"


def _extent(entry: Entry) -> str:
    size, shape = entry.size, entry.shape or ()
    return "" if size is None else f"{size:,} x {'x'.join(map(str, shape))}"


def _supervision(cls: type) -> str:
    return getattr(cls, "supervision", object).__name__


def _explain(cls: type, root: str, other: str, facts: Sequence[str]) -> None:
    """Everything about a class that its docstring and its signature say."""
    about, takes = Docstring.of(cls), options(cls).values()
    parts = ["\n".join([class_path(cls), "", about.summary, *facts]), *about.body]
    if takes:
        parts.append(entries((f"--{root}.{o.name}", o.describes) for o in takes).rstrip())
    for section in ("References", "Deviations"):
        if section in about.sections:
            parts.append(f"{section}:\n  {about.sections[section]}")
    required_names = [o.name for o in takes if o.default is inspect.Parameter.empty]
    required_flags = "".join(f" --{root}.{name} {name.upper()}" for name in required_names)
    parts.append(f"untwine train --{root} {cls.__name__}{required_flags} {other} --steps 20000")
    console().print("\n\n".join(parts), markup=False)
