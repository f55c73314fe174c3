"""What `fit` promises of any method."""

from __future__ import annotations

import json
import os
import signal
import threading

import numpy as np
import pytest
import torch
import yaml
from torch import nn

from tests.training_toys import DIM, WIDTH, Duel, Noisy, Plain, Points, Spoiled, Staged, Toy, equal
from untwine.data.batches import Images, Pairs
from untwine.methods.method import Context, Loss, Player, Stage, play
from untwine.training import CheckpointError, Checkpoints, Every, NonFiniteLoss, fit


def train(method, steps=12, data=None, **options):
    options = {"batch_size": 16, "progress": False, **options}
    return fit(method, data or Points(), steps=steps, **options)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    one, two, three = Noisy(), Noisy(), Noisy()
    train(one, seed=5)
    torch.rand(7)
    train(two, seed=5)
    train(three, seed=6)
    assert equal(one, two)
    assert not equal(one, three)


def test_the_callers_random_numbers_are_left_as_they_were():
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    train(Noisy())
    assert torch.equal(torch.rand(4), expected)


def test_loop_equals_one_written_by_hand():
    method, other = Plain(), Plain()
    train(method, steps=7)
    optimizer = torch.optim.SGD(other.parameters(), lr=other.lr, momentum=0.9)
    for step in range(7):
        x = Points()(step).x
        optimizer.zero_grad()
        error = ((other.decoder(other.represent(x).mean) - x) ** 2).sum(-1).mean()
        error.backward()
        optimizer.step()
    assert equal(method, other)


def test_players_step_on_their_own_parameters_only():
    """The same turns taken by hand, gradients by `torch.autograd.grad` of each player's own."""
    method, other = Duel().double(), Duel().double()
    train(method, steps=4, data=Points(dtype=torch.float64))
    vae = [*other.encoder.parameters(), *other.decoder.parameters()]
    critic = list(other.critic.parameters())
    adam, sgd = torch.optim.Adam(vae, lr=1e-2), torch.optim.SGD(critic, lr=0.1)

    def take(optimizer, own, loss):
        for p, g in zip(own, torch.autograd.grad(loss, own, allow_unused=True), strict=True):
            p.grad = g
        return optimizer

    for step in range(4):
        x = Points(dtype=torch.float64)(step).x
        z = other.represent(x).mean
        error = ((other.decoder(z) - x) ** 2).sum(-1).mean()
        take(adam, vae, torch.stack([error, (other.critic(z) ** 2).mean()]).sum()).step()
        z = other.represent(x).mean.detach()
        take(sgd, critic, ((other.critic(z) - 1) ** 2).mean()).step()
        both = (other.critic(other.represent(x).mean) ** 2).mean()
        gradients = torch.autograd.grad(both, vae, allow_unused=True, retain_graph=True)
        take(sgd, critic, both)
        for p, g in zip(vae, gradients, strict=True):
            p.grad = g
        adam.step()
        sgd.step()
    for (name, p), q in zip(method.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, msg=name)


def test_training_goes_through_play(monkeypatch):
    calls = []

    def spy(*arguments):
        calls.append(len(arguments))
        return play(*arguments)

    monkeypatch.setattr("untwine.training.loop.play", spy)
    train(Noisy(), steps=3)
    assert len(calls) == 3


def test_context_counts_moves_on_one_tensor():
    class Counting(Noisy):
        def moves(self, batch, ctx):
            seen.append((int(ctx.step), id(ctx.step), ctx.size))
            yield from super().moves(batch, ctx)

    seen = []
    train(Counting(), steps=5)
    assert [step for step, _, _ in seen] == [0, 1, 2, 3, 4]
    assert {size for _, _, size in seen} == {256}
    assert len({place for _, place, _ in seen}) == 1


def test_training_mode_within_and_evaluation_mode_after():
    class Moody(Noisy):
        def moves(self, batch, ctx):
            modes.append(self.training)
            yield from super().moves(batch, ctx)

    modes = []
    run = train(Moody(), steps=3, callbacks=[Every(1, lambda state: state.method.represent)])
    assert modes == [True] * 3
    assert not run.method.training


