"""StyleGAN: mixing, truncation, averages, lazy regularizers, augmentation, the encoder's stage."""

import numpy as np
import pytest
import torch
from torch import nn

import untwine as ut
from untwine.data import FactorDataset
from untwine.functional import path_lengths, r1_penalty
from untwine.methods import Context, StyleGAN, play
from untwine.methods.style_gan import lazy_adam
from untwine.nets import AdaptiveAugment

from ..laws.test_methods import NoSync

SMALL = {"latent_dim": 5, "width": 4, "widest": 8, "depth": 2, "seed": 0}


def at(step):
    return Context(torch.tensor(step), 64)


@pytest.fixture(scope="module")
def data():
    return FactorDataset.from_arrays(np.random.default_rng(0).random((32, 3, 16, 16), np.float32))


@pytest.fixture
def method(data):
    torch.manual_seed(0)
    return StyleGAN.build(data, **SMALL)


def optimizers(method, stage):
    players = method.players()
    return {n: players[n].optimizer(players[n].parameters()) for n in stage.players}


def test_mixed_styles_are_those_of_two_codes_at_a_layer(method):
    one, two = torch.randn(3, 5), torch.randn(3, 5)
    mixed = method.mix(one, two, torch.tensor([0, 2, 5]))
    for row, cut in enumerate((0, 2, 5)):
        for layer in range(method.count):
            assert torch.equal(mixed[row, layer], (one if layer < cut else two)[row])
    assert torch.equal(method.mix(one, two, 2)[:, 1], one)


@pytest.mark.parametrize("mixing", [0.0, 0.9, 1.0])
def test_styles_are_mixed_as_often_as_they_should_be(data, mixing):
    torch.manual_seed(0)
    method = StyleGAN.build(data, mixing=mixing, **SMALL)
    w = method.styles(4000).detach()
    same = (w[:, 1:] == w[:, :-1]).all(-1)  # whether a layer has the style of the one before
    assert (~same).sum(1).max() <= 1
    cuts = (~same).float().mean(0)
    torch.testing.assert_close(cuts, torch.full_like(cuts, mixing / 4), atol=0.03, rtol=0)


def test_truncation_and_the_running_mean_of_w(method):
    torch.manual_seed(1)
    expected = torch.zeros(5)
    for _ in range(3):
        with torch.random.fork_rng():
            w = method.generator.mapping(method.draw(16))[:8]
        method.styles(8)
        expected = 0.995 * expected + 0.005 * w.mean(0)
        torch.testing.assert_close(method.w_mean, expected.detach())
    w = torch.randn(6, 5)
    near = method.truncate(w, 0.7)
    torch.testing.assert_close(near, method.w_mean + 0.7 * (w - method.w_mean))
    assert torch.equal(method.truncate(w, 0.0), method.w_mean.expand(6, -1))
    coarse = method.truncate(w, 0.7, layers=2)
    assert coarse.shape == (6, 5, 5)
    torch.testing.assert_close(coarse[:, 1], near)
    assert torch.equal(coarse[:, 2], w)
    spread = [method.codes(500, truncation=t).var(0).sum() for t in (1.0, 0.5)]
    assert spread[1].item() == pytest.approx(0.25 * spread[0].item(), rel=0.3)


def test_the_average_of_the_generator_has_the_stated_half_life(data, method):
    batch = data.batch(range(8))
    stage = method.stages()[0]
    steps = optimizers(method, stage)
    weight = method.generator.synthesis.constant
    twin = method.averaged.synthesis.constant
    expected = twin.clone()
    for step in (0, 40, 10**6):
        list(play(method.moves(batch, at(step)), steps))
        decay = 0.5 ** (8 / min(10_000, 0.05 * 8 * (step + 1)))
        expected = decay * expected + (1 - decay) * weight.detach()
        torch.testing.assert_close(twin, expected)
    assert decay**1250 == pytest.approx(0.5)  # 10,000 images
    assert not torch.equal(twin, weight)


def test_the_lazy_slope_is_the_scaled_one(data, method):
    x = data.batch(range(8))
    (move,) = method.regularize_discriminator(x, at(0))
    weight, value = move["discriminator"]["r1"]
    assert weight == 16 * method.r1 / 2
    torch.testing.assert_close(value, r1_penalty(method.discriminator, x.x))
    stage = method.stages()[0]
    due = [sum(m == method.regularize_discriminator for m in stage.due(s)) for s in range(48)]
    assert sum(due) == 3
    assert due[0] == due[16] == due[32] == 1
    every_step = 48 * (method.r1 / 2) * value.mean()
    torch.testing.assert_close(sum(due) * weight * value.mean(), every_step)


def test_the_lazy_path_length_is_its_distance_from_a_running_mean(data, method):
    method.path_mean.fill_(2.0)
    torch.manual_seed(3)
    (move,) = method.regularize_generator(data.batch(range(8)), at(0))
    weight, value = move["generator"]["path"]
    torch.manual_seed(3)
    w = method.styles(4)
    lengths = path_lengths(method.generator.synthesis(w), w)
    mean = 0.99 * 2.0 + 0.01 * lengths.mean().item()
    assert weight == 8 * 2.0
    assert method.path_mean.item() == pytest.approx(mean)
    torch.testing.assert_close(value, (lengths - mean) ** 2)
    gradients = torch.autograd.grad(
        move["generator"].total, [*method.generator.mapping.parameters()]
    )
    assert all(g.abs().sum() > 0 for g in gradients)


