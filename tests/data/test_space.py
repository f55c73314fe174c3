"""Index arithmetic, exhaustively on a space of 3 x 4 x 5."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from untwine.data import FactorSpace
from untwine.spec import describe, instantiate

SIZES = (3, 4, 5)
SPACE = FactorSpace(("a", "b", "c"), SIZES)
ALL = np.array(list(itertools.product(range(3), range(4), range(5))))


def test_index_counts_combinations_with_the_last_factor_fastest():
    assert len(SPACE) == 60
    assert SPACE.index(ALL).tolist() == list(range(60))
    assert SPACE.index(ALL).dtype == np.int64
    assert SPACE.factors(np.arange(60)).tolist() == ALL.tolist()


def test_arithmetic_keeps_leading_axes():
    index = np.arange(60).reshape(3, 2, 10)
    assert SPACE.factors(index).shape == (3, 2, 10, 3)
    assert (SPACE.index(SPACE.factors(index)) == index).all()
    assert SPACE.factors(7).tolist() == ALL[7].tolist()


def test_small_integer_types_do_not_overflow():
    space = FactorSpace(("a", "b"), (100, 100))
    assert space.index(np.array([[99, 99]], np.int8)).tolist() == [9999]


def test_neighbors_are_all_that_differ_in_one_factor():
    for factors in ALL:
        expected = {tuple(row) for row in ALL[(factors != ALL).sum(1) == 1]}
        found = SPACE.neighbors(factors)
        assert len(found) == 2 + 3 + 4
        assert {tuple(row) for row in found} == expected
        only_b = SPACE.neighbors(factors, "b")
        assert sorted(only_b[:, 1]) == sorted(set(range(4)) - {factors[1]})
        assert (only_b[:, [0, 2]] == factors[[0, 2]]).all()


def test_traverse_goes_through_one_factor():
    for factors, (k, name) in itertools.product(ALL, enumerate(SPACE.names)):
        line = SPACE.traverse(factors, name)
        assert line[:, k].tolist() == list(range(SIZES[k]))
        assert (np.delete(line, k, axis=1) == np.delete(factors, k)).all()


def test_sample_is_uniform_and_repeats():
    sample = SPACE.sample(60_000, np.random.default_rng(0))
    counts = np.bincount(SPACE.index(sample), minlength=60)
    # Each count is Binomial(60000, 1/60): five standard deviations are 157.
    assert abs(counts - 1000).max() < 157
    assert (sample == SPACE.sample(60_000, np.random.default_rng(0))).all()


def test_spec_round_trip_and_equality():
    again = instantiate(describe(SPACE))
    assert again == SPACE
    assert again.names == ("a", "b", "c")
    assert FactorSpace(["a"], [3]) != FactorSpace(["a"], [4])


def test_no_factors_is_a_space_too():
    space = FactorSpace((), ())
    assert len(space) == 1
    assert space.index(np.empty((4, 0), int)).tolist() == [0, 0, 0, 0]


def test_too_many_combinations_are_refused_only_where_they_are_numbered():
    space = FactorSpace([f"f{i}" for i in range(80)], [2] * 80)
    assert bool(space)
    assert space.check(np.zeros((2, 80), int)).shape == (2, 80)
    with pytest.raises(OverflowError, match="80 factors have"):
        space.index(np.zeros((2, 80), int))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: FactorSpace(("a", "b"), (3,)), ValueError, r"2 names .* but 1 sizes"),
        (lambda: FactorSpace(("a", "a"), (3, 3)), ValueError, "two factors are named 'a'"),
        (lambda: FactorSpace(("a",), (0,)), ValueError, "factor 'a' has size 0"),
        (lambda: SPACE.index([0, 4, 0]), ValueError, "factor 'b' has the value 4; its size is 4"),
        (lambda: SPACE.index([[0, 0, 0], [0, 0, -1]]), ValueError, "'c' has the value -1 in row 1"),
        (lambda: SPACE.index([0, 1]), ValueError, "expected 3 columns"),
        (lambda: SPACE.index([0.0, 1.0, 2.0]), TypeError, "factors are float64"),
        (lambda: SPACE.factors(60), IndexError, "no combination 60; .* 0 to 59"),
        (lambda: SPACE.position("d"), ValueError, r"no factor 'd'; the factors are \['a', 'b'"),
        (lambda: SPACE.traverse([0, 0, 0], "x"), ValueError, "no factor 'x'"),
        (lambda: SPACE.neighbors([[0, 0, 0]]), ValueError, "expected one combination"),
    ],
)
def test_errors_name_the_factor_the_size_and_the_value(call, error, message):
    with pytest.raises(error, match=message):
        call()