def test_stages_begin_once_and_draw_other_batches_and_noise():
    begun, drawn, noise = [], [], []

    class Spy(Points):
        def __call__(self, step):
            drawn.append(step)
            noise.append(float(torch.rand(())))
            return super().__call__(step)

    method = Staged(begun=begun.append)
    encoder = []
    keep = [Every(6, lambda s: encoder.append(s.method.encoder[0].weight.detach().clone()))]
    run = train(method, steps={"both": 6, "decode": 6}, data=Spy(), callbacks=keep)
    assert begun == [16]  # 256 examples in batches of 16
    moves = drawn[:6] + drawn[-5:]  # the first batch of stage two was drawn among begin's, too
    assert sorted(set(moves)) == [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11]
    assert len(set(noise[:6] + noise[-5:])) == 11
    assert torch.equal(encoder[0], encoder[1]), "the second stage moved a player of the first"
    assert list(run.log.stage.unique()) == ["both", "decode"]
    assert run.steps == 12
    assert method.center.abs().sum() > 0


def test_each_stage_begins_with_fresh_optimizers():
    made = []

    class Optimizers(Staged):
        def players(self):
            def make(parameters):
                made.append(torch.optim.Adam(parameters, lr=1e-2))
                return made[-1]

            return {k: Player(v.modules, make) for k, v in super().players().items()}

    train(Optimizers(), steps=3)
    assert len(made[3:]) == 3  # two players, then one; each was tried before the start


def test_log_has_terms_totals_and_changing_weights(tmp_path):
    run = train(Noisy(), steps=25, log_every=10, out=tmp_path / "run")
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 10, 20, 25]
    assert [line["vae/kl.weight"] for line in lines] == pytest.approx([0.0, 0.9, 1.0, 1.0])
    for line in lines:
        total = line["vae/nll"] + line["vae/kl.weight"] * line["vae/kl"]
        assert line["vae/total"] == pytest.approx(total, rel=1e-5)
        assert line["images/s"] > 0
    assert list(run.log.columns[:3]) == ["step", "stage", "seconds"]
    assert run.log["vae/total"].iloc[-1] < run.log["vae/total"].iloc[0]


def test_a_players_several_moves_of_a_step_are_one_row():
    run = train(Duel(), steps=2)
    row = run.rows[0]
    assert {
        "vae/error",
        "vae/fool",
        "vae/again",
        "vae/total",
        "critic/tell",
        "critic/against",
    } < set(row)
    assert row["vae/total"] == pytest.approx(row["vae/error"] + row["vae/fool"] + row["vae/again"])


def test_callbacks_are_asked_in_order_and_may_lack_hooks():
    class Half:
        def on_start(self, state):
            events.append("start")

        def on_checkpoint(self, state):
            raise AssertionError("nothing is written without a folder")

        def on_end(self, state):
            events.append(f"end {state.position.done}")

    class Other:
        def on_step(self, state, losses):
            events.append((state.position.step, set(losses)))

    events = []
    train(Noisy(), steps=2, callbacks=[Half(), Other()])
    assert events == ["start", (1, {"vae"}), (2, {"vae"}), "end 2"]


def test_every_evaluates_without_changing_the_training():
    plain, watched, seen = Noisy(), Noisy(), []

    def look(state):
        seen.append((state.method.training, torch.is_grad_enabled(), torch.rand(3).sum()))

    train(plain, steps=6)
    train(watched, steps=6, callbacks=[Every(2, look)])
    assert [s[:2] for s in seen] == [(False, False)] * 3
    assert equal(plain, watched)
    with pytest.raises(ValueError, match="n=0"):
        Every(0, look)


def test_lightning_loggers_receive_the_rows(tmp_path):
    from lightning.fabric.loggers import TensorBoardLogger
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger(tmp_path, name="logs")
    run = train(Noisy(), steps=20, log_every=10, loggers=[logger])
    events = EventAccumulator(logger.log_dir)
    events.Reload()
    scalars = events.Scalars("vae/nll")
    assert [s.step for s in scalars] == [1, 10, 20]
    assert [s.value for s in scalars] == pytest.approx(list(run.log["vae/nll"]))


