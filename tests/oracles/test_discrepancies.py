"""Kernels, discrepancies and adversarial losses against closed forms and descents that must end."""

import math
from functools import partial

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid
from scipy.optimize import linprog
from scipy.stats import norm, special_ortho_group
from torch import nn
from torch.distributions import Independent, Laplace, MultivariateNormal, kl_divergence

from untwine.distributions import diagonal_normal
from untwine.functional import (
    RBF,
    InverseMultiquadric,
    critic_accuracy,
    critic_losses,
    fooling_loss,
    gradient_penalty,
    mmd,
    r1_penalty,
    ratio_calibration,
    score,
    sliced_wasserstein,
    squared_distances,
    stein,
    stein_direction,
)
from untwine.methods.verdicts import verdicts
from untwine.spec import describe, instantiate

KERNELS = [RBF(1.7), InverseMultiquadric(1.7), RBF("median"), InverseMultiquadric("dimension")]


def named(kernel):
    return f"{type(kernel).__name__} {kernel.bandwidth}"


def normal(n, dim, shift=0.0, seed=0):
    z = torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return z + shift


def test_distances_and_widths_of_points():
    x, y = normal(7, 3), normal(5, 3, seed=1)
    expected = [[((a - b) ** 2).sum().item() for b in y] for a in x]
    np.testing.assert_allclose(squared_distances(x, y).numpy(), expected)
    far = squared_distances(x.float() + 1000, y.float() + 1000)  # little is lost to rounding
    np.testing.assert_allclose(far.numpy(), expected, rtol=2e-3)
    pairs = [((x[i] - x[j]) ** 2).sum().item() for i in range(7) for j in range(i)]
    median = RBF("median").width(x)
    assert median.item() == pytest.approx(np.median(pairs) / 2, rel=0.2)
    assert not median.requires_grad
    assert RBF().width(x) == 3.0
    assert RBF(0.5)(x, x).diagonal().tolist() == [1.0] * 7


@pytest.mark.parametrize("kernel", KERNELS, ids=named)
def test_slopes_are_derivatives(kernel):
    squared = torch.linspace(0, 9, 10, dtype=torch.float64, requires_grad=True)
    value = kernel.value(squared, 1.3)
    (slope,) = torch.autograd.grad(value.sum(), squared)
    torch.testing.assert_close(kernel.slope(squared, 1.3), slope)
    assert value[0] == 1
    assert instantiate(describe(kernel)).bandwidth == kernel.bandwidth


@pytest.mark.parametrize("bandwidth", ["mean", 0.0, -1.0, math.nan])
def test_bandwidths_that_are_none(bandwidth):
    with pytest.raises(ValueError, match="bandwidth"):
        RBF(bandwidth)


def exact_mmd(mu, h, dim):
    """MMD^2 of N(mu, I) and N(0, I) under exp(-|x - y|^2 / 2h)."""
    return 2 * (1 + 2 / h) ** (-dim / 2) * (1 - math.exp(-(mu**2) * dim / (2 * (h + 2))))


@pytest.mark.parametrize(("mu", "h", "dim"), [(0.5, 2.0, 2), (0.3, 4.0, 5), (0.0, 1.0, 3)])
def test_mmd_of_gaussians_is_unbiased(mu, h, dim):
    n, rounds = 20, 1500
    x = normal(n * rounds, dim, mu).split(n)
    y = normal(n * rounds, dim, seed=1).split(n)
    estimates = np.array([mmd(a, b, RBF(h)).item() for a, b in zip(x, y, strict=True)])
    error = estimates.std() / math.sqrt(rounds)
    assert abs(estimates.mean() - exact_mmd(mu, h, dim)) < 4 * error
    assert error < 0.005


