"""Counter-based random generators, keyed by seed and step or observation."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["check_seed", "generator_for", "noise_for", "torch_noise"]


def check_seed(seed: int, name: str = "seed") -> int:
    """The seed, if it is one.

    Raises:
        ValueError: for anything but an integer from 0 to :math:`2^{64} - 1`.
    """
    whole = isinstance(seed, int | np.integer) and not isinstance(seed, bool)
    if not whole or not 0 <= seed < 2**64:
        raise ValueError(f"{name} is {seed!r}; expected an integer from 0 to 2**64 - 1")
    return int(seed)


def generator_for(seed: int, step: int) -> np.random.Generator:
    """The generator of one training step.

    It is a Philox counter-based generator keyed with both numbers: made in microseconds, and
    independent of every other step's, so that no state has to be carried from step to step.

    Raises:
        ValueError: for a seed or a step that is not an integer from 0 to :math:`2^{64} - 1`.
    """
    key = np.array([check_seed(seed), check_seed(step, "step")], np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def noise_for(seed: int, index: int, draw: int) -> np.random.Generator:
    """The generator of one observation's noise.

    Args:
        seed: The data set's.
        index: The observation's.
        draw: Which of its noisy versions, from 0 to :math:`2^{128} - 1`.
    """
    words = [0, index, draw & 0xFFFFFFFFFFFFFFFF, draw >> 64]
    # The lowest word of the counter runs while numbers are drawn; the others keep streams apart.
    # The second half of the key keeps them apart from those of `generator_for`.
    key = np.array([seed, 0x6E6F6973655F6F66], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=np.array(words, np.uint64)))


@contextmanager
def torch_noise(seed: int, index: int, draw: int) -> Iterator[None]:
    """A scope in which torch's generator of the CPU is at one observation's noise.

    Args:
        seed: The data set's.
        index: The observation's number.
        draw: Which of its noisy versions, see `noise_for`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(noise_for(seed, index, draw).integers(2**63)))
        yield
