"""Processes that take turns, so that a slow minute of the machine slows all of them alike.

Nothing but the standard library is imported: a worker may run where other libraries are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any


class Worker:
    """A process that answers when it is asked, so that several can take turns.

    Args:
        command: Starts a program that ends in `serve`.
        environment: Variables to change for it.
        quiet: Whether to keep back what it says on standard error unless it fails.

    Attributes:
        ready: What the program said of itself when it was ready.
    """

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str] = {}, quiet: bool = False
    ) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe if quiet else None,
            text=True,
            env={**os.environ, **environment},
        )
        self.ready = self._answer()

    def ask(self, question: Any) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        text = self._process.stdout.readline()
        if not text:
            said = self._process.stderr.read() if self._process.stderr is not None else ""
            raise RuntimeError(f"{' '.join(map(str, self._process.args))} failed:\n{said[-4000:]}")
        return json.loads(text)


def serve(start: Callable[[], tuple[Any, Callable[[Any], Any]]]) -> None:
    """Answers questions from standard input, a line of JSON each, on standard output.

    Args:
        start: Gives what is said when the program is ready, and what answers a question.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries may print what they like
    ready, answer = start()
    print(json.dumps(ready), file=answers, flush=True)
    for text in sys.stdin:
        print(json.dumps(answer(json.loads(text))), file=answers, flush=True)


def turns(workers: Sequence[Any], rounds: int) -> Iterator[list[Any]]:
    """In each round all of them, another one first."""
    for number in range(rounds):
        first = number % len(workers)
        yield [*workers[first:], *workers[:first]]
