"""Progress of a study: a bar on a terminal, lines elsewhere; runs, failures, and time left."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

from .forecast import in_words
from .work import Outcome

__all__ = ["Progress"]

_LINE = 10.0
_REFRESH = 0.25


class Progress:
    """Shows how many runs are made, on standard error.

    Args:
        total: Runs of the study.
        before: Those that were finished before.
        workers: Runs at a time.
        expected: Seconds of each run that is to be made, by name.
        shown: Whether to show anything.
    """

    def __init__(
        self, total: int, before: int, workers: int, expected: dict[str, float], shown: bool = True
    ) -> None:
        self._total, self._made, self._workers = total, before, workers
        self._expected, self._shown = dict(expected), shown
        self._failed = 0
        self._spent, self._foreseen = 0.0, 0.0
        self._bar: Any = None
        self._task: Any = None
        self._due = 0.0

    def __enter__(self) -> Self:
        if not self._shown:
            return self
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress as Bar, TextColumn

        console = Console(stderr=True)
        if console.is_terminal:
            columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
            self._bar = Bar(*columns, console=console, refresh_per_second=4)
            self._task = self._bar.add_task("", total=self._total, completed=self._made)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def left(self) -> float:
        """Seconds until everything is made, by what the runs so far took."""
        scale = self._spent / self._foreseen if self._foreseen > 0 else 1.0
        return sum(self._expected.values()) * scale / self._workers

    def step(self, name: str, steps: int, total: int) -> None:
        """Tells how far one run is."""
        now = time.monotonic()
        if self._bar is not None and now >= self._due:
            self._due = now + _REFRESH
            self._bar.update(self._task, description=f"{name} {steps / max(total, 1):.0%} · "
                                                     f"{self._words()}")  # fmt: skip

    def add(self, outcome: Outcome, settings: str) -> None:
        """Counts a run that came to an end."""
        self._made += 1
        self._failed += outcome.status != "finished"
        self._spent += outcome.seconds
        self._foreseen += self._expected.pop(outcome.name, 0.0)
        if not self._shown:
            return
        if outcome.status != "finished":
            self.say(f"{outcome.name} failed ({settings}): {outcome.message}")
        if self._bar is not None:
            self._bar.update(self._task, completed=self._made, description=self._words())
        elif time.monotonic() >= self._due or self._made == self._total:
            self._due = time.monotonic() + _LINE
            print(f"{self._made}/{self._total} runs · {self._words()}", file=sys.stderr, flush=True)

    def say(self, message: str) -> None:
        """Writes a line beside the bar."""
        if not self._shown:
            return
        if self._bar is not None:
            self._bar.console.print(message, markup=False, highlight=False)
        else:
            print(message, file=sys.stderr, flush=True)

    def _words(self) -> str:
        text = f"{in_words(self.left)} left" if self._expected else "done"
        return f"{self._failed} failed · {text}" if self._failed else text
