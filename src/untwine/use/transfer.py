r"""Transfer of codes: accuracy by number of labels, in the same domain or another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks import check_size
from ..data.seeds import check_seed
from ..metrics._estimators.arrays import as_codes
from ..metrics._estimators.learners import LEARNERS
from ..metrics._estimators.predictors import fit_predictor
from .locating import coded

__all__ = ["TransferCurve", "transfer_curve", "transfer_curves"]


@dataclass(frozen=True)
class TransferCurve:
    """Accuracies of a classifier by representation, number of labels and draw of the labels.

    Attributes:
        labels: Numbers of labels, ``(S,)``.
        accuracy: By the representation's name, ``(S, R)``: every draw. Of ``predictor="ridge"``
            these are shares of variance that are explained.
        chance: The share of the commonest class among the rows that are judged; 0 of ridge.
        level: Of the intervals.
    """

    labels: np.ndarray
    accuracy: Mapping[str, np.ndarray]
    chance: float
    level: float

    def mean(self, name: str) -> np.ndarray:
        """Mean over draws, ``(S,)``."""
        return self.accuracy[name].mean(1)

    def interval(self, name: str) -> np.ndarray:
        """Of the mean over draws, by Student's t, ``(S, 2)``; within [0, 1]."""
        return np.clip(_interval(self.accuracy[name], self.level), 0, 1)

    def gain(self, name: str, reference: str) -> tuple[np.ndarray, np.ndarray]:
        """Mean difference of two representations on the same draws, ``(S,)``, and its interval."""
        difference = self.accuracy[name] - self.accuracy[reference]
        return difference.mean(1), _interval(difference, self.level)

    def __str__(self) -> str:
        width = max(map(len, self.accuracy))
        lines = [" " * width + "".join(f"{n:>24,}" for n in self.labels)]
        for name in self.accuracy:
            ends = self.interval(name)
            cells = [
                f"{m:.3f} [{low:.3f}, {high:.3f}]".rjust(24)
                for m, (low, high) in zip(self.mean(name), ends, strict=True)
            ]
            lines.append(f"{name:<{width}}" + "".join(cells))
        return "\n".join([*lines, f"chance {self.chance:.3f}"])


def transfer_curve(
    codes: Mapping[str, Any],
    target: Any,
    codes_test: Mapping[str, Any],
    target_test: Any,
    *,
    labels: Sequence[int] = (10, 100, 1_000, 10_000),
    draws: int = 10,
    predictor: str = "logistic",
    level: float = 0.95,
    seed: int = 0,
) -> TransferCurve:
    r"""Learns a target from few labels on each of several representations of the same rows.

    Every representation gets the same labelled rows in each draw, so that their differences can be
    paired. ``codes_test`` may be of the same domain, of another one that the same methods encode
    (a shift), or of combinations of factors that no labelled row has. A class that a draw does not
    hold is a mistake wherever it occurs.

    Args:
        codes: Rows to draw labels from, by the representation's name: codes, pixels, components.
        target: Their classes; numbers for ``"ridge"``.
        codes_test: Rows that are judged, by the same names.
        target_test: Theirs.
        labels: How many rows are labelled; numbers above the rows that there are become all.
        draws: Of labelled rows; where all are taken, there is one, and it is repeated.
        predictor: ``"logistic"``, or another of `untwine.metrics.downstream_accuracy`; or
            ``"ridge"``, whose penalty is chosen by cross-validation without refitting, judged by
            R², which is 0 where it would be below: there the mean would do better.
        level: Of the intervals over draws. These say how much the drawn labels matter, not how
            much the training of the representation does: train it with several seeds for that.
        seed: Of the draws.

    Shape:
        - codes: ``(N, D)`` each, with D of its own
        - target: ``(N,)``

    Raises:
        ValueError: for names that differ, lengths that differ, and fewer than two draws.

    References:
        Challenging Common Assumptions in the Unsupervised Learning of Disentangled
        Representations, Locatello et al., 2019, https://arxiv.org/abs/1811.12359, section 5.5.

    Example:
        >>> y = np.arange(400) % 2
        >>> easy, none = y[:, None] * 1.0, np.random.default_rng(0).normal(size=(400, 1))
        >>> codes = {"easy": easy, "none": none}
        >>> curve = transfer_curve(codes, y, codes, y, labels=[20])
        >>> float(curve.mean("easy")[0]), bool(curve.mean("none")[0] < 0.7)
        (1.0, True)
    """
    tests = {"test": (codes_test, target_test)}
    options: dict[str, Any] = {"labels": labels, "draws": draws, "level": level, "seed": seed}
    return transfer_curves(codes, target, tests, predictor=predictor, **options)["test"]


