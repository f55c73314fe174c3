"""Hyper-parameters of a method, with their meanings in words."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..methods.method import Method, hyperparameter_names
from ..spec import describe

__all__ = ["Setting", "hyperparameters", "plain_text", "written"]

_LETTERS = """alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi
rho finalsigma sigma tau upsilon phi chi psi omega"""
_GREEK = {name: chr(0x3B1 + i) for i, name in enumerate(_LETTERS.split())}


@dataclass(frozen=True)
class Setting:
    """A hyper-parameter.

    Attributes:
        name: As in the constructor or in ``build``.
        value: As text.
        given: Whether it was given, rather than left at its default.
        meaning: From the docstring, perhaps empty.
    """

    name: str
    value: str
    given: bool
    meaning: str


def hyperparameters(method: Any) -> list[Setting]:
    """The hyper-parameters of a method, given ones first.

    Example:
        >>> from untwine.methods import BetaVAE
        >>> from untwine.data import FactorDataset
        >>> import numpy as np
        >>> method = BetaVAE.build(FactorDataset.from_arrays(np.zeros((9, 4))), beta=6.0, seed=0)
        >>> [(s.name, s.value) for s in hyperparameters(method) if s.given]
        [('latent_dim', '10'), ('seed', '0'), ('beta', '6.0')]
    """
    if not isinstance(method, Method):
        return []
    try:
        given = method.arguments
    except ValueError:  # positional arguments without names
        given = {}
    cls = type(method)
    names = list(dict.fromkeys([*hyperparameter_names(cls), *given]))
    meanings, defaults = _meanings(cls), _defaults(cls)
    rows = [
        Setting(
            name,
            written(given[name] if name in given else defaults.get(name)),
            name in given,
            meanings.get(name, ""),
        )
        for name in names
        if name in given or name in defaults
    ]
    return sorted(rows, key=lambda row: not row.given)


def written(value: Any) -> str:
    """A value of a spec, or one that could be in a spec, as short text.

    Example:
        >>> written({"class_path": "torch.optim.Adam", "init_args": {"lr": 0.001}})
        'Adam(lr=0.001)'
        >>> written(None), written([1, 2])
        ('default', '[1, 2]')
    """
    if value is None:
        return "default"
    try:
        value = describe(value)
    except ValueError:  # an object that no spec can hold
        return type(value).__name__
    return _short(value)


def plain_text(text: str) -> str:
    r"""A docstring's markup as plain text.

    Example:
        >>> plain_text(r"The weight :math:`\lambda_{od}` of ``codes``, see `VAE`.")
        'The weight λ_od of codes, see VAE.'
    """

    def formula(match: re.Match[str]) -> str:
        inside = re.sub(r"\\([A-Za-z]+)", lambda m: _GREEK.get(m[1], m[1]), match[1])
        return re.sub(r"[{}\\]", "", inside)

    text = re.sub(r":math:`([^`]*)`", formula, text)
    return " ".join(re.sub(r"`+([^`]*)`+", r"\1", text).split())


def _short(value: Any) -> str:
    if isinstance(value, Mapping) and "class_path" in value:
        name = value["class_path"].rpartition(".")[2]
        inside = ", ".join(f"{k}={_short(v)}" for k, v in (value.get("init_args") or {}).items())
        return f"{name}({inside})" if "init_args" in value else name
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {_short(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_short, value)) + "]"
    return str(value)


def _defaults(cls: type) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for owner in cls.__mro__:
        for name in ("__init__", "parts", "build"):
            function = owner.__dict__.get(name)
            function = getattr(function, "__func__", function)
            if not inspect.isfunction(function):
                continue
            for parameter in inspect.signature(function).parameters.values():
                if parameter.default is not parameter.empty:
                    result.setdefault(parameter.name, parameter.default)
    return result


def _meanings(cls: type) -> dict[str, str]:
    """The ``Args:`` of a class, of its functions that make it, and of its parents."""
    result: dict[str, str] = {}
    for owner in cls.__mro__:
        for place in (owner, *(owner.__dict__.get(n) for n in ("__init__", "parts", "build"))):
            place = getattr(place, "__func__", place)
            for name, meaning in _arguments(getattr(place, "__doc__", None)).items():
                result.setdefault(name, meaning)
    return result


def _arguments(doc: str | None) -> dict[str, str]:
    block = re.search(r"^Args:\n((?:[ ]+.*\n|\n)*)", inspect.cleandoc(doc or "") + "\n", re.M)
    if block is None:
        return {}
    entries = re.findall(r"^    \*{0,2}(\w+): (.*(?:\n {5,}.*)*)", block[1], re.M)
    return {name: plain_text(text) for name, text in entries}
