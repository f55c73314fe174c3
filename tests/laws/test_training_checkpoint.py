"""Checkpoints are complete or not there."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys

import pytest
import torch
from safetensors import safe_open
from torch import nn

from tests.training_toys import Noisy, equal
from untwine.training import Checkpoint, CheckpointError, Checkpoints, Position
from untwine.training.record import Record, read_record
from untwine.training.weights import load_weights, weights

FILES = ("model.safetensors", "optimizer.pt", "state.json")


def at(step: int, stage: str = "fit", index: int = 0) -> Position:
    return Position(stage, index, step, step, 1.5)


def trained(seed: int) -> tuple[nn.Module, dict[str, torch.optim.Optimizer]]:
    method = Noisy(seed)
    optimizer = torch.optim.Adam(method.parameters(), lr=1e-2)
    for p in method.parameters():
        p.grad = torch.ones_like(p)
    optimizer.step()
    return method, {"vae": optimizer}


@pytest.fixture
def checkpoints(tmp_path):
    found = Checkpoints(tmp_path / "checkpoints", keep=2)
    for step in (10, 20, 30):
        found.write(at(step), *trained(step), spec="abc")
    return found


def names(checkpoints: Checkpoints) -> list[str]:
    return sorted(p.name for p in checkpoints.folder.iterdir())


def test_what_is_written_comes_back(checkpoints):
    newest = checkpoints.newest()
    assert isinstance(newest, Checkpoint)
    assert (newest.position, newest.spec) == (at(30), "abc")
    assert names(checkpoints) == ["fit-00000020", "fit-00000030"]
    expected, optimizers = trained(30)
    method = Noisy()
    made = {"vae": torch.optim.Adam(method.parameters(), lr=0.5)}
    newest.load(method, made)
    assert equal(method, expected)
    one, two = made["vae"].state_dict(), optimizers["vae"].state_dict()
    assert one["param_groups"] == two["param_groups"]
    for key, state in two["state"].items():
        assert all(torch.equal(v, one["state"][key][k]) for k, v in state.items())


def test_the_newest_is_of_the_latest_stage(tmp_path):
    found = Checkpoints(tmp_path, keep=5)
    found.write(at(500, "a", 0), *trained(0))
    found.write(at(3, "b", 1), *trained(1))
    assert found.newest().position == at(3, "b", 1)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-40])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def remove(path):
    path.unlink()


@pytest.mark.parametrize(
    ("harm", "file"),
    [
        *((harm, file) for harm in (truncate, flip, remove) for file in FILES[:2]),
        (truncate, FILES[2]),
        (remove, FILES[2]),
    ],
)
def test_a_damaged_one_is_named_and_the_older_one_taken(checkpoints, harm, file):
    harm(checkpoints.folder / "fit-00000030" / file)
    with pytest.warns(UserWarning, match="damaged checkpoint.*fit-00000030.*fit-00000020"):
        newest = checkpoints.newest()
    assert newest.position.step == 20
    checkpoints.clean()
    assert names(checkpoints) == ["fit-00000020", "fit-00000030.damaged"]
    checkpoints.write(at(30), *trained(30))
    assert checkpoints.newest().position.step == 30


def test_a_renamed_one_is_damaged(checkpoints):
    (checkpoints.folder / "fit-00000030").rename(checkpoints.folder / "fit-00000099")
    with pytest.warns(UserWarning, match="it says that it is fit-00000030"):
        assert checkpoints.newest().position.step == 20


def test_all_damaged_is_an_error_and_none_is_none(checkpoints, tmp_path):
    for name in names(checkpoints):
        truncate(checkpoints.folder / name / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"no checkpoint in .* is complete.*Restore one"):
        checkpoints.newest()
    assert Checkpoints(tmp_path / "nowhere").newest() is None


def test_leftovers_of_killed_runs_go_away(checkpoints):
    half = checkpoints.folder / ".fit-00000040.77.tmp"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    assert checkpoints.newest().position.step == 30
    checkpoints.clean()
    assert names(checkpoints) == ["fit-00000020", "fit-00000030"]


@pytest.mark.parametrize("file", FILES)
def test_a_full_disk_loses_nothing(checkpoints, monkeypatch, file):
    from untwine.training import checkpoint

    write = checkpoint.write_synced

    def full(path, content):
        if path.name == file:
            write(path, content[: len(content) // 2])
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(checkpoint, "write_synced", full)
    with pytest.raises(
        CheckpointError, match=r"No space left on device; .* MiB are free"
    ) as caught:
        checkpoints.write(at(40), *trained(40))
    assert caught.value.errno == 28
    assert "fit-00000040" in str(caught.value)
    assert names(checkpoints) == ["fit-00000020", "fit-00000030"]
    monkeypatch.undo()
    assert checkpoints.newest().position.step == 30


def write_beyond_the_limit(folder: str, say) -> None:
    """The operating system itself stops the second write in the middle of a file."""
    import resource

    method = Noisy()
    optimizers = {"vae": torch.optim.Adam(method.parameters())}
    found = Checkpoints(folder)
    found.write(at(1), method, optimizers)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        found.write(at(2), method, optimizers)
    except CheckpointError as error:
        say.send(str(error))


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files with setrlimit")
def test_a_write_that_the_system_refuses_loses_nothing(tmp_path):
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["tests.regressions.resumed_run"])
    heard, say = processes.Pipe(duplex=False)
    process = processes.Process(target=write_beyond_the_limit, args=(str(tmp_path), say))
    process.start()
    process.join(100)
    assert process.exitcode == 0
    assert heard.poll()
    assert "cannot write: File too large" in heard.recv()
    assert [p.name for p in tmp_path.iterdir()] == ["fit-00000001"]
    assert Checkpoints(tmp_path).newest().position == at(1)


def test_tied_weights_are_stored_once_and_stay_tied(tmp_path):
    def net():
        made = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
        made[1].weight = made[0].weight
        return made

    one, two = net(), net()
    path = tmp_path / "model.safetensors"
    path.write_bytes(weights(one))
    with safe_open(path, "pt") as file:
        assert sorted(file.keys()) == ["0.bias", "0.weight", "1.bias"]
    load_weights(two, path)
    assert equal(one, two)
    assert two[0].weight is two[1].weight
    assert weights(one) == weights(two)
    untied = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    load_weights(untied, path)
    assert torch.equal(untied[1].weight, one[0].weight)


def test_views_of_one_storage_and_other_memory_formats_are_stored_whole(tmp_path):
    class Views(nn.Module):
        def __init__(self):
            super().__init__()
            whole = torch.arange(6.0)
            self.register_buffer("low", whole[:4])
            self.register_buffer("high", whole[2:])
            self.conv = nn.Conv2d(3, 2, 3).to(memory_format=torch.channels_last)
            self.register_buffer("empty", torch.zeros(0))
            self.register_buffer("none", torch.zeros(0))

    one, two = Views(), Views()
    path = tmp_path / "model.safetensors"
    path.write_bytes(weights(one))
    load_weights(two, path)
    assert equal(one, two)
    assert two.conv.weight.is_contiguous(memory_format=torch.channels_last)


def test_what_is_no_tensor_is_refused():
    class Extra(nn.Linear):
        def get_extra_state(self):
            return {"a": 1}

        def set_extra_state(self, state):
            pass

    with pytest.raises(TypeError, match="_extra_state of Extra is a dict: only tensors"):
        weights(Extra(2, 2))


def test_weights_of_another_model_are_refused(checkpoints, tmp_path):
    with pytest.raises(ValueError, match=r"holds the weights of another model than this Linear"):
        checkpoints.newest().load(nn.Linear(3, 3))
    method = Noisy()
    with pytest.raises(
        ValueError, match=r"players \['vae'\], but the method's players are \['b'\]"
    ):
        checkpoints.newest().load(method, {"b": torch.optim.Adam(method.parameters())})
    part = torch.optim.Adam(method.encoder.parameters())
    with pytest.raises(ValueError, match="the optimizer of player 'vae' is another one"):
        checkpoints.newest().load(method, {"vae": part})
    with pytest.raises(FileNotFoundError, match="there are no weights here"):
        load_weights(method, tmp_path / "nothing")


def test_an_optimizer_file_cannot_run_code(checkpoints):
    class Evil:
        def __reduce__(self):
            return os.system, ("true",)

    path = checkpoints.folder / "fit-00000030"
    torch.save(Evil(), path / "optimizer.pt")
    method = Noisy()
    newest = Checkpoint(path, at(30))
    with pytest.raises(Exception, match=r"[Ww]eights"):
        newest.load(method, {"vae": torch.optim.Adam(method.parameters())})


def test_a_torn_last_line_is_dropped_and_another_one_named(tmp_path):
    path = tmp_path / "log.jsonl"
    rows = [{"step": s, "stage": "fit"} for s in (1, 2, 3)]
    lines = [json.dumps(row) + "\n" for row in rows]
    path.write_text("".join(lines)[:-6])
    assert read_record(path) == rows[:2]
    record = Record(path, lambda row: row["step"] < 2)
    record.write({"step": 2, "stage": "again"})
    assert read_record(path) == [rows[0], {"step": 2, "stage": "again"}] == record.rows
    record.close()
    path.write_text(lines[0] + lines[1][:-6] + "\n" + lines[2])
    with pytest.raises(ValueError, match="line 2 is damaged"):
        read_record(path)
