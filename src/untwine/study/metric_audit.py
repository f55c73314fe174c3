r"""The metric audit: how far a score can be trusted, on codes whose disentanglement is known."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..evaluation import evaluate
from ..metrics import GROUPS, METRICS
from ..reading import expanded, parse_json, read_text
from ..settings.errors import UsageError, did_you_mean
from .ladders import LADDERS, PROPERTIES, SIZES, Ladder, codes_on, draw_factors

if TYPE_CHECKING:
    import pandas

__all__ = ["LADDERS", "SIZES", "Ladder", "audit", "audited", "codes_on", "discriminability",
           "draw_factors"]  # fmt: skip

_RUNGS = (0.0, 0.25, 0.5, 0.75, 1.0)
_LEFT_OUT = ("dci_es", "reduced_downstream", "strong_downstream", "unfairness", "flatness")
"""What takes minutes to audit, or needs a whole grid of factors: audited when it is named."""


def audited(metrics: Iterable[str] | None = None) -> list[str]:
    """The names of metrics that an audit looks at: those of codes and factors alone.

    Raises:
        UsageError: for a name that there is not, or that needs more.
    """
    fit = [n for n in GROUPS["all"] if set(METRICS[n].needs) <= {"factors"}]
    if metrics is None:
        asks = (*PROPERTIES, "independence")
        return [n for n in fit if {*METRICS[n].captures} & {*asks} and n not in _LEFT_OUT]
    for name in metrics:
        if name not in METRICS:
            raise UsageError(f"there is no metric {name!r}{did_you_mean(name, METRICS)}")
        if name not in fit:
            needs = ", ".join(METRICS[name].needs)
            raise UsageError(f"{name} needs {needs}: an audit has codes and factors alone")
    return list(metrics)


def audit(
    metrics: Iterable[str] | None = None,
    *,
    points: Sequence[int] = (1000, 10_000),
    reseeds: int = 20,
    ladder_points: int = 2000,
    ladder_reseeds: int = 3,
    path: Sequence[tuple[np.ndarray, np.ndarray]] = (),
    seed: int = 0,
    workers: int = 1,
    keep: str | Path | None = None,
    say: Callable[[str], object] = lambda text: None,
) -> pandas.DataFrame:
    r"""How far each score can be trusted.

    - ``cv N``: the coefficient of variation :math:`\sigma / |\mu|` over reseeds (new points, new
      seeds of the metric) at N points, on a code that is rotated a quarter of the way.
    - by ladder, Spearman's rank correlation of the score with the truth, which is how far up the
      ladder the code is: 1 if the score falls from rung to rung, 0 if it does not notice.
    - ``follows``: the least of these over ladders on which what the score asks for gets worse.
    - ``false alarm``: the largest move, as a share of the score on the first rung, on ladders that
      leave what it asks for as it is.
    - ``tells rungs``, ``tells steps``: `discriminability` of neighboring rungs of the ladders on
      which it ought to fall, and of neighboring steps of ``path``.
    - ``seconds``: of one score at the last number of points.

    Args:
        metrics: Names; by default all that need nothing but codes and factors.
        points: Numbers of points for the coefficients of variation.
        reseeds: Draws for these.
        ladder_points: Points on each rung.
        ladder_reseeds: Draws on each rung.
        path: Codes and factors along a training.
        seed: Of everything.
        workers: Processes.
        keep: A file for the scores of each draw, a line each: the same call goes on from it.
        say: Told how far it is.

    Raises:
        UsageError: for metrics that there are not, and too few draws.
    """
    import pandas
    from scipy.stats import spearmanr

    names = audited(metrics)
    if reseeds < 2 or ladder_reseeds < 2:
        raise UsageError(f"reseeds are {reseeds} and {ladder_reseeds}: expected at least 2")
    tasks: dict[_AuditDraw, _Values] = {}
    for n in sorted(points, reverse=True):  # the longest first
        tasks |= {_AuditDraw("rotated", 0.25, n, 1000 + seed + r): {} for r in range(reseeds)}
    for ladder in LADDERS:
        tasks |= {_AuditDraw(ladder, rung, ladder_points, seed + r): {}
                  for rung in _RUNGS for r in range(ladder_reseeds)}  # fmt: skip
    for place in range(len(path)):
        tasks |= {_AuditDraw("", place, ladder_points, seed + r): {} for r in range(ladder_reseeds)}
    file = None if keep is None else expanded(keep)
    tasks |= {task: scored for task, scored in _kept(file, names).items() if task in tasks}
    left = [task for task, scored in tasks.items() if not scored]
    first = len(tasks) - len(left) + 1
    for number, (task, scored) in enumerate(_worked(names, left, path, workers), first):
        tasks[task] = scored
        if file is not None:
            with file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps([asdict(task), scored]) + "\n")
        say(f"{number} of {len(tasks)}")

    def draws(ladder: str, rung: float, n: int, name: str, first: int, count: int) -> np.ndarray:
        values_of = [tasks[_AuditDraw(ladder, rung, n, first + r)] for r in range(count)]
        return np.array([values.get(name, (np.nan, np.nan)) for values in values_of])

    rows: dict[str, dict[str, float]] = {name: {} for name in names}
    for name in names:
        for n in points:
            values, seconds = draws("rotated", 0.25, n, name, 1000 + seed, reseeds).T
            rows[name][f"cv {n}"] = _variation(values)
        if np.isfinite(values).all():
            rows[name] |= {"value": float(values.mean()), "seconds": float(seconds.mean())}
    few = ladder_points, ladder_reseeds
    values_on = {
        ladder: {name: np.stack([draws(ladder, rung, few[0], name, seed, few[1])[:, 0]
                                 for rung in _RUNGS]) for name in names}
        for ladder in LADDERS
    }  # fmt: skip
    for name in names:
        row, sign = rows[name], -1.0 if METRICS[name].higher_is_better is False else 1.0
        follows, alarms, certainties = [], [], []
        for ladder, by_metric in values_on.items():
            scores = sign * by_metric[name]
            if not np.isfinite(scores).all():
                continue
            row[ladder] = _rank(scores, spearmanr)
            expected = LADDERS[ladder].expects(name)
            if expected == "falls":
                follows.append(row[ladder])
                certainties.append(discriminability(scores))
            elif expected == "stays":
                means = scores.mean(1)
                alarms.append(float(np.abs(means - means[0]).max() / max(abs(means[0]), 1e-9)))
        row["follows"] = min(follows, default=np.nan)
        row["false alarm"] = max(alarms, default=np.nan)
        row["tells rungs"] = float(np.mean(certainties)) if certainties else np.nan
        if len(path) > 1:
            along = np.stack([draws("", place, few[0], name, seed, few[1])[:, 0]
                              for place in range(len(path))])  # fmt: skip
            row["tells steps"] = discriminability(along) if np.isfinite(along).all() else np.nan
    result = pandas.DataFrame.from_dict(rows, orient="index")
    order = ["value", *(f"cv {n}" for n in points), *LADDERS, "follows", "false alarm",
             "tells rungs", "tells steps", "seconds"]  # fmt: skip
    result = result.reindex(columns=[c for c in order if c in result])
    result.index.name = "metric"
    return result


def discriminability(scores: np.ndarray) -> float:
    r"""How surely neighboring steps are told apart: the mean of :math:`|2 A - 1|`.

    :math:`A` is the probability that a draw on one step is above a draw on the next one (the area
    under the ROC curve); 1 if their draws never overlap, 0 if they are alike.

    Args:
        scores: Draws on each step.

    Shape:
        - scores: ``(S, R)``.

    Example:
        >>> discriminability(np.array([[0.9, 1.0], [0.5, 0.6], [0.5, 0.6]]))
        0.5
    """
    certainties = []
    for one, two in pairwise(scores):
        differences = np.subtract.outer(one, two)
        certainties.append(abs((differences > 0).mean() - (differences < 0).mean()))
    return float(np.mean(certainties))


_Values = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class _AuditDraw:
    """Scores of one draw: on a rung of a ladder, or, without a ladder, on a place of the path."""

    ladder: str
    rung: float
    points: int
    seed: int


def _worked(
    names: Sequence[str],
    tasks: Sequence[_AuditDraw],
    path: Sequence[tuple[np.ndarray, np.ndarray]],
    workers: int,
) -> Iterator[tuple[_AuditDraw, _Values]]:
    """The scores of each draw, by processes where several are wanted."""
    if workers == 1:
        for task in tasks:
            yield task, _scores(names, task, path)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=spawn) as pool:
        futures = {
            pool.submit(_scores, names, t, () if t.ladder else [path[int(t.rung)]]): t
            for t in tasks
        }
        for future in as_completed(futures):
            yield futures[future], future.result()


def _kept(file: Path | None, names: Sequence[str]) -> dict[_AuditDraw, _Values]:
    """The draws in a file that have a line for all of these metrics."""
    if file is None or not file.exists():
        return {}
    values_of = {}
    for line in read_text(file).splitlines():
        try:
            about, scored = parse_json(line)
            values = {str(name): (float(v), float(s)) for name, (v, s) in scored.items()}
            task = _AuditDraw(**about)
        except (ValueError, TypeError, AttributeError):  # a line that was cut off
            continue
        if values.keys() == {*names}:
            values_of[task] = values
    return values_of


def _scores(
    names: Sequence[str], task: _AuditDraw, path: Sequence[tuple[np.ndarray, np.ndarray]]
) -> _Values:
    """Value and seconds of each metric that can be computed on a draw."""
    if task.ladder:
        codes, factors = codes_on(task.ladder, task.rung, task.points * 3 // 2, task.seed)
    else:
        place = path[int(task.rung)] if len(path) > 1 else path[0]
        codes, factors = _rows(*place, task.points, task.seed)
    with warnings.catch_warnings(action="ignore"):
        result = evaluate(codes, factors, names, points=task.points, seed=task.seed, progress=False)
    nothing = (float("nan"), float("nan"))
    values_of = {n: (float(s.value), float(s.seconds or 0.0)) for n, s in result.scores.items()}
    return {name: values_of.get(name, nothing) for name in names}


def _rows(
    codes: np.ndarray, factors: np.ndarray, n: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    rows = np.random.default_rng(seed).permutation(len(codes))[: n + n // 2]
    return codes[rows], factors[rows]


def _variation(values: np.ndarray) -> float:
    if len(values) < 2 or abs(values.mean()) < 1e-12:
        return float("nan")
    return float(values.std(ddof=1) / abs(values.mean()))


def _rank(scores: np.ndarray, spearman: Callable[..., object]) -> float:
    """Rank correlation with the truth; 0 for a score that does not move."""
    means = scores.mean(1)
    first = max(abs(float(means[0])), 1e-9)
    if np.ptp(means) < 1e-9 * first:
        return 0.0
    return float(spearman(-np.array(_RUNGS), means).statistic)  # type: ignore[attr-defined]
