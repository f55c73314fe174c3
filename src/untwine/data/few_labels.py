"""Labels for a few rows only."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from .batches import FewLabels
from .draws import check_seed
from .sampler import Sampler, label_column
from .space import FactorSpace

__all__ = ["FewLabelsSampler"]


class FewLabelsSampler(Sampler):
    """Unlabelled rows, and labelled ones out of a small fixed set; makes `FewLabels`.

    The labelled set is a pure function of the table and of ``seed``, and so is which of its labels
    are wrong. Both parts of a batch are drawn uniformly and with replacement; the unlabelled part
    never contains a row of the labelled set, unless that is the whole table.

    Args:
        label: The factor that is the label; by default the first one. Only rows in which it is
            known can be labelled.
        labelled: The size of the labelled set, or its share if it is a float below 1; ``None``
            takes all rows whose label is known.
        batch_labelled: The labelled rows of a batch; by default as many as unlabelled ones.
        balanced: Whether every class gets the same share of the labelled set (as far as it can be
            divided), rather than rows being drawn without regard to their class.
        noise: The share of the labelled set whose label is replaced by another class at random.
        seed: Of the choice of the labelled set.

    Raises:
        ValueError: if some class has no labelled row or fewer rows than its share, and for settings
            out of range.

    References:
        Semi-Supervised Learning with Deep Generative Models, Kingma et al., 2014,
        https://arxiv.org/abs/1406.5298, Section 4.1: as many labels of each class.

    Example:
        >>> space = FactorSpace(("digit",), (10,))
        >>> factors = np.arange(1000)[:, None] % 10
        >>> sampler = FewLabelsSampler("digit", labelled=100, batch_labelled=8)
        >>> unlabelled, labelled = sampler(space, factors, 64, np.random.default_rng(0))
        >>> unlabelled.shape, labelled.shape, len(sampler.labelled_set(space, factors)[0])
        ((64,), (8,), 100)
    """

    supervision = FewLabels

    def __init__(
        self,
        label: str | None = None,
        labelled: int | float | None = 100,
        batch_labelled: int | None = None,
        balanced: bool = True,
        noise: float = 0.0,
        seed: int = 0,
    ) -> None:
        share = isinstance(labelled, float)
        if labelled is not None and not (0 < labelled < 1 if share else labelled >= 1):
            raise ValueError(
                f"labelled is {labelled}; expected a number of rows from 1 on, a share between "
                "0.0 and 1.0, or None for all known labels"
            )
        if batch_labelled is not None and batch_labelled < 1:
            raise ValueError(f"batch_labelled is {batch_labelled}; expected at least 1")
        if not 0 <= noise < 1:
            raise ValueError(f"noise is {noise}; expected a share from 0 to less than 1")
        self.label, self.labelled, self.batch_labelled = label, labelled, batch_labelled
        self.balanced, self.noise, self.seed = balanced, noise, check_seed(seed)
        self._parts: tuple[Any, np.ndarray, np.ndarray, np.ndarray] | None = None

    def __call__(
        self, space: FactorSpace, factors: np.ndarray, n: int, generator: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        labelled, _, others = self._partition(space, factors)
        m = n if self.batch_labelled is None else self.batch_labelled
        return (
            others[generator.integers(0, len(others), size=n)],
            labelled[generator.integers(0, len(labelled), size=m)],
        )

    def batch(self, data: Any, indices: tuple[np.ndarray, np.ndarray], draw: int = 0) -> FewLabels:
        unlabelled, labelled = indices
        rows, labels, _ = self._partition(data.space, data.factors)
        x = data.observations(np.concatenate([unlabelled, labelled]), draw)
        y = labels[np.searchsorted(rows, labelled)]
        return FewLabels(x[: len(unlabelled)], x[len(unlabelled) :], torch.from_numpy(y))

    def labelled_set(
        self, space: FactorSpace, factors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The labelled rows in ascending order, and their labels as they are given to a method."""
        return self._partition(space, factors)[:2]

    def _partition(
        self, space: FactorSpace, factors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The labelled rows, their labels, and the other rows."""
        table = self.rows(space, factors)
        if self._parts is None or self._parts[0] is not table:
            column = label_column(space, self.label)
            truth = factors[:, column].astype(np.int64)
            generator = np.random.default_rng(self.seed)
            rows = self._choose(space.names[column], truth, generator)
            others = np.setdiff1d(np.arange(len(factors)), rows, assume_unique=True)
            labels = self._mislabel(truth[rows], np.unique(truth[truth >= 0]), generator)
            self._parts = table, rows, labels, others if len(others) else rows
        return self._parts[1:]

    def _choose(self, name: str, truth: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        known = np.flatnonzero(truth >= 0)
        classes = np.unique(truth[known])
        if not len(known):
            raise ValueError(f"factor {name!r} is unknown in every row: nothing can be labelled")
        if self.labelled is None:
            return known
        n = self.labelled if isinstance(self.labelled, int) else round(self.labelled * len(known))
        if n > len(known):
            raise ValueError(
                f"labelled is {n}, but factor {name!r} is known in {len(known)} rows only"
            )
        if not self.balanced:
            rows = np.sort(generator.permutation(known)[:n])
            missing = np.setdiff1d(classes, truth[rows])
            if len(missing):
                raise ValueError(
                    f"class {missing[0]} of factor {name!r} has no labelled row among {n}: label "
                    "more rows, or draw them with balanced=True"
                )
            return rows
        if n < len(classes):
            raise ValueError(
                f"labelled is {n}, but factor {name!r} has {len(classes)} classes, and each needs "
                f"a labelled row: label at least {len(classes)} rows"
            )
        quota = np.full(len(classes), n // len(classes))
        quota[generator.permutation(len(classes))[: n % len(classes)]] += 1
        chosen = []
        for value, count in zip(classes, quota, strict=True):
            rows = known[truth[known] == value]
            if len(rows) < count:
                raise ValueError(
                    f"class {value} of factor {name!r} has {len(rows)} rows, fewer than its share "
                    f"of {count} in a balanced set of {n}: label fewer rows, or balanced=False"
                )
            chosen.append(generator.permutation(rows)[:count])
        return np.sort(np.concatenate(chosen))

    def _mislabel(
        self, labels: np.ndarray, classes: np.ndarray, generator: np.random.Generator
    ) -> np.ndarray:
        wrong = generator.permutation(len(labels))[: round(self.noise * len(labels))]
        if len(wrong) and len(classes) < 2:
            raise ValueError("noise needs a second class to give as a wrong label")
        place = np.searchsorted(classes, labels[wrong])
        shift = generator.integers(1, max(len(classes), 2), size=len(wrong))
        labels[wrong] = classes[(place + shift) % len(classes)]
        return labels
