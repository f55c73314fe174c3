"""Which dimension follows which factor: shares in closed form, and what the sentences say."""

import math

import numpy as np
import pytest

import untwine as ut
from untwine.data import FactorSpace
from untwine.encoding import Facts
from untwine.evaluation import which
from untwine.use import which as same


def test_a_share_is_what_a_noisy_channel_lets_through():
    p, n = 0.1, 20_000
    sent = np.arange(n) % 2
    flipped = np.arange(n) // 2 % 10 == 0  # exactly a tenth of each
    other = np.arange(n) // 20 % 4
    told = which(np.stack([sent ^ flipped, other], 1), np.stack([sent, other], 1), names=["a", "b"])
    through = 1 + (p * math.log2(p) + (1 - p) * math.log2(1 - p))
    np.testing.assert_allclose(told.share, [[through, 0], [0, 1]], atol=1e-9)
    assert told.information[0, 0] == pytest.approx(through * math.log(2))
    assert told.sentences[0] == f"z1 follows b (1.00 of its entropy); z0 follows a ({through:.2f})."
    assert (told.dimension("a"), told.dimension("b"), told.match(0)[0]) == (0, 1, "a")


def test_kinds_unknown_values_and_dead_dimensions():
    rng = np.random.default_rng(0)
    turn, known = rng.uniform(0, 2 * math.pi, 4_000), rng.random(4_000) < 0.5
    shape = rng.integers(0, 3, 4_000)
    codes = np.stack([np.zeros(4_000), turn, shape + rng.normal(scale=0.01, size=4_000)], 1)
    factors = np.stack([turn, np.where(known, shape, np.nan), np.ones(4_000)], 1)
    told = which(codes, factors, names=["turn", "shape", "still"], kinds={"turn": "angle"})
    assert told.names == ("turn", "shape")
    assert (told.dimension("turn"), told.dimension("shape")) == (1, 2)
    assert told.sentences[-1] == "One of the 3 dimensions is off."
    assert list(told.table().columns) == ["std", "turn", "shape"]
    assert list(told.table().index) == ["z1", "z2", "z0"]
    with pytest.raises(ValueError, match="factor is 'size'; expected one of turn, shape"):
        told.dimension("size")


def test_activity_is_a_divergence_where_it_has_a_closed_form():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 3, (500, 1))
    mean = rng.normal(size=(500, 2)).astype("float32")
    stddev = np.full((500, 2), 0.5, np.float32)
    space = FactorSpace(("shape",), (3,))
    facts = Facts("Normal", True, "Normal", True)
    told = same(ut.Codes(mean, stddev, factors, space, {}, facts))
    expected = 0.5 * (mean**2 + 0.25 - 1 - math.log(0.25)).mean(0)
    np.testing.assert_allclose(told.strength, expected, rtol=1e-5)
    assert told.measure == "KL"
    assert told.reason is None
    other = same(ut.Codes(mean, stddev, factors, space, {}, Facts("Normal", True, "Mixture")))
    assert (other.measure, "no standard normal" in other.reason) == ("std", True)


def test_without_factors_it_says_what_is_on():
    told = which(np.random.default_rng(0).normal(size=(50, 2)) * [1, 0])
    assert str(told) == "One of the 2 dimensions is off."
    assert told.match(0) is None
    assert repr(told) == "Which(2 dimensions; factors none)"