def test_the_biased_estimate_has_a_floor():
    """Of one distribution: 2 (1 - E k) / n, which is above the signal at n = 64."""
    n, h, dim = 64, 10.0, 10
    x, y = normal(n * 200, dim).split(n), normal(n * 200, dim, seed=1).split(n)
    pairs = list(zip(x, y, strict=True))
    biased = np.mean([mmd(a, b, RBF(h), unbiased=False).item() for a, b in pairs])
    floor = 2 / n * (1 - (1 + 2 / h) ** (-dim / 2))
    assert biased == pytest.approx(floor, rel=0.1)
    assert floor == pytest.approx(0.0187, abs=1e-3)
    assert abs(np.mean([mmd(a, b, RBF(h)).item() for a, b in pairs])) < 0.1 * floor


def test_mmd_of_few_points_by_hand():
    x, y = torch.tensor([[0.0], [1.0]]), torch.tensor([[2.0], [4.0], [5.0]])
    k = lambda a, b: math.exp(-((a - b) ** 2) / 2)  # noqa: E731
    xs, ys = [0, 1], [2, 4, 5]
    within_x = k(0, 1)
    within_y = (k(2, 4) + k(2, 5) + k(4, 5)) / 3
    across = sum(k(a, b) for a in xs for b in ys) / 6
    assert mmd(x, y, RBF(1.0)).item() == pytest.approx(within_x + within_y - 2 * across)
    whole_x, whole_y = (2 + 2 * within_x) / 4, (3 + 6 * within_y) / 9
    biased = mmd(x, y, RBF(1.0), unbiased=False).item()
    assert biased == pytest.approx(whole_x + whole_y - 2 * across)
    with pytest.raises(ValueError, match="2 points of each sample, got 1 and 3"):
        mmd(x[:1], y)


def test_scores_by_formula():
    z = normal(6, 3)
    loc, scale = torch.tensor([1.0, 0, -1]).double(), torch.tensor([0.5, 1, 2]).double()
    torch.testing.assert_close(score(diagonal_normal(loc, scale), z), -(z - loc) / scale**2)
    laplace = Independent(Laplace(loc, scale), 1)
    torch.testing.assert_close(score(laplace, z), -(z - loc).sign() / scale)
    assert not score(laplace, z.requires_grad_()).requires_grad


@pytest.mark.parametrize("kernel", KERNELS, ids=named)
def test_stein_directions_by_differentiation(kernel):
    z = normal(8, 3)
    s = -z * 0.7
    h = kernel.width(z)
    expected = []
    for i in range(8):
        total = torch.zeros(3).double()
        for j in range(8):
            point = z[j].clone().requires_grad_()
            value = kernel.value(((point - z[i]) ** 2).sum(), h)
            (slope,) = torch.autograd.grad(value, point)
            total += value.detach() * s[j] + slope
        expected.append(total / 8)
    torch.testing.assert_close(stein_direction(z, s, kernel), torch.stack(expected))


def test_a_gaussians_stein_direction_in_closed_form():
    """q = N(m, 1), p = N(0, 1): E k(z', z)(-z') + grad k, by one-dimensional integrals."""
    m, h = 1.5, 2.0
    z = normal(20_000, 1, m)
    at = torch.tensor([[-1.0], [0.0], [2.0]]).double()
    direction = stein_direction(torch.cat([at, z[: 4000 - 3]]), -torch.cat([at, z[:3997]]), RBF(h))
    grid = np.linspace(m - 9, m + 9, 20_001)
    q = np.exp(-0.5 * (grid - m) ** 2) / math.sqrt(2 * math.pi)
    for i, point in enumerate((-1.0, 0.0, 2.0)):
        k = np.exp(-((grid - point) ** 2) / (2 * h))
        phi = trapezoid(q * k * (-grid - (grid - point) / h), grid)
        assert direction[i].item() == pytest.approx(phi, abs=0.05)


