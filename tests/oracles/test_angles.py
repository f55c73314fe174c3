"""Von Mises angles: densities, moments, samples and their gradients, against scipy."""

import math

import pytest
import torch
from scipy import integrate, special, stats

from untwine.distributions import Angles, AnglesPosterior, AnglesPrior
from untwine.distributions.angles import _deviations, _slope
from untwine.functional import kl, kl_rule

KAPPAS = [1e-3, 0.3, 2.0, 15.0, 300.0, 2e4]


def angles(mu, kappa):
    mu = torch.as_tensor(mu, dtype=torch.float64)
    return Angles(torch.stack([mu.cos(), mu.sin()], -1), torch.as_tensor(kappa).to(mu))


def points(theta):
    theta = torch.as_tensor(theta, dtype=torch.float64)
    return torch.stack([theta.cos(), theta.sin()], -1)


@pytest.mark.parametrize("kappa", KAPPAS)
def test_density_moments_entropy_and_kl(kappa):
    q = angles([0.7], [kappa])
    theta = 0.7 + torch.linspace(-3, 3, 7, dtype=torch.float64) / max(1, kappa**0.5)
    reference = stats.vonmises(kappa, loc=0.7)
    torch.testing.assert_close(
        q.log_prob(points(theta)), torch.from_numpy(reference.logpdf(theta.numpy()))
    )
    length = special.ive(1, kappa) / special.ive(0, kappa)
    assert q.mean.tolist() == pytest.approx([length * math.cos(0.7), length * math.sin(0.7)])
    assert q.entropy().item() == pytest.approx(float(reference.entropy()), abs=1e-6)
    assert kl(q, angles([0.0], [0.0])).item() == pytest.approx(
        math.log(2 * math.pi) - q.entropy().item(), abs=1e-9
    )
    assert q.loc.item() == pytest.approx(0.7)


@pytest.mark.parametrize("kappa", [0.3, 2.0, 15.0])
def test_variance_and_kl_between_two_by_quadrature(kappa):
    q, p = angles([0.7], [kappa]), angles([-1.0], [1.3])

    def mean(f):
        return integrate.quad(
            lambda t: f(t) * q.log_prob(points([t])[0]).exp().item(), -math.pi, math.pi
        )[0]

    for i, f in enumerate((math.cos, math.sin)):
        expected = mean(lambda t, f=f: f(t) ** 2) - mean(f) ** 2
        assert q.variance[i].item() == pytest.approx(expected, abs=1e-9)
    ratio = mean(lambda t: (q.log_prob(points([t])[0]) - p.log_prob(points([t])[0])).item())
    assert kl(q, p).item() == pytest.approx(ratio, abs=1e-9)
    assert kl_rule(q, p) == "closed form"


@pytest.mark.parametrize("kappa", KAPPAS)
def test_samples_have_the_distribution(kappa):
    torch.manual_seed(0)
    theta = _deviations(torch.full((20_000,), kappa, dtype=torch.float64)).numpy()
    # scipy's own distribution function leaves the exact one at large concentrations
    reference = stats.norm(scale=kappa**-0.5) if kappa > 1e4 else stats.vonmises(kappa)
    assert stats.kstest(theta, reference.cdf).pvalue > 1e-3


@pytest.mark.parametrize("kappa", [1e-3, 0.3, 2.0, 15.0, 45.0])
def test_slope_is_that_of_the_quantile(kappa):
    u = torch.tensor([0.001, 0.05, 0.3, 0.5, 0.8, 0.999], dtype=torch.float64).numpy()
    step = 1e-4 * max(kappa, 0.1)
    high, low = (quantile(u, max(kappa + s, 0.0)) for s in (step, -step))
    expected = (high - low) / (kappa + step - max(kappa - step, 0.0))
    delta = torch.from_numpy(quantile(u, kappa))
    found = _slope(delta, torch.full_like(delta, kappa))
    torch.testing.assert_close(found, torch.from_numpy(expected), rtol=2e-4, atol=1e-6)


def quantile(u, kappa):
    """By root finding on a distribution function integrated numerically."""
    from scipy.optimize import brentq

    def cdf(t):
        density = lambda s: math.exp(kappa * (math.cos(s) - 1))  # noqa: E731
        whole = 2 * math.pi * special.ive(0, kappa)
        return 0.5 + integrate.quad(density, 0, t, epsabs=1e-13, epsrel=1e-13)[0] / whole

    return torch.tensor(
        [brentq(lambda t, p=p: cdf(t) - p, -math.pi, math.pi, xtol=1e-13) for p in u],
        dtype=torch.float64,
    ).numpy()


def test_slope_at_large_concentration_is_the_normals():
    kappa = torch.full((5,), 1e6, dtype=torch.float64)
    delta = torch.linspace(-4, 4, 5, dtype=torch.float64) / 1e3
    expected = -delta / (2 * kappa)
    torch.testing.assert_close(_slope(delta, kappa), expected, rtol=1e-4, atol=1e-15)


@pytest.mark.parametrize("kappa", [0.2, 3.0, 60.0])
def test_gradient_of_an_expectation(kappa):
    """E[f(z)] with f(z) = exp(cos) + 2 sin: pathwise against the derivative of the quadrature."""

    def expectation(mu, k):
        density = lambda t: math.exp(k * (math.cos(t - mu) - 1))  # noqa: E731
        f = lambda t: math.exp(math.cos(t)) + 2 * math.sin(t)  # noqa: E731
        ends = (mu - math.pi, mu + math.pi)
        return integrate.quad(lambda t: f(t) * density(t), *ends, epsabs=1e-12)[0] / (
            2 * math.pi * special.ive(0, k)
        )

    step = 1e-4
    exact = [
        (expectation(0.7 + step, kappa) - expectation(0.7 - step, kappa)) / (2 * step),
        (expectation(0.7, kappa + step) - expectation(0.7, kappa - step)) / (2 * step),
    ]
    torch.manual_seed(0)
    mu = torch.full((200_000, 1), 0.7, dtype=torch.float64, requires_grad=True)
    k = torch.full_like(mu, kappa).requires_grad_()
    z = angles_with_gradient(mu, k).rsample()
    for g, expected in zip(
        torch.autograd.grad((z[:, 0].exp() + 2 * z[:, 1]).sum(), (mu, k)), exact, strict=True
    ):
        error = g.std() / len(g) ** 0.5
        assert abs(g.mean().item() - expected) < 4 * error.item() + 1e-6


def angles_with_gradient(mu, k):
    return Angles(torch.stack([mu.cos(), mu.sin()], -1), k)


def test_head_and_prior():
    h = torch.randn(4, AnglesPosterior().features(6), dtype=torch.float64)
    q, p = AnglesPosterior()(h), AnglesPrior(3)()
    assert q.batch_shape == (4,)
    assert q.event_shape == p.event_shape == (6,)
    assert q.rsample((2,)).shape == (2, 4, 6)
    assert kl(q, p).shape == (4,)
    torch.testing.assert_close(p.sample((5,)).unflatten(-1, (3, 2)).norm(dim=-1), torch.ones(5, 3))
    assert p.log_prob(p.sample()).item() == pytest.approx(-3 * math.log(2 * math.pi), rel=1e-6)
    assert p.mean.abs().max() < 1e-5
    torch.testing.assert_close(p.variance, torch.full((6,), 0.5))
    with pytest.raises(ValueError, match="takes two dimensions"):
        AnglesPosterior().features(3)
    with pytest.raises(ValueError, match="at least 1"):
        AnglesPrior(0)
