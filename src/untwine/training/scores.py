"""Scores of a run: the one default suite, and ``scores.json``, which keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..encoding import Codes, encode
from ..evaluation import Evaluation, evaluate
from .files import replace_file

if TYPE_CHECKING:
    from .run import Run

__all__ = ["kept", "measure"]


def measure(
    run: Run,
    metrics: str | Sequence[str] | Mapping[str, Mapping[str, Any]] | None,
    *,
    n: int,
    seed: int,
    save: bool,
    codes: Codes | None,
    **settings: Any,
) -> Evaluation:
    """The scores of a run's codes; the arguments are those of `Run.measure`."""
    if n < 2:
        raise ValueError(f"n is {n}; expected at least 2 points")
    if codes is None:
        codes = encode(run.method, run.data, n + n // 2, seed)
    metrics = "default" if metrics is None else metrics
    scores = evaluate(codes, metrics=metrics, points=n, seed=seed, **settings)
    if save and run.path is not None:
        content = _with_earlier(scores, run.path).to_json() + "\n"
        replace_file(run.path / "scores.json", content.encode())
    return scores


def kept(folder: Path) -> Evaluation | None:
    """What ``scores.json`` holds, if it was measured on the run's final weights.

    Raises:
        ValueError: for a file that holds something else.
    """
    file, weights = folder / "scores.json", folder / "model.safetensors"
    if not (file.exists() and weights.exists() and _written(file) >= _written(weights)):
        return None
    return Evaluation.from_json(file)


def _with_earlier(scores: Evaluation, folder: Path) -> Evaluation:
    """These scores, and those that were measured earlier on the same weights."""
    try:
        earlier = kept(folder)
    except ValueError:  # damaged, or of another version: measured again in any case
        earlier = None
    if earlier is None:
        return scores
    others = {name: score for name, score in earlier.scores.items() if name not in scores.skipped}
    return replace(
        scores,
        scores={**others, **scores.scores},
        intervals={**earlier.intervals, **scores.intervals},
        stated={**earlier.stated, **scores.stated},
        confidence=scores.confidence or earlier.confidence,
    )


def _written(file: Path) -> float:
    return file.stat().st_mtime
