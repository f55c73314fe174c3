"""The command line: ``untwine demo | train | measure | report | methods | data``."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from .errors import UsageError, did_you_mean

__all__ = ["main"]

_COMMANDS = {
    "demo": ("demo", "run", "in minutes: train, measure, and look at the page"),
    "train": ("train", "run", "train a method on data"),
    "measure": ("measure", "run", "score a run, or codes and factors of your own"),
    "report": ("page", "run", "write a run as a page"),
    "methods": ("listing", "methods", "list the methods, or explain one"),
    "data": ("listing", "data", "list the data sets, or explain one"),
}

_HELP = """\
usage: untwine COMMAND [options]

Learn, measure and explain disentangled representations.

commands:
{commands}

untwine COMMAND --help explains one. With --debug, errors come with a traceback.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line.

    Args:
        argv: Its words; by default those that Python was called with.

    Returns:
        0; 1 if the command failed, 2 if it cannot be done as it was asked for, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = os.environ.get("UNTWINE_DEBUG", "") not in ("", "0") or "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        return _dispatch(words)
    except SystemExit as stop:  # after --help
        if stop.code in (0, None):
            return 0
        raise
    except KeyboardInterrupt as stop:
        if debug:
            raise
        detail = f": {stop}" if str(stop) else ""
        _complain(f"interrupted{detail}; the same command again continues")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        code = _code(error)
        if debug or code is None:
            raise
        _complain(" ".join(str(error).split()))
        return code


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        width = max(map(len, _COMMANDS))
        lines = (f"  {name:<{width}}  {text}" for name, (_, _, text) in _COMMANDS.items())
        print(_HELP.format(commands="\n".join(lines)), end="")
        return 0
    if words[0] in ("-V", "--version"):
        from .._version import __version__

        print(f"untwine {__version__}")
        return 0
    if words[0] not in _COMMANDS:
        raise UsageError(
            f"untwine has no command {words[0]!r}{did_you_mean(words[0], _COMMANDS)} "
            f"It has {', '.join(_COMMANDS)}"
        )
    module, function, _ = _COMMANDS[words[0]]
    return getattr(importlib.import_module(f".{module}", __name__), function)(words[1:])


def _code(error: Exception) -> int | None:
    """The exit status of an error that a line explains; ``None`` for one that nobody foresaw."""
    if isinstance(error, UsageError):
        return 2
    if type(error).__name__ in ("NonFiniteLoss", "CheckpointError"):
        return 1
    if isinstance(error, OSError):
        return 2
    if isinstance(error, ValueError | TypeError | ImportError | NotImplementedError):
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        raised_in = trace.tb_frame.f_globals.get("__name__", "") if trace else ""
        return 2 if raised_in.split(".")[0] == "untwine" else None
    return None


def _complain(message: str) -> None:
    print(f"untwine: {message}", file=sys.stderr)
