"""Low-rank Gaussians, classes as one-hot vectors, and the pairs that torch does not register."""

import math

import pytest
import torch
from torch.distributions import Independent, Laplace, MultivariateNormal, Normal, StudentT

from untwine.distributions import (
    FullCovariance,
    LowRank,
    Mixture,
    OneHot,
    OneHotPosterior,
    OneHotPrior,
    StandardNormal,
    diagonal_normal,
)
from untwine.functional import kl, kl_rule

H = torch.randn(4, 5 * 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_low_rank_is_the_full_gaussian_of_its_covariance():
    q = LowRank(3)(H)
    loc, log_variance, factor = H.split([3, 3, 9], -1)
    w = factor.reshape(4, 3, 3)
    covariance = torch.diag_embed(log_variance.exp()) + w @ w.mT
    full = MultivariateNormal(loc, covariance)
    z = q.rsample()
    torch.testing.assert_close(q.log_prob(z), full.log_prob(z))
    torch.testing.assert_close(q.entropy(), full.entropy())
    torch.testing.assert_close(q.stddev, full.stddev)
    torch.testing.assert_close(q.mean, full.mean)
    p = diagonal_normal(torch.full((3,), 0.3).double(), torch.tensor([0.5, 1.0, 2.0]).double())
    dense = MultivariateNormal(p.mean, torch.diag_embed(p.variance))
    torch.testing.assert_close(kl(q, p), kl(full, dense))
    torch.testing.assert_close(kl(full, p), kl(full, dense))
    torch.testing.assert_close(kl(p, full), kl(dense, full))
    torch.testing.assert_close(kl(p, q), kl(dense, full))
    assert kl_rule(q, p) == kl_rule(p, q) == kl_rule(p, full) == "closed form"


def test_low_rank_refuses_a_rank_of_nothing():
    with pytest.raises(ValueError, match="rank is 0"):
        LowRank(0)


def test_no_closed_form_falls_back_and_says_so():
    q = LowRank(3)(H)
    heavy = Independent(StudentT(torch.full((3,), 3.0, dtype=torch.float64)), 1)
    assert kl_rule(q, heavy) == kl_rule(heavy, q) == "monte carlo"
    torch.manual_seed(0)
    z = q.rsample()
    torch.testing.assert_close(kl(q, heavy, z), q.log_prob(z) - heavy.log_prob(z))
    assert kl(q, heavy).shape == (4,)


@pytest.mark.parametrize(
    "q",
    [
        FullCovariance()(H[:, :9]),
        LowRank(3)(H),
        diagonal_normal(H[:, :3], H[:, 3:6].exp()),
        Mixture(H[:, :1], diagonal_normal(H[:, None, :3], H[:, None, 3:6].exp())),
    ],
)
def test_a_prior_without_batch_gives_one_value_per_posterior(q):
    prior = StandardNormal(3).double()()
    value = kl(q, prior)
    assert value.shape == (4,)
    assert kl_rule(q, prior) == "closed form"
    torch.manual_seed(0)
    z = q.rsample((100_000,))
    estimate = q.log_prob(z) - prior.log_prob(z)
    error = estimate.std(0) / 100_000**0.5
    assert ((estimate.mean(0) - value).abs() < 5 * error).all()


def test_laplace_pairs_have_closed_forms():
    a = Independent(Laplace(H[:, :3], H[:, 3:6].exp()), 1)
    b = Independent(Laplace(torch.zeros(3).double(), torch.ones(3).double()), 1)
    assert kl_rule(a, b) == "closed form"
    n = Independent(Normal(torch.zeros(3).double(), torch.ones(3).double()), 1)
    assert kl_rule(n, b) == "closed form"
    torch.manual_seed(0)
    z = n.sample((200_000,))
    estimate = n.log_prob(z) - b.log_prob(z)
    assert kl(n, b).item() == pytest.approx(estimate.mean().item(), abs=0.02)
    exact = 3 * (math.log(2) - 0.5 * math.log(2 * math.pi * math.e) + math.sqrt(2 / math.pi))
    assert kl(n, b).item() == pytest.approx(exact)


def test_classes_against_enumeration():
    q, p = OneHotPosterior()(H[:, :4]), OneHotPrior(4, [1, 2, 3, 4]).double()()
    unit = torch.eye(4, dtype=torch.float64)
    probs = H[:, :4].softmax(-1)
    torch.testing.assert_close(q.log_prob(unit[:, None]).mT.exp(), probs)
    torch.testing.assert_close(q.mean, probs)
    ratio = (q.log_prob(unit[:, None]) - p.log_prob(unit)[:, None]).mT
    torch.testing.assert_close(kl(q, p), (probs * ratio).sum(-1), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(q.entropy(), -(probs * probs.log()).sum(-1))
    torch.testing.assert_close(
        kl(q, OneHotPrior(4).double()()), math.log(4) - q.entropy(), rtol=1e-6, atol=1e-6
    )
    second = (probs[..., None] * (unit - probs[:, None]) ** 2).sum(1)
    torch.testing.assert_close(q.variance, second)
    torch.testing.assert_close(q.stddev, second.sqrt())


@pytest.mark.parametrize("straight_through", [False, True])
def test_largest_entries_of_relaxed_samples_are_exact(straight_through):
    torch.manual_seed(0)
    logits = torch.tensor([1.0, 0.0, -1.0], dtype=torch.float64)
    q = OneHot(logits.expand(50_000, 3), 0.67, straight_through)
    for z in (q.snap(q.rsample()), q.sample()):
        assert (z.sum(-1) == 1).all()
        torch.testing.assert_close(z.mean(0), logits.softmax(0), atol=0.01, rtol=0)
    z = q.rsample()
    inside = ((z > 0.01) & (z < 0.99)).double().mean()
    assert (inside == 0) == straight_through


def test_refusals():
    with pytest.raises(ValueError, match="temperature is 0"):
        OneHotPosterior(0)
    with pytest.raises(ValueError, match="at least 2 classes"):
        OneHotPrior(1)
    with pytest.raises(ValueError, match="expected 3 positive"):
        OneHotPrior(3, [0.5, 0.5])
    assert OneHotPrior(3, learned=True).logits.requires_grad
