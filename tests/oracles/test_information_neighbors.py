"""Nearest-neighbor mutual information against closed forms, brute force and scikit-learn."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from scipy.special import digamma

from untwine.metrics import block_mutual_information, infomec, silhouette
from untwine.metrics._estimators.neighbors import kraskov, neighbor_information, spread_ties


def ross(z, y, k):
    """The estimator as it is written down, with all distances."""
    z = z[:, None]
    keep = np.bincount(y)[y] > 1
    z, y = z[keep], y[keep]
    distance = np.abs(z - z.T)
    terms = []
    for n in range(len(y)):
        same = np.sort(distance[n, y == y[n]])  # itself first
        neighbors = min(k, len(same) - 1)
        closer = (distance[n] < same[neighbors]).sum()
        terms.append(digamma(neighbors) - digamma(len(same)) - digamma(closer))
    return max(0.0, digamma(len(y)) + np.mean(terms))


@pytest.mark.parametrize("k", [1, 3, 10])
def test_classes_against_brute_force(k):
    rng = np.random.default_rng(k)
    z = rng.standard_normal(300)
    y = (z + rng.standard_normal(300) > 0).astype(int) + 2 * (rng.uniform(size=300) < 0.02)
    y[:4] = [7, 8, 8, 9]  # classes of one and of two
    assert neighbor_information(z, y, k) == pytest.approx(ross(z, y, k), abs=1e-10)


def test_classes_against_scikit_learn():
    from sklearn.feature_selection import mutual_info_classif

    rng = np.random.default_rng(0)
    y = rng.integers(0, 6, 3000)
    z = np.column_stack([y + rng.standard_normal(3000), y, rng.standard_normal(3000)])
    expected = mutual_info_classif(z, y, n_neighbors=10, random_state=0)
    spread = spread_ties(z, seed=0)
    found = [neighbor_information(column, y, 10) for column in spread.T]
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert found[1] == pytest.approx(log(6), abs=0.01)


def test_a_gaussian_and_its_sign():
    # I(z; sign z) = log 2; I(z; coin) = 0
    rng = np.random.default_rng(0)
    z = rng.standard_normal(5000)
    assert neighbor_information(z, (z > 0).astype(int), 5) == pytest.approx(log(2), abs=0.01)
    assert neighbor_information(z, rng.integers(0, 2, 5000), 5) == pytest.approx(0, abs=0.01)


def test_numbers_against_scikit_learn():
    from sklearn.feature_selection import mutual_info_regression

    rng = np.random.default_rng(0)
    x = rng.standard_normal(2000)
    y = np.sin(2 * x) + 0.3 * rng.standard_normal(2000)
    expected = mutual_info_regression(x[:, None], y, n_neighbors=3, random_state=0)[0]
    z = spread_ties(np.column_stack([x, y]), seed=0)
    assert kraskov(z[:, :1], z[:, 1:], 3) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_gaussian_numbers(correlation):
    rng = np.random.default_rng(1)
    x, e = rng.standard_normal((2, 4000))
    y = correlation * x + np.sqrt(1 - correlation**2) * e
    expected = -0.5 * log(1 - correlation**2)
    assert kraskov(x[:, None], y[:, None], 3) == pytest.approx(expected, abs=0.04)


def test_gaussian_blocks():
    rng = np.random.default_rng(0)
    shared = rng.standard_normal((4000, 2))
    noise = rng.standard_normal((4000, 2))
    codes = np.column_stack([shared, 0.6 * shared + 0.8 * noise, np.full(4000, 0.1)])
    blocks = {"style": [0, 1], "content": [2, 3, 4]}
    expected = -log(1 - 0.36)  # two independent pairs
    assert float(block_mutual_information(codes, blocks)) == pytest.approx(expected, abs=0.05)
    gaussian = block_mutual_information(codes, blocks, estimator="gaussian")
    assert float(gaussian) == pytest.approx(expected, abs=0.05)


def test_blocks_find_what_correlation_does_not():
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, 4000)
    codes = np.column_stack([x, x**2 + 0.1 * rng.standard_normal(4000)])
    assert float(block_mutual_information(codes, [[0], [1]])) > 0.5
    assert float(block_mutual_information(codes, [[0], [1]], estimator="gaussian")) < 0.01


def test_blocks_are_averaged_over_pairs_and_reproducible():
    codes = np.random.default_rng(0).standard_normal((300, 3))
    codes[:, 2] += codes[:, 0]
    score = block_mutual_information(codes, [[0], [1], [2]], points=200, seed=3)
    matrix = score.parts["mutual_information"]
    np.testing.assert_array_equal(matrix, matrix.T)
    assert float(score) == pytest.approx((matrix[0, 1] + matrix[0, 2] + matrix[1, 2]) / 3)
    again = block_mutual_information(codes, [[0], [1], [2]], points=200, seed=3)
    assert float(again) == float(score)
    assert score.protocol["points"] == 200
    assert matrix[0, 2] > 0.1


def test_refusals():
    codes = np.random.default_rng(0).standard_normal((4, 2))
    with pytest.raises(ValueError, match="more than 4 points; got 4"):
        block_mutual_information(codes, [[0], [1]], neighbors=4)
    with pytest.raises(ValueError, match="expected 'knn' or 'gaussian'"):
        block_mutual_information(codes, [[0], [1]], estimator="mine")
    with pytest.raises(ValueError, match="at least two blocks"):
        block_mutual_information(codes, [[0, 1]])
    with pytest.raises(ValueError, match="column 1 is in block 0 and in block 1"):
        block_mutual_information(codes, [[0, 1], [1]])


@pytest.mark.parametrize("rare", [20, 2_000])
def test_a_code_that_is_constant_but_for_two_rows_tells_nothing(rare):
    """Of 200,000 points; the true value is below 1e-4 of the factor's entropy."""
    rng = np.random.default_rng(0)
    factor = np.zeros(200_000, int)
    factor[rng.choice(len(factor), rare, replace=False)] = 1
    code = np.full((len(factor), 1), 5.0)
    code[[3, 77], 0] = 6.0, 4.0
    p = rare / len(factor)
    entropy = -p * np.log(p) - (1 - p) * np.log(1 - p)
    spread = spread_ties(code, seed=0)[:, 0]
    assert neighbor_information(spread, factor, 10) / entropy < 1e-3


def test_where_codes_lie_does_not_matter():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 5, (2_000, 2))
    codes = factors + 0.3 * rng.normal(size=factors.shape)
    here, there = (infomec(codes + offset, factors).parts["nmi"] for offset in (0.0, 1e10))
    np.testing.assert_allclose(here, there, atol=2e-3)  # 1e10 leaves codes 2e-6 apart
    moved = block_mutual_information(codes + 1e8, [[0], [1]]).value
    assert moved == pytest.approx(block_mutual_information(codes, [[0], [1]]).value, abs=2e-3)
    label = factors[:, 0]
    moved = silhouette(codes + 1e8, label).value
    assert moved == pytest.approx(silhouette(codes, label).value, abs=1e-6)


def test_a_binary_code_of_many_points_is_told_exactly():
    label = np.arange(1_000_000) % 2
    spread = spread_ties(label[:, None] * 1.0, seed=0)[:, 0]
    assert neighbor_information(spread, label, 10) == pytest.approx(np.log(2), rel=2e-3)
