"""Snapshot of a new method: the digest of its weights, and its settings by name."""

from __future__ import annotations

import hashlib
import inspect
import json
from abc import ABCMeta
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..spec import Recorded, describe

__all__ = ["Noted", "Snapshot", "tensors_digest"]


def tensors_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 of tensors: of their names, types, shapes and values, in the order of names.

    Example:
        >>> one, two = nn.Linear(2, 1), nn.Linear(2, 1)
        >>> two.load_state_dict(one.state_dict()) and None
        >>> tensors_digest(one.state_dict()) == tensors_digest(two.state_dict())
        True
    """
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        digest.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


@dataclass(frozen=True)
class Snapshot:
    """What a method is, apart from the data that it was made for.

    Attributes:
        weights: `tensors_digest` of its state.
        settings: By dotted name: the class of each part, the shape and type of each parameter and
            whether it is frozen, and each attribute that a constructor takes under its name.
    """

    weights: str
    settings: dict[str, Any]

    @classmethod
    def of(cls, module: nn.Module) -> Snapshot:
        """Of a module as it is."""
        tensors = {k: v for k, v in module.state_dict().items() if isinstance(v, Tensor)}
        return cls(tensors_digest(tensors), dict(_settings("", module)))

    def changes(self, later: Snapshot) -> dict[str, list[Any]]:
        """The settings that differ later, by name: before and after."""
        names = {**self.settings, **later.settings}
        pairs = {name: [self.settings.get(name), later.settings.get(name)] for name in names}
        return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


class Noted(ABCMeta):
    """The class of methods: takes a snapshot of each when its constructor is done."""

    @property
    def __signature__(cls) -> inspect.Signature:
        """The constructor's, which is what calling the class takes."""
        signature = inspect.signature(cls.__init__)  # type: ignore[misc]
        return signature.replace(parameters=[*signature.parameters.values()][1:])

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """A new object, which knows what it was when it was new."""
        made = super().__call__(*args, **kwargs)
        object.__setattr__(made, "snapshot", Snapshot.of(made))
        return made


def _settings(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The settings of an object and of what is in it, by name."""
    if isinstance(value, nn.Module | Recorded):
        if name:
            yield name, f"{type(value).__module__}.{type(value).__qualname__}"
        inside = {k: vars(value)[k] for k in _taken(type(value)) if k in vars(value)}
        if isinstance(value, nn.Module):
            for k, p in value.named_parameters(recurse=False):
                frozen = "" if p.requires_grad else ", frozen"
                yield _join(name, k), f"{str(p.dtype).removeprefix('torch.')} {[*p.shape]}{frozen}"
            inside |= dict(value.named_children())
        for k, part in inside.items():
            yield from _settings(_join(name, k), part)
    elif isinstance(value, Mapping):
        for k, part in value.items():
            yield from _settings(_join(name, str(k)), part)
    elif isinstance(value, list | tuple):
        for place, part in enumerate(value):
            yield from _settings(_join(name, str(place)), part)
    elif isinstance(value, partial) or value is None or isinstance(value, bool | int | float | str):
        try:
            yield name, describe(value)
        except ValueError:  # of an object that no spec can hold
            yield name, type(value).__name__


def _taken(cls: type) -> Iterator[str]:
    """The names that the constructors of a class and of its parents take."""
    for owner in cls.__mro__:
        constructor = owner.__dict__.get("__init__")
        if inspect.isfunction(constructor) and owner is not nn.Module:
            yield from inspect.signature(constructor).parameters


def _join(name: str, part: str) -> str:
    return f"{name}.{part}" if name else part
