"""What a step computes is what it computed when the record was made, to 1e-6 relative."""

import json

import numpy as np
import pytest

from .unchanged import CASES, RECORD, measure

KEPT = json.loads(RECORD.read_text())


@pytest.mark.parametrize("case", CASES)
def test_terms_and_codes_are_those_of_the_record(case):
    record, now = KEPT[case], measure(case)
    assert list(now) == list(record)
    for name, values in record.items():
        size = np.abs(values).max()  # codes near zero are differences of larger numbers
        np.testing.assert_allclose(now[name], values, rtol=1e-6, atol=1e-6 * size, err_msg=name)
