"""InfoGAN and its kin: bounds against exact information, pairs, gradients, contrastive terms."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import untwine.methods as m
from untwine.data import FactorDataset
from untwine.distributions import (
    BlocksPosterior,
    BlocksPrior,
    BoxPrior,
    CategoricalBlock,
    FixedScale,
    OneHotPrior,
)
from untwine.functional import nt_xent
from untwine.methods import Context
from untwine.nets import RandomAffine

CTX = Context(torch.tensor(0), 64)


@pytest.fixture
def data():
    return FactorDataset.from_arrays(np.random.default_rng(0).random((32, 1, 16, 16), np.float32))


def moves_of(method, data):
    return [dict(move) for move in method.moves(data.batch(range(16)), CTX)]


def test_without_spectral_norm_there_is_batch_norm_as_released(data):
    """In the trunk after every hidden layer but the first, in Q, and in the generator."""
    kinds = nn.BatchNorm1d | nn.BatchNorm2d
    method = m.InfoGAN.build(data, 2, spectral=False, seed=0)
    counts = {
        name: sum(isinstance(part, kinds) for part in getattr(method, name).modules())
        for name in ("trunk", "reader", "generator")
    }
    default = m.InfoGAN.build(data, 2, seed=0)
    assert isinstance(method.trunk[1], kinds)
    assert isinstance(method.reader[1], kinds)
    assert min(counts["trunk"], counts["generator"]) >= 3
    assert not any(isinstance(p, kinds) for n in (default.trunk, default.reader) for p in n)


# The bound on information


class Shifted(nn.Module):
    """x = class + noise, as logits of (x + 1.5) / 4; the classes' intervals overlap by half."""

    def forward(self, z):
        x = z[:, 1:2] + z[:, 2:3]
        return torch.logit((x + 1.5) / 4).reshape(-1, 1, 1, 1)


class ExactReader(nn.Module):
    """The logits of p(class | x): 0 below 0, 1 above 1, and even between."""

    def forward(self, features):
        x = 4 * features - 1.5
        return torch.cat([torch.where(x > 1, -50.0, 0.0), torch.where(x < 0, -50.0, 0.0)], -1)


def test_the_bound_is_the_information_where_q_is_exact():
    """Half of all images tell their class for certain and half not at all: (log 2) / 2."""
    blocks = {"category": CategoricalBlock(2)}
    method = m.InfoGAN(
        Shifted(),
        nn.Flatten(),
        nn.Linear(1, 1),
        ExactReader(),
        BlocksPosterior(blocks),
        BlocksPrior(blocks),
        noise_dim=1,
    )
    torch.manual_seed(0)
    assert method.information(20_000).item() == pytest.approx(math.log(2) / 2, abs=0.02)


def test_the_bound_of_images_that_say_nothing_is_not_above_zero(data):
    method = m.InfoGAN.build(data, latent_dim=2, classes=3, seed=0)
    with torch.no_grad():
        for parameter in method.generator.parameters():
            parameter.zero_()
    torch.manual_seed(0)
    assert method.information(2000) < 0.02


def test_a_gaussian_of_unit_variance_reads_continuous_codes():
    q = FixedScale()(torch.tensor([[0.5, -1.0]]))
    assert q.stddev.tolist() == [[1.0, 1.0]]
    expected = -0.5 * (0.25 + 1.0) - math.log(2 * math.pi)
    assert q.log_prob(torch.zeros(1, 2)).item() == pytest.approx(expected)


def test_codes_are_uniform_in_a_box():
    p = BoxPrior(3)()
    torch.manual_seed(0)
    z = p.sample((20_000,))
    assert z.min() >= -1
    assert z.max() <= 1
    torch.testing.assert_close(z.var(0), torch.full((3,), 1 / 3), atol=0.02, rtol=0)
    assert p.entropy().item() == pytest.approx(3 * math.log(2))
    with pytest.raises(ValueError, match=r"from low=1 to high=1 is empty"):
        BoxPrior(2, 1, 1)


def test_information_moves_generator_q_and_the_shared_trunk(data):
    method = m.InfoGAN.build(data, latent_dim=2, classes=3, seed=0)
    discriminator, generator = moves_of(method, data)
    _, info = generator["generator"]["info"]
    to_generator = torch.autograd.grad(
        info.mean(), [*method.generator.parameters()], retain_graph=True
    )
    assert all(g.abs().sum() > 0 for g in to_generator)
    _, info = discriminator["discriminator"]["info"]
    for part in (method.trunk, method.reader):
        gradients = torch.autograd.grad(info.mean(), [*part.parameters()], retain_graph=True)
        assert all(g.abs().sum() > 0 for g in gradients)


def test_learned_variances_on_request(data):
    fixed = m.InfoGAN.build(data, latent_dim=2, classes=0, seed=0)
    learned = m.InfoGAN.build(data, latent_dim=2, classes=0, seed=0, learned_variance=True)
    x = data.observations(range(4))
    assert fixed.represent(x).stddev.unique().tolist() == [1.0]
    assert len(learned.represent(x).stddev.unique()) > 1


