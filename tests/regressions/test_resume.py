"""A run that is killed and started again ends as one that was not."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
import torch
import yaml

from tests.regressions.resumed_run import main
from tests.training_toys import Duel, Noisy, Points, Staged, equal
from untwine.training import Run, fit
from untwine.training.record import read_record


class Death(BaseException):
    """Ends a training as a signal would, where the test says."""


class DieAt:
    def __init__(self, step: int, stage: str = "fit"):
        self.place = (stage, step)

    def on_step(self, state, losses):
        if (state.position.stage, state.position.step) == self.place:
            raise Death


def train(method, out=None, steps=30, **options):
    options = {"checkpoint_every": 7, "log_every": 5, "progress": False, **options}
    return fit(method, Points(), steps=steps, batch_size=16, out=out, **options)


@pytest.mark.parametrize("make", [Noisy, Duel])
def test_any_step_may_be_the_last(tmp_path, make):
    whole, out = make(), tmp_path / "run"
    expected = train(whole)
    for step in (1, 3, 7, 13, 14, 29, 30):
        with pytest.raises(Death):
            train(make(), out, callbacks=[DieAt(step)])
    method = make()
    torch.nn.init.zeros_(method.encoder[0].weight)  # weights come from the checkpoint
    run = train(method, out)
    assert equal(method, whole)
    timeless = [{k: v for k, v in row.items() if k[:2] not in ("se", "im")} for row in run.rows]
    assert timeless == [
        {k: v for k, v in row.items() if k[:2] not in ("se", "im")} for row in expected.rows
    ]
    assert read_record(out / "log.jsonl") == run.rows
    assert equal(Run.load(out, trust=["tests"]).method, whole) if make is Noisy else True


def test_every_stage_may_be_interrupted_and_begins_once(tmp_path):
    whole, begun = Staged(), []
    steps = {"both": 10, "decode": 12}
    train(whole, steps=steps)
    out = tmp_path / "run"
    for stage, step in (("both", 4), ("both", 10), ("decode", 1), ("decode", 9)):
        with pytest.raises(Death):
            train(Staged(begun=begun.append), out, steps=steps, callbacks=[DieAt(step, stage)])
    assert begun == [16]
    method = Staged(begun=begun.append)
    train(method, out, steps=steps)
    assert equal(method, whole)
    assert sorted(p.name for p in (out / "checkpoints").iterdir()) == [
        "decode-00000007",
        "decode-00000012",
    ]


def test_more_steps_go_on(tmp_path):
    whole, method = Noisy(), Noisy()
    train(whole, steps=25)
    out = tmp_path / "run"
    train(method, out, steps=10)
    first = (out / "model.safetensors").read_bytes()
    method = Noisy()
    run = train(method, out, steps=25)
    assert equal(method, whole)
    assert (out / "model.safetensors").read_bytes() != first
    assert run.steps == 25
    assert yaml.safe_load((out / "spec.yaml").read_text())["steps"] == 25
    assert list(run.log.step) == [1, 5, 10, 15, 20, 25]


def test_more_steps_of_the_last_stage_go_on(tmp_path):
    whole, out = Staged(), tmp_path / "run"
    train(whole, steps={"both": 6, "decode": 9})
    train(Staged(), out, steps={"both": 6, "decode": 4})
    method = Staged()
    train(method, out, steps={"both": 6, "decode": 9})
    assert equal(method, whole)
    with pytest.raises(ValueError, match="moves of stage 'decode' and 6 before it"):
        train(Staged(), out, steps={"both": 8, "decode": 9})


def test_a_finished_run_is_not_made_again(tmp_path):
    out, steps = tmp_path / "run", []

    class Count:
        def on_step(self, state, losses):
            steps.append(state.position.step)

    first = train(Noisy(), out, steps=8, callbacks=[Count()])
    method = Noisy()
    run = train(method, out, steps=8, callbacks=[Count()])
    assert len(steps) == 8
    assert equal(method, first.method)
    assert run.rows == first.rows
    assert not method.training


def test_fewer_steps_are_refused(tmp_path):
    train(Noisy(), tmp_path / "run", steps=8)
    with pytest.raises(ValueError, match=r"has made 8 moves of stage 'fit'.*ask for at least"):
        train(Noisy(), tmp_path / "run", steps=5)


def test_another_run_in_the_folder_is_refused_with_what_differs(tmp_path):
    out = tmp_path / "run"
    train(Noisy(seed=1), out, steps=8, seed=3)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    with pytest.raises(FileExistsError) as caught:
        train(Noisy(seed=2), out, steps=8, seed=4)
    message = str(caught.value)
    assert "method.init_args.seed: 1, now 2" in message
    assert "seed: 3, now 4" in message
    assert "Choose another folder" in message
    with pytest.raises(FileExistsError, match=r"holds a run already.*resume=True"):
        train(Noisy(seed=1), out, steps=8, seed=3, resume=False)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == before
    (out / "spec.yaml").write_text((out / "spec.yaml").read_text().replace("seed: 3", "seed: 4"))
    with pytest.raises(FileExistsError, match=r"fit-00000008 is of another run"):
        train(Noisy(seed=1), out, steps=8, seed=4)


@pytest.mark.parametrize("name", ["model.safetensors", "log.jsonl", "scores.json"])
def test_a_folder_that_is_no_run_keeps_its_files(tmp_path, name):
    (tmp_path / name).write_bytes(b"somebody's")
    (tmp_path / ".notes.tmp").write_bytes(b"somebody's")
    with pytest.raises(FileExistsError, match=rf"holds no run .*{name}.* choose another folder"):
        train(Noisy(), tmp_path, steps=2)
    assert (tmp_path / name).read_bytes() == b"somebody's"
    (tmp_path / name).unlink()
    train(Noisy(), tmp_path, steps=2)
    assert (tmp_path / ".notes.tmp").exists()


def test_log_and_checkpoint_intervals_may_change(tmp_path):
    whole = Noisy()
    train(whole, steps=20)
    train(Noisy(), tmp_path / "run", steps=9)
    method = Noisy()
    train(method, tmp_path / "run", steps=20, checkpoint_every=3, log_every=2, keep=1)
    assert equal(method, whole)


def test_a_corrupt_checkpoint_costs_only_its_steps(tmp_path):
    whole, out = Noisy(), tmp_path / "run"
    train(whole)
    with pytest.raises(Death):
        train(Noisy(), out, callbacks=[DieAt(23)])
    file = out / "checkpoints/fit-00000021/optimizer.pt"
    file.write_bytes(file.read_bytes()[:1000])
    method = Noisy()
    with pytest.warns(UserWarning, match="damaged checkpoint.*fit-00000021.*fit-00000014"):
        train(method, out)
    assert equal(method, whole)
    assert (out / "checkpoints/fit-00000021.damaged").is_dir()


def test_a_full_disk_stops_the_run_which_can_go_on(tmp_path, monkeypatch):
    from untwine.training import CheckpointError, checkpoint

    whole, out, write = Noisy(), tmp_path / "run", checkpoint.write_synced
    train(whole)

    def full(path, content):
        if "00000021" in str(path):
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(checkpoint, "write_synced", full)
    with pytest.raises(CheckpointError, match=r"No space left on device; [\d,]+ MiB are free"):
        train(Noisy(), out)
    monkeypatch.undo()
    assert sorted(os.listdir(out / "checkpoints")) == ["fit-00000007", "fit-00000014"]
    method = Noisy()
    train(method, out)
    assert equal(method, whole)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is POSIX's")
def test_sigkill_at_any_moment_costs_nothing(tmp_path):
    """Killed and started again with the same arguments, it ends with the same bytes."""
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.regressions.resumed_run"])

    def start(out: Path):
        process = processes.Process(target=main, args=(str(out),))
        process.start()
        return process

    def finish(out: Path) -> str:
        process = start(out)
        process.join(120)
        assert process.exitcode == 0
        return hashlib.sha256((out / "model.safetensors").read_bytes()).hexdigest()

    expected = finish(tmp_path / "whole")
    out, wait = tmp_path / "killed", random.Random(0)
    log = out / "log.jsonl"
    for kills in range(6):
        process = start(out)
        lines, patience = None, time.monotonic() + 60
        while process.exitcode is None and time.monotonic() < patience:
            now = log.read_bytes().count(b"\n") if log.exists() else 0
            lines = now if lines is None or now < lines else lines
            if now > lines + 2:  # it has begun, and comes further than it was: strike at random
                time.sleep(wait.uniform(0, 0.1))
                break
            time.sleep(0.002)
        assert process.exitcode is None, f"it ended after {kills} kills: give it more steps"
        process.kill()
        process.join(30)
        assert process.exitcode == -signal.SIGKILL
        assert not (out / "model.safetensors").exists()
    assert finish(out) == expected
    rows = [(r["step"], r["vae/total"]) for r in read_record(log)]
    whole = [(r["step"], r["vae/total"]) for r in read_record(tmp_path / "whole/log.jsonl")]
    assert rows == whole
