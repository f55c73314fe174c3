"""Posterior and prior of a hierarchy as named levels, and a seed for its samples."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ..data.batches import Batch
from ..distributions import Blocks
from ..encoding import carried, placement
from .models import LatentModel, NoDensity

__all__ = ["posterior_of_levels", "prior_of_levels", "repeated", "seeded"]


def posterior_of_levels(method: LatentModel, batch: Batch) -> Blocks:
    q = method.represent(carried(batch))
    if not isinstance(q, Blocks):
        raise NoDensity(
            f"q(z|x) is a {type(q).__name__}, which has no levels: take a method whose code has, "
            "such as LadderVAE"
        )
    return q


def prior_of_levels(method: LatentModel) -> Blocks:
    prior = method.prior()
    if not isinstance(prior, Blocks):
        raise NoDensity(
            f"p(z) is a {type(prior).__name__}, which has no levels: take a method whose code has, "
            "such as LadderVAE"
        )
    return prior


def repeated(c: Tensor | None, times: int) -> Tensor | None:
    return None if c is None else c.repeat_interleave(times, 0)


@contextmanager
def seeded(method: object, seed: int) -> Iterator[None]:
    """Within, torch draws by the seed; afterwards it goes on as before."""
    device, _ = placement(method)
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
