"""Mixture against mixture: quadrature in one and two dimensions; relaxed choice: enumeration."""

import math

import pytest
import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from untwine.distributions import LowRank, Mixture, MixturePosterior, OneHot, diagonal_normal
from untwine.functional import (
    convexity_upper_bound,
    durrieu_bounds,
    kl,
    kl_rule,
    matched_upper_bound,
    mixture_log_ratio,
    variational_approximation,
    variational_upper_bound,
)
from untwine.methods import MixtureKL


def gaussians(dim, k, seed, full=False, spread=1.5):
    g = torch.Generator().manual_seed(seed)
    loc = spread * torch.randn(k, dim, generator=g, dtype=torch.float64)
    scale = 0.4 + torch.rand(k, dim, generator=g, dtype=torch.float64)
    if not full:
        return diagonal_normal(loc, scale)
    tril = torch.diag_embed(scale) + 0.5 * torch.randn(
        k, dim, dim, generator=g, dtype=torch.float64
    ).tril(-1)
    return MultivariateNormal(loc, scale_tril=tril)


def pair(dim, full=False, seed=0, k=3, l=3):
    g = torch.Generator().manual_seed(100 + seed)
    q = Mixture(torch.randn(k, generator=g, dtype=torch.float64), gaussians(dim, k, seed, full))
    p = MixtureSameFamily(
        Categorical(logits=torch.randn(l, generator=g, dtype=torch.float64)),
        gaussians(dim, l, seed + 1, full),
    )
    return q, p


def quadrature(q, p, dim):
    """The divergence by the trapezoid rule on a grid that holds all of q."""
    n = 20_001 if dim == 1 else 701
    axis = torch.linspace(-12, 12, n, dtype=torch.float64)
    z = torch.stack(torch.meshgrid(*[axis] * dim, indexing="ij"), -1).reshape(-1, dim)
    log_q = q.log_prob(z)
    volume = (axis[1] - axis[0]) ** dim
    assert (log_q.exp().sum() * volume).item() == pytest.approx(1, abs=1e-9)
    return ((log_q.exp() * (log_q - p.log_prob(z))).sum() * volume).item()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("dim", "full"), [(1, False), (2, False), (2, True)])
def test_bounds_hold_and_are_ordered(dim, full, seed):
    q, p = pair(dim, full, seed)
    exact = quadrature(q, p, dim)
    lower, upper = (value.item() for value in durrieu_bounds(q, p))
    tight = variational_upper_bound(q, p, 500).item()
    assert lower <= exact <= upper
    falling = [variational_upper_bound(q, p, i).item() for i in (0, 1, 2, 10, 500)]
    assert falling == sorted(falling, reverse=True)
    assert exact <= tight + 1e-9
    assert tight <= matched_upper_bound(q, p).item() + 1e-9
    assert tight <= convexity_upper_bound(q, p).item() + 1e-9
    assert exact <= convexity_upper_bound(q, p).item()
    assert exact <= matched_upper_bound(q, p).item()
    assert variational_approximation(q, p).item() <= convexity_upper_bound(q, p).item()


@pytest.mark.parametrize(("dim", "full"), [(1, False), (2, True)])
def test_monte_carlo_is_unbiased(dim, full):
    q, p = pair(dim, full)
    exact = quadrature(q, p, dim)
    torch.manual_seed(0)
    many = Mixture(q.choice.logits.expand(40_000, -1), q.component_distribution.expand((40_000, 3)))
    each = mixture_log_ratio(many, p)
    assert abs(each.mean().item() - exact) < 4 * each.std().item() / 200
    z = many.rsample()
    single = mixture_log_ratio(many, p, z)
    assert abs(single.mean().item() - exact) < 4 * single.std().item() / 200
    assert each.std() < single.std()


def test_one_component_each_is_the_gaussians_closed_form():
    q, p = pair(2, True, k=1, l=1)
    a = MultivariateNormal(
        q.component_distribution.loc[0], q.component_distribution.covariance_matrix[0]
    )
    b = MultivariateNormal(
        p.component_distribution.loc[0], p.component_distribution.covariance_matrix[0]
    )
    exact = kl(a, b)
    for way in (
        variational_approximation,
        variational_upper_bound,
        convexity_upper_bound,
        matched_upper_bound,
    ):
        torch.testing.assert_close(way(q, p), exact)
        torch.testing.assert_close(way(a, b), exact)
    lower, upper = durrieu_bounds(q, p)
    assert lower < exact < upper


def test_equal_mixtures_are_at_zero():
    q, _ = pair(2)
    assert variational_approximation(q, q).item() == pytest.approx(0, abs=1e-12)
    assert matched_upper_bound(q, q).item() == pytest.approx(0, abs=1e-12)
    assert variational_upper_bound(q, q, 2000).item() == pytest.approx(0, abs=1e-3)
    assert mixture_log_ratio(q, q).item() == pytest.approx(0, abs=1e-12)


def test_the_variational_bound_is_the_tightest_at_convergence_and_not_before():
    """Of a mixture from itself, whose components overlap: the others are at, or near, zero."""
    loc = torch.tensor([[-0.25], [0.25]], dtype=torch.float64)
    q = MixtureSameFamily(Categorical(torch.ones(2).double()), diagonal_normal(loc, loc * 0 + 1))
    ten, thousand = (variational_upper_bound(q, q, n).item() for n in (10, 1000))
    assert ten > 0.02 > matched_upper_bound(q, q).item() == 0
    assert thousand == pytest.approx(0, abs=1e-9)


