"""Interruption by SIGINT, SIGTERM and SIGHUP, obeyed between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

__all__ = ["Interruption"]

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
_SIGNALS = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))


class Interruption:
    """Notes the first signal to stop, so that the step can be finished; the second one stops.

    The signals are SIGINT (Ctrl-C), SIGTERM and, where there is one, SIGHUP (the terminal closes).
    One that is ignored, as SIGHUP is under ``nohup``, goes on being ignored.

    Args:
        active: Whether to; signals can be handled in the main thread alone.
    """

    def __init__(self, active: bool) -> None:
        self.signal: int | None = None
        self._active = active and threading.current_thread() is threading.main_thread()
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if self._active:
            for number in _SIGNALS:
                if signal.getsignal(number) is signal.SIG_IGN:
                    continue
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def stop(self, message: str) -> None:
        """Raises what the signal asked for.

        Raises:
            KeyboardInterrupt: after SIGINT.
            SystemExit: after another one, with the shell's code for it.
        """
        if self.signal is None or self.signal == signal.SIGINT:
            raise KeyboardInterrupt(message)
        raise SystemExit(128 + self.signal)

    @property
    def name(self) -> str:
        """Of the signal."""
        return "" if self.signal is None else signal.Signals(self.signal).name

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self._restore()

    def _restore(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)