@pytest.mark.parametrize("kernel", [RBF("median"), InverseMultiquadric()], ids=named)
def test_a_descent_of_the_stein_loss_ends_at_the_prior(kernel):
    """And an ascent runs away: the sign is minus."""
    p = diagonal_normal(torch.zeros(2).double(), torch.ones(2).double())
    ends = {}
    for sign in (1, -1):
        loc = torch.tensor([1.2, -0.8]).double().requires_grad_()
        log_scale = torch.tensor([-1.0, 0.4]).double().requires_grad_()
        optimizer = torch.optim.Adam([loc, log_scale], lr=0.02)
        generator = torch.Generator().manual_seed(0)
        for _ in range(400):
            noise = torch.randn(64, 2, generator=generator, dtype=torch.float64)
            z = loc + log_scale.exp() * noise
            optimizer.zero_grad()
            (sign * stein(z, score(p, z), kernel)).mean().backward()
            optimizer.step()
        q = diagonal_normal(loc.detach(), log_scale.detach().exp())
        ends[sign] = kl_divergence(q, p).item()
    start = kl_divergence(
        diagonal_normal(torch.tensor([1.2, -0.8]), torch.tensor([-1.0, 0.4]).exp()),
        diagonal_normal(torch.zeros(2), torch.ones(2)),
    )
    assert ends[1] < 0.05 < 1 < start.item() < ends[-1]


def test_sliced_wasserstein_of_gaussians():
    """|mu|^2 / D, and of equal means (s - 1)^2, for samples of any size as they grow."""
    x = normal(20_000, 4)
    torch.manual_seed(0)
    shifted = sliced_wasserstein(x, x + torch.tensor([1.0, 0, -1, 0.5]).double(), 2000)
    assert shifted.item() == pytest.approx(2.25 / 4, rel=0.05)
    wide = sliced_wasserstein(x, 1.5 * normal(20_000, 4, seed=1), 200)
    assert wide.item() == pytest.approx(0.25, rel=0.05)
    assert sliced_wasserstein(x, x[torch.randperm(20_000)]).item() == pytest.approx(0, abs=1e-12)


def test_one_dimension_is_the_transport_problem():
    x, y = normal(6, 1), normal(6, 1, 1.0, seed=1)
    cost = squared_distances(x, y).numpy().reshape(-1)
    rows = np.kron(np.eye(6), np.ones(6)), np.kron(np.ones(6), np.eye(6))
    plan = linprog(cost, A_eq=np.concatenate(rows), b_eq=np.full(12, 1 / 6))
    assert sliced_wasserstein(x, y, 1).item() == pytest.approx(plan.fun)
    with pytest.raises(ValueError, match="there must be as many"):
        sliced_wasserstein(x, y[:5])
    with pytest.raises(ValueError, match="projections is 0"):
        sliced_wasserstein(x, y, 0)


def test_discrepancies_do_not_depend_on_axes():
    x, y = normal(500, 3, 0.5), normal(500, 3, seed=1)
    turn = torch.from_numpy(special_ortho_group.rvs(3, random_state=0))
    torch.testing.assert_close(mmd(x @ turn, y @ turn), mmd(x, y))
    torch.manual_seed(0)
    one = sliced_wasserstein(x @ turn, y @ turn, 4000)
    assert one.item() == pytest.approx(sliced_wasserstein(x, y, 4000).item(), rel=0.1)


def test_adversarial_losses_by_formula():
    real, fake = torch.tensor([0.3, 2.0]), torch.tensor([-0.4, 0.7])
    sigma = torch.sigmoid
    one, two = critic_losses(real, fake)
    torch.testing.assert_close(one, -sigma(real).log())
    torch.testing.assert_close(two, -(1 - sigma(fake)).log())
    torch.testing.assert_close(fooling_loss(fake), -sigma(fake).log())
    one, two = critic_losses(real, fake, "hinge")
    torch.testing.assert_close(one, torch.tensor([0.7, 0.0]))
    torch.testing.assert_close(two, torch.tensor([0.6, 1.7]))
    one, two = critic_losses(real, fake, "wasserstein")
    assert torch.equal(one, -real)
    assert torch.equal(two, fake)
    assert torch.equal(fooling_loss(fake, "hinge"), -fake)
    for function in (partial(critic_losses, real), fooling_loss):
        with pytest.raises(ValueError, match="form is 'minimax'; expected one of"):
            function(fake, "minimax")


