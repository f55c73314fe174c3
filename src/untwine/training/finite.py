"""Non-finite losses and parameters: detected during training, and named by the error."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..methods.method import Loss, Player

__all__ = ["NonFiniteLoss", "Watch", "large_inputs", "non_finite_inputs", "non_finite_parameter"]

_LARGE = 1e4

_NEVER = torch.iinfo(torch.int64).max


class NonFiniteLoss(ArithmeticError):
    """A loss, or a parameter, became NaN or infinite.

    Attributes:
        stage: The stage's name.
        step: The move of the stage, counted from 1.
        player: Whose loss it was.
        term: Which of its terms, or which parameter.
    """

    def __init__(self, what: str, stage: str, step: int, player: str, term: str) -> None:
        super().__init__(what)
        self.stage, self.step, self.player, self.term = stage, step, player, term


class Watch:
    """Notices the first term that is not finite.

    Where looking is free (one process, on the CPU), every loss is looked at as it comes. Elsewhere
    the first bad step of each term is kept on the device, and looked at when `check` asks, so that
    no step waits for the device.

    Args:
        immediate: Whether looking is free.
        agree: Takes the minimum over the processes, in place.
    """

    def __init__(self, immediate: bool, agree: Callable[[Tensor], object]) -> None:
        self._immediate, self._agree = immediate, agree
        # By player and terms: a player's moves of a step may have different ones.
        self._first: dict[tuple[str, tuple[str, ...]], Tensor] = {}

    def see(self, player: str, loss: Loss, step: Tensor) -> tuple[str, str, int] | None:
        """Looks at a loss of move ``step``, counted from 0; returns what `check` does."""
        values = dict(loss.terms)
        values |= {f"{k}.weight": w for k, w in loss.weights.items() if isinstance(w, Tensor)}
        if self._immediate:
            for term, value in values.items():
                if not math.isfinite(value.item()):
                    return player, term, int(step) + 1
            return None
        finite = torch.isfinite(torch.stack([v.detach().float() for v in values.values()]))
        key = player, tuple(values)
        first = self._first.get(key)
        if first is None:
            first = torch.full_like(finite, _NEVER, dtype=torch.int64)
        self._first[key] = torch.where(finite, first, torch.minimum(first, step + 1))
        return None

    def check(self) -> tuple[str, str, int] | None:
        """Player, term and step (counted from 1) of the first value that was not finite."""
        worst = None
        for (player, terms), first in self._first.items():
            self._agree(first)
            for term, step in zip(terms, first.tolist(), strict=True):
                if step < _NEVER and (worst is None or step < worst[2]):
                    worst = player, term, step
        return worst


def non_finite_parameter(
    method: nn.Module, players: Mapping[str, Player]
) -> tuple[str, str] | None:
    """The owner and the name of the first parameter that is not finite."""
    named = dict(method.named_parameters())
    if not named:
        return None
    flags = torch.stack([torch.isfinite(p.detach()).all() for p in named.values()]).tolist()
    for (name, parameter), finite in zip(named.items(), flags, strict=True):
        if not finite:
            owners = [k for k, v in players.items() if any(parameter is p for p in v.parameters())]
            return (owners or [""])[0], name
    return None


def non_finite_inputs(batch: Any) -> str | None:
    """What in a batch is not finite, in words.

    Example:
        >>> from untwine.data import Images
        >>> non_finite_inputs(Images(torch.tensor([[0.0, float("nan")], [1.0, 2.0]])))
        'x holds NaN or infinite values in 1 of 2 examples'
    """
    found = {}
    for name, value in _tensors(batch):
        if value.is_floating_point() and not torch.isfinite(value).all():
            rows = torch.isfinite(value).reshape(len(value), -1) if value.ndim else value[None]
            found[name] = f"{int((~rows.all(-1)).sum())} of {len(rows)}" if value.ndim else "1 of 1"
    if not found:
        return None
    return ", ".join(f"{k} holds NaN or infinite values in {v} examples" for k, v in found.items())


def large_inputs(batch: Any) -> str | None:
    """Which column of the observations goes beyond what networks learn from, in words.

    Example:
        >>> from untwine.data import Images
        >>> large_inputs(Images(torch.tensor([[0.5, 50_000.0], [1.0, -20_000.0]])))
        'column 1 of x goes to 50000'
    """
    for name, value in batch.observations().items():
        size = value.detach().abs()
        if size.numel() and size.max() > _LARGE:
            place = int(size.reshape(-1, size.shape[-1]).amax(0).argmax())
            where = f"column {place} of {name}" if value.ndim == 2 else name
            return f"{where} goes to {size.max().item():g}"
    return None


def _tensors(batch: Any, name: str = "batch") -> list[tuple[str, Tensor]]:
    if isinstance(batch, Tensor):
        return [(name, batch)]
    if is_dataclass(batch):
        return [t for f in fields(batch) for t in _tensors(getattr(batch, f.name), f.name)]
    if isinstance(batch, Mapping):
        return [t for k, v in batch.items() for t in _tensors(v, f"{name}[{k!r}]")]
    if isinstance(batch, list | tuple):
        return [t for i, v in enumerate(batch) for t in _tensors(v, f"{name}[{i}]")]
    return []
