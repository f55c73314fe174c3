"""Optimizer state of another shape never reaches an optimizer."""

from __future__ import annotations

import hashlib
import json
from functools import partial

import pytest
import torch

from tests.training_toys import Noisy, Points
from untwine.methods.method import Player
from untwine.training import Checkpoints, fit
from untwine.training.optimizer_state import check_state


def train(method, out, steps):
    return fit(method, Points(), steps=steps, out=out, checkpoint_every=2, progress=False)


def rewrite(folder, change):
    """Changes a checkpoint's optimizer state, and puts its checksums right."""
    file = folder / "optimizer.pt"
    state = torch.load(file, weights_only=True)
    change(state["vae"])
    torch.save(state, file)
    listed = json.loads((folder / "state.json").read_text())
    content = file.read_bytes()
    listed["files"]["optimizer.pt"] = {
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    (folder / "state.json").write_text(json.dumps(listed))


def short(state):
    state["state"][0]["exp_avg"] = torch.zeros(3)


def wide(state):
    state["state"][0]["exp_avg_sq"] = state["state"][0]["exp_avg_sq"].double()


def spread(state):
    state["state"][0]["exp_avg"] = torch.zeros(1).expand_as(state["state"][0]["exp_avg"])


def sparse(state):
    state["state"][0]["exp_avg"] = state["state"][0]["exp_avg"].to_sparse()


def elsewhere(state):
    state["state"][99] = state["state"].pop(0)


def number(state):
    state["state"][0]["exp_avg"] = 3.0


def rate(state):
    state["param_groups"][0]["lr"] = "fast"


def infinite(state):
    state["param_groups"][0]["lr"] = float("inf")


def betas(state):
    state["param_groups"][0]["betas"] = (0.9,)


def groups(state):
    state["param_groups"] = []


def whole(state):
    state.clear()


@pytest.mark.parametrize(
    "change",
    [short, wide, spread, sparse, elsewhere, number, rate, infinite, betas, groups, whole],
)
def test_state_of_another_shape_is_refused_before_anything_is_written(tmp_path, change):
    train(Noisy(), tmp_path / "run", 4)
    newest = Checkpoints(tmp_path / "run/checkpoints").newest()
    rewrite(newest.path, change)
    log = (tmp_path / "run/log.jsonl").read_bytes()
    with pytest.raises(ValueError, match=r"fit-00000004.*optimizer of player 'vae' is another"):
        train(Noisy(), tmp_path / "run", 6)
    assert (tmp_path / "run/log.jsonl").read_bytes() == log
    assert (tmp_path / "run/model.safetensors").exists()


def test_a_file_of_optimizers_that_is_none_is_named(tmp_path):
    train(Noisy(), tmp_path / "run", 4)
    newest = Checkpoints(tmp_path / "run/checkpoints").newest()
    for content in (b"", b"PK\x03\x04 nothing", b"\x80\x04K\x01."):
        (newest.path / "optimizer.pt").write_bytes(content)
        method = Noisy()
        optimizers = {"vae": torch.optim.Adam(method.parameters())}
        with pytest.raises(ValueError, match=r"optimizer\.pt cannot be read"):
            newest.load(method, optimizers)


@pytest.mark.parametrize(
    "make",
    [
        partial(torch.optim.Adam, lr=1e-3),
        partial(torch.optim.Adam, lr=1e-3, fused=True),
        partial(torch.optim.AdamW, lr=1e-3, amsgrad=True),
        partial(torch.optim.SGD, lr=1e-3),
        partial(torch.optim.SGD, lr=1e-3, momentum=0.9),
        partial(torch.optim.RMSprop, lr=1e-3, centered=True, momentum=0.5),
        partial(torch.optim.Adagrad, lr=1e-3),
        partial(torch.optim.Adadelta, lr=1e-3),
        partial(torch.optim.Adamax, lr=1e-3),
        partial(torch.optim.NAdam, lr=1e-3),
        partial(torch.optim.RAdam, lr=1e-3),
        partial(torch.optim.ASGD, lr=1e-3),
        partial(torch.optim.Rprop, lr=1e-3),
        partial(torch.optim.Adafactor, lr=1e-3),
    ],
)
def test_an_optimizers_own_state_is_taken(tmp_path, make):
    class Other(Noisy):
        def players(self):
            return {"vae": Player((self.encoder, self.decoder), make)}

    method = Other()
    run = train(method, tmp_path / "run", 4)
    assert train(Other(), tmp_path / "run", 6).steps == 6
    assert run.steps == 4
    optimizer = make(method.parameters())
    check_state(optimizer, optimizer.state_dict())
