"""Objects that a command line and a file describe, as plain data: classes and their arguments.

An option such as ``--method NAME`` names a class; what that class takes becomes further options,
``--method.beta``, of which some name classes again.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ..spec import Recorded, class_paths, describe
from .classes import class_path, names, resolve
from .errors import UsageError, did_you_mean
from .options import Option, options

__all__ = ["Tree"]

_REQUIRED = inspect.Parameter.empty
_SEED = "Of the initial weights; the command's --seed by default. [int]"


@dataclass
class Tree:
    """An object, its arguments that are objects, and theirs.

    Attributes:
        texts: Options of the command line, or of a file that stands for one.
        file: Where what is written comes from, for complaints.
        trust: Packages of which the file may name classes.
        by_user: Whether the user typed the texts, so that the classes that they name are trusted.
        partial: Whether arguments that are needed may lack, as they do when help is asked for.
        help: The options that there are, and what they are.
        typed: Classes that the user typed.
    """

    texts: Mapping[str, str]
    file: str = ""
    trust: Sequence[str] = ()
    partial: bool = False
    help: list[tuple[str, str]] = field(default_factory=list)
    typed: set[str] = field(default_factory=set)
    by_user: bool = True

    def spec(
        self,
        key: str,
        bases: Sequence[type],
        written: Any = None,
        option: Option | None = None,
        latent_dim: Any = None,
    ) -> dict[str, Any] | None:
        """The object that an option and a file describe, if they describe one.

        Args:
            key: The option that names its class, without dashes: ``method.penalty``.
            bases: Its class derives from one of these.
            written: What the file says.
            option: Whose value it is: its default, arguments of which the command line may change
                one by one, and whether it takes plain values, too.
            latent_dim: That of the method which it is a part of.

        Raises:
            UsageError: for a class that is not there, arguments that it does not have, values of
                another type, and arguments that it needs and lacks.
        """
        text = self.texts.get(key)
        below = [k.removeprefix(f"{key}.") for k in self.texts if k.startswith(f"{key}.")]
        plain = option is not None and option.plain is not None
        if isinstance(written, str) and not plain:
            written = {"class_path": written}
        if not (isinstance(written, Mapping) and "class_path" in written):
            written = None
        if text is not None:
            if plain and not _names_class(text, bases):
                return None
            cls = resolve(text, bases, f"--{key}", None if self.by_user else self.trust)
            self.typed.add(class_path(cls))
            if written and written["class_path"] not in (text, class_path(cls)):
                written = None
        else:
            if option and written is None and isinstance(option.default, partial | Recorded):
                written = describe(option.default) if below else None
            if written is None:
                if below:
                    raise UsageError(
                        f"--{key}.{below[0]} needs --{key} NAME beside it, one of "
                        f"{', '.join(sorted(names(bases)))}"
                    )
                return None
            where = f"{key} in {self.file}" if self.file else key
            cls = resolve(str(written["class_path"]), bases, where, self.trust)
        inside = (written or {}).get("init_args") or {}
        if not isinstance(inside, Mapping):
            raise UsageError(f"{key} in {self.file}: init_args is {inside!r}: expected names")
        arguments = self._arguments(key, cls, dict(inside), below, latent_dim)
        return {"class_path": class_path(cls), "init_args": arguments}

    def _arguments(
        self, key: str, cls: type, written: dict[str, Any], below: list[str], latent_dim: Any
    ) -> dict[str, Any]:
        takes = options(cls)
        for name in [*written, *(path.partition(".")[0] for path in below)]:
            if name not in takes:
                what = "hyper-parameter" if key == "method" else "argument"
                raise UsageError(
                    f"{cls.__name__} has no {what} {name!r}{did_you_mean(name, takes)} It "
                    + (f"has {', '.join(takes)}" if takes else "has none")
                )
        if "latent_dim" in takes:
            dims = self._value(f"{key}.latent_dim", takes["latent_dim"], written)
            latent_dim = latent_dim if dims is _REQUIRED else dims
        values: dict[str, Any] = {}
        for name, option in takes.items():
            flag = f"{key}.{name}"
            line = _SEED if flag == "method.seed" else option.describes
            self.help.append((f"--{flag} {name.upper()}", line))
            inside = written.get(name)
            bases = option.bases
            if not bases and isinstance(inside, Mapping) and "class_path" in inside:
                bases = (Recorded,)
            child = self.spec(flag, bases, inside, option, latent_dim) if bases else None
            if child is not None:
                values[name] = child
            elif flag[len(key) + 1 :] in below or name in written:
                values[name] = self._value(flag, option, written)
            elif option.default is _REQUIRED and name == "latent_dim" and latent_dim is not None:
                values[name] = latent_dim
            elif option.default is _REQUIRED and not self.partial:
                raise UsageError(f"{cls.__name__} needs --{flag}: {option.describes}")
        return {n: values[n] for n in [*written, *(n for n in values if n not in written)]}

    def _value(self, flag: str, option: Option, written: Mapping[str, Any]) -> Any:
        """A plain value: typed, or as it is written unless its type makes another one of it."""
        if flag in self.texts:
            value = option.read(f"--{flag}", self.texts[flag])
            self.typed.update(map(str, class_paths(value)))
            return value
        before = written.get(option.name, option.default)
        if option.name not in written:
            return before
        value = option.read(f"--{flag}", before, typed=False)
        return before if type(before) is not str and before == value else value


def _names_class(text: str, bases: Sequence[type]) -> bool:
    """Whether a text names a class where plain values are taken, too."""
    if "." in text:
        return not re.fullmatch(r"[-+\d.eE]+", text)  # a number, with a dot in it
    return text.lower() in map(str.lower, names(bases))
