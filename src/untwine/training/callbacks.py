"""Callbacks: hooks that `fit` calls before, during and after training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import Optimizer

from ..methods.method import Loss, Method
from .checkpoint import Position

if TYPE_CHECKING:
    from lightning.fabric import Fabric

__all__ = ["Callback", "Every", "State", "call", "check_callbacks"]

_HOOKS = ("on_start", "on_step", "on_validation", "on_checkpoint", "on_end")


@dataclass
class State:
    """Training as a callback sees it.

    Attributes:
        method: In training mode, on its device.
        loader: ``step -> batch``, where ``step`` counts the moves of all stages.
        fabric: Devices and processes; callbacks run in every process.
        position: The stage, and the moves made so far.
        steps: Moves to make, by stage.
        optimizers: Of the players of this stage.
        out: The run's folder, if it has one.
        stopping: Why training ends after this step, if a callback said so; see `stop`.
    """

    method: Method
    loader: Callable[[int], Any]
    fabric: Fabric
    position: Position
    steps: Mapping[str, int]
    _: KW_ONLY
    optimizers: Mapping[str, Optimizer] = field(default_factory=dict)
    out: Path | None = None
    stopping: str | None = None

    def stop(self, reason: str = "a callback stopped it") -> None:
        """Ends training after this step: a checkpoint and the final weights are written.

        `fit` returns as it does at the end; ``run.stopped`` says why. The same call again finds a
        finished run; with more steps it goes on.

        Args:
            reason: In words.
        """
        self.stopping = str(reason)


class Callback:
    """Hooks into `fit`, each optional; any object that has some of them will do.

    A callback keeps no state through a restart, and need not restore random numbers: every step
    draws its own.
    """

    def on_start(self, state: State) -> None:
        """Before the first move that this process makes, also of a resumed run."""

    def on_step(self, state: State, losses: Mapping[str, Loss]) -> None:
        """After each step, with the losses of its moves by player."""

    def on_validation(self, state: State, terms: Mapping[str, float]) -> None:
        """After a look at the held-out data, with its terms by name, such as ``vae/nll``."""

    def on_checkpoint(self, state: State) -> None:
        """After a checkpoint has been written."""

    def on_end(self, state: State) -> None:
        """After the last move."""


class Every(Callback):
    """Calls a function of the state every ``n`` steps, in evaluation mode and without gradients.

    Args:
        n: Steps from one call to the next.
        function: Called with the `State`.

    Raises:
        ValueError: if ``n`` is below 1.

    Example:
        >>> report = Every(1000, lambda state: print(state.position.step))
    """

    def __init__(self, n: int, function: Callable[[State], object]) -> None:
        if n < 1:
            raise ValueError(f"a function is called every n steps, n at least 1; got n={n}")
        self.n, self.function = n, function

    def on_step(self, state: State, losses: Mapping[str, Loss]) -> None:
        """Calls the function at multiples of ``n`` in a stage."""
        if state.position.step % self.n == 0:
            state.method.eval()
            with torch.no_grad():
                self.function(state)
            state.method.train()


def check_callbacks(callbacks: Any) -> None:
    """Refuses objects that have none of the hooks, and so would never be called.

    Raises:
        TypeError: naming the object.
    """
    if not isinstance(callbacks, Sequence):
        raise TypeError(
            f"callbacks is a {type(callbacks).__name__}; expected a list, such as [callback]"
        )
    for callback in callbacks:
        if isinstance(callback, type):
            raise TypeError(f"a callback is the class {callback.__name__}; expected an object")
        if not any(callable(getattr(callback, hook, None)) for hook in _HOOKS):
            raise TypeError(
                f"a callback is a {type(callback).__module__}.{type(callback).__qualname__}, which "
                f"has none of the hooks {', '.join(_HOOKS)}: derive it from "
                "untwine.training.Callback, give a function as Every(n, function), or one of "
                "Lightning's callbacks as untwine.training.lightning.LightningCallback(callback)"
            )


def call(callbacks: Iterable[Any], hook: str, *arguments: Any) -> None:
    """Calls a hook of all the callbacks that have it."""
    for callback in callbacks:
        function = getattr(callback, hook, None)
        if function is not None:
            function(*arguments)
