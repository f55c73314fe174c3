"""A score behaves like the number that it is."""

import copy
import json
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from untwine.metrics import Score

LOW = Score(0.25, {"per_factor": np.array([0.1, 0.4])}, {"bins": 20}, "mig")
HIGH = Score(0.75, name="mig", interval=(0.7, 0.8))


def test_compared_and_sorted():
    assert LOW < HIGH
    assert HIGH > 0.5 > LOW
    assert LOW == 0.25 == Score(0.25)
    assert LOW != HIGH
    assert sorted([HIGH, LOW]) == [LOW, HIGH]
    assert max(LOW, HIGH) is HIGH
    assert {LOW: 1}[0.25] == 1


def test_rounded_and_formatted():
    assert round(Score(0.12345), 2) == 0.12
    assert f"{LOW:.3f}" == "0.250"
    assert f"{HIGH:.0%}" == "75%"
    assert repr(LOW) == str(LOW) == "mig=0.2500 (bins=20)"


def test_arithmetic_gives_plain_numbers():
    total = sum([LOW, HIGH])
    assert type(total) is float
    assert total == 1.0
    assert LOW + 1 == 1.25
    assert 1 - LOW == 0.75
    assert -LOW == -0.25
    assert HIGH / LOW == 3.0
    assert math.sqrt(LOW) == 0.5


def test_arrays_of_scores():
    assert np.mean([LOW, HIGH]) == 0.5
    assert np.std([LOW, HIGH]) == 0.25
    array = np.array([LOW, HIGH])
    assert array.dtype == np.float64
    assert np.argsort([HIGH, LOW]).tolist() == [1, 0]
    assert torch.tensor([LOW, HIGH]).tolist() == [0.25, 0.75]
    assert np.isnan(Score(math.nan))
    assert json.dumps({"mig": LOW}) == '{"mig": 0.25}'


@pytest.mark.parametrize(
    "clone",
    [
        lambda s: pickle.loads(pickle.dumps(s)),
        copy.copy,
        copy.deepcopy,
        replace,
        lambda s: Score.from_dict(json.loads(json.dumps(s.to_dict()))),
    ],
)
def test_copies_keep_everything(clone):
    again = clone(LOW)
    assert type(again) is Score
    assert again == LOW
    assert (again.value, again.name, again.protocol) == (0.25, "mig", {"bins": 20})
    np.testing.assert_array_equal(again.parts["per_factor"], [0.1, 0.4])


def test_a_changed_copy_is_another_number():
    assert replace(LOW, value=0.5) == 0.5
    assert replace(LOW, interval=(0.2, 0.3)).interval == (0.2, 0.3)
    with pytest.raises(AttributeError):
        LOW.value = 0.5
