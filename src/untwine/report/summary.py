"""Summary of a run in sentences, and scores of other codes beside its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..evaluation import Evaluation, evaluate
from ..metrics.registry import METRICS
from ..metrics.score import NotApplicable
from .findings import Findings

__all__ = ["improving", "sentences", "yardsticks"]

_POINTS = 2_000  # rows for scores of other codes
_FEWEST = 10  # values, where there are twice as many
_SHARE = 5  # training is judged by its last fifth
_ERRORS = 3.0  # standard errors of a difference that is no chance


def sentences(
    findings: Findings, rows: Sequence[Mapping[str, Any]] = (), stopped: str | None = None
) -> list[str]:
    """Which dimension follows what, what is in none, and whether training was at its end.

    Args:
        findings: What the page shows.
        rows: Of the run's log.
        stopped: Why the run ended before its last step, if it did.
    """
    words = findings.which.sentences
    course = improving(rows)
    if stopped:
        words.append(f"Training ended early, at {stopped}.")
    elif course:
        words.append(course)
    return words


def improving(rows: Sequence[Mapping[str, Any]]) -> str | None:
    """Whether the loss was still falling at the end, as a sentence; ``None`` without a log.

    The last fifth of the last stage's rows (ten at least, where there are twenty) is halved: the
    means of the halves differ if they are three standard errors apart. Held-out values stand for
    those of training where there are enough.

    Example:
        >>> rows = [{"step": t, "vae/total": 100.0 - t} for t in range(100)]
        >>> improving(rows)
        'Training was still improving: the loss fell by 20.0 over the last 20 steps.'
        >>> improving([{**row, "vae/total": 5.0} for row in rows])
        'Training had levelled off.'
    """
    stage = rows[-1].get("stage") if rows else None
    rows = [row for row in rows if row.get("stage") == stage]
    for prefix in ("validation/", ""):
        totals = (k for row in rows for k in row if k.endswith("/total"))
        name = next((k for k in totals if k.startswith("validation/") == bool(prefix)), None)
        if name is None:
            continue
        pairs = [(row["step"], row[name]) for row in rows if row.get(name) is not None]
        last_rows = pairs[-max(len(pairs) // _SHARE, min(len(pairs) // 2, _FEWEST)) :]
        last = np.array([value for _, value in last_rows], np.float64)
        if len(last) < 4 or not np.isfinite(last).all():
            continue
        half = len(last) // 2
        first, second = last[:half], last[half:]
        error = np.sqrt(first.var(ddof=1) / len(first) + second.var(ddof=1) / len(second))
        fall = first.mean() - second.mean()
        what = "the held-out loss" if prefix else "the loss"
        if fall > _ERRORS * error and fall > 0:
            amount = f"{2 * fall:.3g}" if 2 * fall < 10 else f"{2 * fall:.1f}"
            steps = f"{last_rows[-1][0] - pairs[-len(last_rows) - 1][0]:,}"
            over = f"over the last {steps} steps"
            return f"Training was still improving: {what} fell by {amount} {over}."
        if -fall > _ERRORS * error and fall < 0:
            return f"At the end of training {what} was rising."
        return "Training had levelled off."
    return None


def yardsticks(
    evaluation: Evaluation | None, findings: Findings, seed: int
) -> dict[str, dict[str, float]]:
    """What metrics of codes and factors give for a random code and for a perfect one, by name.

    The random code is drawn independently of everything, from N(0, 1), with as many dimensions as
    the code that was measured; the perfect one is the factors themselves, one to a dimension. Both
    have 2,000 rows. Where a protocol bins or separates linearly, the perfect code is below 1.

    Args:
        evaluation: What was measured.
        findings: The codes and factors.
        seed: Of the rows and of the random code.
    """
    names = [
        name
        for name, score in (evaluation.scores if evaluation is not None else {}).items()
        if name in METRICS
        and tuple(METRICS[name].needs) == ("factors",)
        and (METRICS[name].low, METRICS[name].high) == (0.0, 1.0)
    ]
    factors = findings.factors
    if not names or not len(factors) or np.isnan(factors).any():
        return {}
    rng = np.random.default_rng([seed, 3])
    rows = rng.choice(len(factors), min(_POINTS, len(factors)), replace=False)
    table, width = factors[rows], findings.codes.mean.shape[1]
    spread = table.std(axis=0)
    perfect = (table - table.mean(axis=0)) / np.where(spread > 0, spread, 1)
    codes = {"random": rng.normal(size=(len(rows), width)), "perfect": perfect}
    values: dict[str, dict[str, float]] = {name: {} for name in names}
    for kind, code in codes.items():
        try:
            scores = evaluate(
                code,
                table,
                names,
                names=findings.which.names,
                points=None,
                seed=seed,
                progress=False,
            )
        except (ValueError, NotApplicable):
            continue
        for name, score in scores.scores.items():
            if np.isfinite(score.value):
                values[name][kind] = float(score.value)
    return {name: pair for name, pair in values.items() if pair}
