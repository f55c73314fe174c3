"""Fairness of a classifier of codes: accuracy, parity, odds, and what is left of the attribute."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..checks import check_size
from ..data.seeds import check_seed
from ..metrics._estimators.learners import balanced_accuracy
from ..metrics._estimators.predictors import fit_predictor
from .locating import Recovery, coded, recover

__all__ = ["Fairness", "fairness", "parity"]


@dataclass(frozen=True, kw_only=True)
class Fairness:
    """A classifier of codes beside an attribute that should not matter.

    Attributes:
        accuracy: Of the target.
        balanced: With both classes of equal weight.
        majority: The share of the commonest class.
        parity: The demographic parity difference, 0 is parity.
        odds: The equalized odds difference, 0 is equal.
        parity_floor: What parity is on average with the attribute shuffled.
        odds_floor: The same of the odds.
        recovery: What probes still read of the attribute.
    """

    accuracy: float
    balanced: float
    majority: float
    parity: float
    odds: float
    parity_floor: float
    odds_floor: float
    recovery: Recovery

    def __str__(self) -> str:
        r = self.recovery
        return (
            f"accuracy {self.accuracy:.3f} (majority {self.majority:.3f}), "
            f"balanced {self.balanced:.3f}; "
            f"parity {self.parity:.3f} (shuffled {self.parity_floor:.3f}), "
            f"odds {self.odds:.3f} (shuffled {self.odds_floor:.3f}); attribute: "
            f"linear {r.linear:.3f}, strong {r.strong:.3f}, chance {r.chance:.3f}"
        )

    def row(self) -> dict[str, float]:
        """All numbers, flat."""
        own = asdict(self)
        return {**{f"recovery_{k}": v for k, v in own.pop("recovery").items()}, **own}


def parity(guess: Any, target: Any, attribute: Any) -> tuple[float, float]:
    r"""Demographic parity difference and equalized odds difference, by fairlearn.

    .. math::
        \max_a P(\hat y = 1 | a) - \min_a P(\hat y = 1 | a), \qquad
        \max_y \big( \max_a P(\hat y = 1 | a, y) - \min_a P(\hat y = 1 | a, y) \big)

    Args:
        guess: Predictions, 0 or 1.
        target: What is true, 0 or 1.
        attribute: A class of each row.

    Shape:
        all ``(N,)``.

    Raises:
        ModuleNotFoundError: without fairlearn.
        ValueError: for values other than 0 and 1.

    References:
        fairlearn, ``demographic_parity_difference``, ``equalized_odds_difference``; Hardt, Price,
        Srebro, "Equality of Opportunity in Supervised Learning", 2016,
        https://arxiv.org/abs/1610.02413.

    Example:
        >>> parity([1, 1, 0, 0], [1, 0, 1, 0], ["a", "a", "b", "b"])
        (1.0, 1.0)
    """
    try:
        from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "parity and odds are computed by fairlearn: pip install 'untwine[fair]'"
        ) from error
    for name, values in {"guess": guess, "target": target}.items():
        odd = np.setdiff1d(np.asarray(values), [0, 1])
        if len(odd):
            raise ValueError(f"{name} has the value {odd.tolist()[0]!r}; expected 0 and 1")
    guess, target = np.asarray(guess).astype(int), np.asarray(target).astype(int)
    beside = {"sensitive_features": np.asarray(attribute)}
    return (
        float(demographic_parity_difference(target, guess, **beside)),
        float(equalized_odds_difference(target, guess, **beside)),
    )


def fairness(
    codes: Any,
    target: Any,
    attribute: Any,
    codes_test: Any,
    target_test: Any,
    attribute_test: Any,
    *,
    predictor: str = "logistic",
    shuffles: int = 20,
    seed: int = 0,
) -> Fairness:
    """Trains a classifier on codes and says how it treats the groups of an attribute.

    The classifier is not told the attribute. Small groups differ by chance: the floors say by how
    much, with the attribute shuffled.

    Args:
        codes: To learn from.
        target: 0 or 1 of each row.
        attribute: The sensitive attribute, a class of each row.
        codes_test: To be judged on.
        target_test: Theirs.
        attribute_test: Theirs.
        predictor: ``"logistic"``, or ``"fast"`` or ``"boosting"``, see
            `untwine.metrics.downstream_accuracy`.
        shuffles: Of the attribute, over which floors are averaged.
        seed: Of classifier, probes and shuffles.

    Shape:
        - codes: ``(N, D)``, ``(M, D)``
        - target, attribute: ``(N,)``, ``(M,)``

    Raises:
        ModuleNotFoundError: without fairlearn.
        ValueError: for targets other than 0 and 1, and lengths that differ.
    """
    check_size("shuffles", shuffles)
    z, y = coded(codes, target, "target")
    z_test = np.asarray(codes_test)
    truth = np.asarray(target_test)
    guess = fit_predictor(predictor, z, y, 2, seed=seed).predict(z_test)
    dp, eo = parity(guess, truth, attribute_test)
    rng = np.random.default_rng(check_seed(seed))
    truth = truth.astype(int)
    group = np.unique(attribute_test, return_inverse=True)[1]
    floors = np.mean(
        [_differences(guess, truth, rng.permutation(group)) for _ in range(shuffles)], axis=0
    )
    return Fairness(
        accuracy=float((guess == truth).mean()),
        balanced=balanced_accuracy(guess, truth),
        majority=float((truth == np.bincount(y).argmax()).mean()),
        parity=dp,
        odds=eo,
        parity_floor=float(floors[0]),
        odds_floor=float(floors[1]),
        recovery=recover(z, attribute, z_test, attribute_test, seed=seed),
    )


def _differences(guess: np.ndarray, target: np.ndarray, group: np.ndarray) -> tuple[float, float]:
    """What `parity` gives, by counting: fairlearn takes a tenth of a second for twenty groups."""

    def spread(rows: np.ndarray) -> float:
        counts = np.bincount(group[rows], minlength=group.max() + 1)
        hits = np.bincount(group[rows], guess[rows], minlength=group.max() + 1)
        return float(np.ptp(hits / np.maximum(counts, 1)))  # no row of a class: a rate of 0

    odds = max(spread(target == y) for y in (0, 1))
    return spread(np.ones(len(group), bool)), odds
