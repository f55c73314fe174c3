"""Information-based metrics where their value is known by arithmetic."""

from __future__ import annotations

from math import inf, log, sqrt

import numpy as np
import pytest

from untwine.metrics import (
    active_units,
    block_mutual_information,
    dcimig,
    dimension_kl,
    gaussian_total_correlation,
    infomec,
    jemmig,
    mig,
    mig_sup,
    modularity,
    pairwise_mutual_information,
    wasserstein_correlation,
)
from untwine.metrics._estimators.information import discretize, entropy, histogram_information

EXACT = 1e-9


def grid(*sizes):
    axes = np.meshgrid(*(np.arange(size) for size in sizes), indexing="ij")
    return np.stack(axes, axis=-1).reshape(-1, len(sizes))


@pytest.mark.parametrize("metric", [mig, mig_sup, dcimig, jemmig, modularity])
def test_a_perfect_code_scores_one(metric):
    factors = grid(3, 5, 20)
    codes = factors[:, [2, 0, 1]] * [1.0, -2.0, 0.5] + 3.0
    assert float(metric(codes, factors)) == pytest.approx(1, abs=EXACT)


def test_a_duplicated_code_is_modular_and_not_compact():
    factors = grid(5, 5)
    codes = factors[:, [0, 1, 0, 1]] * 1.0
    assert float(mig(codes, factors)) == pytest.approx(0, abs=EXACT)
    assert float(mig_sup(codes, factors)) == pytest.approx(1, abs=EXACT)
    assert float(dcimig(codes, factors)) == pytest.approx(1, abs=EXACT)
    assert float(modularity(codes, factors)) == pytest.approx(1, abs=EXACT)
    # The gap, log 5, is lost of a normalizer of H(v) + log B = log 5 + log 20.
    assert float(jemmig(codes, factors)) == pytest.approx(1 - log(5) / log(100), abs=EXACT)
    parts = infomec(codes.astype(int), factors, discrete_codes=True).parts
    assert parts["infom"] == pytest.approx(1, abs=EXACT)
    assert parts["infoc"] == pytest.approx((1 / 2 - 1 / 4) / (1 - 1 / 4), abs=EXACT)


def test_a_second_dimension_that_knows_one_bit():
    factors = grid(10, 3)
    codes = np.column_stack([factors[:, 0], factors[:, 0] % 2, factors[:, 1]])
    per_factor = mig(codes, factors).parts["per_factor"]
    np.testing.assert_allclose(per_factor, [1 - log(2) / log(10), 1], atol=EXACT)


def test_a_rotated_code():
    factors = grid(2, 2)
    codes = (2 * factors - 1) @ np.array([[1.0, 1.0], [1.0, -1.0]])
    information = histogram_information(codes, factors)
    np.testing.assert_allclose(information.mutual, 0.5 * log(2), atol=EXACT)
    for metric in (mig, mig_sup, dcimig, modularity):
        assert float(metric(codes, factors)) == pytest.approx(0, abs=EXACT)


def test_one_dimension_for_two_independent_factors():
    factors = grid(4, 2)
    code = factors @ np.array([2.0, 1.0])  # all eight combinations are told apart
    assert float(mig(code, factors)) == pytest.approx(1, abs=EXACT)
    # 1 - (log 2)^2 / (log 4)^2
    assert float(modularity(code, factors)) == pytest.approx(3 / 4, abs=EXACT)
    assert float(mig_sup(code, factors)) == pytest.approx(0, abs=EXACT)
    # (log 4 - log 2) / (log 4 + log 2)
    assert float(dcimig(code, factors)) == pytest.approx(1 / 3, abs=EXACT)


def test_bins_coarser_than_a_factor():
    factors = grid(40, 2)
    score = mig(factors * 1.0, factors, bins=20)
    np.testing.assert_allclose(score.parts["per_factor"], [log(20) / log(40), 1], atol=EXACT)
    assert float(mig(factors, factors, bins=20, discrete_codes=True)) == pytest.approx(1, abs=EXACT)
    assert float(mig(factors, factors, bins=20, continuous_factors=True)) == pytest.approx(
        1, abs=EXACT
    )
    # joint entropy log 40, mutual information log 20
    expected = 1 - (log(40) - log(20)) / (log(40) + log(20))
    found = jemmig(factors, factors, bins=20).parts["per_factor"][0]
    assert found == pytest.approx(expected, abs=EXACT)


