"""Paired intervals of the difference of two representations."""

import numpy as np
import pytest

from untwine import Codes, FactorSpace
from untwine.evaluation import compare_codes, evaluate


def pair(n, seed, noise=0.3):
    """A representation, and the same a little noisier."""
    rng = np.random.default_rng(seed)
    factors = rng.integers(0, 5, (n, 2))
    one = factors + 0.8 * rng.normal(size=(n, 2))
    return one, one + noise * rng.normal(size=(n, 2)), factors


def test_a_representation_does_not_differ_from_itself():
    one, _, factors = pair(400, 0)
    scores = compare_codes(one, one, factors, ["mig", "r2", "dci"], repeats=5)
    for name in ("mig", "r2", "dci"):
        assert scores.difference(name) == 0
        assert scores.intervals[name] == (0, 0)
        assert not scores.apart(name)


def test_scores_are_those_of_evaluate_and_the_interval_is_narrower_than_two():
    one, two, factors = pair(1000, 1)
    scores = compare_codes(one, two, factors, ["r2"], repeats=60)
    alone = [evaluate(x, factors, ["r2"], confidence=0.95, repeats=60) for x in (one, two)]
    assert scores.first["r2"] == alone[0]["r2"].value
    assert scores.second["r2"] == alone[1]["r2"].value
    widths = [np.diff(table.intervals["r2"]["value"])[0] for table in alone]
    low, high = scores.intervals["r2"]
    assert high - low < 0.6 * np.hypot(*widths)
    assert scores.apart("r2")
    assert scores.frame.loc["r2", "difference"] == pytest.approx(scores.difference("r2"))


def test_the_interval_covers_the_difference_of_the_population():
    """Of linear codes: R^2 is var / (var + noise), of factors' variance 2."""
    truth = 2 / (2 + 0.8**2 + 0.3**2) - 2 / (2 + 0.8**2)
    covered = 0
    for seed in range(30):
        one, two, factors = pair(600, 100 + seed)
        low, high = compare_codes(
            one, two, factors, ["r2"], repeats=30, seed=seed, confidence=0.9
        ).intervals["r2"]
        covered += low <= truth <= high
    assert covered >= 22  # of 27 expected


def test_codes_bring_their_factors_and_others_are_refused():
    one, two, factors = pair(200, 2)
    space = FactorSpace(("a", "b"), (5, 5))
    a = Codes(one, None, factors, space)
    assert compare_codes(a, two, metrics=["mig"], repeats=4).first.keys() == {"mig"}
    with pytest.raises(ValueError, match="a has 200 rows and b 199"):
        compare_codes(a, two[1:])
    b = Codes(two, None, np.roll(factors, 1, 0), space)
    with pytest.raises(ValueError, match="a and b have other factors"):
        compare_codes(a, b, metrics=["mig"])
    with pytest.raises(ValueError, match="confidence is 95"):
        compare_codes(a, two, confidence=95)
    text = str(compare_codes(a, two, metrics=["mig", "lisi"], repeats=4, labels=("x", "y")))
    assert "difference" in text
    assert "lisi: " in text
