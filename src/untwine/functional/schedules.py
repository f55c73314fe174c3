"""Schedules of weights through training, as values: ``beta: float | Schedule``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from numbers import Real

import torch
from torch import Tensor

from ..checks import check_scale, hints_of
from ..spec import Recorded

__all__ = ["Linear", "Schedule", "at", "check_weights"]


class Schedule(Recorded, ABC):
    """A weight as a function of the step; computed with tensor operations, so capture-safe."""

    @abstractmethod
    def __call__(self, step: Tensor) -> Tensor:
        """The weight at ``step``, a 0-dim tensor, on its device."""


class Linear(Schedule):
    r"""From ``start`` to ``end`` in a straight line over ``steps`` steps, and ``end`` ever after.

    .. math::
        w(t) = w_0 + (w_1 - w_0) \min(t / T, 1)

    Args:
        start: :math:`w_0`.
        end: :math:`w_1`.
        steps: :math:`T`, at least 1.

    Raises:
        ValueError: if ``steps`` is below 1, or a weight is negative.

    Example:
        >>> Linear(0.0, 4.0, steps=100)(torch.tensor(25)).item()
        1.0
    """

    def __init__(self, start: float, end: float, steps: int) -> None:
        if steps < 1:
            raise ValueError(f"a schedule takes at least 1 step, got steps={steps}")
        check_scale("start", start, zero=True)
        check_scale("end", end, zero=True)
        self.start, self.end, self.steps = start, end, steps

    def __call__(self, step: Tensor) -> Tensor:
        progress = torch.clamp(step / self.steps, max=1.0)
        return self.start + (self.end - self.start) * progress


def at(weight: float | Schedule, step: Tensor) -> float | Tensor:
    """The weight at a step; a plain number is the same at all of them."""
    return weight(step) if isinstance(weight, Schedule) else weight


def check_weights(cls: type, arguments: Mapping[str, object]) -> None:
    """Refuses weights below 0 among the arguments of a constructor.

    A weight is what the constructor annotates as ``float | Schedule``, alone or by name in a
    mapping. A number that may be negative is annotated as ``float``.

    Raises:
        ValueError: naming it.
    """
    hints = hints_of(cls)
    for name, value in arguments.items():
        for key, weight in value.items() if isinstance(value, Mapping) else [(None, value)]:
            if "float | untwine.functional.schedules.Schedule" in str(hints.get(name)):
                label = name if key is None else f"{name}[{key!r}]"
                if isinstance(weight, Real):
                    check_scale(label, weight, zero=True)