def test_whose_entropy_divides():
    factors = grid(4, 2)
    code = np.column_stack([factors @ [2.0, 1.0], np.zeros(8)])
    np.testing.assert_allclose(
        mig(code, factors, normalizer="code").parts["per_factor"], [2 / 3, 1 / 3], atol=EXACT
    )


@pytest.mark.parametrize("metric", [mig, mig_sup, dcimig, modularity])
def test_an_independent_code_scores_exactly_zero(metric):
    world = grid(3, 4, 5)
    assert float(metric(world[:, 2:] * 1.0, world[:, :2])) == 0


@pytest.mark.parametrize("metric", [mig, dcimig, jemmig])
def test_constant_dimensions_do_not_matter_to_a_gap_per_factor(metric):
    factors = grid(4, 6)
    codes = np.column_stack([np.full(24, 0.1), factors, np.zeros(24)])
    assert float(metric(codes, factors)) == pytest.approx(1, abs=EXACT)


@pytest.mark.parametrize("metric", [mig_sup, modularity])
def test_constant_dimensions_score_zero_in_a_mean_over_dimensions(metric):
    factors = grid(4, 6)
    codes = np.column_stack([np.full(24, 0.1), factors, np.zeros(24)])
    assert float(metric(codes, factors)) == pytest.approx(1 / 2, abs=EXACT)
    assert float(metric(codes, factors, active=0.05)) == pytest.approx(1, abs=EXACT)


@pytest.mark.parametrize("metric", [mig, mig_sup, dcimig, modularity])
def test_a_code_that_is_constant_throughout(metric):
    factors = grid(4, 6)
    assert float(metric(np.full((24, 3), 0.1), factors)) == 0


def test_infomec_without_an_active_dimension():
    factors = grid(4, 6)
    parts = infomec(np.full((24, 3), 0.1), factors).parts
    assert parts["infom"] == parts["infoc"] == 0
    assert parts["infoe"] == pytest.approx(0, abs=1e-6)
    assert not parts["active"].any()


def test_blocks_are_reduced_to_one_dimension():
    factors = grid(5, 4)
    line = factors[:, :1] @ np.array([[3.0, -4.0]])
    codes = np.column_stack([line[:, 0], factors[:, 1], line[:, 1]])
    assert float(mig(codes, factors)) < 0.6
    score = mig(codes, factors, blocks={"place": [0, 2], "shape": [1]}, components=1)
    assert float(score) == pytest.approx(1, abs=EXACT)
    assert score.parts["mutual_information"].shape == (2, 2)
    assert score.protocol["blocks"] == 2


def test_discretization_is_the_reference_one():
    rng = np.random.default_rng(0)
    codes = rng.standard_normal((500, 4)).astype(np.float32)
    codes[:, 1] = rng.integers(0, 40, 500)
    codes[:, 2] = 0.5
    expected = np.column_stack([np.digitize(c, np.histogram(c, 20)[1][:-1]) for c in codes.T])
    np.testing.assert_array_equal(discretize(codes, 20)[:, [0, 1, 3]], expected[:, [0, 1, 3]] - 1)
    assert len(np.unique(discretize(codes, 20)[:, 2])) == 1


def test_bins_narrower_than_the_numbers_are_spaced():
    code = np.float32(1e6) + np.array([0, 0.0625, 0.125], dtype=np.float32)[[0, 1, 2, 1]]
    np.testing.assert_array_equal(discretize(code[:, None], 20).ravel(), [0, 1, 2, 1])


def test_entropy_of_counts():
    assert entropy(np.array([1, 1, 2])) == pytest.approx(1.5 * log(2), abs=1e-12)
    assert entropy(np.array([7])) == 0


def test_pairwise_mutual_information():
    world = grid(4, 4)
    codes = np.column_stack([world, world[:, 0] // 2]) * 1.0
    score = pairwise_mutual_information(codes)
    # of three pairs, one shares one bit
    assert float(score) == pytest.approx(log(2) / 3, abs=EXACT)
    np.testing.assert_allclose(
        np.diag(score.parts["mutual_information"]), [log(4), log(4), log(2)], atol=EXACT
    )


def with_covariance(covariance, n=50, seed=0):
    """Codes whose sample covariance is the given one."""
    z = np.random.default_rng(seed).standard_normal((n, len(covariance)))
    z -= z.mean(axis=0)
    z = z @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T))).T
    return z @ np.linalg.cholesky(covariance).T + 5.0


