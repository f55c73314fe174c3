"""`untwine demo`: the same training with and without pairs, side by side, in minutes."""

from __future__ import annotations

import shlex
import time
from pathlib import Path

import numpy as np

from ..checks import check_size
from .results import report
from .screen import console
from .train_line import run

__all__ = ["STARTS", "STEPS", "demo"]

STEPS = 2500
"""Training steps of each run: few enough for two cores and three minutes."""

STARTS = 2
"""Runs of each kind, from seeds of their own."""

POINTS = 10_000
"""Points that the metrics use."""

# The weight begins above 0, so that a knob has to be worth it from the start (from 0, a factor is
# spread over several), and ends high enough to shut those that say what another says.
_GROWS = "{0} Linear {0}.start 1.5 {0}.end 4 {0}.steps 1500"
_ARMS = {
    "with-pairs": "--method AdaGVAE --method.changed 1 --method.penalty KL "
    f"{_GROWS.format('--method.penalty.beta')} "
    "--sampler PairsSampler --sampler.changed 1 --batch_size 32",
    "without-pairs": f"--method BetaVAE {_GROWS.format('--method.beta')} --batch_size 64",
}
_SAME = (
    "--method.latent_dim 8 --method.net MLP --method.net.hidden '[128, 128]' "
    "--method.optimizer.lr 2e-3 --data Slice --data.data Downsampled --data.data.data DSprites "
    "--data.at '{shape: 0, orientation: 0}' --checkpoint_every 500 --log_every 10"
)
_FULL = "--method AdaGVAE --data DSprites --steps 300000 --out runs/dsprites"


def demo(
    *,
    out: str = "runs/demo",
    steps: int = STEPS,
    starts: int = STARTS,
    seed: int = 0,
    open: bool = False,
    no_progress: bool = False,
) -> int:
    """Trains two models on the upright squares of dSprites, and shows what their knobs turn.

    Net, weight of the divergence, steps and images are the same. One model sees pairs that differ
    in a single factor, nobody says which; the other sees single images. Each is trained from
    several starts, and the one that ends with the lowest loss is kept: no factor is looked at for
    that. Both are measured, and a page has their knobs side by side. The same line again continues
    where it stopped.

    Args:
        out: The folder of the runs.
        steps: Training steps of each run.
        starts: Runs of each model.
        seed: Of everything that is random.
        open: Open the page in a browser.
        no_progress: Show no progress.
    """
    check_size("starts", starts)
    began = time.monotonic()
    screen = console()
    folders = []
    for arm, words in _ARMS.items():
        runs = []
        for start in range(starts):
            folder = str(Path(out) / (arm if start == 0 else f"{arm}-{start + 1}"))
            number = seed if start == 0 else _another(seed, start)
            line = f"{words} {_SAME} --steps {steps} --seed {number} --out {shlex.quote(folder)}"
            screen.print(f"untwine train {line}", markup=False, soft_wrap=True)
            run([*shlex.split(line), *(["--no-progress"] if no_progress else [])])
            runs.append((final_loss(folder), folder))
        _, folder = min(runs)
        folders.append(folder)
        if starts > 1:
            losses = ", ".join(f"{value:.1f}" for value, _ in runs)
            screen.print(
                f"Losses at the end: {losses} nats. The lowest is kept: {folder}", markup=False
            )
    first, *others = folders
    report([first], beside=others, out=str(Path(out) / "report.html"), n=POINTS, open=open)
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    screen.print(
        f"\nDone in {minutes}:{seconds:02d}. Open the page above in a browser: each row of "
        "pictures is a knob, and a good knob turns one thing. More of a run:\n"
        f"  untwine report {shlex.quote(first)}\nAll of dSprites:\n  untwine train {_FULL}",
        markup=False,
        soft_wrap=True,
    )
    return 0


def final_loss(folder: str) -> float:
    """The loss over the last fifth of a run's log, averaged, nats."""
    from ..training import Run

    log = Run(folder).log
    column = next(name for name in map(str, log) if name.endswith("/total"))
    return float(log[column][log["step"] > 0.8 * log["step"].max()].mean())


def _another(seed: int, start: int) -> int:
    return int(np.random.SeedSequence([seed, start]).generate_state(1)[0])
