"""The objects that a command line and a file describe: which class each is, with which arguments.

An option such as ``--method NAME`` names a class; what that class takes becomes further options,
``--method.beta``, of which some name classes again. The classes are found first; the parser is made
of what they take, and reads the plain values.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..spec import Recorded, describe
from .classes import class_path, names, resolve
from .errors import UsageError, did_you_mean
from .options import Option, method_options, options
from .parser import Parser

__all__ = ["Node", "find", "flags"]

_FLAG = re.compile(r"--(?P<key>[A-Za-z_][\w.]*)(?:=(?P<value>.*))?", re.DOTALL)


@dataclass
class Node:
    """An object that is described.

    Attributes:
        key: The option that names its class, without dashes: ``method.penalty``.
        place: Where the parser keeps it.
        cls: Its class.
        options: What its class takes.
        written: Arguments from a file, or of the default that is changed.
        children: Arguments that are objects themselves.
        typed: Whether the user typed the name of its class.
    """

    key: str
    place: str
    cls: type
    options: dict[str, Option]
    written: dict[str, Any]
    children: dict[str, Node] = field(default_factory=dict)
    typed: bool = False

    def nodes(self) -> Iterator[Node]:
        """This one and all below it."""
        yield self
        for child in self.children.values():
            yield from child.nodes()

    def add_to(self, parser: Parser, group: Any) -> None:
        """Makes options of what the class takes."""
        for name, option in self.options.items():
            flag, dest = f"--{self.key}.{name}", f"{self.place}.init_args.{name}"
            if name in self.children:
                _class_option(parser, group, flag, f"{dest}.class_path", option)
                self.children[name].add_to(parser, group)
            elif option.plain is None:
                _class_option(parser, group, flag, dest, option)
            else:
                parser.option(
                    flag,
                    option.plain,
                    option.describes,
                    group=group,
                    expected=option.expected,
                    dest=dest,
                    metavar=name.upper(),
                )

    def plain_values(self) -> dict[str, Any]:
        """The written arguments that are plain, in the form that the parser keeps them in."""
        values: dict[str, Any] = {
            name: child.plain_values() for name, child in self.children.items()
        }
        for name, value in self.written.items():
            if name not in self.children:
                values[name] = value
        return {"class_path": class_path(self.cls), "init_args": values}

    def spec(self, parsed: Mapping[str, Any], latent_dim: int | None = None) -> dict[str, Any]:
        """The object as plain data.

        Args:
            parsed: What the parser made of its values.
            latent_dim: That of the method which it is a part of.

        Raises:
            UsageError: if an argument that it needs was not given.
        """
        values = dict(parsed.get("init_args") or {})
        arguments: dict[str, Any] = {}
        if "latent_dim" in self.options:
            own = self.options["latent_dim"]
            if not own.required:
                latent_dim = values.get("latent_dim", own.default)
            elif latent_dim is not None:
                values.setdefault("latent_dim", latent_dim)
        for name in [*self.written, *(n for n in self.options if n not in self.written)]:
            if name in self.children:
                arguments[name] = self.children[name].spec(values.get(name) or {}, latent_dim)
            elif name in values:
                arguments[name] = _kept(self.written.get(name), values[name])
            elif self.options[name].required:
                raise UsageError(
                    f"{self.cls.__name__} needs --{self.key}.{name}: {self.options[name].describes}"
                )
        return {"class_path": class_path(self.cls), "init_args": arguments}


def flags(argv: Sequence[str], roots: Sequence[str]) -> dict[str, str]:
    """The options that begin with one of ``roots``, with their last values."""
    found: dict[str, str] = {}
    for i, token in enumerate(argv):
        match = _FLAG.fullmatch(token)
        if not match or match["key"].split(".")[0] not in roots:
            continue
        value = match["value"]
        if value is None:
            if i + 1 == len(argv) or argv[i + 1].startswith("--"):
                raise UsageError(f"{token} needs a value")
            value = argv[i + 1]
        found[match["key"]] = value
    return found


def find(
    key: str,
    place: str,
    bases: Sequence[type],
    given: Mapping[str, str],
    written: Any = None,
    *,
    default: Any = None,
    plain: bool = False,
) -> Node | None:
    """The object that an option and a file describe, if they describe one.

    Args:
        key: The option, without dashes.
        place: Where the parser shall keep it.
        bases: Its class derives from one of these.
        given: The options of the command line.
        written: What the file says.
        default: An object whose arguments the command line may change one by one.
        plain: Whether the option takes plain values, too.

    Raises:
        UsageError: for a class that is not there, and for arguments that it does not have.
    """
    named = given.get(key)
    below = [k for k in given if k.startswith(f"{key}.")]
    current = _as_spec(written, plain)
    if named is not None:
        if plain and "." not in named and named.lower() not in map(str.lower, names(bases)):
            return None
        if plain and re.fullmatch(r"[-+\d.eE]+", named):  # a number, with a dot in it
            return None
        cls = resolve(named, bases, f"--{key}")
        same = current is not None and current["class_path"] in (named, class_path(cls))
        kept = dict(current.get("init_args") or {}) if current and same else {}
    else:
        if current is None and below and isinstance(default, partial | Recorded):
            current = _as_spec(describe(default), plain)
        if current is None:
            if below:
                raise UsageError(
                    f"--{below[0]} needs --{key} NAME beside it, one of "
                    f"{', '.join(sorted(names(bases)))}"
                )
            return None
        trust = [word.strip() for word in given.get("trust", "").split(",")]
        cls = resolve(str(current["class_path"]), bases, key, trust)
        kept = dict(current.get("init_args") or {})
    node = _node(key, place, cls, given, kept)
    node.typed = named is not None
    return node


def _node(key: str, place: str, cls: type, given: Mapping[str, str], kept: dict[str, Any]) -> Node:
    from ..methods.method import Method

    method = issubclass(cls, Method)
    takes = method_options(cls) if method else options(cls)
    what = "hyper-parameter" if method else "argument"
    below = [k.removeprefix(f"{key}.") for k in given if k.startswith(f"{key}.")]
    for name in [*kept, *(k.partition(".")[0] for k in below)]:
        if name not in takes:
            raise UsageError(
                f"{cls.__name__} has no {what} {name!r}{did_you_mean(name, takes)} It "
                + (f"has {', '.join(takes)}" if takes else "has none")
            )
    node = Node(key, place, cls, takes, kept)
    for name, option in takes.items():
        bases = option.bases
        if not bases and isinstance(kept.get(name), Mapping) and "class_path" in kept[name]:
            bases = (Recorded,)
        if not bases:
            continue
        child = find(
            f"{key}.{name}",
            f"{place}.init_args.{name}",
            bases,
            given,
            kept.get(name),
            default=None if option.required else option.default,
            plain=option.plain is not None,
        )
        if child is not None:
            node.children[name] = child
        elif f"{key}.{name}" in given:
            kept.pop(name, None)
    return node


def _as_spec(written: Any, plain: bool) -> dict[str, Any] | None:
    if isinstance(written, Mapping) and "class_path" in written:
        return dict(written)
    if isinstance(written, str) and not plain:
        return {"class_path": written}
    return None


def _class_option(parser: Parser, group: Any, flag: str, dest: str, option: Option) -> None:
    parser.option(
        flag,
        str | None,
        option.describes,
        group=group,
        expected=option.expected,
        dest=dest,
        metavar="NAME",
    )


def _kept(before: Any, now: Any) -> Any:
    """A value as it was written, unless the parser or the command line made another one of it."""
    now = list(now) if isinstance(now, tuple) else now
    return before if type(before) is not str and before == now and before is not None else now
