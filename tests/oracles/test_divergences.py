"""KL divergences against quadrature and against other closed forms."""

import math

import pytest
import torch
from scipy import integrate, stats
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    kl_divergence,
)

from untwine.distributions import FullCovariance, StandardNormal, diagonal_normal
from untwine.functional import kl


@pytest.mark.parametrize(("m", "s"), [(0.0, 1.0), (1.3, 0.4), (-2.0, 2.5), (0.1, 0.01)])
def test_gaussian_kl_against_quadrature(m, s):
    q = diagonal_normal(
        torch.tensor([[m]], dtype=torch.float64), torch.tensor([[s]], dtype=torch.float64)
    )
    exact, _ = integrate.quad(
        lambda z: stats.norm.pdf(z, m, s) * (stats.norm.logpdf(z, m, s) - stats.norm.logpdf(z)),
        m - 12 * s,
        m + 12 * s,
        points=[m],
    )
    value = kl(q, StandardNormal(1).double()())
    assert value.item() == pytest.approx(exact, abs=1e-7)
    # the formula whose signs are often misprinted
    assert value.item() == pytest.approx(-0.5 * (1 + math.log(s**2) - m**2 - s**2), abs=1e-12)


def test_kl_sums_over_dimensions_and_keeps_the_batch():
    q = diagonal_normal(torch.randn(5, 3, dtype=torch.float64), torch.rand(5, 3).double() + 0.1)
    parts = kl_divergence(q.base_dist, Normal(0.0, 1.0))
    assert kl(q, StandardNormal(3).double()()).shape == (5,)
    torch.testing.assert_close(kl(q, StandardNormal(3).double()()), parts.sum(1))


def test_full_covariance_kl_against_torch_and_reduces_to_the_diagonal():
    torch.manual_seed(0)
    h = torch.randn(6, 14, dtype=torch.float64)
    q = FullCovariance()(h)
    loc, scale = torch.randn(4, dtype=torch.float64), torch.rand(4, dtype=torch.float64) + 0.2
    p = diagonal_normal(loc, scale)
    full = MultivariateNormal(loc, torch.diag(scale**2))
    torch.testing.assert_close(kl(q, p), kl_divergence(q, full))
    h[:, 8:] = 0  # nothing below the diagonal
    diagonal = diagonal_normal(h[:, :4], h[:, 4:8].exp())
    torch.testing.assert_close(kl(FullCovariance()(h), p), kl(diagonal, p))


def test_full_covariance_factor_is_lower_triangular_with_its_elements_in_place():
    h = torch.arange(1.0, 10.0)[None]  # D = 3: 3 means, 3 log diagonals, 3 below
    factor = FullCovariance()(h).scale_tril[0]
    assert FullCovariance().features(3) == 9
    torch.testing.assert_close(factor.diagonal(), torch.tensor([4.0, 5.0, 6.0]).exp())
    assert factor[1, 0] == 7
    assert factor[2, 0] == 8
    assert factor[2, 1] == 9
    assert (factor.triu(1) == 0).all()


def test_monte_carlo_where_no_closed_form_is_known_is_unbiased():
    torch.manual_seed(1)
    p = MixtureSameFamily(
        Categorical(logits=torch.zeros(2, dtype=torch.float64)),
        Independent(Normal(torch.tensor([[-1.0], [1.5]]).double(), torch.ones(2, 1).double()), 1),
    )
    q = diagonal_normal(torch.tensor([[0.7]]).double(), torch.tensor([[0.5]]).double())

    def integrand(z):
        t = torch.tensor([[z]], dtype=torch.float64)
        return (q.log_prob(t).exp() * (q.log_prob(t) - p.log_prob(t))).item()

    exact, _ = integrate.quad(integrand, -5, 6)
    many = diagonal_normal(torch.full((200_000, 1), 0.7).double(), torch.full((1,), 0.5).double())
    estimates = kl(many.expand((200_000,)), p)
    error = estimates.std() / math.sqrt(len(estimates))
    assert abs(estimates.mean() - exact) < 4 * error


def test_the_given_sample_is_the_one_used():
    p = MixtureSameFamily(
        Categorical(logits=torch.zeros(2)),
        Independent(Normal(torch.randn(2, 3), torch.ones(2, 3)), 1),
    )
    q = diagonal_normal(torch.zeros(4, 3), torch.ones(4, 3))
    z = q.rsample()
    torch.testing.assert_close(kl(q, p, z), q.log_prob(z) - p.log_prob(z))
