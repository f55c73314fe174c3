"""Edits from the command line: factors of observations are set through a run's code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..settings.errors import UsageError
from .screen import console

if TYPE_CHECKING:
    from ..training import Run

__all__ = ["ALL", "edited", "pair", "valued"]

ALL = "all"
"""The word for every value of a name."""

_MOST = 12  # rows of a factor with more values, which are levels


def pair(option: str, text: str) -> tuple[str, str]:
    """Name and value of a text such as ``digit=3``."""
    name, _, value = text.partition("=")
    if not name or not value:
        raise UsageError(f"{option} is {text!r}; expected name=value, such as digit=3")
    return name, value


def valued(option: str, texts: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Values by name, and the name, if any, of which all values are meant.

    Raises:
        UsageError: for a name that comes twice, and several names of which all are meant.
    """
    words: dict[str, str] = {}
    for text in texts:
        name, word = pair(option, text)
        if name in words:
            raise UsageError(f"{option} gives {name} twice, {words[name]!r} and {word!r}")
        words[name] = word
    swept = [name for name, word in words.items() if word == ALL]
    if len(swept) > 1:
        raise UsageError(f"{option} gives {ALL} for {' and '.join(swept)}; give it for one")
    return words, swept


def edited(
    run: Run, texts: Sequence[str], rows: Sequence[int], n: int, seed: int
) -> tuple[np.ndarray, list[str], str | None]:
    """Observations, their reconstructions, and edits of them: ``(2 + edits, n, ...)``.

    Prints what each factor is moved by. Where a factor is given all values, there is an edit for
    each, or for twelve of many levels.

    Args:
        run: With a decoder, and data with factors.
        texts: Such as ``scale=2.5``.
        rows: Of the run's data; by default drawn.
        n: How many are drawn.
        seed: Of the draw and of the controls.

    Returns:
        Observations and edits, a label for each row of them, and a title.

    Raises:
        UsageError: for rows that there are not, and texts that are no values.
        ValueError: for a factor that there is not or that nothing in the code follows.
    """
    from ..use import Controls

    words, swept = valued("--set", texts)
    data = run.data
    outside = [row for row in rows if not 0 <= row < len(data)]
    if outside:
        raise UsageError(f"--rows has {outside[0]}; the run's data has 0 to {len(data) - 1}")
    if n < 1:
        raise UsageError(f"--n is {n}; expected at least 1")
    controls = Controls.fit(run.method, data, probe=False, seed=seed)
    for name in words:
        control = controls[name]
        score = f"{control.score:.2f} [{control.interval[0]:.2f}, {control.interval[1]:.2f}]"
        line = f"{name} is moved by {control.where or 'nothing'}, held-out score {score}"
        console().print(line, markup=False, soft_wrap=True)
    rng = np.random.default_rng(seed)
    index = np.array(rows or np.sort(rng.choice(len(data), min(n, len(data)), replace=False)))
    edits = [dict(words)]
    if swept:
        scale = next(s for s in controls.scales if s.name == swept[0])
        grid = scale.grid
        if len(grid) > _MOST and scale.kind != "nominal":
            grid = grid[np.rint(np.linspace(0, len(grid) - 1, _MOST)).astype(int)]
        edits = [{**words, swept[0]: scale.written(value)} for value in grid]
    batch = data.batch(index)
    results = [controls.set(batch, **edit) for edit in edits]
    images = [data.observations(index), results[0].before, *(edit.images for edit in results)]
    labels = [", ".join(f"{name} = {word}" for name, word in edit.items()) for edit in edits]
    stack = np.stack([x.float().cpu().numpy() for x in images])
    return stack, ["observation", "reconstruction", *labels], None
