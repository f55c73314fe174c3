"""Likelihoods against scipy, quadrature and their definitions."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from untwine.distributions import Bernoulli, ContinuousBernoulli, Gaussian, Laplace

H = torch.randn(4, 2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
X = torch.rand(4, 2, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_bernoulli_is_the_cross_entropy_summed_over_pixels():
    x = (X > 0.5).double()
    expected = stats.bernoulli.logpmf(x.numpy(), torch.sigmoid(H).numpy()).sum((1, 2, 3))
    p = Bernoulli()(H)
    np.testing.assert_allclose(p.log_prob(x).numpy(), expected)
    grey = X * torch.sigmoid(H).log() + (1 - X) * torch.sigmoid(-H).log()
    torch.testing.assert_close(p.log_prob(X), grey.sum((1, 2, 3)))


def test_gaussian_and_laplace_against_scipy():
    np.testing.assert_allclose(
        Gaussian(0.3)(H).log_prob(X).numpy(),
        stats.norm.logpdf(X.numpy(), H.numpy(), 0.3).sum((1, 2, 3)),
    )
    np.testing.assert_allclose(
        Laplace(0.3)(H).log_prob(X).numpy(),
        stats.laplace.logpdf(X.numpy(), H.numpy(), 0.3).sum((1, 2, 3)),
    )


@pytest.mark.parametrize("logit", [-3.0, -0.5, 0.2, 4.0])
def test_continuous_bernoulli_is_normalized(logit):
    p = ContinuousBernoulli()(torch.full((1, 1), logit, dtype=torch.float64))

    def density(x):
        return p.log_prob(torch.full((1, 1), x, dtype=torch.float64)).exp().item()

    area, _ = integrate.quad(density, 0, 1)
    mean, _ = integrate.quad(lambda x: x * density(x), 0, 1)
    assert area == pytest.approx(1, abs=1e-8)
    assert p.mean.item() == pytest.approx(mean, abs=1e-7)


def test_optimal_sigma_is_the_best_scale():
    best = Gaussian("optimal")(H).log_prob(X).sum()
    sigma = ((X - H) ** 2).mean().sqrt().item()
    torch.testing.assert_close(best, Gaussian(sigma)(H).log_prob(X).sum())
    for other in (0.9, 1.1):
        assert best > Gaussian(sigma * other)(H).log_prob(X).sum()
    assert torch.isfinite(Gaussian("optimal")(X).log_prob(X)).all()


def test_learned_sigma_is_a_parameter_that_moves_to_the_best_scale():
    likelihood = Gaussian("learned")
    optimizer = torch.optim.Adam(likelihood.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        (-likelihood(H).log_prob(X)).mean().backward()
        optimizer.step()
    sigma = likelihood.log_sigma.exp().item()
    assert sigma == pytest.approx(((X - H) ** 2).mean().sqrt().item(), rel=0.01)


@pytest.mark.parametrize("family", [Bernoulli, ContinuousBernoulli, Gaussian, Laplace])
def test_one_value_per_example_and_no_averaging(family):
    p = family()(H)
    assert p.log_prob(X).shape == (4,)
    assert p.mean.shape == H.shape
    twice = family()(torch.cat([H, H], -1))
    torch.testing.assert_close(twice.log_prob(torch.cat([X, X], -1)), 2 * p.log_prob(X))


def test_errors_name_the_value():
    with pytest.raises(ValueError, match="sigma is -1"):
        Gaussian(-1.0)
    with pytest.raises(ValueError, match="sigma is 'best'"):
        Gaussian("best")
    with pytest.raises(ValueError, match="scale is 0"):
        Laplace(0.0)


def test_log_densities_are_in_nats():
    assert Bernoulli()(torch.zeros(1, 1)).log_prob(torch.ones(1, 1)).item() == pytest.approx(
        -math.log(2)
    )