def test_no_codes_at_all_are_refused(data):
    with pytest.raises(ValueError, match="no codes to learn"):
        m.InfoGAN.build(data, latent_dim=0, classes=0)


# The contrastive regularizer


@pytest.fixture
def contrasted(data):
    return m.InfoGANCR.build(data, latent_dim=3, noise_dim=2, seed=0)


@pytest.mark.parametrize("gap", [0.0, 0.7, 1.9])
def test_pairs_share_one_code_and_keep_their_distance(contrasted, gap):
    torch.manual_seed(0)
    first, second, which = contrasted.pair(20_000, gap)
    distance = (first - second).abs()
    shared = nn.functional.one_hot(which, 3).bool()
    assert distance[shared].max() == 0
    apart = distance[~shared]
    assert apart.min() >= gap - 1e-6
    # Of two uniform draws on an interval of length 2 - gap, the mean distance is a third of it.
    assert apart.mean().item() == pytest.approx((2 - gap) / 3 + gap, abs=0.01)
    both = torch.cat([first, second])
    assert both.min() >= -1
    assert both.max() <= 1
    torch.testing.assert_close(both.mean(0), torch.zeros(3), atol=0.02, rtol=0)
    assert (first > second)[~shared].float().mean().item() == pytest.approx(0.5, abs=0.01)
    assert torch.bincount(which).min() > 6000


def test_both_images_of_a_pair_have_one_noise(contrasted):
    class OnlyNoise(nn.Module):
        def forward(self, z):
            return z[:, 3:].reshape(-1, 1, 1, 2)

    contrasted.generator = OnlyNoise()
    pairs = []
    contrasted.critic = nn.Sequential(nn.Flatten(), nn.Linear(4, 3))
    contrasted.critic.register_forward_pre_hook(lambda _, x: pairs.append(x[0]))
    first, second, which = contrasted.pair(8, 0.0)
    contrasted.contrast(first, second, contrasted.noise(8), which)
    assert torch.equal(pairs[0][:, 0], pairs[0][:, 1])


def test_the_contrast_goes_from_the_logarithm_of_k_to_zero(contrasted):
    """Log K less the contrast bounds what pairs tell of the shared code: nothing, and all of it."""

    class Codes(nn.Module):
        def forward(self, z):
            return z[:, :3].reshape(-1, 1, 1, 3)

    class Distance(nn.Module):
        def forward(self, images):
            return -1e4 * (images[:, 0] - images[:, 1]).abs().flatten(1)

    torch.manual_seed(0)
    first, second, which = contrasted.pair(1000, 0.1)
    noise = contrasted.noise(1000)
    contrasted.generator, contrasted.critic = Codes(), Distance()
    assert contrasted.contrast(first, second, noise, which).max() < 1e-4
    contrasted.generator = nn.Sequential(nn.Linear(5, 3), nn.Unflatten(1, (1, 1, 3)))
    nn.init.zeros_(contrasted.generator[0].weight)
    value = contrasted.contrast(first, second, noise, which)
    assert value.mean().item() == pytest.approx(math.log(3))


def test_log_k_less_the_contrast_is_the_jensen_shannon_divergence(contrasted):
    """Images that show the signs of codes: the exact critic's contrast is log K - JS.

    The pairs that share dimension k have equal signs there, and a fair coin elsewhere.
    """

    class Signs(nn.Module):
        def forward(self, z):
            return 1e3 * z[:, :3].sign().reshape(-1, 1, 1, 3)

    class Bayes(nn.Module):
        def forward(self, images):
            return torch.where(images[:, 0, 0] == images[:, 1, 0], 0.0, -1e4)

    patterns = np.array(np.meshgrid(*[[0, 1]] * 3)).reshape(3, -1)
    q = np.where(patterns == 1, 0.25, 0.0)  # (k, pattern): which signs are equal
    mixture = q.mean(0)
    ratio = np.log(np.divide(q, mixture, out=np.ones_like(q), where=q > 0))
    divergence = (q * ratio).sum(1).mean()
    assert divergence == pytest.approx(math.log(3) - 0.5 * math.log(2) - 0.25 * math.log(3))
    contrasted.generator, contrasted.critic = Signs(), Bayes()
    torch.manual_seed(0)
    first, second, which = contrasted.pair(40_000, 0.0)
    noise = contrasted.noise(40_000)
    exact = contrasted.contrast(first, second, noise, which).mean().item()
    assert math.log(3) - exact == pytest.approx(divergence, abs=0.01)

    class Unsure(Bayes):
        def forward(self, images):
            return (0.5 * super().forward(images)).clamp(min=-1)

    contrasted.critic = Unsure()
    other = contrasted.contrast(first, second, noise, which).mean().item()
    assert math.log(3) - other < divergence - 0.05  # any other critic's is a lower bound


def test_a_step_is_critic_discriminator_and_the_generator_twice(contrasted, data):
    order = [next(iter(move)) for move in moves_of(contrasted, data)]
    assert order == ["critic", "discriminator", "generator", "generator"]


