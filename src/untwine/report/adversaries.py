"""Section of the report on critics, and on what they made a method generate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..data import FactorDataset
from ..functional import density_and_coverage
from ..methods import HasPrior, Samples
from ..plots.compute import sample
from ..training import CriticRecord, critic_records
from .subject import Subject

__all__ = ["Adversaries", "adversaries", "covered_by_chance"]

_EXAMPLES = 500
_NUMBERS = 2**23  # of the examples and the samples, at most
_NEIGHBORS = 5
_FEW = 0.5  # of the coverage that the data has of itself: less is a collapse


@dataclass(frozen=True)
class Adversaries:
    """How the critics of a run did, and how much of the data its samples cover.

    Attributes:
        critics: One for each critic.
        count: Observations, and samples, that were compared; 0 where there are none.
        density: See `functional.density_and_coverage`.
        coverage: Likewise.
        ideal: The coverage of samples of the data's own distribution.
    """

    critics: list[CriticRecord]
    count: int = 0
    density: float = math.nan
    coverage: float = math.nan
    ideal: float = math.nan

    @property
    def collapsed(self) -> bool:
        """Whether samples cover less than half of what others of the data would."""
        return self.count > 0 and self.coverage < _FEW * self.ideal


def adversaries(subject: Subject, seed: int) -> Adversaries | None:
    """What there is to say of a run with critics; ``None`` of one without."""
    critics = [] if subject.run is None else critic_records(subject.run.rows)
    if not critics:
        return None
    method, data = subject.method, subject.data
    generates = isinstance(method, Samples | HasPrior) and isinstance(data, FactorDataset)
    if not generates or data.covariates is not None:
        return Adversaries(critics)
    count = min(_EXAMPLES, len(data), _NUMBERS // math.prod(data.shape))
    if count <= _NEIGHBORS:
        return Adversaries(critics)
    rows = np.random.default_rng(seed).choice(len(data), count, replace=False)
    real, fake = data.observations(rows), sample(method, count, seed=seed)
    if fake.shape != real.shape:
        return Adversaries(critics)
    density, coverage = density_and_coverage(real, fake, _NEIGHBORS)
    ideal = covered_by_chance(count, count, _NEIGHBORS)
    return Adversaries(critics, count, float(density), float(coverage), ideal)


def covered_by_chance(real: int, fake: int, neighbors: int) -> float:
    """The expected coverage of ``fake`` samples of the distribution of ``real`` examples."""
    k = np.arange(1, neighbors + 1)
    return float(1 - np.prod((real - k) / (real + fake - k)))
