"""Gradients that explode are skipped, long ones are shortened, and no threshold is left behind."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

import untwine as ut
from untwine.data import FactorDataset
from untwine.methods import VLAE, GradientGuard, LadderVAE, VeryDeepVAE

from ..laws.test_methods import NoSync


def made(optimizer=torch.optim.Adam, **settings):
    guard = GradientGuard(**settings)
    w = nn.Parameter(torch.zeros(3))
    return guard, w, guard.guarded(lambda p: optimizer(p, lr=0.1))([w])


def step(w, optimizer, norm, direction=(1.0, 0.0, 0.0)):
    w.grad = norm * torch.tensor(direction)
    optimizer.step()


def snapshot(w, optimizer):
    state = {k: v.clone() for k, v in optimizer.state[w].items()}
    return w.detach().clone(), state


def fused(parameters, lr):
    return torch.optim.Adam(parameters, lr=lr, fused=True)


@pytest.mark.parametrize("adam", [torch.optim.Adam, fused])
def test_a_step_that_explodes_changes_nothing(adam):
    guard, w, optimizer = made(adam)
    for _ in range(30):
        step(w, optimizer, 1.0)
    for bad in (11.0, 1e30, float("inf"), float("nan")):
        before = snapshot(w, optimizer)
        step(w, optimizer, bad)
        after = snapshot(w, optimizer)
        assert torch.equal(before[0], after[0])
        for name, value in before[1].items():
            assert torch.equal(value, after[1][name]), name
    assert guard.skipped.item() == 4
    step(w, optimizer, 1.0)
    assert not torch.equal(w, after[0])
    assert torch.isfinite(w).all()


def test_gradients_are_shortened_to_the_multiple_and_no_further():
    _, w, optimizer = made(torch.optim.SGD, clip=2.0, skip=100.0)
    for _ in range(50):
        step(w, optimizer, 1.0)
    for norm, expected in ((0.5, 0.5), (1.9, 1.9), (5.0, 2.0)):
        before = w.detach().clone()
        step(w, optimizer, norm)
        moved = (before - w).norm().item() / 0.1
        assert moved == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("jump", [20.0, 450.0, 1e6])
def test_norms_that_stay_high_are_followed(jump):
    """A fixed threshold would skip every step from here on; this one skips a bounded number."""
    guard, w, optimizer = made(rate=0.02)
    for _ in range(100):
        step(w, optimizer, 1.0)
    for _ in range(2000):
        step(w, optimizer, jump)
    most = math.log(jump / 10) / 0.02 + 60
    assert 0 < guard.skipped.item() <= most
    before = w.detach().clone()
    step(w, optimizer, jump)
    assert not torch.equal(before, w)
    assert guard.usual.item() == pytest.approx(jump, rel=0.05)


def test_one_outlier_hardly_moves_the_usual_norm():
    guard, w, optimizer = made()
    for _ in range(200):
        step(w, optimizer, 1.0)
    step(w, optimizer, 1e20)
    assert guard.usual.item() == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize("adam", [torch.optim.Adam, fused])
def test_an_infinite_gradient_at_the_first_step_leaves_clean_moments(adam):
    guard, w, optimizer = made(adam)
    step(w, optimizer, float("inf"))
    assert not w.any()
    assert all(torch.isfinite(v).all() for v in optimizer.state[w].values())
    for _ in range(5):
        step(w, optimizer, 3.0)
    assert guard.skipped.item() == 1
    assert guard.usual.item() == pytest.approx(3.0, rel=0.2)


def test_ordinary_steps_are_those_of_the_bare_optimizer():
    torch.manual_seed(0)
    gradients = torch.randn(50, 3)
    guard, w, optimizer = made(clip=None, skip=None)
    bare = nn.Parameter(torch.zeros(3))
    adam = torch.optim.Adam([bare], lr=0.1)
    for g in gradients:
        w.grad, bare.grad = g.clone(), g.clone()
        optimizer.step()
        adam.step()
    assert torch.equal(w, bare)
    assert guard.skipped.item() == 0


def test_steps_wait_for_no_value():
    _, w, optimizer = made(fused)
    step(w, optimizer, 1.0)
    before = w.detach().clone()
    with NoSync():
        step(w, optimizer, 1.0)
    assert not torch.equal(w, before)


def test_a_fused_optimizer_goes_the_same_way():
    """It skips by itself, where another one is set back."""
    norms = [1.0] * 25 + [3.0, 1e6, float("nan"), 1.0, 40.0, 0.5]
    ways = []
    for adam in (torch.optim.Adam, fused):
        guard, w, optimizer = made(adam)
        for norm in norms:
            step(w, optimizer, norm, (0.6, 0.8, 0.0))
        ways.append((w.detach(), guard.usual, guard.skipped, optimizer.state[w]["step"]))
    assert ways[0][2] == 3
    for one, two in zip(*ways, strict=True):
        torch.testing.assert_close(one, two)


def digits(n=64):
    rng = np.random.default_rng(0)
    return FactorDataset.from_arrays((rng.random((n, 1, 8, 8)) > 0.5).astype(np.float32))


def deep(**settings):
    return VeryDeepVAE.build(digits(), latent_dim=2, blocks=(1, 1), width=8, seed=0, **settings)


@pytest.mark.parametrize("cls", [LadderVAE, VeryDeepVAE, VLAE])
def test_a_run_that_is_resumed_has_the_same_weights_and_the_same_record(cls, tmp_path):
    def fit(steps, name):
        method = deep() if cls is VeryDeepVAE else cls.build(digits(), latent_dim=3, seed=0)
        ut.fit(method, digits(), steps=steps, batch_size=8, out=tmp_path / name,
               checkpoint_every=3, progress=False)  # fmt: skip
        return method

    whole = fit(8, "whole")
    fit(5, "parts")
    parts = fit(8, "parts")
    for (name, a), b in zip(whole.state_dict().items(), parts.state_dict().values(), strict=True):
        assert torch.equal(a, b), name
    if cls is VeryDeepVAE:
        assert parts.guard.steps.item() == 8


def test_the_skipped_share_is_logged_and_warned_of():
    method = deep(skip=1.0, clip=None)
    with pytest.warns(
        UserWarning,
        match=r"guard of player 'vae' skipped .* % of recent steps.*lower learning rate",
    ):
        run = ut.fit(method, digits(), steps=120, batch_size=8, log_every=10, progress=False)
    assert run.log["vae/skipped"].iloc[-1] > 0.05
    assert run.log["vae/usual_norm"].gt(0).all()


def test_an_update_that_explodes_is_reported_with_advice():
    from functools import partial

    from torch.optim import SGD

    method = deep(clip=None, skip=None, optimizer=partial(SGD, lr=1e8))
    with pytest.raises((ut.training.NonFiniteLoss, ArithmeticError), match="Try a lower learning"):
        ut.fit(method, digits(), steps=50, batch_size=8, progress=False)


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match=r"skip is 1\.0 and clip is 2\.0; expected skip"):
        GradientGuard(clip=2.0, skip=1.0)
    with pytest.raises(ValueError, match="rate is 0"):
        GradientGuard(rate=0.0)
    twin = copy.deepcopy(GradientGuard())
    assert twin.clip == 2.0
