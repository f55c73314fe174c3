"""Moment regularizers, sharing rules, permutations and schedules against brute force."""

import itertools

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from untwine.distributions import FullCovariance, StandardNormal, diagonal_normal
from untwine.functional import (
    Linear,
    at,
    average,
    changed,
    covariance,
    cross_entropy_to,
    density_ratio,
    dip,
    permute_dims,
    product,
    share,
)
from untwine.methods import DIP, Capacity, Context, Trace

CTX = Context(torch.tensor(0), 1000)


def trace(q):
    z = q.rsample()
    return Trace(None, x=z, q=q, z=z, p=q, prior=StandardNormal(q.event_shape[0]).double()())


def test_covariance_and_distance_elementwise():
    x = torch.randn(50, 3, dtype=torch.float64)
    torch.testing.assert_close(covariance(x), torch.cov(x.T, correction=0))
    c = covariance(x)
    brute = sum(
        (2.0 * (c[i, j] ** 2) if i != j else 5.0 * (c[i, i] - 1) ** 2)
        for i, j in itertools.product(range(3), range(3))
    )
    torch.testing.assert_close(dip(c, 2.0, 5.0), brute)


def test_dip_one_penalizes_the_means_and_dip_two_the_codes():
    torch.manual_seed(0)
    loc = torch.randn(40, 3, dtype=torch.float64) @ torch.tensor(
        [[1.0, 0.5, 0.0], [0.0, 1.0, 0.3], [0.0, 0.0, 2.0]], dtype=torch.float64
    )
    scale = torch.rand(40, 3, dtype=torch.float64) + 0.2
    q = diagonal_normal(loc, scale)
    _, one = DIP("I", 2.0, 5.0)(trace(q), CTX).values()
    torch.testing.assert_close(one, dip(torch.cov(loc.T, correction=0), 2.0, 5.0))
    _, two = DIP("II", 2.0, 5.0)(trace(q), CTX).values()
    codes = q.sample((20_000,)).reshape(-1, 3)
    sampled = dip(torch.cov(codes.T, correction=0), 2.0, 5.0)
    assert two.item() == pytest.approx(sampled.item(), rel=0.02)
    assert abs(one - two) > 0.1 * two


def test_dip_two_adds_the_covariance_matrix_of_full_posteriors():
    torch.manual_seed(0)
    q = FullCovariance()(0.5 * torch.randn(30, 9, dtype=torch.float64))
    _, two = DIP("II", 1.0, 1.0)(trace(q), CTX).values()
    codes = q.sample((20_000,)).reshape(-1, 3)
    assert two.item() == pytest.approx(
        dip(torch.cov(codes.T, correction=0), 1.0, 1.0).item(), rel=0.05
    )


def test_product_of_gaussians_is_the_normalized_product_of_densities():
    a = diagonal_normal(torch.tensor([[0.3]]).double(), torch.tensor([[0.7]]).double())
    b = diagonal_normal(torch.tensor([[-1.0]]).double(), torch.tensor([[1.9]]).double())
    grid = torch.linspace(-8, 8, 4001, dtype=torch.float64)[:, None, None]
    density = (a.log_prob(grid) + b.log_prob(grid)).exp().squeeze()
    density = density / torch.trapezoid(density, dx=16 / 4000)
    torch.testing.assert_close(
        product(a, b).log_prob(grid).exp().squeeze(), density, atol=1e-9, rtol=1e-6
    )


def test_average_means_and_variances():
    a = diagonal_normal(torch.tensor([[0.0]]), torch.tensor([[1.0]]))
    b = diagonal_normal(torch.tensor([[4.0]]), torch.tensor([[3.0]]))
    common = average(a, b)
    assert common.mean.item() == 2
    assert common.variance.item() == pytest.approx(5)


def test_changed_by_the_adaptive_threshold_dimension_by_dimension():
    torch.manual_seed(0)
    m0, m1 = torch.randn(20, 6).double(), torch.randn(20, 6).double()
    s0, s1 = torch.rand(20, 6).double() + 0.1, torch.rand(20, 6).double() + 0.1
    found = changed(diagonal_normal(m0, s0), diagonal_normal(m1, s1))
    for b in range(20):
        delta = [
            kl_divergence(Normal(m0[b, j], s0[b, j]), Normal(m1[b, j], s1[b, j])).item()
            for j in range(6)
        ]
        tau = (max(delta) + min(delta)) / 2
        assert found[b].tolist() == [d >= tau for d in delta]
    same = diagonal_normal(m0, s0)
    assert changed(same, same).all()  # none is below the threshold, which all are equal to


def test_share_takes_what_is_common_where_it_is_said():
    a = diagonal_normal(torch.zeros(1, 3), torch.ones(1, 3))
    b = diagonal_normal(torch.full((1, 3), 2.0), torch.full((1, 3), 3.0))
    where = torch.tensor([[True, False, True]])
    one, two = share(a, b, average(a, b), where)
    assert one.mean.tolist() == [[1.0, 0.0, 1.0]]
    assert two.mean.tolist() == [[1.0, 2.0, 1.0]]
    with pytest.raises(TypeError, match="is a MultivariateNormal; expected a diagonal Gaussian"):
        average(FullCovariance()(torch.zeros(1, 5)), a)


def test_permute_dims_permutes_each_dimension_across_the_batch():
    torch.manual_seed(0)
    one = torch.randn(5000, 1)
    z = one.repeat(1, 3)  # perfectly dependent dimensions
    shuffled = permute_dims(z)
    torch.testing.assert_close(shuffled.sort(0).values, z.sort(0).values)
    correlation = torch.corrcoef(shuffled.T)
    assert (correlation - torch.eye(3)).abs().max() < 0.06  # independent, each separately
    assert (shuffled[:, 0] != shuffled[:, 1]).float().mean() > 0.99


def test_density_ratio_and_cross_entropy():
    logits = torch.tensor([[2.0, -1.0], [0.0, 0.5]])
    torch.testing.assert_close(
        density_ratio(logits), (logits.softmax(1)[:, 0] / logits.softmax(1)[:, 1]).log()
    )
    for target in (0, 1):
        expected = torch.nn.functional.cross_entropy(
            logits, torch.full((2,), target), reduction="none"
        )
        torch.testing.assert_close(cross_entropy_to(logits, target), expected)


def test_schedule_is_a_line_and_then_flat():
    line = Linear(1.0, 5.0, steps=8)
    values = [line(torch.tensor(t)).item() for t in (0, 2, 8, 100)]
    assert values == [1.0, 2.0, 5.0, 5.0]
    assert at(3.0, torch.tensor(7)) == 3.0
    with pytest.raises(ValueError, match="steps=0"):
        Linear(0.0, 1.0, steps=0)


def test_capacity_grows_and_weighs_the_distance_of_the_mean_kl():
    q = diagonal_normal(torch.full((4, 2), 2.0).double(), torch.ones(4, 2).double())  # KL 4 nats
    penalty = Capacity(gamma=100.0, capacity=10.0, warmup=10)
    for step, distance in [(0, 4.0), (2, 2.0), (4, 0.0), (10, 6.0), (99, 6.0)]:
        terms = penalty(trace(q), Context(torch.tensor(step), 1000))
        weight, value = terms["capacity"]
        assert weight == 100.0
        assert value.item() == pytest.approx(distance)
        assert terms["kl"][0] == 0.0
    with pytest.raises(ValueError, match="capacity is -1"):
        Capacity(capacity=-1.0)
