"""Every method reduces to the VAE at the value of its hyper-parameter where it should."""

import pytest
import torch

import untwine.methods as m
from untwine.data.batches import Images, Pairs
from untwine.distributions import GaussianMixture, StandardNormal
from untwine.methods import Context

from ..laws.conftest import make_data

CTX = Context(torch.tensor(5), 60)


@pytest.fixture(scope="module")
def data():
    return make_data()


@pytest.fixture(scope="module")
def vae(data):
    return m.VAE.build(data, latent_dim=4, seed=0).double()


def like(vae, cls, *extra, **options):
    return cls(vae.model, *extra, **options)


def total(method, batch, move=0):
    torch.manual_seed(0)
    moves = list(method.moves(batch, CTX))
    return next(iter(moves[move].values())).total


@pytest.fixture(scope="module")
def batch(data):
    return Images(data.observations(range(32)).double())


@pytest.mark.parametrize(
    ("cls", "options"),
    [
        (m.BetaVAE, {"beta": 1.0}),
        (m.DIPVAEI, {"lambda_od": 0.0, "lambda_d": 0.0}),
        (m.DIPVAEII, {"lambda_od": 0.0, "lambda_d": 0.0}),
    ],
)
def test_reduces_to_the_vae(vae, batch, cls, options):
    torch.testing.assert_close(total(like(vae, cls, **options), batch), total(vae, batch))


@pytest.mark.parametrize("estimator", ["mws", "mss"])
def test_tcvae_with_unit_weights_is_the_one_sample_vae(vae, batch, estimator):
    method = like(vae, m.BetaTCVAE, beta=1.0, estimator=estimator)
    torch.manual_seed(0)
    t = vae.trace(batch)
    expected = (-t.p.log_prob(t.x) + t.q.log_prob(t.z) - t.prior.log_prob(t.z)).mean()
    torch.testing.assert_close(total(method, batch), expected)


def test_factor_vae_without_its_critic_is_the_vae_on_half_the_batch(vae, batch):
    critic = torch.nn.Linear(4, 2).double()
    method = like(vae, m.FactorVAE, critic, gamma=0.0)
    torch.testing.assert_close(total(method, batch), total(vae, batch.halves()[0]))


def test_annealed_vae_beyond_its_capacity_is_the_beta_vae_up_to_a_constant(vae, batch):
    gamma = 7.0
    annealed = like(vae, m.AnnealedVAE, gamma=gamma, capacity=0.0)
    beta = like(vae, m.BetaVAE, beta=gamma)
    torch.testing.assert_close(total(annealed, batch), total(beta, batch))


def test_ada_gvae_on_identical_pairs_is_the_vae_on_both(vae, batch):
    pairs = Pairs(batch.x, batch.x)
    both = Images(torch.cat([batch.x, batch.x]))
    torch.testing.assert_close(total(like(vae, m.AdaGVAE), pairs), total(vae, both))


def test_ada_gvae_takes_any_penalty(vae, batch):
    pairs = Pairs(batch.x, batch.x)
    both = Images(torch.cat([batch.x, batch.x]))
    one = like(vae, m.AdaGVAE, penalty=m.TotalCorrelation(beta=6.0, estimator="mws"))
    two = like(vae, m.BetaTCVAE, beta=6.0, estimator="mws")
    torch.testing.assert_close(total(one, pairs), total(two, both))


def test_a_mixture_of_one_is_the_gaussian_vae_in_expectation(vae, batch):
    prior = GaussianMixture(4, components=1, spread=0.0).double()
    method = m.GaussianMixtureVAE(m.Model(vae.encoder, vae.decoder, prior))
    torch.manual_seed(0)
    t = method.trace(batch)
    torch.testing.assert_close(t.prior.log_prob(t.z), StandardNormal(4).double()().log_prob(t.z))
    z = t.q.rsample((4000,))
    sampled = (t.q.log_prob(z) - t.prior.log_prob(z)).mean(0)
    exact = vae.penalty(vae.trace(batch), CTX)["kl"][1]
    torch.testing.assert_close(sampled, exact, atol=0.15, rtol=0.02)


def test_m2_with_its_class_known_is_a_conditional_vae(data):
    """U(x) with q(y|x) certain of one class is L(x, y), and L is a VAE's loss plus log K."""
    method = m.M2.build(data, latent_dim=4, label="size", seed=0).double()
    x = data.observations(range(8)).double()
    y = torch.zeros(8, dtype=torch.long)
    hot = torch.nn.functional.one_hot(y, 3).double()
    torch.manual_seed(0)
    bound = method.bound(x, hot)
    torch.manual_seed(0)
    q = method.encoder(x, hot)
    z = q.rsample()
    conditional = -method.decoder(z, hot).log_prob(x)
    kl = torch.distributions.kl_divergence(q, method.prior())
    torch.testing.assert_close(bound, conditional + kl + torch.tensor(3.0).double().log())


def test_m2_unlabelled_bound_is_the_sum_over_classes(data):
    from untwine.data.batches import FewLabels

    method = m.M2.build(data, latent_dim=4, label="size", seed=0).double()
    x = data.observations(range(6)).double()
    torch.manual_seed(0)
    loss = next(iter(method.moves(FewLabels(x, x[:2], torch.tensor([0, 1])), CTX)))["m2"]
    torch.manual_seed(0)
    method.bound(x[:2], torch.eye(3)[:2].double())  # the labelled part draws first
    probabilities = method.classify(x).probs
    tiled = x.repeat(3, 1, 1, 1)
    each = method.bound(tiled, torch.eye(3).repeat_interleave(6, 0).double())
    brute = torch.zeros(6).double()
    for k in range(3):
        pk = probabilities[:, k]
        brute += pk * (each[6 * k : 6 * (k + 1)] + pk.log())
    torch.testing.assert_close(loss.terms["unlabelled"], brute.mean())


def test_lord_content_noise_and_decay_are_a_kl(data):
    """With sigma 1, half the squared norm is KL(N(c, 1) || N(0, 1))."""
    from torch.distributions import Normal, kl_divergence

    c = torch.randn(5, 4)
    expected = kl_divergence(Normal(c, 1.0), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(0.5 * (c**2).sum(1), expected)
    assert m.LORD.build(data, seed=0).decay == 0.5
