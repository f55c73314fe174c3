"""InfoVAE's limits, the adversarial autoencoder, and divergences as penalties of any method."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.optim import Adam

import untwine.methods as m
from untwine.data import FactorDataset
from untwine.distributions import (
    GaussianMixture,
    PointPosterior,
    StandardNormal,
    SwissRollPrior,
)
from untwine.functional import RBF, InverseMultiquadric, mmd, sliced_wasserstein, stein
from untwine.methods import Context, play
from untwine.nets import MLP, GaussianNoise
from untwine.spec import describe, instantiate

from ..laws.conftest import first_batch, make_data

CTX = Context(torch.tensor(0), 60)
SMALL = m.Adversarial(width=16)


@pytest.fixture(scope="module")
def data():
    return make_data(shape=(7,))


def loss_of(method, batch, player="vae"):
    torch.manual_seed(0)
    return next(iter(method.moves(batch, CTX)))[player]


def like(vae, cls, **settings):
    """Another method of the same model."""
    return cls(vae.model, **settings)


@pytest.fixture
def vae(data):
    return m.VAE.build(data, latent_dim=3, seed=0).double()


@pytest.fixture
def batch(data):
    images = data.batch(range(32))
    return type(images)(images.x.double())


@pytest.mark.parametrize("divergence", [None, m.Stein(), m.SlicedWasserstein(), SMALL])
@pytest.mark.parametrize("beta", [0.5, 1.0, 4.0])
def test_alpha_of_1_minus_lambda_is_the_beta_vae(vae, batch, beta, divergence):
    info = like(vae, m.InfoVAE, alpha=1 - beta, lambda_=beta, divergence=divergence).double()
    expected = loss_of(like(vae, m.BetaVAE, beta=beta), batch)
    torch.testing.assert_close(loss_of(info, batch).total, expected.total)


def test_alpha_and_lambda_of_1_are_the_adversarial_autoencoder(vae, batch):
    """One loss of one turn here, the same two terms in two turns there."""
    info = like(vae, m.InfoVAE, alpha=1.0, lambda_=1.0, divergence=SMALL).double().eval()
    aae = m.AAE(vae.model, info.critic, adversarial=SMALL).double().eval()
    together = loss_of(info, batch)
    assert set(together.terms) == {"nll", "fooling"}
    moves = aae.moves(batch, CTX)
    torch.manual_seed(0)
    torch.testing.assert_close(next(moves)["autoencoder"].total, together.terms["nll"])
    torch.manual_seed(0)
    next(moves)
    torch.testing.assert_close(next(moves)["encoder"].total, together.terms["fooling"])


def test_weights_of_both_divergences(vae, batch):
    t = vae.trace(batch)
    torch.manual_seed(0)
    t = vae.trace(batch)
    prior = t.prior.sample((32,))
    kl = m.KL()(t, CTX).total
    info = like(vae, m.InfoVAE, alpha=0.25, lambda_=11.0)
    divergence = mmd(t.z, prior, InverseMultiquadric())
    expected = -t.p.log_prob(t.x).mean() + 0.75 * kl + 10.25 * divergence
    loss = loss_of(info, batch)
    torch.testing.assert_close(loss.total, expected)
    torch.testing.assert_close(loss.terms["mmd"], divergence)


def test_penalties_are_their_functions(vae, batch):
    torch.manual_seed(0)
    t = vae.trace(batch)
    kernel = RBF("median")
    for penalty, name, function in (
        (m.MMD(3.0, kernel, unbiased=False), "mmd", partial(mmd, kernel=kernel, unbiased=False)),
        (
            m.SlicedWasserstein(3.0, 7),
            "sliced_wasserstein",
            partial(sliced_wasserstein, projections=7),
        ),
    ):
        torch.manual_seed(1)
        loss = penalty(t, CTX)
        torch.manual_seed(1)
        expected = function(t.z, t.prior.sample((32,)))
        torch.testing.assert_close(loss.terms[name], expected)
        torch.testing.assert_close(loss.total, 3 * expected)
        assert describe(instantiate(describe(penalty))) == describe(penalty)
    loss = m.Stein(2.0)(t, CTX)
    torch.testing.assert_close(loss.terms["stein"], stein(t.z, -t.z.detach()).mean())


@pytest.mark.parametrize("name", ["AdaGVAE", "MLVAE", "M2", "FewLabelsVAE", "FactorVAE"])
@pytest.mark.parametrize("penalty", [m.MMD(10.0), m.KL() + m.SlicedWasserstein(), m.Stein()])
def test_divergences_go_with_any_supervision(data, name, penalty):
    method = getattr(m, name).build(data, latent_dim=4, penalty=penalty, seed=0)
    loss = next(iter(method.moves(first_batch(method, data), CTX)))
    total = next(iter(loss.values())).total
    total.backward()
    assert total.isfinite()


@pytest.mark.parametrize(
    "prior", [StandardNormal(2), GaussianMixture(2, 5), SwissRollPrior()], ids=repr
)
def test_an_adversarial_autoencoder_takes_any_prior_that_can_be_sampled(data, prior):
    method = m.AAE.build(data, latent_dim=2, prior=prior, adversarial=SMALL, seed=0)
    assert isinstance(method.encoder.head, PointPosterior)
    before = {n: p.detach().clone() for n, p in method.model.encoder.named_parameters()}
    optimizers = {n: p.optimizer(p.parameters()) for n, p in method.players().items()}
    names = [name for name, _ in play(method.moves(data.batch(range(16)), CTX), optimizers)]
    assert names == ["autoencoder", "critic", "encoder"]
    assert all(not torch.equal(p, before[n]) for n, p in method.model.encoder.named_parameters())
    # the encoder has a state in the optimizer of each of its phases
    encoder = next(method.model.encoder.parameters())
    assert {n for n, o in optimizers.items() if encoder in o.state} == {"autoencoder", "encoder"}
    assert method.sample(5).shape == (5, 7)


def test_a_swiss_roll_is_spread_evenly_along_its_length():
    torch.manual_seed(0)
    prior = SwissRollPrior(radius=3.0, turns=2.0)
    z = prior().sample((20_000,))
    length = z.norm(dim=1) / 3
    # the share of the spiral within a radius goes as its square
    for share in (0.1, 0.5, 0.9):
        assert (length**2 < share).double().mean().item() == pytest.approx(share, abs=0.02)
    angle = torch.remainder(torch.atan2(z[:, 1], z[:, 0]), 2 * np.pi)
    torch.testing.assert_close(
        torch.remainder(4 * np.pi * length - angle + 1, 2 * np.pi),
        torch.ones(20_000),
        atol=1e-3,
        rtol=0,
    )
    with pytest.raises(NotImplementedError, match="has no density"):
        prior().log_prob(z)
    with pytest.raises(ValueError, match="latent_dim is 3; a swiss roll is in 2 dimensions"):
        SwissRollPrior(3)


def test_noise_is_for_training_alone():
    layer, x = GaussianNoise(0.3), torch.zeros(20_000)
    assert layer(x).std().item() == pytest.approx(0.3, rel=0.05)
    assert torch.equal(layer.eval()(x), x)
    assert torch.equal(GaussianNoise(0.0)(x), x)
    with pytest.raises(ValueError, match="scale is -1"):
        GaussianNoise(-1.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda v: like(v, m.InfoVAE, alpha=1.5), "alpha is 1.5; expected at most 1"),
        (lambda v: like(v, m.InfoVAE, alpha=0.2, lambda_=0.5), r"expected alpha \+ lambda_ >= 1"),
        (lambda v: m.Adversarial("minimax"), "form is 'minimax'"),
        (lambda v: m.Adversarial(noise=-0.1), "noise is -0.1"),
        (lambda v: m.SlicedWasserstein(projections=0), "projections is 0"),
    ],
)
def test_settings_out_of_range(vae, make, message):
    with pytest.raises(ValueError, match=message):
        make(vae)


def plane(n=512):
    """Points of a plane in 7 dimensions, of a triangle's shape: far from a normal's."""
    rng = np.random.default_rng(0)
    corner = rng.dirichlet(np.ones(3), n) @ np.array([[0, 0], [4, 0], [0, 4]])
    return FactorDataset.from_arrays(
        corner @ rng.normal(size=(2, 7)) + 0.05 * rng.normal(size=(n, 7))
    )


def trainee(kind, data, seed):
    """An autoencoder whose codes are pulled to the prior in one of five ways."""
    parts = {"latent_dim": 2, "net": MLP((32, 32)), "seed": seed}
    critic = m.Adversarial(width=64)
    learner = {lr: partial(Adam, lr=lr, betas=(0.5, 0.999)) for lr in (1e-3, 3e-3)}
    if kind == "aae":
        return m.AAE.build(
            data,
            adversarial=critic,
            optimizer=partial(Adam, lr=3e-3),
            critic_optimizer=learner[1e-3],
            encoder_optimizer=learner[1e-3],
            **parts,
        )
    divergence, weight, rate = {
        "adversarial": (critic, 1.0, 1e-3),
        "mmd": (m.MMD(), 300.0, 3e-3),
        "stein": (m.Stein(), 20.0, 3e-3),
        "sliced": (m.SlicedWasserstein(), 20.0, 3e-3),
    }[kind]
    return m.InfoVAE.build(
        data,
        alpha=1.0,
        lambda_=weight,
        divergence=divergence,
        posterior=PointPosterior(),
        optimizer=partial(Adam, lr=rate),
        critic_optimizer=learner[3e-3],
        **parts,
    )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["aae", "adversarial", "mmd", "stein", "sliced"])
def test_codes_come_to_the_prior(kind, seed):
    """The codes' distance from the standard normal, at first and in the end."""
    data = plane()
    method = trainee(kind, data, seed)

    def distance():
        torch.manual_seed(5)
        with torch.no_grad():
            z = method.represent(data.batch(range(512))).mean
            return sliced_wasserstein(z, torch.randn(512, 2), 200).item()

    optimizers = {n: p.optimizer(p.parameters()) for n, p in method.players().items()}
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    before, losses = distance(), []
    for step in range(600):
        batch = data.batch(rng.integers(0, 512, 64))
        moves = list(play(method.moves(batch, Context(torch.tensor(step), 512)), optimizers))
        losses.append(moves[0][1].terms["nll"].item())
    assert distance() < 0.15 < 0.5 < before
    assert np.mean(losses[-20:]) < 0.6 * losses[0]