def test_regularizers_that_fall_on_one_step_are_both_played(data):
    method = StyleGAN.build(data, r1_every=4, path_every=4, **SMALL)
    first, second = method.stages()[0].due(4)
    assert [*first(data.batch(range(4)), at(0))]
    assert [next(iter(move)) for move in second(data.batch(range(4)), at(4))] == [
        "discriminator",
        "generator",
    ]
    without = StyleGAN.build(data, r1=0.0, path_length=0.0, **SMALL)
    assert len(without.stages()[0].due(0)) == 1


def test_lazy_moves_wait_for_no_value(data, method):
    batch = data.batch(range(8))
    for moves in method.stages()[0].due(0):
        list(play(moves(batch, at(0)), optimizers(method, method.stages()[0])))
        with NoSync():
            assert [loss.total for move in moves(batch, at(0)) for loss in move.values()]


def test_adam_of_a_lazy_regularizer_is_as_if_its_steps_were_one():
    made = lazy_adam(4).keywords
    assert made["lr"] == pytest.approx(0.002 * 4 / 5)
    assert made["betas"][1] ** 5 == pytest.approx(0.99**4)


def test_a_run_with_lazy_regularizers_goes_on_bit_for_bit(data, tmp_path):
    pytest.importorskip("kornia")
    settings = {"r1_every": 3, "path_every": 2, **SMALL}

    def built():
        augment = AdaptiveAugment(["flip", "translation"], p=0.3, images=64)
        return StyleGAN.build(data, augment=augment, **settings)

    options = {"batch_size": 8, "progress": False}
    whole, parts = built(), built()
    ut.fit(whole, data, steps={"fit": 5, "encode": 2}, out=tmp_path / "whole", **options)
    ut.fit(parts, data, steps={"fit": 3, "encode": 2}, out=tmp_path / "parts", **options)
    # more steps of the first stage cannot follow the second: it is resumed within one stage
    resumed = built()
    ut.fit(resumed, data, steps={"fit": 3, "encode": 4}, out=tmp_path / "parts", **options)
    straight = built()
    ut.fit(straight, data, steps={"fit": 3, "encode": 4}, out=tmp_path / "straight", **options)
    for name, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert whole.augment.p != 0.3
    assert whole.path_mean > 0


class Negative(nn.Module):
    def forward(self, x):
        return 1 - x


def test_real_and_generated_images_are_augmented_alike(data):
    torch.manual_seed(0)
    method = StyleGAN.build(data, augment=Negative(), **SMALL)
    batch = data.batch(range(8))
    torch.manual_seed(2)
    moves = method.moves(batch, at(0))
    loss = next(moves)["discriminator"]
    torch.manual_seed(2)
    with torch.no_grad():
        fake = method.generate(8)
    logits = [method.discriminator(1 - x)[:, 0] for x in (batch.x, fake)]
    torch.testing.assert_close(loss["real"], nn.functional.softplus(-logits[0]))
    torch.testing.assert_close(loss["fake"], nn.functional.softplus(logits[1]))


def test_the_encoder_is_compared_in_codes_and_in_images(data, method):
    batch = data.batch(range(8))
    torch.manual_seed(4)
    loss = next(method.encode(batch, at(0)))["encoder"]
    torch.manual_seed(4)
    w = method.averaged.mapping(method.draw(8))
    made = method.paint(w, "fresh").clamp(0, 1)
    torch.testing.assert_close(
        loss["codes"], (1.0, ((method.represent(made).mean - w) ** 2).sum(1)), check_stride=False
    )
    code = method.represent(batch).mean
    torch.testing.assert_close(code, method.w_mean + method.encoder(batch.x))
    rebuilt = method.paint(code)
    torch.testing.assert_close(loss["pixels"], 0.5 * ((batch.x - rebuilt) ** 2).flatten(1).sum(1))
    assert torch.equal(method.decode(code).mean, rebuilt.clamp(0, 1))
    assert not [p for n, p in method.named_parameters() if n.startswith("averaged")]


def test_images_and_their_settings(data, method):
    assert method.sample(3, truncation=0.5).shape == (3, 3, 16, 16)
    assert 0 <= method.sample(3).min() <= method.sample(3).max() <= 1
    first = StyleGAN.build(data, modulation="adain", **SMALL)
    assert first.sample(2).shape == (2, 3, 16, 16)
    ut.fit(first, data, steps={"fit": 2, "encode": 1}, batch_size=8, progress=False)
    with pytest.raises(ValueError, match=r"mixing is 1\.5"):
        StyleGAN.build(data, mixing=1.5, **SMALL)
    with pytest.raises(ValueError, match="at least 8x8"):
        StyleGAN.build(FactorDataset.from_arrays(torch.rand(8, 3, 6, 6).numpy()), latent_dim=3)


def test_a_grid_of_styles_joins_its_row_and_its_column(method):
    rows, columns = torch.randn(2, 5), torch.randn(3, 5)
    grid = method.style_grid(rows, columns, 1, 3)
    assert grid.shape == (2, 3, 3, 16, 16)
    for i in range(2):
        for j in range(3):
            w = rows[i].repeat(method.count, 1)
            w[1:3] = columns[j]
            torch.testing.assert_close(grid[i, j], method.decode(w[None]).mean[0])
    whole = method.style_grid(rows, columns, 0, method.count)
    torch.testing.assert_close(whole[0], method.decode(columns).mean)
    with pytest.raises(ValueError, match="layers 3 to 6 of 5"):
        method.style_grid(rows, columns, 3, 6)
