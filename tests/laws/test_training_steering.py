"""Held-out terms, early stopping, schedules, clipping and averages, by hand and after kills."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from lightning.fabric import Fabric
from torch.optim import SGD
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    OneCycleLR,
    ReduceLROnPlateau,
    StepLR,
)

from tests.training_toys import Duel, Noisy, Plain, Points, Staged, equal
from untwine.data import FactorDataset, FewLabelsSampler, Indexed, default_sampler
from untwine.methods import LORD, BetaTCVAE, Context
from untwine.nets import MLP
from untwine.training import EMA, SWA, Callback, Run, fit
from untwine.training.held_out import HeldOutTerms, Validation
from untwine.training.record import read_record
from untwine.training.replicas import Replicas


class Others(Points):
    """Batches that training does not see."""

    size = 40

    def __call__(self, step):
        return super().__call__(50_000 + step)


class Death(BaseException):
    pass


class DieAt(Callback):
    def __init__(self, step, stage="fit"):
        self.place = (stage, step)

    def on_step(self, state, losses):
        if (state.position.stage, state.position.step) == self.place:
            raise Death


def train(method, out=None, steps=30, data=None, **options):
    options = {"checkpoint_every": 7, "log_every": 5, "progress": False, **options}
    return fit(method, data or Points(), steps=steps, batch_size=16, out=out, **options)


def timeless(rows):
    return [{k: v for k, v in row.items() if k not in ("seconds", "images/s")} for row in rows]


LOOKS = {"validation": Others(), "validate_every": 4}
EVERYTHING = {
    "schedule": {"schedule": partial(CosineAnnealingLR, T_max=40), "warmup": 9},
    "step": {"schedule": partial(StepLR, step_size=6, gamma=0.3)},
    "one-cycle": {"schedule": partial(OneCycleLR, max_lr=0.05, total_steps=60)},
    "plateau": {"schedule": partial(ReduceLROnPlateau, patience=0, threshold=0.2), **LOOKS},
    "clip": {"clip": 0.1},
    "ema": {"average": EMA(0.8, start=4)},
    "swa": {"average": SWA(start=11)},
    "best": {"keep": "best", **LOOKS},
    "all": {
        "keep": "best",
        "average": EMA(0.9),
        "clip": 0.5,
        "schedule": partial(ExponentialLR, gamma=0.97),
        "warmup": 5,
        "patience": 4,
        **LOOKS,
    },
}


@pytest.mark.parametrize("options", EVERYTHING.values(), ids=EVERYTHING)
def test_any_step_may_be_the_last(tmp_path, options):
    whole, out = Noisy(), tmp_path / "run"
    expected = train(whole, **options)
    for step in (3, 7, 12, 13, 29, 30):
        with pytest.raises(Death):
            train(Noisy(), out, callbacks=[DieAt(step)], **options)
    method = Noisy()
    run = train(method, out, **options)
    assert equal(method, whole)
    assert timeless(run.rows) == timeless(expected.rows)
    assert read_record(out / "log.jsonl") == run.rows
    again = Noisy()
    assert train(again, out, **options).steps == run.steps  # finished: nothing is made again
    assert equal(again, whole)
    loaded = Run.load(out, trust=["tests"])
    assert equal(loaded.method, whole)
    plain = Noisy()
    train(plain)
    assert equal(whole, plain) == (options == EVERYTHING["best"])  # whose last weights were best


@pytest.mark.parametrize("name", ["schedule", "plateau", "ema", "best"])
def test_more_steps_go_on(tmp_path, name):
    whole, method, out = Noisy(), Noisy(), tmp_path / "run"
    train(whole, steps=26, **EVERYTHING[name])
    train(Noisy(), out, steps=11, **EVERYTHING[name])
    train(method, out, steps=26, **EVERYTHING[name])
    assert equal(method, whole)


def test_stages_end_early_each_with_its_best_weights_and_resume(tmp_path):
    options = {"patience": 1, "keep": "best", "average": EMA(0.5), "checkpoint_every": 3}
    options |= {"validation": Others(), "validate_every": 2, "monitor": None}
    steps = {"both": 40, "decode": 40}
    whole, out = Staged(lr := 0), tmp_path / "run"
    expected = train(whole, steps=steps, **options)
    for stage, step in (("both", 3), ("both", 5), ("decode", 1), ("decode", 3)):
        with pytest.raises(Death):
            train(Staged(lr), out, steps=steps, callbacks=[DieAt(step, stage)], **options)
    method = Staged(lr)
    run = train(method, out, steps=steps, **options)
    assert equal(method, whole)
    assert run.steps == expected.steps


def test_the_weights_of_the_lowest_held_out_value_are_kept(tmp_path):
    """A rate that explodes late: the last weights are not the best ones."""
    seen = {}

    class Watch(Callback):
        def on_validation(self, state, terms):
            weights = {k: v.clone() for k, v in state.method.state_dict().items()}
            seen[state.position.step] = (terms["vae/error"], weights)

    rates = partial(ExponentialLR, gamma=1.2)
    method, options = Plain(), {"schedule": rates, "keep": "best", "monitor": "vae/error"}
    run = train(method, tmp_path / "run", 24, callbacks=[Watch()], **options, **LOOKS)
    assert list(seen) == [4, 8, 12, 16, 20, 24]
    best = min(seen, key=lambda step: seen[step][0])
    assert best < 24
    assert all(torch.equal(v, method.state_dict()[k]) for k, v in seen[best][1].items())
    values = run.log.set_index("step")["validation/vae/error"].dropna()
    assert values.idxmin() == best
    folders = [p.name for p in (tmp_path / "run/checkpoints").iterdir()]
    assert f"fit-{best:08d}" in folders
    assert len(folders) == 3


def test_patience_counts_looks_and_says_why_it_ended(tmp_path):
    rates = partial(ExponentialLR, gamma=1.2)
    run = train(Plain(), tmp_path / "run", 200, schedule=rates, patience=2, **LOOKS)
    values = run.log.set_index("step")["validation/vae/total"].dropna()
    assert run.steps == values.index[-1] < 200
    assert values.idxmin() == values.index[-3]
    expected = f"step {run.steps} of 200: held-out values have not fallen since step"
    assert run.stopped.startswith(expected)
    assert Run.load(tmp_path / "run", trust=["tests"]).stopped == run.stopped
    again = train(Plain(), tmp_path / "run", 400, schedule=rates, patience=2, **LOOKS)
    assert again.steps == run.steps  # a run of 400 steps would have ended there, too
    longer = train(Plain(), tmp_path / "run", 400, schedule=rates, patience=3, **LOOKS)
    assert longer.steps == run.steps + 4


def test_held_out_terms_are_those_of_the_loss_and_leave_training_as_it_is():
    method, other = Noisy(), Noisy()
    run = train(method, steps=8, **LOOKS)
    train(other, steps=8)
    assert equal(method, other)
    plain = Plain()
    run = train(plain, steps=8, **LOOKS)
    with torch.no_grad():
        errors = [((plain.decoder(plain.represent(b.x).mean) - b.x) ** 2).sum(-1)
                  for b in (Others()(i) for i in range(3))]  # fmt: skip
    assert run.rows[-1]["validation/vae/error"] == pytest.approx(torch.cat(errors).mean().item())
    assert "validation/vae/error" not in run.rows[0]


def test_a_share_of_the_data_is_held_out_and_seen_by_nobody():
    x = np.random.default_rng(0).random((60, 12), dtype=np.float32)
    data = FactorDataset.from_arrays(x)
    seen = []

    class Watch(Callback):
        def on_start(self, state):
            seen.append(state.loader.data.indices)

    method = BetaTCVAE.build(data, latent_dim=3, net=MLP([8]), seed=0)
    run = fit(method, data, epochs=2, batch_size=7, validation=0.2, validate_every=6, seed=3,
              callbacks=[Watch()], progress=False)  # fmt: skip
    assert run.steps == -(-2 * 48 // 7)
    held_out = run.held_out
    assert len(held_out) == 12
    assert not set(held_out.indices) & set(seen[0])
    assert sorted({*held_out.indices, *seen[0]}) == list(range(60))
    assert run.spec["validation"] == 0.2
    row = next(r for r in run.rows if r["step"] == 6)
    assert {name.removeprefix("validation/") for name in row if name.startswith("validation/")} == {
        name for name in row if name.startswith("vae/")
    }


def test_schedules_warmup_and_clipping_equal_a_loop_written_by_hand():
    method, other = Plain(), Plain()
    rates = partial(CosineAnnealingLR, T_max=12)
    run = train(method, steps=9, schedule=rates, warmup=4, clip=0.3, log_every=1)
    optimizer = SGD(other.parameters(), lr=other.lr, momentum=0.9)
    schedule, used = rates(optimizer), []
    for step in range(9):
        x = Points()(step).x
        optimizer.zero_grad()
        ((other.decoder(other.represent(x).mean) - x) ** 2).sum(-1).mean().backward()
        torch.nn.utils.clip_grad_norm_(other.parameters(), 0.3)
        full = optimizer.param_groups[0]["lr"]
        optimizer.param_groups[0]["lr"] = full * min(1, (step + 1) / 4)
        used.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        optimizer.param_groups[0]["lr"] = full
        schedule.step()
    assert equal(method, other)
    assert run.log["vae/lr"].tolist() == pytest.approx(used)


def test_each_player_is_clipped_on_its_own():
    free, tight = Duel(), Duel()
    train(free, steps=1)
    train(tight, steps=1, clip=1e-6)
    start = Duel()
    for name, value in tight.named_parameters():
        moved = (value - dict(start.named_parameters())[name]).abs().max()
        if name.startswith("critic"):  # SGD: its steps are as small as its gradient
            assert moved <= 3 * 0.1 * 1e-6
    assert not equal(free, tight)


@pytest.mark.parametrize(("average", "start"), [(EMA(0.7), 0), (EMA(0.7, start=3), 3), (SWA(2), 2)])
def test_averages_equal_their_definition(average, start):
    weights = []

    class Watch(Callback):
        def on_step(self, state, losses):
            weights.append([p.detach().double().clone() for p in state.method.parameters()])

    method = Plain()
    train(method, steps=9, average=average, callbacks=[Watch()])
    expected = weights[start]
    for n, now in enumerate(weights[start + 1 :], 1):
        d = average.decay if isinstance(average, EMA) else n / (n + 1)
        expected = [d * e + (1 - d) * w for e, w in zip(expected, now, strict=True)]
    for value, mean in zip(method.parameters(), expected, strict=True):
        torch.testing.assert_close(value.double(), mean, rtol=1e-5, atol=1e-7)


def test_a_callback_stops_training_and_everything_is_written(tmp_path):
    class Enough(Callback):
        def on_step(self, state, losses):
            if state.position.step == 10:
                state.stop("it was enough")

    run = train(Noisy(), tmp_path / "run", callbacks=[Enough()])
    assert (run.steps, run.stopped) == (10, "step 10 of 30: it was enough")
    assert (tmp_path / "run/checkpoints/fit-00000010").is_dir()
    assert (tmp_path / "run/model.safetensors").is_file()
    assert train(Noisy(), tmp_path / "run").steps == 10  # the same call: it has finished
    whole, method = Noisy(), Noisy()
    train(whole, steps=31)
    assert train(method, tmp_path / "run", 31).stopped is None
    assert equal(method, whole)


def test_other_settings_are_another_run(tmp_path):
    train(Noisy(), tmp_path / "run", steps=4, clip=1.0, **LOOKS)
    with pytest.raises(FileExistsError, match=r"clip: 1.0, now 2.0"):
        train(Noisy(), tmp_path / "run", steps=4, clip=2.0, **LOOKS)
    with pytest.raises(FileExistsError, match=r"warmup: None, now 3"):
        train(Noisy(), tmp_path / "run", steps=4, clip=1.0, warmup=3, **LOOKS)
    train(Noisy(), tmp_path / "run", steps=4, clip=1.0, patience=7, **LOOKS)  # no weight differs


def _lord():
    x = np.random.default_rng(0).random((20, 7), dtype=np.float32)
    data = FactorDataset.from_arrays(x, np.arange(20)[:, None] % 2, ["a"])
    return LORD.build(data, seed=0), data


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": 3}, "patience compares held-out terms: give validation="),
        ({"keep": "best"}, "keep=\"best\" compares held-out terms"),
        ({"validation": 1.5}, "validation is 1.5; expected a share between 0 and 1"),
        ({"monitor": "vae/nil", **LOOKS}, "monitor is 'vae/nil'; the held-out terms are vae/nll"),
        ({"schedule": CosineAnnealingLR}, "schedule of player 'vae' cannot be made.*T_max"),
        ({"schedule": 0.1}, "schedule is 0.1; expected what makes one"),
        ({"schedule": ReduceLROnPlateau}, "ReduceLROnPlateau waits for a held-out term"),
        ({"clip": -1.0}, "clip is -1.0; expected a positive number"),
        ({"warmup": -1}, "warmup is -1"),
        ({"epochs": 3}, "both are given"),
        ({"steps": None}, "neither is given"),
        ({"steps": None, "epochs": 0}, "epochs is 0; expected a positive number"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_before_it_begins(tmp_path, options, message):
    method, before = Noisy(), Noisy()
    data = FactorDataset.from_arrays(np.zeros((20, 12), np.float32))
    data = data if isinstance(options.get("validation"), float) else Points()
    with pytest.raises((ValueError, TypeError), match=message):
        train(method, tmp_path / "run", data=data, **options)
    assert equal(method, before)


def test_a_method_with_a_code_for_each_example_has_nothing_to_hold_out():
    method, data = _lord()
    with pytest.raises(ValueError, match="LORD learns a code for each training example"):
        fit(method, data, steps=1, validation=0.5, progress=False)


def test_every_method_has_held_out_terms_that_leave_it_as_it_was(method, images):
    """In evaluation mode, of whatever moves there are, without a step."""
    looks = Validation(images, every=1)
    replicas = Replicas(Fabric(accelerator="cpu", devices=1))
    sampler = method.sampler() or default_sampler(method.supervision)
    if isinstance(sampler, FewLabelsSampler):
        sampler = FewLabelsSampler(sampler.label, labelled=30)
    if issubclass(method.supervision, Indexed):
        with pytest.raises(ValueError, match="learns a code for each training example"):
            HeldOutTerms(looks, method, sampler, 16, 0, replicas)
        return
    held_out = HeldOutTerms(looks, method, sampler, 16, 0, replicas)
    before = {k: v.clone() for k, v in method.state_dict().items()}
    for stage in method.stages():
        if stage.begin is not None:
            continue
        ctx = Context(torch.tensor(0), 60)
        once, twice = (held_out.terms(stage, ctx, torch.manual_seed) for _ in range(2))
        assert once == pytest.approx(twice, rel=1e-5)
        assert held_out.monitored(once) == once[next(n for n in once if n.endswith("/total"))]
    assert all(torch.equal(v, before[k]) for k, v in method.state_dict().items())
    assert all(p.grad is None for p in method.parameters())
