"""A share of a study's steps and seeds, for studies at a smaller scale."""

from __future__ import annotations

import math

__all__ = ["every_tenth", "seeds_at", "steps_at"]


def steps_at(steps: int, scale: float) -> int:
    """The share of some steps, at least one.

    Example:
        >>> steps_at(300_000, 0.01), steps_at(10, 0.001)
        (3000, 1)
    """
    return max(1, round(steps * scale))


def seeds_at(count: int, scale: float) -> int:
    """As many seeds as the square root of the scale leaves, at least two where there are two.

    Example:
        >>> seeds_at(50, 0.01), seeds_at(50, 1e-6), seeds_at(1, 0.01)
        (5, 2, 1)
    """
    return min(count, max(2, round(count * math.sqrt(scale))))


def every_tenth(steps: int) -> dict[str, int]:
    """Ten checkpoints and a hundred rows of the log, or fewer.

    Example:
        >>> every_tenth(2000)
        {'checkpoint_every': 200, 'log_every': 20}
    """
    return {"checkpoint_every": max(steps // 10, 1), "log_every": max(steps // 100, 1)}
