"""The exact aggregate posterior against brute-force integration."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import logsumexp
from scipy.stats import norm

from untwine.metrics import aggregate_posterior, aggregate_total_correlation, mig
from untwine.metrics._estimators.gaussian_sums import GaussianSum
from untwine.metrics._estimators.information import Labels
from untwine.metrics._estimators.posterior import posterior_information


def mixture_entropy(mean, stddev):
    def integrand(z):
        logs = logsumexp(norm.logpdf(z, mean, stddev)) - log(len(mean))
        return -np.exp(logs) * logs

    low, high = (mean - 9 * stddev).min(), (mean + 9 * stddev).max()
    return quad(integrand, low, high, points=np.unique(mean), limit=500, epsabs=1e-9)[0]


@pytest.mark.parametrize("seed", range(4))
def test_entropy_of_a_mixture(seed):
    rng = np.random.default_rng(seed)
    mean, stddev = rng.normal(0, 3, 6), np.exp(rng.uniform(-2, 0.5, 6))
    mixture = GaussianSum.of(mean, stddev)
    density = mixture.densities([Labels(np.zeros(6, dtype=int), 1)])[0]
    assert density.sum() * mixture.step == pytest.approx(1, abs=1e-8)
    expected = mixture_entropy(mean, stddev)
    assert mixture.entropies(density)[0] == pytest.approx(expected, abs=1e-5)
    assert mixture.widened == 0


def test_mutual_information_with_factors():
    rng = np.random.default_rng(0)
    mean, stddev = rng.normal(0, 2, (9, 2)), np.exp(rng.uniform(-1, 0.5, (9, 2)))
    factors = np.column_stack([np.repeat([0, 1, 2], 3), [0, 0, 0, 0, 0, 0, 1, 1, 1]])
    factors[0, 1] = -1  # unknown
    found = posterior_information(mean, factors, stddev)
    for j in range(2):
        for k in range(2):
            here = factors[:, k] >= 0
            mu, sigma, v = mean[here, j], stddev[here, j], factors[here, k]
            expected = mixture_entropy(mu, sigma) - sum(
                (v == value).mean() * mixture_entropy(mu[v == value], sigma[v == value])
                for value in np.unique(v)
            )
            assert found.mutual[j, k] == pytest.approx(expected, abs=1e-5)
    np.testing.assert_allclose(
        found.factor_entropy, [log(3), -(3 / 8) * log(3 / 8) - (5 / 8) * log(5 / 8)]
    )
    assert found.known.tolist() == [9, 8]


def test_chen2018_of_separated_and_of_useless_posteriors():
    factors = np.stack(np.meshgrid(range(4), range(3)), -1).reshape(-1, 2)
    codes = np.column_stack([40.0 * factors, np.zeros(12)])
    score = mig(codes, factors, protocol="chen2018", stddev=np.ones((12, 3)))
    assert float(score) == pytest.approx(1, abs=1e-6)
    useless = mig(codes, factors, protocol="chen2018", stddev=np.full((12, 3), 1e5))
    assert float(useless) == pytest.approx(0, abs=1e-6)


def test_chen2018_of_blocks_projects_the_posteriors():
    factors = np.arange(6)[:, None]
    codes = factors * np.array([[3.0, 4.0]])
    stddev = np.full((6, 2), 1.5)
    along = posterior_information(5.0 * factors, factors, stddev[:, :1])
    block = posterior_information(codes, factors, stddev, blocks=[[0, 1]], components=1)
    with pytest.raises(ValueError, match="reduce each block by components=1"):
        mig(codes, factors, protocol="chen2018", stddev=stddev, blocks=[[0, 1]])
    assert block.mutual.shape == (1, 1)
    assert block.mutual[0, 0] == pytest.approx(along.mutual[0, 0], abs=1e-9)


def test_posteriors_too_narrow_for_the_grid_are_widened_and_said_so():
    factors = np.repeat([0, 1], 50)
    mean = np.where(factors == 0, -1.0, 1.0)[:, None]
    stddev = np.full((100, 1), 1e-12)
    score = mig(mean, factors, protocol="chen2018", stddev=stddev)
    assert float(score) == pytest.approx(1, abs=1e-6)
    assert "100.00%" in score.protocol["widened"]


def brute_force(mean, stddev):
    """MI, TC and dimension-wise KL of two-dimensional posteriors on a fine grid."""
    axes, step = [], []
    for j in range(2):
        low = (mean[:, j] - 8 * stddev[:, j]).min()
        high = (mean[:, j] + 8 * stddev[:, j]).max()
        nodes = np.linspace(low, high, 1200)
        axes.append(nodes)
        step.append(nodes[1] - nodes[0])
    density = [norm.pdf(axes[j][:, None], mean[:, j], stddev[:, j]) for j in range(2)]
    joint = density[0] @ density[1].T / len(mean)
    marginal = [d.mean(axis=1) for d in density]

    def integral(p, logs, volume):
        return volume * np.sum(np.where(p > 0, p * logs, 0.0))

    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -integral(joint, np.log(joint), step[0] * step[1])
        entropies = [-integral(p, np.log(p), h) for p, h in zip(marginal, step, strict=True)]
        cross = [
            -integral(p, norm.logpdf(z), h) for p, z, h in zip(marginal, axes, step, strict=True)
        ]
    conditional = norm.entropy(scale=stddev).sum(axis=1).mean()
    return (
        entropy - conditional,
        sum(entropies) - entropy,
        np.subtract(cross, entropies),
    )


@pytest.mark.parametrize("seed", range(3))
def test_decomposition_in_two_dimensions(seed):
    rng = np.random.default_rng(seed)
    first = rng.normal(0, 1.5, 7)
    mean = np.column_stack([first, 0.7 * first + rng.normal(0, 0.5, 7)])
    stddev = np.exp(rng.uniform(-1, 0, (7, 2)))
    information, correlation, dimension_kl = brute_force(mean, stddev)
    found = aggregate_posterior(mean, stddev, samples=100_000)
    error = 4 * found.standard_error
    assert 0 < error < 0.02
    assert found.mutual_information == pytest.approx(information, abs=error)
    assert found.total_correlation == pytest.approx(correlation, abs=error)
    np.testing.assert_allclose(found.dimension_kl, dimension_kl, atol=1e-5)
    kl = 0.5 * (mean**2 + stddev**2 - 1 - 2 * np.log(stddev)).mean(axis=0)
    np.testing.assert_allclose(found.kl, kl, atol=1e-12)
    parts = found.mutual_information + found.total_correlation + found.dimension_kl.sum()
    assert parts == pytest.approx(kl.sum(), abs=1e-10)


def test_one_dimension_is_integrated_and_has_no_total_correlation():
    mean, stddev = np.array([[-1.0], [2.0], [2.5]]), np.array([[0.5], [1.0], [0.2]])
    found = aggregate_posterior(mean, stddev)
    expected = mixture_entropy(mean[:, 0], stddev[:, 0]) - norm.entropy(scale=stddev).mean()
    assert found.mutual_information == pytest.approx(expected, abs=1e-5)
    assert found.total_correlation == found.standard_error == 0


def test_total_correlation_between_blocks():
    rng = np.random.default_rng(0)
    mean, stddev = rng.normal(0, 1.5, (6, 2)), np.exp(rng.uniform(-1, 0, (6, 2)))
    # a third dimension that copies the first one's posterior means
    mean, stddev = mean[:, [0, 1, 0]], stddev[:, [0, 1, 0]]
    whole = aggregate_posterior(mean, stddev, samples=50_000)
    block = aggregate_posterior(mean, stddev, samples=50_000, blocks=[[0, 2], [1]])
    pair = aggregate_posterior(mean[:, [0, 2]], stddev[:, [0, 2]], samples=50_000)
    # TC of three = TC within the pair + TC between the pair and the third
    total = block.total_correlation + pair.total_correlation
    assert whole.total_correlation == pytest.approx(total, abs=0.02)
    assert block.total_correlation < whole.total_correlation
    single = aggregate_posterior(mean, stddev, blocks=[[0, 1, 2]])
    assert single.total_correlation == 0


def test_the_minibatch_estimators_agree_on_whole_batches():
    rng = np.random.default_rng(0)
    first = rng.normal(0, 1.5, 12)
    mean = np.column_stack([first, first + rng.normal(0, 0.5, 12)])
    stddev = np.exp(rng.uniform(-1, 0, (12, 2)))
    _, expected, _ = brute_force(mean, stddev)
    score = aggregate_total_correlation(
        mean, stddev, estimator="mss", batch_size=12, samples=24_000
    )
    error = 4 * score.parts["standard_error"]
    assert 0 < error < 0.1
    assert float(score) == pytest.approx(expected, abs=error)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stddev": np.zeros((4, 2))}, "positive"),
        ({"stddev": np.ones((4, 3))}, "shape"),
        ({"estimator": "mwss"}, "expected 'exact'"),
        ({"blocks": [[0]]}, "no block names columns \\[1\\]"),
        ({"samples": 1}, "samples is 1"),
        ({"estimator": "mss", "batch_size": 5}, "batch_size is 5"),
    ],
)
def test_refusals(change, message):
    arguments = {"stddev": np.ones((4, 2))} | change
    with pytest.raises(ValueError, match=message):
        aggregate_total_correlation(np.zeros((4, 2)), **arguments)