def transfer_curves(
    codes: Mapping[str, Any],
    target: Any,
    tests: Mapping[str, tuple[Mapping[str, Any], Any]],
    *,
    labels: Sequence[int] = (10, 100, 1_000, 10_000),
    draws: int = 10,
    predictor: str = "logistic",
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, TransferCurve]:
    """`transfer_curve` of several domains, with one predictor for all of them.

    Args:
        codes: See `transfer_curve`, as for all that is not said here.
        target: Theirs.
        tests: By the domain's name, the rows that are judged and their targets.
        labels: How many rows are labelled.
        draws: Of labelled rows.
        predictor: What learns.
        level: Of the intervals.
        seed: Of the draws.

    Shape:
        - codes: ``(N, D)`` each
        - target: ``(N,)``

    Raises:
        ValueError: as `transfer_curve`.

    Example:
        >>> y = np.arange(400) % 2
        >>> near, far = {"z": y[:, None] * 1.0}, {"z": 1.0 - y[:, None]}
        >>> curves = transfer_curves(near, y, {"same": (near, y), "turned": (far, y)}, labels=[20])
        >>> {name: float(curve.mean("z")[0]) for name, curve in curves.items()}
        {'same': 1.0, 'turned': 0.0}
    """
    check_size("draws", draws, 2)
    if predictor not in (*LEARNERS, "ridge"):
        names = ", ".join((*LEARNERS, "ridge"))
        raise ValueError(f"predictor is {predictor!r}; expected one of {names}")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; expected a share between 0 and 1")
    learn = {name: coded(z, target, "target")[0] for name, z in codes.items()}
    judged = {domain: _judged(learn, *test) for domain, test in tests.items()}
    y = np.asarray(target)
    sizes = sorted({min(_count(size), len(y)) for size in labels})
    accuracy = {domain: {name: np.empty((len(sizes), draws)) for name in learn} for domain in tests}
    rng = np.random.default_rng(check_seed(seed))
    for draw in range(draws):
        order = rng.permutation(len(y))
        for i, size in enumerate(sizes):
            if size == len(y) and draw:
                for part in accuracy.values():
                    for values in part.values():
                        values[i, draw] = values[i, 0]
                continue
            rows = order[:size]
            for name, z in learn.items():
                guess = _learned(predictor, z[rows], y[rows], seed)
                for domain, (judge, truth) in judged.items():
                    score = _explained if predictor == "ridge" else _right
                    accuracy[domain][name][i, draw] = score(guess(judge[name]), truth)
    return {
        domain: TransferCurve(
            np.array(sizes),
            accuracy[domain],
            0.0 if predictor == "ridge" else _commonest(truth),
            level,
        )
        for domain, (_, truth) in judged.items()
    }


def _judged(
    learn: Mapping[str, np.ndarray], codes_test: Mapping[str, Any], target_test: Any
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Rows that are judged and their targets, checked against those to learn from."""
    if not learn or set(learn) != set(codes_test):
        raise ValueError(
            f"codes has {sorted(learn)} and codes_test {sorted(codes_test)}; expected the same "
            "names, at least one"
        )
    judge = {name: as_codes(z, "codes_test") for name, z in codes_test.items()}
    truth = np.asarray(target_test)
    for name, z in judge.items():
        if len(z) != len(truth) or z.shape[1] != learn[name].shape[1]:
            raise ValueError(
                f"codes_test of {name!r} has shape {z.shape}; expected "
                f"({len(truth)}, {learn[name].shape[1]})"
            )
    return judge, truth


def _count(size: int) -> int:
    """A number of labels, at least 1."""
    check_size("labels", size)
    return int(size)


def _learned(
    predictor: str, z: np.ndarray, y: np.ndarray, seed: int
) -> Callable[[np.ndarray], np.ndarray]:
    """What was learned of rows; the only answer that there is, where all have the same."""
    values, numbers = np.unique(y, return_inverse=True)
    if len(values) == 1:
        return lambda new: np.full(len(new), values[0])
    if predictor == "ridge":
        return _ridge(z, y)
    model = fit_predictor(predictor, z, numbers, len(values), seed=seed)
    return lambda new: values[model.predict(new)]


def _ridge(z: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    from sklearn.linear_model import RidgeCV

    center, spread = z.mean(0), z.std(0)
    unit = np.where(spread > 0, spread, 1)
    model = RidgeCV(np.logspace(-3, 4, 8)).fit((z - center) / unit, y)
    return lambda new: model.predict((new - center) / unit)


def _right(guess: np.ndarray, truth: np.ndarray) -> float:
    return float((guess == truth).mean())


def _explained(guess: np.ndarray, truth: np.ndarray) -> float:
    variance = ((truth - truth.mean()) ** 2).sum()
    return float(max(0.0, 1 - ((truth - guess) ** 2).sum() / variance)) if variance else 0.0


def _commonest(truth: np.ndarray) -> float:
    _, counts = np.unique(truth, return_counts=True)
    return float(counts.max() / len(truth))


def _interval(values: np.ndarray, level: float) -> np.ndarray:
    from scipy.stats import t

    n = values.shape[1]
    half = t.ppf((1 + level) / 2, n - 1) * values.std(1, ddof=1) / np.sqrt(n)
    center = values.mean(1)
    return np.stack([center - half, center + half], 1)