def test_gaussian_total_correlation_of_two():
    z = with_covariance(np.array([[4.0, 1.2], [1.2, 1.0]]))  # correlation 0.6
    assert float(gaussian_total_correlation(z)) == pytest.approx(-0.5 * log(1 - 0.36), abs=EXACT)
    padded = np.column_stack([z, np.full(50, 0.1)])
    assert float(gaussian_total_correlation(padded)) == pytest.approx(
        -0.5 * log(1 - 0.36), abs=EXACT
    )


def test_gaussian_total_correlation_between_blocks():
    a = np.random.default_rng(1).standard_normal((4, 4))
    covariance = a @ a.T
    blocks = [[0, 2], [3, 1]]
    inner = sum(np.linalg.slogdet(covariance[np.ix_(b, b)])[1] for b in blocks)
    expected = 0.5 * (inner - np.linalg.slogdet(covariance)[1])
    z = with_covariance(covariance)
    assert float(gaussian_total_correlation(z, blocks=blocks)) == pytest.approx(expected, abs=1e-8)
    assert float(block_mutual_information(z, blocks, estimator="gaussian")) == pytest.approx(
        expected, abs=1e-8
    )


def test_linear_dependence_is_infinite_between_blocks_and_nothing_within():
    z = with_covariance(np.eye(2))
    z = np.column_stack([z, z[:, 0]])
    assert float(gaussian_total_correlation(z)) == inf
    assert float(gaussian_total_correlation(z, blocks=[[0, 2], [1]])) == pytest.approx(0, abs=1e-8)


def test_total_correlation_of_constant_codes():
    assert float(gaussian_total_correlation(np.full((5, 3), 0.1))) == 0
    assert float(wasserstein_correlation(np.full((5, 3), 0.1), normalized=True)) == 0


def test_wasserstein_correlation_of_two():
    # unit variances: trace of the root of [[1, r], [r, 1]]
    z = with_covariance(np.array([[1.0, 0.6], [0.6, 1.0]]))
    expected = 4 - 2 * (sqrt(1.6) + sqrt(0.4))
    assert float(wasserstein_correlation(z)) == pytest.approx(expected, abs=1e-8)
    assert float(wasserstein_correlation(z, normalized=True)) == pytest.approx(
        expected / 2, abs=1e-8
    )


def test_wasserstein_correlation_is_the_distance_of_gaussians():
    from scipy.linalg import sqrtm

    a = np.random.default_rng(2).standard_normal((5, 5))
    covariance = a @ a.T
    blocks = [[0, 3], [1], [2, 4]]
    product = np.zeros((5, 5))
    for b in blocks:
        product[np.ix_(b, b)] = covariance[np.ix_(b, b)]
    root = sqrtm(product)
    cross = sqrtm(root @ covariance @ root)
    expected = np.trace(covariance + product - 2 * cross).real
    z = with_covariance(covariance)
    assert float(wasserstein_correlation(z, blocks=blocks)) == pytest.approx(expected, abs=1e-7)


def test_dimension_kl_is_torch_s():
    import torch
    from torch.distributions import Normal, kl_divergence

    rng = np.random.default_rng(0)
    mean, stddev = rng.standard_normal((100, 3)), rng.uniform(0.1, 2, (100, 3))
    q = Normal(torch.from_numpy(mean), torch.from_numpy(stddev))
    expected = kl_divergence(q, Normal(0.0, 1.0)).mean(0).numpy()
    score = dimension_kl(mean, stddev)
    np.testing.assert_allclose(score.parts["kl"], expected, atol=1e-10)
    assert float(score) == pytest.approx(expected.sum(), abs=1e-10)
    by_block = dimension_kl(mean, stddev, blocks=[[2, 0], [1]]).parts["kl"]
    np.testing.assert_allclose(by_block, [expected[0] + expected[2], expected[1]], atol=1e-10)


def test_active_units():
    rng = np.random.default_rng(0)
    z = with_covariance(np.diag([0.011, 0.009, 1.0, 1e-6])).astype(np.float32)
    z = np.column_stack([z, np.full(50, 0.1)])[rng.permutation(50)]
    score = active_units(z)
    assert float(score) == 2
    assert score.parts["active"].tolist() == [True, False, True, False, False]
    assert float(active_units(z, threshold=0.008)) == 3
    assert float(active_units(z, blocks=[[0, 2], [1, 3], [4]])) == 1
