r"""The metric audit: how far a score can be trusted, on codes whose disentanglement is known."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from ..evaluation import evaluate
from ..metrics import GROUPS, METRICS
from ..reading import expanded, parse_json, read_text
from ..settings.errors import UsageError, did_you_mean

if TYPE_CHECKING:
    import pandas

__all__ = ["LADDERS", "Ladder", "audit", "audited", "codes_on", "discriminability", "draw_factors"]

SIZES = (3, 6, 40, 32, 32)
"""How many values the factors have: those of dSprites."""

_RUNGS = (0.0, 0.25, 0.5, 0.75, 1.0)
_LEFT_OUT = ("dci_es", "reduced_downstream", "strong_downstream", "unfairness", "flatness")
"""What takes minutes to audit, or needs a whole grid of factors: audited when it is named."""
_PROPERTIES = ("modularity", "compactness", "explicitness", "invariance")


@dataclass(frozen=True)
class Ladder:
    """Codes that get worse in one way, from a perfect one.

    Attributes:
        name: What is done to the code.
        about: The same in a sentence.
        falls: What of a representation gets worse on the way down, in the words of
            `Metric.captures`; the rest stays as it is.
        climb: ``(factors, rung, generator)`` to codes, ``rung`` from 0 (perfect) to 1.
    """

    name: str
    about: str
    falls: tuple[str, ...]
    climb: Callable[[np.ndarray, float, np.random.Generator], np.ndarray]

    def expects(self, metric: str) -> Literal["falls", "stays"] | None:
        """What a score ought to do on the way down; ``None`` if it asks for something else."""
        captures = set(METRICS[metric].captures)
        asked = captures & {*_PROPERTIES}
        if not asked or "factors" not in METRICS[metric].needs:
            return None
        return "falls" if asked & set(self.falls) else "stays"


def _standard(factors: np.ndarray) -> np.ndarray:
    middle = (np.array(SIZES) - 1) / 2
    return (factors - middle) / np.sqrt((np.array(SIZES) ** 2 - 1) / 12)


def _rotated(factors: np.ndarray, rung: float, rng: np.random.Generator) -> np.ndarray:
    z, angle = _standard(factors), rung * np.pi / 4
    c, s = np.cos(angle), np.sin(angle)
    for i, j in ((0, 1), (2, 3), (4, 0)):
        z[:, i], z[:, j] = c * z[:, i] - s * z[:, j], s * z[:, i] + c * z[:, j]
    return _seen(z, rng)


def _duplicated(factors: np.ndarray, rung: float, rng: np.random.Generator) -> np.ndarray:
    z = _standard(factors)
    copies = rung * z + np.sqrt(1 - rung**2) * rng.standard_normal(z.shape)
    return _seen(np.concatenate([z, copies], axis=1), rng)


def _merged(factors: np.ndarray, rung: float, rng: np.random.Generator) -> np.ndarray:
    z = _standard(factors)
    merged = z.copy()
    for i, j in ((1, 0), (3, 2)):  # dimension i takes factor j in, which its own one loses
        merged[:, i] = (z[:, i] + rung * z[:, j]) / np.sqrt(1 + rung**2)
        merged[:, j] = (1 - rung) * z[:, j] + rung * rng.standard_normal(len(z))
    return _seen(merged, rng)


def _noisy(factors: np.ndarray, rung: float, rng: np.random.Generator) -> np.ndarray:
    return _seen(_standard(factors), rng, 0.05 + 2.0 * rung)


def _correlated(factors: np.ndarray, rung: float, rng: np.random.Generator) -> np.ndarray:
    return _seen(_standard(factors), rng)


def _seen(z: np.ndarray, rng: np.random.Generator, deviation: float = 0.05) -> np.ndarray:
    """Codes as an encoder gives them: not exact."""
    return z + deviation * rng.standard_normal(z.shape)


LADDERS: Mapping[str, Ladder] = {
    ladder.name: ladder
    for ladder in (
        Ladder(
            "rotated",
            "pairs of dimensions are rotated, by up to 45 degrees",
            ("modularity", "compactness", "invariance"),
            _rotated,
        ),
        Ladder(
            "duplicated",
            "each factor is in a second dimension, too, more and more clearly",
            ("compactness",),
            _duplicated,
        ),
        Ladder(
            "merged",
            "two dimensions take in a second factor, whose own dimensions turn into noise",
            ("modularity", "explicitness", "invariance"),
            _merged,
        ),
        Ladder(
            "noisy",
            "noise is added to all dimensions",
            ("compactness", "explicitness"),
            _noisy,
        ),
        Ladder(
            "correlated",
            "the code is perfect, and factors of the data are correlated, by up to 0.9",
            (),
            _correlated,
        ),
    )
}
"""What is done to perfect codes; names by what is done."""


def draw_factors(n: int, correlation: float, rng: np.random.Generator) -> np.ndarray:
    """Factors of the sizes of dSprites, ``(n, 5)``; the third and fourth, and the last and second,
    are correlated by a Gaussian copula.
    """
    from scipy.special import ndtr

    normal = rng.standard_normal((n, len(SIZES)))
    for i, j in ((2, 3), (4, 1)):
        normal[:, j] = correlation * normal[:, i] + np.sqrt(1 - correlation**2) * normal[:, j]
    uniform = np.clip(ndtr(normal), 0, 1 - 1e-12)
    return (uniform * np.array(SIZES)).astype(np.int64)


def codes_on(name: str, rung: float, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes and factors on one rung of a ladder.

    Args:
        name: Of the ladder.
        rung: From 0, a perfect code, to 1.
        n: Rows.
        seed: Of factors and noise.

    Example:
        >>> codes, factors = codes_on("rotated", 0.5, 100, 0)
        >>> codes.shape, factors.shape
        ((100, 5), (100, 5))
    """
    rng = np.random.default_rng([seed, sorted(LADDERS).index(name), round(1000 * rung)])
    factors = draw_factors(n, 0.9 * rung if name == "correlated" else 0.0, rng)
    return LADDERS[name].climb(factors, rung, rng), factors


def audited(metrics: Iterable[str] | None = None) -> list[str]:
    """The names of metrics that an audit looks at: those of codes and factors alone.

    Raises:
        UsageError: for a name that there is not, or that needs more.
    """
    fit = [n for n in GROUPS["all"] if set(METRICS[n].needs) <= {"factors"}]
    if metrics is None:
        asks = (*_PROPERTIES, "independence")
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
