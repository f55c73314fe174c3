"""What is refused before the first step of a call of `fit`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from ..methods.method import Method
from .callbacks import State
from .course import Course
from .failures import SCALE, large_observations

__all__ = ["check_batch", "check_start"]


def check_batch(method: Method, batch: Any) -> None:
    """Refuses a batch that is not what the method learns from.

    Raises:
        TypeError: for another type of batch.
        ValueError: for observations that the method refuses.

    Warns:
        UserWarning: of observations that are too large to learn from.
    """
    expected = method.supervision
    if not isinstance(batch, expected):
        raise TypeError(
            f"{type(method).__name__} learns from {expected.__name__}, but the batches "
            f"are {type(batch).__name__}: give fit a sampler or loader of {expected.__name__}, "
            f"or choose a method that learns from {type(batch).__name__}"
        )
    method.check_batch(batch)
    large = large_observations(method, batch)
    if large is not None:
        warnings.warn(f"{large}: {SCALE}", stacklevel=4)


def check_start(
    state: State,
    moves: Mapping[str, int],
    course: Course,
    exhausted: Callable[[int], bool],
) -> bool:
    """Whether all moves have been made.

    Raises:
        ValueError: if the run in the folder has other stages or has made more moves.
    """
    position, names = state.position, list(moves)
    if position.index >= len(names) or names[position.index] != position.stage:
        raise ValueError(
            f"the run in {state.out} is in stage {position.stage!r}, which is not stage "
            f"{position.index + 1} of {names}: the method has changed; choose another folder"
        )
    made = position.done - position.step
    before = names[: position.index]
    asked = sum(course.ended.get(name, moves[name]) for name in before)
    if made != asked or position.step > moves[position.stage]:
        raise ValueError(
            f"the run in {state.out} has made {position.step} moves of stage "
            f"{position.stage!r} and {made} before it, but steps asks for "
            f"{moves[position.stage]} and {asked}: "
            "ask for at least as many in its latest stage and for as many in earlier ones, or "
            "choose another folder"
        )
    if course.stop is not None and moves[position.stage] <= course.stop[0]:
        return True
    course.stop = None
    done = position.step == moves[position.stage] or exhausted(position.index)
    return position.index == len(names) - 1 and done
