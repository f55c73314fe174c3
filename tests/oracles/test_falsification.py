"""Whether data refute a graph: chains of Gaussians whose graphs are right, wrong or no graph."""

import math
import random

import numpy as np
import pytest

import untwine as ut
from untwine.use import Falsification, falsify

pytest.importorskip("dowhy", reason="graphs are falsified by dowhy")

CHAIN = ((0, 1), (1, 2), (2, 3), (3, 4))


def graph(*arrows):
    matrix = np.zeros((5, 5))
    for cause, effect in arrows:
        matrix[cause, effect] = 1
    return matrix


def chain(n=1000, seed=0):
    """a -> b -> c -> d -> e, linear with Gaussian noise."""
    noise = np.random.default_rng(seed).normal(size=(n, 5))
    x = noise.copy()
    for j in range(1, 5):
        x[:, j] += 0.8 * x[:, j - 1]
    return x


def test_the_graph_that_made_the_data_is_not_falsified():
    result = falsify(chain(), graph(*CHAIN), "abcde", alpha=0.001)
    assert not result.falsified
    assert result.falsifiable
    # c, d and e each with what comes two or more before them
    assert (result.tests, result.violations, result.broken) == (6, 0, ())
    assert result.share == 0
    assert result.permutations == math.factorial(5)
    # the chain and its mirror, of all orders of five names
    assert result.p_equivalent == pytest.approx(2 / 120)
    assert result.p_value == pytest.approx(2 / 120)
    assert result.by_chance > 0.5
    assert str(result).startswith("not falsified; 0 of 6 independences are violated")


def test_an_equivalent_graph_is_not_falsified_either():
    """No independence tells which end of an arrow is the cause."""
    result = falsify(chain(), graph((1, 0), (1, 2), (2, 3), (3, 4)), "abcde", alpha=0.001)
    assert not result.falsified
    assert result.violations == 0


def test_a_wrong_graph_is_falsified_and_says_where():
    result = falsify(chain(), graph((2, 0), (0, 3), (3, 1), (1, 4)), "abcde")
    assert result.falsified
    assert result.violations >= 4
    assert result.p_value > 0.5
    names = [name for name, _ in result.broken]
    assert "d, c | a" in names  # neighbors, called independent given what is not between them
    assert all(p <= 0.01 for _, p in result.broken)
    assert list(result.broken) == sorted(result.broken, key=lambda one: one[1])
    assert "falsified;" in str(result)


def test_variables_without_relations_say_nothing_for_a_graph():
    noise = np.random.default_rng(3).normal(size=(1000, 5))
    result = falsify(noise, graph(*CHAIN), alpha=0.001)
    assert (result.violations, result.by_chance) == (0, 0)
    assert (result.falsified, result.p_value) == (True, 1)


def test_the_light_tunnels_graph_is_that_of_its_variables():
    tunnel = ut.data.LightTunnel(n=2000, seed=1)
    result = falsify(tunnel.factors, tunnel.weights, tunnel.space.names)
    assert not result.falsified
    turned = np.roll(tunnel.weights, 1, axis=(0, 1))  # blue -> green becomes another pair
    assert falsify(tunnel.factors, turned, tunnel.space.names).violations > 0


def test_a_graph_that_every_order_implies_has_no_verdict():
    complete = np.triu(np.ones((3, 3)), 1)
    result = falsify(chain()[:, :3], complete)
    assert (result.tests, result.falsifiable, result.falsified) == (0, False, False)
    assert np.isnan(result.share)
    assert str(result).startswith("no verdict")


def test_some_orders_of_many_are_drawn_from_the_seed_alone():
    x = chain(300)
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    results = [falsify(x, graph(*CHAIN), permutations=30, seed=4) for _ in range(2)]
    assert results[0] == results[1]
    assert isinstance(results[0], Falsification)
    assert results[0].permutations == 30
    drawn = np.random.random(), random.random()  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    assert drawn == (np.random.random(), random.random())  # noqa: NPY002


def test_what_cannot_be_tested_is_refused():
    x = chain(50)
    with pytest.raises(ValueError, match="a cycle through"):
        falsify(x, graph((0, 1), (1, 0)))
    with pytest.raises(ValueError, match=r"graph has shape \(5, 5\) and 0 arrows"):
        falsify(x, graph())
    with pytest.raises(ValueError, match=r"graph has shape \(5, 5\).*expected \(4, 4\)"):
        falsify(x[:, :4], graph(*CHAIN))
    with pytest.raises(ValueError, match="alpha is 0"):
        falsify(x, graph(*CHAIN), alpha=0)
    with pytest.raises(ValueError, match="level is 1"):
        falsify(x, graph(*CHAIN), level=1)
    with pytest.raises(ValueError, match="values has 7 rows; expected 9 at least"):
        falsify(x[:7], graph(*CHAIN))
    with pytest.raises(ValueError, match="names has 'a' twice"):
        falsify(x, graph(*CHAIN), "abcda")