def test_bf16_mixed_trains_in_two_precisions_and_never_on_stale_weights():
    from lightning.fabric import Fabric

    types, fresh = set(), []

    class Mixed(Duel):
        def moves(self, batch, ctx):
            for move in super().moves(batch, ctx):
                types.add(self.encoder(batch.x).dtype)
                fresh.append(torch.equal(self.encoder[0](batch.x), again(self, batch.x)))
                yield move
                fresh.append(torch.equal(self.encoder[0](batch.x), again(self, batch.x)))

    def again(method, x):
        with torch.autocast("cpu", enabled=False):
            layer = method.encoder[0]
            bf16 = torch.bfloat16
            return nn.functional.linear(x.to(bf16), layer.weight.to(bf16), layer.bias.to(bf16))

    method = Mixed()
    run = train(method, steps=4, fabric=Fabric(accelerator="cpu", precision="bf16-mixed"))
    assert types == {torch.bfloat16}
    assert {p.dtype for p in method.parameters()} == {torch.float32}
    assert all(fresh)
    assert run.spec["precision"] == "bf16-mixed"
    whole = Duel()
    train(whole, steps=4)
    for p, q in zip(method.parameters(), whole.parameters(), strict=True):
        torch.testing.assert_close(p, q, atol=0.05, rtol=0.1)


def test_double_precision_is_that_of_method_and_data():
    method = Plain().double()
    train(method, steps=3, data=Points(dtype=torch.float64))
    assert {p.dtype for p in method.parameters()} == {torch.float64}


@pytest.mark.parametrize("precision", ["16-true", "bf16-true", "64-true"])
def test_unsupported_precision_is_refused(precision):
    from lightning.fabric import Fabric

    with pytest.raises(ValueError, match=f"'{precision}' is not supported: use 'bf16-mixed'"):
        train(Noisy(), fabric=Fabric(accelerator="cpu", precision=precision))