def test_gradient_penalties_of_critics_that_are_known():
    """Of w x + b: |w|^2 everywhere; of |x|^2 / 2: |x|^2; and they teach the critic."""
    critic = nn.Linear(5, 1).double()
    x, y = normal(6, 5), normal(6, 5, seed=1)
    length = critic.weight.norm()
    torch.testing.assert_close(r1_penalty(critic, x), (length**2).expand(6))
    penalty = gradient_penalty(critic, x, y)
    torch.testing.assert_close(penalty, ((length - 1) ** 2).expand(6))
    penalty.mean().backward()
    torch.testing.assert_close(
        critic.weight.grad[0], (2 * (length - 1) / length * critic.weight[0]).detach()
    )
    half = lambda t: 0.5 * t.flatten(1).square().sum(1)  # noqa: E731
    image = x.reshape(6, 1, 5, 1)
    torch.testing.assert_close(r1_penalty(half, image), x.square().sum(1))
    with torch.no_grad():
        torch.testing.assert_close(r1_penalty(half, image), x.square().sum(1))


def test_a_trained_critic_knows_the_density_ratio():
    """Of N(.8, 1) and N(0, 1) per dimension: within .05 nat of mu z - mu^2 / 2 on average."""
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Linear(2, 32), nn.ELU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(critic.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1500)
    mu = torch.tensor([0.8, -0.5])
    for _ in range(1500):
        real, fake = torch.randn(512, 2) + mu, torch.randn(512, 2)
        optimizer.zero_grad()
        one, two = critic_losses(critic(real)[:, 0], critic(fake)[:, 0])
        (one.mean() + two.mean()).backward()
        optimizer.step()
        schedule.step()
    z = torch.randn(20_000, 2) + mu
    exact = z @ mu - (mu**2).sum() / 2
    with torch.no_grad():
        error = (critic(z)[:, 0] - exact).abs().mean().item()
        divergence = critic(z)[:, 0].mean().item()
    assert error < 0.05
    p = [MultivariateNormal(m, torch.eye(2)) for m in (mu, torch.zeros(2))]
    assert divergence == pytest.approx(kl_divergence(*p).item(), abs=0.05)
    with torch.no_grad():
        real, fake = critic(z), critic(torch.randn(20_000, 2))
    bayes = norm.cdf(mu.norm().item() / 2)
    assert critic_accuracy(real, fake).item() == pytest.approx(bayes, abs=0.02)
    assert ratio_calibration(fake).item() == pytest.approx(0, abs=0.05)
    assert ratio_calibration(3 * fake).abs().item() > 0.3  # a critic that is too sure of itself


def test_verdicts_on_critics_that_are_known():
    real, fake = torch.tensor([2.0, -1.0, 3.0, 1.0]), torch.tensor([-1.0, -2.0])
    assert critic_accuracy(real, fake).item() == (0.75 + 1) / 2
    assert critic_accuracy(torch.zeros(3), torch.zeros(3)) == 0.5
    assert ratio_calibration(torch.full((5, 1), -30.0)).item() == pytest.approx(-30)
    ratio = torch.tensor([0.5, 1.5]).log()
    assert ratio_calibration(ratio).item() == pytest.approx(0, abs=1e-6)
    assert not critic_accuracy(real.requires_grad_(), fake).requires_grad
    for form, names in {
        "non_saturating": {"accuracy", "calibration"},
        "hinge": {"accuracy"},
        "wasserstein": set(),
    }.items():
        terms = verdicts(real, fake, form)
        assert set(terms) == names
        assert all(weight == 0 for weight in terms.weights.values())
