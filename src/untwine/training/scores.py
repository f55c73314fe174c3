"""Scores that a run's folder keeps, ``scores.json``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from ..evaluation import Evaluation
from ..reading import read_json
from .files import replace_file
from .final import final_digest

__all__ = ["keep", "kept"]

_WEIGHTS = "weights"
"""The entry of ``scores.json`` that holds the digest of the weights."""


def keep(scores: Evaluation, folder: Path, digest: str) -> None:
    """Writes scores into a run's folder, beside those of other metrics on the same weights.

    Args:
        scores: What was measured.
        folder: The run's.
        digest: Of the weights that they are of.
    """
    content = json.loads(_with_earlier(scores, folder, digest).to_json())
    text = json.dumps({_WEIGHTS: digest, **content}, indent=1, allow_nan=False)
    replace_file(folder / "scores.json", f"{text}\n".encode())


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
