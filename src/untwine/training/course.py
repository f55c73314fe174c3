"""Course of a training: which weights were best so far, and what ended it early."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Course"]


@dataclass
class Course:
    """Held-out values so far, from which everything follows that they decide, and what ended.

    Attributes:
        values: By stage, pairs of a step and its value.
        ended: Moves that were made of stages which ended before their last step, by name.
        stop: How many steps of the last stage had been asked for when the run was stopped, and
            why; ``None`` if it was not.
    """

    values: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)
    stop: tuple[int, str] | None = None

    def add(self, stage: int, step: int, value: float) -> bool:
        """Adds a value; returns whether it is the lowest of its stage."""
        self.values.setdefault(stage, []).append((step, value))
        return self.best(stage) == step

    def best(self, stage: int) -> int | None:
        """The step of the lowest value of a stage, the first of several; NaN is none."""
        finite = [(v, s) for s, v in self.values.get(stage, []) if not math.isnan(v)]
        return min(finite)[1] if finite else None

    def wanted(self, stage: int, every: int) -> set[int]:
        """The steps whose weights may be asked for, also when the stage goes on."""
        regular = Course({stage: [*self.values.get(stage, [])]})
        regular.continued(stage, every)
        return {s for s in (self.best(stage), regular.best(stage)) if s is not None}

    def since_best(self, stage: int) -> int:
        """Looks since the lowest value."""
        best, steps = self.best(stage), [s for s, _ in self.values.get(stage, [])]
        return len(steps) if best is None else sum(step > best for step in steps)

    def continued(self, stage: int, every: int) -> None:
        """Forgets the look at the end of a stage that is going on now."""
        if stage in self.values:
            self.values[stage] = [(s, v) for s, v in self.values[stage] if s % every == 0]

    @property
    def stopped(self) -> str | None:
        """Why the run ended before its last step, if it did."""
        return None if self.stop is None else self.stop[1]

    def written(self) -> dict[str, Any]:
        """As plain data; empty if there is nothing to say."""
        rows = [[i, s, v] for i, pairs in self.values.items() for s, v in pairs]
        stop = None if self.stop is None else list(self.stop)
        parts = {"held_out": rows, "ended": self.ended, "stop": stop}
        return {name: part for name, part in parts.items() if part}

    @classmethod
    def read(cls, written: Mapping[str, Any]) -> Course:
        """The inverse of `written`.

        Raises:
            ValueError: for anything else.
        """
        course = cls()
        try:
            for stage, step, value in written.get("held_out", []):
                pair = _whole(step), float(value)
                course.values.setdefault(_whole(stage), []).append(pair)
            course.ended = {str(n): _whole(s) for n, s in written.get("ended", {}).items()}
            if "stop" in written:
                step, reason = written["stop"]
                course.stop = _whole(step), str(reason)
        except (TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"its course is {repr(written)[:80]} ({error})") from error
        return course


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(f"{value!r} is no number of steps")
    return value