def test_batches_of_posteriors_against_one_prior():
    torch.manual_seed(0)
    head = MixturePosterior(3, LowRank(1))
    q = head(torch.randn(5, head.features(2), dtype=torch.float64))
    _, p = pair(2)
    for how in ("monte_carlo", "variational", "convexity", "matched", "approximation"):
        from types import SimpleNamespace

        t = SimpleNamespace(q=q, prior=p)
        weight, value = MixtureKL(how, 2.0)(t, SimpleNamespace(step=torch.tensor(0)))["kl"]
        assert weight == 2.0
        assert value.shape == (5,)
        assert (
            how in ("monte_carlo",)
            or "bound" in MixtureKL(how).rules(q, p)["kl"]
            or (how == "approximation")
        )
    for i in range(5):
        one = Mixture(
            q.choice.logits[i],
            type(q.component_distribution)(
                q.component_distribution.loc[i],
                q.component_distribution.cov_factor[i],
                q.component_distribution.cov_diag[i],
            ),
        )
        torch.testing.assert_close(
            matched_upper_bound(q, p)[i],
            matched_upper_bound(one, MixtureSameFamily(p.mixture_distribution, MultivariateNormal(
                p.component_distribution.mean, torch.diag_embed(p.component_distribution.variance)
            ))),
        )  # fmt: skip
    assert kl_rule(q, p) == "monte carlo"
    with pytest.raises(ValueError, match="matched by number"):
        matched_upper_bound(q, pair(2, l=2)[1])
    with pytest.raises(ValueError, match="how is 'exactly'"):
        MixtureKL("exactly")
    with pytest.raises(ValueError, match="iterations"):
        variational_upper_bound(q, p, -1)


def exact_gradient(logits, f):
    logits = logits.clone().requires_grad_()
    (logits.softmax(-1) * f(torch.eye(len(logits), dtype=logits.dtype))).sum().backward()
    return logits.grad


@pytest.mark.parametrize("straight_through", [False, True])
def test_relaxed_gradient_nears_the_enumeration_as_the_temperature_falls(straight_through):
    """Of E[f(y)] for a quadratic f, whose gradient differs between vertices."""
    logits = torch.tensor([0.5, -0.4, 0.1], dtype=torch.float64)
    values = torch.tensor([[1.0, 0.3, -0.5], [0.3, -1.0, 0.8], [-0.5, 0.8, 2.0]]).double()

    def f(y):
        return torch.einsum("...i,ij,...j->...", y, values, y)

    exact = exact_gradient(logits, f)
    n, bias, noise = 200_000, [], []
    for temperature in (2.0, 0.5, 0.15):
        torch.manual_seed(0)
        many = logits.expand(n, -1).clone().requires_grad_()
        f(OneHot(many, temperature, straight_through).rsample()).sum().backward()
        bias.append((many.grad.mean(0) - exact).norm().item())
        noise.append(many.grad.std(0).norm().item())
    assert bias[0] > 4 * noise[0] / n**0.5  # biased, beyond chance
    if not straight_through:
        assert bias[2] < 0.5 * bias[1] < 0.25 * bias[0] + 4 * noise[2] / n**0.5
    assert noise[2] > noise[1]


def test_sum_over_components_has_the_exact_gradient():
    torch.manual_seed(0)
    n, logits = 100_000, torch.tensor([0.5, -0.4, 0.1], dtype=torch.float64)
    many = logits.expand(n, -1).clone().requires_grad_()
    loc = torch.tensor([-1.0, 0.2, 2.0], dtype=torch.float64)[:, None].expand(n, 3, 1)
    q = Mixture(many, diagonal_normal(loc, torch.full_like(loc, 0.3)))
    q.expectation(lambda z: z[..., 0] ** 2).sum().backward()
    means = torch.tensor([1.0, 0.04, 4.0], dtype=torch.float64) + 0.09
    exact = exact_gradient(logits, lambda y: y @ means)
    error = many.grad.std(0) / n**0.5
    assert ((many.grad.mean(0) - exact).abs() < 4 * error).all()


def test_straight_through_samples_are_the_mixtures_and_relaxed_ones_lie_between():
    torch.manual_seed(0)
    loc = torch.tensor([[-3.0], [3.0]], dtype=torch.float64).expand(50_000, 2, 1)
    components = diagonal_normal(loc, torch.full_like(loc, 0.5))
    logits = torch.tensor([0.0, math.log(3.0)], dtype=torch.float64).expand(50_000, 2)
    z = Mixture(logits, components, straight_through=True).rsample()[:, 0]
    assert (z > 0).double().mean().item() == pytest.approx(0.75, abs=0.01)
    assert (z.abs() < 1).double().mean().item() < 1e-3
    relaxed = Mixture(logits, components, 0.5, straight_through=False).rsample()[:, 0]
    assert (relaxed.abs() < 1).double().mean().item() > 0.05
    q = Mixture(logits, components)
    assert q.mean[0].item() == pytest.approx(1.5)
    assert q.variance[0].item() == pytest.approx(0.25 + 9 - 1.5**2)


def test_covariance_of_a_mixture():
    q, _ = pair(2, full=True)
    torch.manual_seed(0)
    z = Mixture(q.choice.logits, q.component_distribution).rsample((200_000,))
    torch.testing.assert_close(torch.cov(z.T), q.covariance_matrix, rtol=0, atol=0.05)
    torch.testing.assert_close(q.covariance_matrix.diagonal(), q.variance)