def test_non_finite_loss_stops_and_keeps_the_last_good_checkpoint(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(NonFiniteLoss) as caught:
        train(Spoiled(at=25), steps=100, out=out, checkpoint_every=10)
    error = caught.value
    assert (error.player, error.term, error.step, error.stage) == ("vae", "tc", 26, "fit")
    message = str(error)
    assert "term 'tc' of player 'vae' is not finite at step 26, in stage 'fit'" in message
    assert "lower learning rate" in message
    assert str(out / "checkpoints" / "fit-00000020") in message
    assert sorted(p.name for p in (out / "checkpoints").iterdir()) == [
        "fit-00000010",
        "fit-00000020",
    ]
    assert not (out / "model.safetensors").exists()
    good = Spoiled(at=99)
    train(good, steps=20)
    kept = Spoiled(at=99)
    Checkpoints(out / "checkpoints").newest().load(kept)
    assert equal(good, kept)


def test_the_device_keeps_the_first_bad_step_until_it_is_asked():
    from untwine.training.finite import Watch

    watch = Watch(immediate=False, agree=lambda values: values)
    for step in range(6):
        bad = float("nan") if step in (3, 5) else 1.0
        late = float("inf") if step > 3 else 1.0
        loss = Loss(fine=torch.tensor(1.0), bad=torch.tensor(bad), late=torch.tensor(late))
        assert watch.see("vae", loss, torch.tensor(step)) is None
        if step == 2:
            assert watch.check() is None
    assert watch.check() == ("vae", "bad", 4)


def test_nan_in_the_data_is_named():
    class Dirty(Points):
        def __call__(self, step):
            x = super().__call__(step).x
            if step == 4:
                x[3, 5] = torch.nan
            return Images(x)

    with pytest.raises(NonFiniteLoss, match=r"x holds NaN or infinite values in 1 of 16 examples"):
        train(Noisy(), data=Dirty())


def test_a_parameter_that_is_not_finite_is_never_saved(tmp_path):
    class Quiet(Noisy):
        def moves(self, batch, ctx):
            yield from super().moves(batch, ctx)
            with torch.no_grad():
                self.decoder[2].bias[0] += torch.where(ctx.step >= 14, torch.inf, 0.0)

    with pytest.raises(NonFiniteLoss, match=r"parameter 'decoder\.2\.bias' of player 'vae'"):
        train(Quiet(), steps=15, out=tmp_path / "run", checkpoint_every=5)
    assert (tmp_path / "run/checkpoints/fit-00000010").is_dir()
    assert not (tmp_path / "run/checkpoints/fit-00000015").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_finishes_its_step_and_can_go_on(tmp_path, capsys, request, number):
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals reach the main thread only")
    # Signals that a shell's background job or nohup ignores stay ignored otherwise.
    started_with = signal.signal(
        number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
    )
    request.addfinalizer(lambda: signal.signal(number, started_with))
    before = signal.getsignal(number)
    whole, method = Noisy(), Noisy()
    train(whole, steps=10)

    class Stop:
        def on_step(self, state, losses):
            if state.position.step == 4:
                os.kill(os.getpid(), number)

    with pytest.raises((KeyboardInterrupt, SystemExit)) as caught:
        train(method, steps=10, out=tmp_path / "run", callbacks=[Stop()])
    if number == signal.SIGINT:
        assert "stopped after step" in str(caught.value)
    else:
        assert caught.value.code == 128 + number
        assert f"{signal.Signals(number).name}: stopped after step" in capsys.readouterr().err
    saved = sorted(p.name for p in (tmp_path / "run/checkpoints").iterdir())[-1]
    assert saved in ("fit-00000004", "fit-00000005")
    assert signal.getsignal(number) is before
    again = Noisy()
    nn.init.zeros_(again.encoder[0].weight)  # what it begins with does not matter any more
    train(again, steps=10, out=tmp_path / "run")
    assert equal(again, whole)


def test_a_signal_that_is_ignored_goes_on_being_ignored(tmp_path):
    class Hang:
        def on_step(self, state, losses):
            os.kill(os.getpid(), signal.SIGHUP)

    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        run = train(Noisy(), steps=3, out=tmp_path / "run", callbacks=[Hang()])
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    assert run.steps == 3


class Nothing(Toy):
    def players(self):
        return {"vae": Player((nn.ReLU(),), torch.optim.Adam)}

    def moves(self, batch, ctx):
        yield {}


class Unknown(Noisy):
    def stages(self):
        return (Stage("fit", self.moves, players=("vea",)),)


class OfPairs(Noisy):
    supervision = Pairs


@pytest.mark.parametrize(
    ("method", "options", "error", "message"),
    [
        (Noisy, {"steps": 0}, ValueError, "steps of stage 'fit' must be a positive integer, got 0"),
        (Noisy, {"steps": 2.5}, ValueError, "must be a positive integer, got 2.5"),
        (Noisy, {"steps": {"train": 3}}, ValueError, r"stages are \['fit'\]"),
        (Staged, {"steps": {"both": 3}}, ValueError, r"stages are \['both', 'decode'\]"),
        (Noisy, {"batch_size": 0}, ValueError, "batch_size must be a positive integer, got 0"),
        (Noisy, {"keep": 0}, ValueError, "keep must be a positive integer"),
        (Noisy, {"log_every": -1}, ValueError, "log_every must be a positive integer"),
        (Nothing, {}, ValueError, "no player of stage 'fit' owns a parameter"),
        (Unknown, {}, ValueError, r"names the players \['vea'\], but the method has \['vae'\]"),
        (OfPairs, {}, TypeError, "OfPairs learns from Pairs, but the batches are Images"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_written(
    tmp_path, method, options, error, message
):
    with pytest.raises(error, match=message):
        train(method(), **{"out": tmp_path / "run", **options})
    assert not (tmp_path / "run").exists()


def test_a_parameter_that_nobody_owns_is_pointed_out():
    class Forgetful(Noisy):
        def __init__(self):
            super().__init__()
            self.extra = nn.Linear(2, 2)

    with pytest.warns(
        UserWarning, match=r"owns extra.weight, extra.bias: they will not be trained"
    ):
        train(Forgetful(), steps=1)


def test_frozen_parameters_stay():
    method = Noisy()
    method.encoder[0].requires_grad_(False)
    before = method.encoder[0].weight.clone()
    later = method.encoder[2].weight.clone()
    train(method, steps=3)
    assert torch.equal(method.encoder[0].weight, before)
    assert not torch.equal(method.encoder[2].weight, later)


def test_two_processes_do_not_write_to_one_folder(tmp_path):
    import multiprocessing

    if os.name != "posix":
        pytest.skip("locks are tried on POSIX systems")
    context = multiprocessing.get_context("fork")
    heard, say = context.Pipe(duplex=False)

    def hold():
        import fcntl

        with (tmp_path / ".lock").open("w") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            say.send(True)
            threading.Event().wait()

    process = context.Process(target=hold, daemon=True)
    process.start()
    try:
        assert heard.poll(20)
        with pytest.raises(CheckpointError, match="another process is training in this folder"):
            train(Noisy(), out=tmp_path)
    finally:
        process.kill()
        process.join()
    train(Noisy(), out=tmp_path)


def test_progress_lines_tell_stage_terms_speed_and_remaining_time(capsys):
    train(Noisy(), steps=3, progress=True)
    text = capsys.readouterr().err
    assert "fit 3/3" in text
    assert "images/s" in text
    assert "left" in text
    assert "vae/nll" in text
    train(Noisy(), steps=3, progress=False)
    assert capsys.readouterr().err == ""


def test_progress_on_a_terminal_is_a_bar_per_stage(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    train(Staged(), steps=3, progress=True)
    text = capsys.readouterr().err
    assert "both" in text
    assert "decode" in text
    assert "3/3" in text
    assert "images/s" in text


def test_a_torch_dataloader_is_taken():
    rows = [Images(torch.rand(16, WIDTH)) for _ in range(5)]
    loader = torch.utils.data.DataLoader(rows, batch_size=None, shuffle=True)
    run = train(Noisy(), steps=12, data=loader)
    assert run.steps == 12


def test_spec_is_written_and_readable(tmp_path):
    run = train(Noisy(seed=3), steps=4, out=tmp_path / "run", seed=9)
    spec = yaml.safe_load((tmp_path / "run/spec.yaml").read_text())
    assert spec == run.spec
    assert spec["method"]["class_path"] == "tests.training_toys.Noisy"
    assert spec["method"]["init_args"] == {"seed": 3}
    assert (spec["steps"], spec["batch_size"], spec["seed"], spec["devices"]) == (4, 16, 9, 1)
    assert json.loads((tmp_path / "run/environment.json").read_text())["torch"] == torch.__version__


def test_context_and_loader_size_agree_with_the_data():
    from untwine.data import FactorDataset

    sizes = set()

    class Sized(Noisy):
        def moves(self, batch, ctx):
            sizes.add((ctx.size, len(batch), isinstance(ctx, Context)))
            yield from super().moves(batch, ctx)

    data = FactorDataset.from_arrays(np.random.default_rng(0).random((50, WIDTH), dtype=np.float32))
    run = train(Sized(), steps=3, data=data)
    assert sizes == {(50, 16, True)}
    assert run.method.represent(data.observations([0, 1])).mean.shape == (2, DIM)


def test_a_move_that_fails_on_broken_weights_is_explained(monkeypatch):
    """torch's distributions refuse NaN before there is a loss to look at."""
    # whatever compiles something in this process turns torch's own checks off for good
    monkeypatch.setattr(torch.distributions.Distribution, "_validate_args", True)

    class Broken(Noisy):
        def moves(self, batch, ctx):
            yield from super().moves(batch, ctx)
            with torch.no_grad():
                self.encoder[0].weight[0] += torch.where(ctx.step == 4, torch.nan, 0.0)

    with pytest.raises(
        NonFiniteLoss, match=r"since parameter 'encoder\.0\.weight' of player 'vae'"
    ):
        train(Broken(), steps=9)


def test_other_errors_of_a_move_are_left_alone():
    class Wrong(Noisy):
        def moves(self, batch, ctx):
            raise ValueError("a mistake of mine")

    with pytest.raises(ValueError, match="a mistake of mine"):
        train(Wrong())
