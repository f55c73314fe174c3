"""`untwine demo`: the whole way, in minutes."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence

from .console import console
from .parser import Parser

__all__ = ["STEPS", "run"]

STEPS = 3000
"""Training steps: few enough for two cores and five minutes, enough to see positions come apart."""

POINTS = 10_000
"""Points that the metrics use."""

_METHOD = ["--method", "BetaTCVAE", "--method.beta", "10"]
_SMALL = ["--method.net", "Conv", "--method.net.width", "8", "--method.net.hidden", "[256,256]"]
_FULL = [*_METHOD, "--data", "DSprites", "--steps", "300000", "--out", "runs/dsprites"]

_DESCRIPTION = f"""\
Trains a beta-TCVAE on dSprites for {STEPS:,} steps, measures it, and writes a page to look at. The
same line again continues where it stopped."""


def run(argv: Sequence[str]) -> int:
    """Trains, measures and reports."""
    parser = Parser("demo", "[options]", _DESCRIPTION)
    parser.option("--out", str, "the run's folder [default runs/demo]", metavar="FOLDER")
    parser.option("--steps", int, f"training steps [default {STEPS}]")
    parser.option("--seed", int, "of everything that is random [default 0]")
    parser.switch("--open", "open the page in a browser")
    parser.switch("--no-progress", "show no progress")
    read = parser.read(argv)

    from . import measure, page, train

    began = time.monotonic()
    out = read.get("out", "runs/demo")
    words = [
        *_METHOD,
        *_SMALL,
        "--method.optimizer.lr",
        "1e-3",
        "--data",
        "DSprites",
        "--batch_size",
        "64",
    ]
    words += ["--steps", str(read.get("steps", STEPS)), "--seed", str(read.get("seed", 0))]
    words += ["--checkpoint_every", "200", "--out", out]
    screen = console()
    screen.print(f"untwine train {shlex.join(words)}", markup=False, soft_wrap=True)
    asked = train.order([*words, *(["--no-progress"] if read.get("no_progress") else [])])
    assert asked is not None
    train.train(asked)
    progress = False if read.get("no_progress") else None
    screen.print(measure.load(out).measure(n=POINTS, progress=progress).rich())
    page.run([out, *(["--open"] if read.get("open") else [])])
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    screen.print(
        f"\nDone in {minutes}:{seconds:02d}. Open the page above in a browser and move its "
        f"sliders. The full-size run:\n  untwine train {shlex.join(_FULL)}",
        markup=False,
        soft_wrap=True,
    )
    return 0
