"""Learning rates by step, their warm-up, and the largest gradient that a player may follow."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from ..checks import check_scale, check_size
from ..methods.method import Method, Stage
from .stages import playing

__all__ = ["MakeSchedule", "Rates", "Steering"]

MakeSchedule = Callable[..., LRScheduler]
"""From an optimizer to its schedule: one of torch's classes, or a `functools.partial` of one."""


@dataclass(frozen=True)
class Steering:
    """What is done to the optimizers of all players.

    Attributes:
        schedule: Makes the schedule of an optimizer; counts the steps of a stage.
        warmup: Steps of a stage over which learning rates grow to what they are otherwise.
        clip: The largest norm of a player's gradient; larger ones are scaled down to it.
    """

    schedule: MakeSchedule | None = None
    warmup: int = 0
    clip: float | None = None

    def __bool__(self) -> bool:
        return self.schedule is not None or self.warmup > 0 or self.clip is not None

    def check(self, method: Method, stages: Iterable[Stage], validated: bool) -> None:
        """Refuses what makes no sense, and makes each schedule once.

        Raises:
            ValueError: naming it.
        """
        check_size("warmup", self.warmup, least=0)
        if self.clip is not None:
            check_scale("clip", self.clip)
        if self.schedule is None:
            return
        if isinstance(self.schedule, LRScheduler) or not callable(self.schedule):
            raise ValueError(
                f"schedule is {self.schedule!r}; expected what makes one of an optimizer, such as "
                "functools.partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=steps)"
            )
        for stage in stages:
            for name, player in playing(method, stage).items():
                parameters = [p for p in player.parameters() if p.requires_grad]
                if parameters:
                    made = _made(self.schedule, player.optimizer(parameters), name)
                    if isinstance(made, ReduceLROnPlateau) and not validated:
                        raise ValueError(
                            "ReduceLROnPlateau waits for a held-out term: give validation=, too"
                        )


class Rates:
    """The schedules of a stage's optimizers; without any, does nothing.

    A schedule is a function of the number of steps (and of held-out values), so
    that nothing of it is stored: a resumed stage counts through the steps that were made.

    Args:
        steering: What is done.
        optimizers: Of the players of a stage, fresh.
        steps: Moves of the stage that were made already.
        held_out: Of these, the held-out values by step.
    """

    def __init__(
        self,
        steering: Steering,
        optimizers: Mapping[str, Optimizer],
        steps: int = 0,
        held_out: Iterable[tuple[int, float]] = (),
    ) -> None:
        self._optimizers, self._warmup = optimizers, steering.warmup
        self._schedules: dict[str, LRScheduler] = {}
        self._full: list[tuple[dict[str, Any], Any]] = []
        self._now: dict[str, Any] = {}
        self._shown = steering.schedule is not None or steering.warmup > 0
        for name, optimizer in optimizers.items():
            if steering.schedule is not None:
                self._schedules[name] = _made(steering.schedule, optimizer, name)
            if steering.clip is not None:
                optimizer.register_step_pre_hook(_Clip(steering.clip))
        values = dict(held_out)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of steps of the schedule without the optimizer's
            for step in range(1, steps + 1 if self._schedules else 1):
                self.after()
                if step in values:
                    self.tell(values[step])

    def before(self, step: int) -> None:
        """Before the moves of a step, counted from 0: what the warm-up leaves of the rates."""
        self._full = []
        for optimizer in self._optimizers.values() if step < self._warmup else ():
            for group in optimizer.param_groups:
                rate = _value(group)
                self._full.append((group, rate))
                _set(group, rate * ((step + 1) / self._warmup))
        if self._shown:
            self._now = {n: _value(o.param_groups[0]) for n, o in self._optimizers.items()}

    def after(self) -> None:
        """After the moves: the rates without warm-up, and those of the next step."""
        for group, rate in self._full:
            _set(group, rate)
        self._full = []
        for schedule in self._schedules.values():
            if not isinstance(schedule, ReduceLROnPlateau):
                schedule.step()

    def tell(self, value: float) -> None:
        """A held-out value, for schedules that wait for one."""
        for schedule in self._schedules.values():
            if isinstance(schedule, ReduceLROnPlateau):
                schedule.step(value)

    def row(self) -> dict[str, float]:
        """Each player's learning rate at the step that was made last, for the log."""
        return {f"{name}/lr": float(rate) for name, rate in self._now.items()}


class _Clip:
    """Scales the gradients of an optimizer's parameters down, before it steps.

    Args:
        largest: Their norm afterwards, at most.
    """

    def __init__(self, largest: float) -> None:
        self.largest = largest

    def __call__(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        clip_grad_norm_(parameters, self.largest)


def _made(make: MakeSchedule, optimizer: Optimizer, player: str) -> LRScheduler:
    try:
        schedule = make(optimizer)
    except (ValueError, TypeError, RuntimeError, AttributeError, KeyError) as error:
        raise ValueError(f"the schedule of player {player!r} cannot be made: {error}") from error
    if not isinstance(schedule, LRScheduler):
        raise ValueError(
            f"schedule makes a {type(schedule).__name__}; expected one of torch.optim.lr_scheduler"
        )
    return schedule


def _value(group: dict[str, Any]) -> Any:
    rate = group["lr"]
    return rate.clone() if isinstance(rate, Tensor) else rate


@torch.no_grad()
def _set(group: dict[str, Any], rate: Any) -> None:
    """A group's learning rate; one that is a tensor stays the same tensor."""
    if isinstance(group["lr"], Tensor):
        group["lr"].copy_(rate)
    else:
        group["lr"] = rate
