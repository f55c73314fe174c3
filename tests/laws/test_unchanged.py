"""What a step computes is what it computed when the record was made."""

import json

import numpy as np
import pytest

from .unchanged import CASES, RECORD, measure

LOOSE = {"InfoGANCR": 1e-2, "Tripod": 1e-2}
"""Relative, 1e-6 elsewhere: where noise that rounds otherwise under another instruction set counts
for much, 3e-3 at most. Adam's first steps are the signs of gradients, and InfoGAN-CR's generator
takes two of them; Tripod's Hessian is a second difference over kinks."""

KEPT = json.loads(RECORD.read_text())


@pytest.mark.parametrize("case", CASES)
def test_terms_and_codes_are_those_of_the_record(case):
    record, now = KEPT[case], measure(case)
    assert list(now) == list(record)
    for name, values in record.items():
        size = np.abs(values).max()  # codes near zero are differences of larger numbers
        close = LOOSE.get(case, 1e-6)
        np.testing.assert_allclose(now[name], values, rtol=close, atol=close * size, err_msg=name)
