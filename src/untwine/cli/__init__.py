"""The command line: ``untwine demo | train | measure | report | explore | study | ...``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from ..settings.errors import UsageError, did_you_mean

__all__ = ["main"]

_HELP = """\
usage: untwine COMMAND [options]

Learn, measure and explain disentangled representations.

commands:
{commands}
untwine COMMAND --help explains one. With --debug, errors come with a traceback.
"""

#: What a line may explain; of other errors Python shows the traceback.
_EXPLAINED = (ValueError, TypeError, ImportError, NotImplementedError, ArithmeticError, OSError)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line.

    Args:
        argv: Its words; by default those that Python was called with.

    Returns:
        0; 1 if the command failed, 2 if it cannot be done as it was asked for, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    debug = os.environ.get("UNTWINE_DEBUG", "") not in ("", "0") or "--debug" in words
    try:
        return _dispatch([word for word in words if word != "--debug"])
    except KeyboardInterrupt as stop:
        if debug:
            raise
        detail = f": {stop}" if str(stop) else ""
        _complain(f"interrupted{detail}; the same command again continues")
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except _EXPLAINED as error:
        code = _code(error)
        if debug or code is None:
            raise
        _complain(" ".join(str(error).split()))
        return code


def _dispatch(words: list[str]) -> int:
    from ..settings.docstrings import Docstring
    from . import (
        demo,
        diagnose,
        explore,
        export,
        listing,
        results,
        sample,
        study,
        train,
        train_line,
    )
    from .line import call, entries

    commands: dict[str, Callable[..., int]] = {
        "demo": demo.demo,
        "train": train.train,
        "measure": results.measure,
        "report": results.report,
        "compare": results.compare,
        "explore": explore.explore,
        "diagnose": diagnose.diagnose,
        "export": export.export,
        "push": export.push,
        "sample": sample.sample,
        "study": study.study,
        "methods": listing.methods,
        "data": listing.data,
    }
    command, argv = (words or ["help"])[0], words[1:]
    if command in ("-h", "--help", "help"):
        rows = ((name, Docstring.of(function).summary) for name, function in commands.items())
        print(_HELP.format(commands=entries(rows)), end="")
        return 0
    if command in ("-V", "--version"):
        from .._version import __version__

        print(f"untwine {__version__}")
        return 0
    if command not in commands:
        near = f"{did_you_mean(command, commands)} It has {', '.join(commands)}"
        raise UsageError(f"untwine has no command {command!r}{near}")
    if command == "train":
        return train_line.run(argv)
    if command == "study":
        return study.run(argv)
    epilog = results.metrics_in_short if command == "measure" else str
    return call(command, commands[command], argv, epilog)


def _code(error: Exception) -> int | None:
    """The exit status of an error that a line explains; ``None`` for one that nobody foresaw."""
    if isinstance(error, UsageError | OSError):
        return 2
    if isinstance(error, ArithmeticError):
        return 1 if type(error).__name__ == "NonFiniteLoss" else None
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    raised_in = trace.tb_frame.f_globals.get("__name__", "") if trace else ""
    return 2 if raised_in.split(".")[0] == "untwine" else None


def _complain(message: str) -> None:
    print(f"untwine: {message}", file=sys.stderr)
