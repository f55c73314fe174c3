"""Seeds of the noise of a step: a hash of the run's seed and of the place in the training."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["step_seed"]


def step_seed(*place: object) -> int:
    """The seed of torch's generators for one purpose at one place of a training.

    Args:
        place: The run's seed, the stage's number, the step, the purpose if it is not the noise of
            the moves, and the process.

    Example:
        >>> step_seed(0, 0, 1, 0) == step_seed(0, 0, 1, 0) != step_seed(1, 0, 1, 0)
        True
    """
    digest = blake2b(repr(place).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1
