"""Scores of a run: the one default suite, and ``scores.json``, which keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..encoding import Codes, encode
from ..evaluation import Evaluation, evaluate
from ..reading import read_json
from .files import replace_file
from .final import final_digest

if TYPE_CHECKING:
    from .run import Run

__all__ = ["kept", "measure"]

_WEIGHTS = "weights"
"""The entry of ``scores.json`` that holds the digest of the weights."""


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
        digest = run.weights_digest()
        content = json.loads(_with_earlier(scores, run.path, digest).to_json())
        text = json.dumps({_WEIGHTS: digest, **content}, indent=1, allow_nan=False)
        replace_file(run.path / "scores.json", f"{text}\n".encode())
    return scores


def kept(folder: Path, digest: str | None = None) -> Evaluation | None:
    """What ``scores.json`` holds, if it was measured on the run's weights.

    The scores name the digest of the weights that they are of; the times of files say nothing of
    that, since clocks go back and files are copied. Scores that name none are not trusted.

    Args:
        folder: The run's.
        digest: Of the weights; by default of those in the folder.

    Raises:
        ValueError: for a file that holds something else.
    """
    file = folder / "scores.json"
    if not file.exists():
        return None
    content = read_json(file)
    if not isinstance(content, dict):
        raise ValueError(f"{file} holds no scores")
    if content.get(_WEIGHTS) != (final_digest(folder) if digest is None else digest):
        return None
    return Evaluation.from_json(file)


def _with_earlier(scores: Evaluation, folder: Path, digest: str) -> Evaluation:
    """These scores, and those that were measured earlier on the same weights."""
    try:
        earlier = kept(folder, digest)
    except (OSError, ValueError):  # damaged, or of another version: measured again in any case
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
