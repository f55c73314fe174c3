"""Forecast of a study's cost, timed on a few steps of each kind of run."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from .folder import Made
from .points import Planned
from .work import Sets

__all__ = ["Forecast", "forecast", "in_words", "kind_of"]

_KINDS = 8
_SECONDS = 1.0  # of timing, for each kind
_SHORT = 3  # steps that warm up, and are not timed
_FEW, _MOST = 8, 200  # steps that are


@dataclass(frozen=True)
class Forecast:
    """Seconds that runs will take.

    Attributes:
        seconds: Of one run, by kind.
        runs: How many runs there are to make, by kind.
        known: Kinds whose seconds are those of finished runs, measuring included; the others are
            steps alone, timed here.
        untimed: Kinds that are taken to be like the average of the others.
    """

    seconds: Mapping[str, float]
    runs: Mapping[str, int]
    known: frozenset[str] = frozenset()
    untimed: frozenset[str] = frozenset()

    @property
    def total(self) -> float:
        """Seconds of all runs, one after the other."""
        return sum(self.seconds.get(kind, 0.0) * count for kind, count in self.runs.items())

    def line(self, workers: int = 1) -> str:
        """The forecast in words."""
        count = sum(self.runs.values())
        if not count:
            return "nothing is left to do"
        text = f"{count:,} runs to make, about {in_words(self.total / workers)}"
        text += f" on {workers} workers" if workers > 1 else ""
        timed = [kind for kind in self.runs if kind not in self.known | self.untimed]
        if timed:
            text += " for training alone (timed on a few steps)"
        return text


def kind_of(run: Planned) -> str:
    """What runs of one cost have in common: everything but seeds and plain numbers."""
    spec = run.spec
    shape = [_shape(spec[root]) for root in ("method", "data", "sampler")]
    return json.dumps([*shape, spec["batch_size"], spec["steps"], spec["precision"]])


def forecast(
    left: Sequence[Planned],
    runs: Sequence[Planned],
    runs_there: Sequence[Made],
    sets: Sets,
    trust: Sequence[str] = (),
) -> Forecast:
    """Times a few steps of each kind of run that none has been finished of.

    Args:
        left: Those that are to be made.
        runs: All of the study.
        runs_there: What lies in the study's folder of them.
        sets: The data sets of this process.
        trust: Packages of which specs may name classes.
    """
    kinds = {run.name: kind_of(run) for run in runs}
    counts: dict[str, int] = {}
    first: dict[str, Planned] = {}
    for run in left:
        counts[kinds[run.name]] = counts.get(kinds[run.name], 0) + 1
        first.setdefault(kinds[run.name], run)
    seconds: dict[str, list[float]] = {}
    for one in runs_there:
        if one.status == "finished" and one.seconds and one.name in kinds:
            seconds.setdefault(kinds[one.name], []).append(one.seconds)
    mean = {kind: sum(values) / len(values) for kind, values in seconds.items()}
    known = frozenset(mean)
    for kind, run in first.items():
        if kind not in mean and len(mean) - len(known) < _KINDS:
            mean[kind] = _timed(run, sets, trust)
    untimed = frozenset(kind for kind in counts if kind not in mean)
    if mean and untimed:
        average = sum(mean.values()) / len(mean)
        mean |= dict.fromkeys(untimed, average)
    return Forecast(mean, counts, known, untimed)


def in_words(seconds: float) -> str:
    """A length of time, to two units.

    Example:
        >>> in_words(42), in_words(3 * 3600 + 61), in_words(90061)
        ('42 s', '3 h 1 min', '1 d 1 h')
    """
    seconds = round(seconds)
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    for place, (unit, size) in enumerate(units):
        if seconds >= size or unit == "s":
            text = f"{seconds // size} {unit}"
            if place < 2 or (unit == "min" and seconds < 600):
                rest, (unit, size) = seconds % size, units[place + 1]
                text += f" {rest // size} {unit}" if rest >= size else ""
            return text
    return "0 s"


def _timed(run: Planned, sets: Sets, trust: Sequence[str]) -> float:
    """Seconds of a run's steps, from a few of them, of the first stage."""
    from ..data import as_loader
    from ..methods.method import Context, play
    from ..spec import instantiate
    from ..training.plan import make_method, moves_by_stage
    from ..training.stages import optimizers_of

    spec = run.spec
    data = sets.get(spec)
    method = make_method(spec, data, trust)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    method.to(device).train()
    sampler = instantiate(spec["sampler"], trust=trust)
    settings: dict[str, Any] = {"batch_size": spec["batch_size"], "seed": 0, "device": device}
    if sampler is None:
        loader = as_loader(data, method, **settings)
    else:
        from ..data import Loader

        loader = as_loader(Loader(data, sampler, batch_size=spec["batch_size"]), method, **settings)
    stages = method.stages()
    moves = moves_by_stage(spec["steps"], stages)
    stage = stages[0]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if stage.begin is not None:
            stage.begin([loader(0)])
        optimizers = optimizers_of(method, stage)
        total, times = sum(moves.values()), []
        began = time.monotonic()
        for step in range(min(_SHORT + _MOST, _SHORT + total)):
            before = time.monotonic()
            ctx = Context(torch.tensor(step, device=device), len(data))
            for due in stage.due(step):
                for _ in play(due(loader(step), ctx), optimizers):
                    pass
            if device.type == "cuda":
                torch.cuda.synchronize()
            now = time.monotonic()
            times.append(now - before)
            enough = len(times) >= _SHORT + _FEW and now - began > _SECONDS
            if enough or now - began > 5 * _SECONDS:
                break
    return median(times[_SHORT:] or times) * total


def _shape(written: Any) -> Any:
    """A spec without its numbers."""
    if isinstance(written, Mapping):
        inside = {k: _shape(v) for k, v in written.items()}
        return {k: v for k, v in inside.items() if v is not None}
    if isinstance(written, list):
        return [_shape(part) for part in written]
    return written if isinstance(written, str) else None
