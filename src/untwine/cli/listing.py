"""`untwine methods` and `untwine data`: what there is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .console import console
from .docstrings import Docstring, plain_text

if TYPE_CHECKING:
    from .options import Option

__all__ = ["data", "data_in_short", "in_short", "methods", "methods_in_short"]


def methods(argv: Sequence[str]) -> int:
    """Lists the methods, or explains one."""
    from ..methods.method import Method
    from .classes import names, resolve
    from .options import method_options

    name = _read(
        "methods",
        argv,
        "Lists the methods; with a name, explains one: equation, hyper-parameters, references.",
    )
    if name is None:
        known = names([Method])
        rows = []
        for short in sorted(known):
            about = Docstring.of(known[short])
            rows.append((short, about.summary, _supervision(known[short]), about.paper))
        console().print(_table(("method", "what it is", "learns from", "paper"), rows))
        console().print("untwine methods NAME explains one; untwine train --method NAME trains it.")
        return 0
    cls = resolve(name, [Method], "untwine methods")
    _explain(cls, "method", method_options(cls), [f"learns from {_supervision(cls)}"])
    return 0


def data(argv: Sequence[str]) -> int:
    """Lists the data sets, or explains one."""
    from ..data import FactorDataset, Multimodal, available
    from .classes import resolve
    from .options import options

    name = _read(
        "data", argv, "Lists the data sets; with a name, explains one: factors and arguments."
    )
    entries = {entry.name: entry for entry in available()}
    if name is None:
        rows = [
            (e.name, plain_text(e.description), "" if e.built_in else e.needs, _extent(e))
            for e in entries.values()
        ]
        console().print(_table(("data", "what it is", "made from", "size"), rows))
        console().print("untwine data NAME explains one; untwine train --data NAME trains on it.")
        return 0
    cls = resolve(name, [FactorDataset, Multimodal], "untwine data")
    entry = entries.get(cls.__name__)
    facts = []
    if entry and entry.factors:
        facts.append(_extent(entry))
        facts.append("factors: " + ", ".join(f"{k} {v}" for k, v in entry.factors.items()))
    _explain(cls, "data", options(cls), facts)
    return 0


def methods_in_short() -> str:
    """The methods' names and first lines."""
    from ..methods.method import Method
    from .classes import names

    known = names([Method])
    return in_short("methods", ((n, Docstring.of(known[n]).summary) for n in sorted(known)))


def data_in_short() -> str:
    """The data sets' names and first lines."""
    from ..data import available

    rows = ((e.name, plain_text(e.description)) for e in available() if e.needs != "arrays")
    return in_short("data", rows)


def _read(command: str, argv: Sequence[str], description: str) -> str | None:
    from .parser import Parser

    parser = Parser(command, "[NAME]", description)
    parser.option("name", str, "a class, by its name", nargs="?", metavar="NAME")
    return parser.read(argv).get("name")


def _explain(cls: type, root: str, takes: dict[str, Option], facts: Iterable[str]) -> None:
    """Everything about a class that its docstring and its signature say."""
    from .classes import class_path

    about = Docstring.of(cls)
    screen = console()

    def say(*lines: str) -> None:
        for line in lines:
            screen.print(line, markup=False)

    say(class_path(cls), "", about.summary, *facts)
    for text in about.body:
        say("", text)
    if takes:
        screen.print()
        rows = [
            (f"--{root}.{o.name}", "required" if o.required else _default(o), o.help, o.expected)
            for o in takes.values()
        ]
        screen.print(_table(("option", "default", "what it is", "takes"), rows))
    for section in ("References", "Deviations"):
        if section in about.sections:
            say("", f"{section}:", f"  {about.sections[section]}")
    say("", _example(cls, root, takes))


def _supervision(cls: type) -> str:
    return getattr(cls, "supervision", object).__name__


def _example(cls: type, root: str, takes: dict[str, Option]) -> str:
    needed = "".join(f" --{root}.{o.name} {o.name.upper()}" for o in takes.values() if o.required)
    named = f"--{root} {cls.__name__}{needed}"
    other = "--data DSprites" if root == "method" else "--method BetaTCVAE"
    return f"untwine train {named} {other} --steps 20000"


def _default(option: Option) -> str:
    from .options import shown

    return "" if option.default is None else shown(option.default)


def _extent(entry: Any) -> str:
    if entry.size is None:
        return ""
    return f"{entry.size:,} x {'x'.join(map(str, entry.shape))}"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, title in enumerate(header):
        table.add_column(title, no_wrap=i == 0, overflow="fold")
    for row in rows:
        table.add_row(*(_literal(cell) for cell in row))
    return table


def _literal(text: str) -> Any:
    from rich.text import Text

    return Text(text)


def in_short(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """Names and what they are, a line each."""
    rows = list(rows)
    width = max(len(name) for name, _ in rows)
    return "\n".join([f"{title}:", *(f"  {name:<{width}}  {text}" for name, text in rows), ""])
