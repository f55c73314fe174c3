"""`untwine demo`: the whole way, in minutes."""

from __future__ import annotations

import shlex
import time

from .results import load, report
from .screen import console
from .train import run

__all__ = ["STEPS", "demo"]

STEPS = 3000
"""Training steps: few enough for two cores and five minutes, enough to see positions come apart."""

POINTS = 10_000
"""Points that the metrics use."""

_METHOD = "--method BetaTCVAE --method.beta 10"
_SMALL = "--method.net Conv --method.net.width 8 --method.net.hidden '[256,256]'"
_TRAIN = f"{_METHOD} {_SMALL} --method.optimizer.lr 1e-3 --data DSprites --batch_size 64"
_FULL = f"{_METHOD} --data DSprites --steps 300000 --out runs/dsprites"


def demo(
    *,
    out: str = "runs/demo",
    steps: int = STEPS,
    seed: int = 0,
    open: bool = False,
    no_progress: bool = False,
) -> int:
    """Trains a beta-TCVAE on dSprites, measures it, and writes a page to look at.

    The same line again continues where it stopped.

    Args:
        out: The run's folder.
        steps: Training steps.
        seed: Of everything that is random.
        open: Open the page in a browser.
        no_progress: Show no progress.
    """
    began = time.monotonic()
    folder = shlex.quote(out)
    line = f"{_TRAIN} --steps {steps} --seed {seed} --checkpoint_every 200 --out {folder}"
    screen = console()
    screen.print(f"untwine train {line}", markup=False, soft_wrap=True)
    run([*shlex.split(line), *(["--no-progress"] if no_progress else [])])
    scores = load(out).measure(n=POINTS, progress=False if no_progress else None)
    screen.print(scores.rich())
    report(out, n=POINTS, open=open)
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    screen.print(
        f"\nDone in {minutes}:{seconds:02d}. Open the page above in a browser and move its "
        f"sliders. The full-size run:\n  untwine train {_FULL}",
        markup=False,
        soft_wrap=True,
    )
    return 0
