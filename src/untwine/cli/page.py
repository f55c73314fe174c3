"""`untwine report`: a run as a page."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from pathlib import Path

from .console import console
from .errors import UsageError
from .parser import TRUST, Parser

__all__ = ["run"]

_DESCRIPTION = """\
Writes what a run has learned as one page of HTML that needs no network: traversals that move,
scores, codes against factors, training curves, and the command that repeats the run."""


def run(argv: Sequence[str]) -> int:
    """Writes a page as the command line says."""
    parser = Parser("report", "RUN [options]", _DESCRIPTION)
    parser.option("run", str, "a run's folder", nargs="?", metavar="RUN")
    text = "the page [default report.html in the run's folder]"
    parser.option("--out", str, text, metavar="FILE")
    parser.option("--n", int, "observations to encode and to measure on [default 10000]")
    parser.option("--seed", int, "of what is drawn at random [default 0]")
    parser.option("--trust", str, TRUST, metavar="PACKAGE")
    parser.switch("--no-scores", "show no scores, and measure none")
    parser.switch("--open", "open the page in a browser")
    read = parser.read(argv)
    if not read.get("run"):
        raise UsageError("untwine report needs a run's folder")
    from ..report import report
    from .trust import words

    page = report(
        read["run"],
        trust=words(read.get("trust")),
        n=read.get("n", 10_000),
        out=read.get("out"),
        scores=not read.get("no_scores", False),
        seed=read.get("seed", 0),
    )
    console().print(str(page), markup=False, soft_wrap=True)
    if read.get("open"):
        webbrowser.open(Path(page).resolve().as_uri())
    return 0
