"""What a report says first: sentences that are true of their arrays, and yardsticks."""

import numpy as np
import pytest

from untwine.data import FactorSpace
from untwine.encoding import Codes
from untwine.evaluation import Which, evaluate
from untwine.report.findings import Findings
from untwine.report.summary import improving, sentences, yardsticks


def found(share, strength, names=("shape", "scale", "posX", "posY")):
    share = np.asarray(share, float)
    rng = np.random.default_rng(0)
    factors = np.stack([rng.integers(0, 4, 400) for _ in names], 1)
    space = FactorSpace(tuple(names), (4,) * len(names))
    mean = rng.normal(size=(400, len(strength))).astype(np.float32)
    codes = Codes(mean=mean, stddev=None, factors=factors, space=space)
    told = Which(tuple(names), np.asarray(strength), "KL", information=share, share=share)
    return Findings(codes, told, factors.astype(float))


def test_the_paragraph_names_dimensions_factors_and_what_is_nowhere():
    share = np.zeros((6, 4))
    share[5, 3], share[1, 2], share[3, 1] = 0.9, 0.7, 0.35
    share[4, 2] = 0.8  # of a dimension that is off
    said = sentences(found(share, [0.0, 2.0, 0.5, 0.9, 0.001, 3.0]))
    assert said == [
        "z5 follows posY (0.90 of its entropy); z1 follows posX (0.70); z3 follows scale (0.35).",
        "In no single dimension: shape.",
        "z2 is active and follows no factor.",
        "Two of the 6 dimensions are off.",
    ]


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (
            np.eye(2),
            [
                "z0 follows a (1.00 of its entropy); z1 follows b (1.00).",
                "Every factor is in some dimension.",
            ],
        ),
        (
            np.full((2, 2), 0.5),
            [
                "z0 follows a (0.50 of its entropy) and b (0.50); z1 follows a (0.50) and",
                "Every factor",
            ],
        ),
        (np.zeros((2, 2)), ["No single dimension follows a factor."]),
    ],
)
def test_extremes(share, expected):
    said = sentences(found(share, [1.0, 1.0], ("a", "b")))
    assert len(said) == len(expected)
    assert all(one.startswith(start) for one, start in zip(said, expected, strict=True))


def rows(values, name="vae/total"):
    return [{"step": t, "stage": "fit", name: float(v)} for t, v in enumerate(values)]


def test_training_that_still_fell_is_told_from_one_that_had_ended():
    noise = np.random.default_rng(0).normal(size=200)
    falling = 100 - 0.5 * np.arange(200)
    assert improving(rows(falling + noise)).startswith("Training was still improving: the loss")
    assert improving(rows(50 + noise)) == "Training had levelled off."
    assert improving(rows(falling[::-1] + noise)) == "At the end of training the loss was rising."
    assert improving(rows([1.0, 2.0])) is None
    assert improving([]) is None
    both = [{**a, "validation/vae/total": b} for a, b in zip(rows(falling), falling[::-1],
                                                            strict=True)]  # fmt: skip
    assert improving(both) == "At the end of training the held-out loss was rising."
    stages = [{**row, "stage": "first"} for row in rows(falling)] + rows(50 + noise)
    assert improving(stages) == "Training had levelled off."


def test_why_a_run_ended_stands_in_place_of_its_course():
    said = sentences(found(np.eye(4), [1.0] * 4), rows(np.arange(100.0)), "step 5 of 9: enough")
    assert said[-1] == "Training ended early, at step 5 of 9: enough."


def test_yardsticks_are_near_nothing_and_at_the_best():
    case = found(np.eye(4), [1.0] * 5)
    names = ["mig", "modularity", "dci", "active_units"]
    codes = np.concatenate([case.factors, case.factors[:, :1]], 1)
    beside = yardsticks(evaluate(codes, case.factors, names), case, seed=0)
    assert set(beside) == {"mig", "modularity", "dci"}  # bounded, of codes and factors
    assert beside["mig"]["perfect"] == pytest.approx(1.0, abs=0.03)
    assert beside["dci"]["perfect"] > 0.95
    assert beside["mig"]["random"] < 0.1
    assert beside["dci"]["random"] < 0.3
