"""Processes that take turns, so that a slow minute of the machine slows all of them alike.

Nothing but the standard library is imported: a worker may run where other libraries are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any


class Worker:
    """A process that answers when it is asked, so that several can take turns.

    Args:
        name: Of whom an error speaks.
        command: Starts a program that ends in `serve`.
        environment: Variables to change for it.
        quiet: Whether to keep back what it says on standard error unless it fails.

    Attributes:
        ready: What the program said of itself when it was ready.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] = {},
        quiet: bool = False,
    ) -> None:
        self.name = name
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
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended: the missing answer says so
        return self._answer()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        text = self._process.stdout.readline()
        if not text:
            said = self._process.stderr.read() if self._process.stderr is not None else ""
            code = self._process.wait()
            raise RuntimeError(f"{self.name} ended with {code}:\n{said[-4000:]}")
        answer = json.loads(text)
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {answer['error']}")
        return answer["value"]


def serve(start: Callable[[], tuple[Any, Callable[[Any], Any]]]) -> None:
    """Answers questions from standard input, a line of JSON each, on standard output.

    Args:
        start: Gives what is said when the program is ready, and what answers a question.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # libraries may print what they like

    def say(make: Callable[[], Any]) -> None:
        try:
            said = {"value": make()}
        except Exception as error:  # whoever asked is told, and may go on
            traceback.print_exc()
            said = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(said), file=answers, flush=True)

    answer: Callable[[Any], Any]

    def ready() -> Any:
        nonlocal answer
        value, answer = start()
        return value

    say(ready)
    for text in sys.stdin:
        say(lambda question=json.loads(text): answer(question))


def turns(workers: Sequence[Any], rounds: int) -> Iterator[list[Any]]:
    """In each round all of them, another one first."""
    for number in range(rounds):
        first = number % len(workers)
        yield [*workers[first:], *workers[:first]]
