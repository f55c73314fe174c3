"""Progress of training: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from .checkpoint import Position

__all__ = ["Progress"]

_REFRESH = 0.25
_LINE = 10.0


class Progress:
    """Shows stage, step, terms, examples per second and the time that remains, on standard error.

    Args:
        steps: Moves to make, by stage.
        shown: Whether to show anything.
    """

    def __init__(self, steps: Mapping[str, int], shown: bool = True) -> None:
        self._steps, self._shown = steps, shown
        self._total = sum(steps.values())
        self._bar: Any = None
        self._task: Any = None
        self._due = 0.0
        self._terms = ""
        self._clock: tuple[float, int, int] | None = None

    def __enter__(self) -> Self:
        if not self._shown:
            return self
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress as Bar, TextColumn

        self._console = Console(stderr=True)
        if self._console.is_terminal:
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(bar_width=20),
                MofNCompleteColumn(),
                TextColumn("{task.fields[speed]}"),
                TextColumn("{task.fields[terms]}"),
                console=self._console,
            )
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            with suppress(OSError):
                self._bar.stop()

    def stage(self, position: Position) -> None:
        """Begins, or continues, a stage."""
        self._clock = (time.monotonic(), position.done, 0)
        if self._bar is not None:
            if self._task is not None:
                self._bar.update(self._task, terms="", speed="")
            self._task = self._bar.add_task(
                position.stage,
                total=self._steps[position.stage],
                completed=position.step,
                terms="",
                speed="",
            )

    def terms(self, values: Mapping[str, float]) -> None:
        """New values of the losses."""
        self._terms = "  ".join(f"{k} {v:.4g}" for k, v in values.items() if "/" in k)

    def step(self, position: Position, examples: int) -> None:
        """After each step, of ``examples`` examples; shows something when it is time to."""
        if not self._shown or self._clock is None:
            return
        start, first, seen = self._clock
        self._clock = (start, first, seen + examples)
        now = time.monotonic()
        last = position.step == self._steps[position.stage]
        if now < self._due and not last:
            return
        elapsed = max(now - start, 1e-9)
        pace = (position.done - first) / elapsed
        left = (self._total - position.done) / pace if pace else float("inf")
        speed = f"{(seen + examples) / elapsed:,.0f} images/s, {_duration(left)} left"
        if self._bar is not None:
            self._due = now + _REFRESH
            with suppress(OSError):
                self._bar.update(
                    self._task, completed=position.step, terms=self._terms, speed=speed
                )
        else:
            self._due = now + _LINE
            of = f"{position.step:,}/{self._steps[position.stage]:,}"
            self.say(f"{position.stage} {of}  {speed}  {self._terms}")

    def say(self, message: str, always: bool = False) -> None:
        """Prints a line, above the bar if there is one.

        Args:
            message: The line.
            always: Whether to print it also where nothing else is shown.
        """
        with suppress(OSError):  # the terminal may be gone, and what is not shown is no loss
            if self._shown:
                self._console.print(message, highlight=False, markup=False, soft_wrap=True)
            elif always:
                print(message, file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    if seconds == float("inf"):
        return "unknown"
    minutes, seconds = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
