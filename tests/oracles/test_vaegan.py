"""VAE/GAN: who minimizes what, who rests, and what each term is."""

import math

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

import untwine.methods as m
from untwine.data import FactorDataset
from untwine.methods import Context, play

CTX = Context(torch.tensor(0), 64)


@pytest.fixture
def data():
    return FactorDataset.from_arrays(np.random.default_rng(0).random((32, 1, 16, 16), np.float32))


def test_terms_are_those_of_the_paper(data):
    torch.manual_seed(0)
    method = m.VAEGAN.build(data, 3, seed=0, gamma=0.01, margin=None).eval()
    torch.manual_seed(1)
    (move,) = method.moves(data.batch(range(8)), CTX)
    torch.manual_seed(1)
    t = method.trace(data.batch(range(8)))
    fresh = t.decode(t.prior.sample((8,))).mean
    real, rebuilt, generated = (method.features(x) for x in (t.x, t.p.mean, fresh))
    size = real.flatten(1).shape[1]
    similarity = 0.5 * ((real - rebuilt).flatten(1) ** 2).sum(1) + size / 2 * math.log(2 * math.pi)
    torch.testing.assert_close(move["encoder"]["similarity"], similarity)
    weight, value = move["decoder"]["similarity"]
    assert float(weight) == pytest.approx(0.01)
    torch.testing.assert_close(value, similarity)
    fake = (softplus(method.head(rebuilt)) + softplus(method.head(generated)))[:, 0] / 2
    torch.testing.assert_close(move["discriminator"]["real"][1], softplus(-method.head(real))[:, 0])
    torch.testing.assert_close(move["discriminator"]["fake"][1], fake)
    torch.testing.assert_close(move["decoder"]["fool"][1], -fake)  # log (1 - D), as in the paper


def test_the_similarity_is_at_the_last_convolution(data):
    method = m.VAEGAN.build(data, 3, seed=0)
    kinds = {type(layer).__name__ for layer in method.features}
    assert kinds == {"Conv2d", "LeakyReLU", "Flatten"}
    assert method.head(method.features(data.observations(range(4)))).shape == (4, 1)


@pytest.mark.parametrize(
    ("real", "fake", "decoder", "discriminator"),
    [
        (0.7, 0.7, 1, 1),
        (0.2, 0.7, 1, 0),
        (0.7, 0.2, 1, 0),
        (0.7, 1.2, 0, 1),
        (1.2, 0.7, 0, 1),
        (0.1, 1.5, 1, 1),
    ],
)
def test_who_rests(data, real, fake, decoder, discriminator):
    method = m.VAEGAN.build(data, 3, seed=0)
    losses = torch.full((4,), real), torch.full((4,), fake)
    assert [float(v) for v in method.who_moves(*losses)] == [decoder, discriminator]


@pytest.mark.parametrize(("equilibrium", "rests"), [(9.0, "discriminator"), (-9.0, "decoder")])
def test_who_rests_does_not_move_at_all(data, equilibrium, rests):
    method = m.VAEGAN.build(data, 3, seed=0, equilibrium=equilibrium, margin=0.1)
    players = method.players()
    optimizers = {name: p.optimizer(p.parameters()) for name, p in players.items()}
    before = {name: [p.detach().clone() for p in v.parameters()] for name, v in players.items()}
    for _ in range(3):
        list(play(method.moves(data.batch(range(16)), CTX), optimizers))
    for name, player in players.items():
        same = all(
            torch.equal(a, b) for a, b in zip(before[name], player.parameters(), strict=True)
        )
        assert same == (name == rests)


def test_the_encoder_has_no_adversarial_term_and_the_discriminator_no_likelihood(data):
    method = m.VAEGAN.build(data, 3, seed=0, margin=None)
    (move,) = method.moves(data.batch(range(16)), CTX)
    assert set(move["encoder"]) == {"similarity", "nll", "kl"}
    weights = move["discriminator"].weights
    assert {name for name, weight in weights.items() if float(weight)} == {"real", "fake"}
    assert move["encoder"].weights["nll"] == 0