def test_phases_are_stages_and_each_has_a_new_critic(data):
    torch.manual_seed(0)
    method = m.InfoGANCR.build(data, latent_dim=3, phases=m.InfoGANCR.NARROWING, seed=0)
    stages = method.stages()
    assert [stage.name for stage in stages] == ["info", "wide", "narrow"]
    first = [dict(move) for move in stages[0].moves(data.batch(range(8)), CTX)]
    assert [next(iter(move)) for move in first] == ["discriminator", "generator", "generator"]
    assert stages[0].players == ("discriminator", "generator")
    before = [p.clone() for p in method.critic.parameters()]
    stages[1].begin([])
    for old, new in zip(before, method.critic.parameters(), strict=True):
        assert not torch.equal(old, new)
        assert new.std().item() == pytest.approx(old.std().item(), rel=0.5, abs=0.02)
    weights = [dict(move) for move in stages[1].moves(data.batch(range(8)), CTX)]
    assert weights[-1]["generator"].weights["contrast"] == 3.0


@pytest.mark.parametrize(("values", "word"), [((-1.0, 0.0), "alpha"), ((1.0, 2.0), "gap")])
def test_impossible_phases_are_refused(values, word):
    with pytest.raises(ValueError, match=word):
        m.Contrast("x", *values)


# Elastic-InfoGAN


def test_class_probabilities_have_a_gradient_of_the_information_term(data):
    method = m.ElasticInfoGAN.build(data, latent_dim=0, classes=4, seed=0)
    (logits,) = method.prior.parameters()
    _, generator = moves_of(method, data)
    _, info = generator["generator"]["info"]
    (gradient,) = torch.autograd.grad(info.mean(), logits)
    assert gradient.abs().max() > 1e-4
    assert gradient.sum().item() == pytest.approx(0, abs=1e-4)  # a softmax: only differences count


def test_the_contrastive_term_reaches_the_shared_trunk(data):
    method = m.ElasticInfoGAN.build(data, latent_dim=0, classes=4, seed=0)
    discriminator, _ = moves_of(method, data)
    weight, contrast = discriminator["discriminator"]["contrast"]
    assert weight == 10
    for part in (method.trunk, method.reader[:-1]):
        gradients = torch.autograd.grad(contrast.mean(), [*part.parameters()], retain_graph=True)
        assert all(g.abs().sum() > 0 for g in gradients)


def test_a_prior_without_anything_to_learn_is_refused(data):
    blocks = {"category": CategoricalBlock(4, prior=OneHotPrior(4))}
    with pytest.raises(TypeError, match="learned=True"):
        m.ElasticInfoGAN.build(data, blocks=blocks)


def test_nt_xent_of_views_that_are_orthogonal_and_of_views_that_are_alike():
    eye = torch.eye(5, dtype=torch.float64)
    exact = -math.log(math.exp(2) / (math.exp(2) + 8))
    torch.testing.assert_close(nt_xent(eye, 3 * eye, 0.5), torch.full((5,), exact).double())
    alike = nt_xent(torch.ones(5, 2), torch.ones(5, 2), 0.1)
    torch.testing.assert_close(alike, torch.full((5,), math.log(9)))


def test_transformations_of_no_amount_change_nothing():
    x = torch.rand(4, 1, 9, 12)
    torch.testing.assert_close(RandomAffine(0, 0, 0)(x), x, atol=1e-5, rtol=0)


def test_rotations_keep_a_disk_and_turn_a_bar():
    where = torch.linspace(-1, 1, 33)
    disk = ((where[:, None] ** 2 + where**2) < 0.4).float()[None, None].expand(8, 1, 33, 33)
    torch.manual_seed(0)
    turned = RandomAffine(180, 0)(disk)
    assert (turned - disk).abs().mean() < 0.03
    bar = torch.zeros(64, 1, 33, 33)
    bar[:, :, 15:18, 4:29] = 1
    turned = RandomAffine(90, 0)(bar)
    torch.testing.assert_close(turned.sum((1, 2, 3)), bar.sum((1, 2, 3)), rtol=0.1, atol=0)
    upright = turned[:, 0, :, 15:18].sum((1, 2)) > 30
    assert 2 < upright.sum() < 30


def test_shifts_are_shares_of_width_and_height():
    x = torch.zeros(200, 1, 20, 40)
    x[:, :, 8:12, 16:24] = 1
    torch.manual_seed(0)
    moved = RandomAffine(0, 0, 0.1)(x)
    mass = moved.sum((1, 2, 3))
    row = (moved.sum((1, 3)) * torch.arange(20.0)).sum(1) / mass - 9.5
    column = (moved.sum((1, 2)) * torch.arange(40.0)).sum(1) / mass - 19.5
    for distance, most in ((row, 2.0), (column, 4.0)):
        assert distance.abs().max() <= most + 0.05
        assert distance.std().item() == pytest.approx(most / math.sqrt(3), rel=0.15)
