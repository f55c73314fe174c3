"""Sampler of few labelled rows among unlabelled ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from .batches import FewLabels
from .modalities import Data
from .sampler import Draw, Sampler, covariates_at, label_column, one_modality
from .seeds import check_seed
from .space import FactorSpace

__all__ = ["FewLabelsSampler", "Labels"]

Labels = Literal["perfect", "binned", "noisy", "permuted", "partial"]
_KINDS = ("perfect", "binned", "noisy", "permuted", "partial")
_NOISE = 0.1  # of the study's noisy labels


class FewLabelsSampler(Sampler[tuple[np.ndarray, ...]]):
    """Unlabelled rows, and labelled ones out of a small fixed set; makes `FewLabels`.

    The labelled set is a pure function of the table and of ``seed``, and so is which of its labels
    are wrong. Both parts of a batch are drawn uniformly and with replacement; the unlabelled part
    never contains a row of the labelled set, unless that is the whole table.

    With one label ``yl`` is ``(L,)``; with several it is ``(L, K)``, -1 where a label is not given.

    Args:
        label: The factor that is the label; by default the first one. A list of names gives
            several labels, ``"*"`` all factors.
        labelled: The size of the labelled set, or its share if it is a float below 1; ``None``
            takes all rows whose label is known.
        batch_labelled: The labelled rows of a batch; by default as many as unlabelled ones.
        balanced: With one label, whether every class gets the same share of the labelled set (as
            far as it can be divided), rather than rows being drawn without regard to their class.
            With several, whether every class of every label gets a labelled row; without it some
            may have none.
        noise: The share of the labelled set whose label is replaced by another class at random, for
            each label on its own. With ``labels="noisy"`` see there.
        seed: Of the choice of the labelled set.
        labels: How good the labels are. ``"perfect"``: as they are. ``"binned"``: factors of more
            than ``bins`` values in as many bins of equal width, whose first value stands for the
            others. ``"noisy"``: each label is redrawn uniformly from its factor's values with
            probability ``noise`` (0.1 if that is 0). ``"permuted"``: the values of each factor in
            a random order. ``"partial"``: only ``observed`` of the factors, drawn at random, have
            labels.
        bins: Of binned labels.
        observed: How many factors have partial labels.
        known: Which rows can be labelled: those that have ``"all"`` labels, or ``"any"``.

    Raises:
        ValueError: if some class has no labelled row or fewer rows than its share, and for settings
            out of range.

    References:
        Semi-Supervised Learning with Deep Generative Models, Kingma et al., 2014,
        https://arxiv.org/abs/1406.5298, Section 4.1: as many labels of each class.
        Disentangling Factors of Variation Using Few Labels, Locatello et al., 2020,
        https://arxiv.org/abs/1905.01258: binned, noisy, permuted and partial labels.

    Example:
        >>> space = FactorSpace(("digit",), (10,))
        >>> factors = np.arange(1000)[:, None] % 10
        >>> sampler = FewLabelsSampler("digit", labelled=100, batch_labelled=8)
        >>> draw = sampler.bind(space, factors)
        >>> unlabelled, labelled, labels = draw(64, np.random.default_rng(0))
        >>> unlabelled.shape, labels.shape, len(sampler.labelled_set(space, factors)[0])
        ((64,), (8,), 100)
    """

    supervision = FewLabels

    def __init__(
        self,
        label: str | Sequence[str] | None = None,
        labelled: int | float | None = 100,
        batch_labelled: int | None = None,
        *,
        balanced: bool = True,
        noise: float = 0.0,
        seed: int = 0,
        labels: Labels = "perfect",
        bins: int = 5,
        observed: int = 2,
        known: Literal["all", "any"] = "all",
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
        if labels not in _KINDS:
            raise ValueError(
                f"labels is {labels!r}; expected one of {', '.join(map(repr, _KINDS))}"
            )
        if bins < 2:
            raise ValueError(f"bins is {bins}; expected at least 2")
        if observed < 1:
            raise ValueError(f"observed is {observed}; expected at least 1 labelled factor")
        if known not in ("all", "any"):
            raise ValueError(f"known is {known!r}; expected 'all' or 'any'")
        several = label is not None and not isinstance(label, str)
        if several and not label:
            raise ValueError("label is empty; name at least one factor, or '*' for all")
        if labels == "partial" and not (several or label == "*"):
            raise ValueError(
                "partial labels are those of some factors out of several: give label= a list of "
                "names, or '*' for all factors"
            )
        self.label = label if label is None or isinstance(label, str) else tuple(label)
        self.labelled, self.batch_labelled = labelled, batch_labelled
        self.balanced, self.noise, self.seed = balanced, noise, check_seed(seed)
        self.labels, self.bins, self.observed, self.known = labels, bins, observed, known

    def bind(self, space: FactorSpace, factors: np.ndarray) -> Draw[tuple[np.ndarray, ...]]:
        """See `Sampler.bind`; draws unlabelled rows, labelled rows, and the labels of these."""
        labelled, labels = self.labelled_set(space, factors)
        unlabelled_rows = np.setdiff1d(np.arange(len(factors)), labelled, assume_unique=True)
        unlabelled_rows = unlabelled_rows if len(unlabelled_rows) else labelled

        def draw(n: int, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
            m = n if self.batch_labelled is None else self.batch_labelled
            unlabelled = unlabelled_rows[generator.integers(0, len(unlabelled_rows), size=n)]
            place = generator.integers(0, len(labelled), size=m)
            return unlabelled, labelled[place], labels[place]

        return draw

    def __call__(
        self, space: FactorSpace, factors: np.ndarray, n: int, generator: np.random.Generator
    ) -> tuple[np.ndarray, ...]:
        """Unlabelled and labelled rows, without the labels."""
        return self.bind(space, factors)(n, generator)[:2]

    def batch(self, data: Data, indices: tuple[np.ndarray, ...], draw: int = 0) -> FewLabels:
        """See `Sampler.batch`; labels that are not among the indices are looked up."""
        unlabelled, labelled, *labels_drawn = indices
        if labels_drawn:
            y = labels_drawn[0]
        else:
            rows, labels = self.labelled_set(data.space, data.factors)
            y = labels[np.searchsorted(rows, labelled)]
        x = one_modality(data).observations(np.concatenate([unlabelled, labelled]), draw)
        return FewLabels(
            x[: len(unlabelled)],
            x[len(unlabelled) :],
            torch.from_numpy(y),
            covariates_at(data, unlabelled),
            covariates_at(data, labelled),
        )

    def labelled_set(
        self, space: FactorSpace, factors: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The labelled rows in ascending order, and their labels as they are given to a method."""
        names = self.names(space)
        columns = [space.position(name) for name in names]
        truth = factors[:, columns].astype(np.int64)
        generator = np.random.default_rng(self.seed)
        single_label = self.label is None or (isinstance(self.label, str) and self.label != "*")
        if single_label:
            rows = self._choose(names[0], truth[:, 0], generator)
        else:
            rows = self._cover(names, truth, generator)
        sizes = [space.sizes[column] for column in columns]
        labels = self._give(names, sizes, truth, rows, generator)
        return rows, labels[:, 0] if single_label else labels

    def names(self, space: FactorSpace) -> tuple[str, ...]:
        """The factors that are labels, in the order of the columns of ``yl``.

        Raises:
            ValueError: if there is no such factor, or one is named twice.
        """
        if self.label is None or (isinstance(self.label, str) and self.label != "*"):
            return (space.names[label_column(space, self.label)],)
        names = space.names if self.label == "*" else tuple(self.label)
        if not names:
            raise ValueError("the data has no factors, and so no labels")
        for i, name in enumerate(names):
            space.position(name)
            if name in names[:i]:
                raise ValueError(f"label names factor {name!r} twice: {list(names)}")
        return names

    def _choose(self, name: str, truth: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        labelled = np.flatnonzero(truth >= 0)
        classes = np.unique(truth[labelled])
        if not len(labelled):
            raise ValueError(f"factor {name!r} is unknown in every row: nothing can be labelled")
        if self.labelled is None:
            return labelled
        n = self._number(labelled, f"factor {name!r} is")
        if not self.balanced:
            rows = np.sort(generator.permutation(labelled)[:n])
            missing = np.setdiff1d(classes, truth[rows])
            if len(missing):
                raise ValueError(
                    f"class {missing[0]} of factor {name!r} has no labelled row among {n} drawn "
                    f"({(truth == missing[0]).sum()} of {len(labelled)} rows are of that class): "
                    + _advice(truth[labelled], n)
                )
            return rows
        if n < len(classes):
            raise ValueError(
                f"labelled is {n}, but factor {name!r} has {len(classes)} classes, and each needs "
                f"a labelled row: label at least {len(classes)} rows"
            )
        quota = np.full(len(classes), n // len(classes))
        quota[generator.permutation(len(classes))[: n % len(classes)]] += 1
        parts = []
        for value, count in zip(classes, quota, strict=True):
            rows = labelled[truth[labelled] == value]
            if len(rows) < count:
                raise ValueError(
                    f"class {value} of factor {name!r} has {len(rows)} rows, fewer than its share "
                    f"of {count} in a balanced set of {n}: " + _advice(truth[labelled], n)
                )
            parts.append(generator.permutation(rows)[:count])
        return np.sort(np.concatenate(parts))

    def _cover(
        self, names: Sequence[str], truth: np.ndarray, generator: np.random.Generator
    ) -> np.ndarray:
        """The labelled rows of several labels, with a row of every class if it is asked for."""
        has_label = truth >= 0
        candidates = np.flatnonzero(has_label.all(1) if self.known == "all" else has_label.any(1))
        if not len(candidates):
            raise ValueError(
                f"no row has {self.known} of the labels {list(names)}: nothing can be labelled"
                + ("; known='any' takes rows that have some" if self.known == "all" else "")
            )
        if self.labelled is None:
            return candidates
        n = self._number(candidates, f"{self.known} of {list(names)} are")
        order = generator.permutation(candidates)
        if not self.balanced:
            return np.sort(order[:n])
        missing = [set(np.unique(column[column >= 0])) for column in truth[candidates].T]
        first, later_rows = [], []
        for row in order:
            values = list(zip(missing, truth[row], strict=True))
            if any(value in classes for classes, value in values):
                first.append(row)
                for classes, value in values:
                    classes.discard(value)
            else:
                later_rows.append(row)
        if len(first) > n:
            raise ValueError(
                f"labelled is {n}, too few for a row of every class of {list(names)} (these take "
                f"{len(first)}): label more rows, or draw them with balanced=False"
            )
        return np.sort(np.array([*first, *later_rows][:n]))

    def _number(self, candidates: np.ndarray, whose: str) -> int:
        """How many rows are labelled, of those that can be."""
        assert self.labelled is not None
        n = self.labelled
        if not isinstance(n, int):
            n = round(n * len(candidates))
        if n > len(candidates):
            raise ValueError(f"labelled is {n}, but {whose} known in {len(candidates)} rows only")
        return n

    def _give(
        self,
        names: Sequence[str],
        sizes: Sequence[int],
        truth: np.ndarray,
        rows: np.ndarray,
        generator: np.random.Generator,
    ) -> np.ndarray:
        """The labels of the labelled rows, ``(L, K)``, as good as they are meant to be."""
        if self.labels == "partial" and self.observed > len(names):
            raise ValueError(f"observed is {self.observed}, but there are {len(names)} labels")
        columns = []
        for column, size in zip(truth.T, sizes, strict=True):
            labels, present = column[rows], column[rows] >= 0
            if self.labels == "binned" and size > self.bins:
                labels = np.where(present, _binned(labels, size, self.bins), -1)
            elif self.labels == "permuted":
                labels = np.where(present, generator.permutation(size)[labels], -1)
            if self.labels == "noisy":
                wrong = generator.random(len(labels)) < (self.noise or _NOISE)
                random_labels = generator.integers(0, size, size=len(labels))
                labels = np.where(present & wrong, random_labels, labels)
            elif self.noise:
                classes = np.unique(column[column >= 0])
                labels[present] = self._mislabel(labels[present], classes, generator)
            columns.append(labels)
        if self.labels == "partial":
            without = generator.permutation(len(names))[self.observed :]
            for column in without:
                columns[column] = np.full_like(columns[column], -1)
        return np.stack(columns, axis=1)

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


def _advice(truth: np.ndarray, n: int) -> str:
    """How a set can be drawn that has every class, from the classes of the rows."""
    counts = np.unique(truth, return_counts=True)[1]
    balanced = int(counts.min()) * len(counts)
    ways = [
        f"labelled={balanced} or fewer with balanced=True"
        if balanced < n
        else "balanced=True takes as many of each class"
    ]
    if np.prod(1 - (1 - n / len(truth)) ** counts) > 0.5:  # about the chance that a draw has all
        ways.append("balanced=False with another seed=")
    return "; or ".join([*ways, "labelled=None takes all rows", "leave the rare class out (-1)"])


def _binned(values: np.ndarray, size: int, bins: int) -> np.ndarray:
    """Values of bins of equal width, each as the first value of its bin."""
    of = np.minimum(np.arange(size) // (size / bins), bins - 1).astype(np.int64)
    first = np.searchsorted(of, np.arange(bins))
    return first[of[np.clip(values, 0, size - 1)]]
