"""The weights at the end of a run, and its folder while it is made."""

from __future__ import annotations

import hashlib
import shutil

import numpy as np
import pytest
import torch

from tests.training_toys import Noisy, Points, equal
from untwine.data import Npz
from untwine.methods import BetaVAE
from untwine.nets import MLP
from untwine.training import CheckpointError, Run, fit


@pytest.fixture
def npz(tmp_path):
    x = np.random.default_rng(0).random((40, 12), np.float32)
    np.savez(tmp_path / "points.npz", x=x)
    return Npz(tmp_path / "points.npz")


def small(data, out, steps=6):
    method = BetaVAE.build(data, latent_dim=2, net=MLP([8]), seed=1)
    return fit(method, data, steps=steps, batch_size=8, out=out, checkpoint_every=3, progress=False)


def flip(path):
    content = bytearray(path.read_bytes())
    content[-3] ^= 0x40
    path.write_bytes(content)


@pytest.mark.parametrize("listed", [True, False])
def test_a_flipped_bit_of_the_final_weights_is_noticed_and_mended(npz, tmp_path, listed):
    run = small(npz, tmp_path / "run")
    file = tmp_path / "run/model.safetensors"
    content = file.read_bytes()
    digest = tmp_path / "run/model.sha256"
    assert digest.read_text() == f"{hashlib.sha256(content).hexdigest()}  {file.name}\n"
    if not listed:  # a run of an earlier version: its last checkpoint tells
        digest.unlink()
    flip(file)
    with pytest.warns(UserWarning, match=r"checksum of .*model\.safetensors is wrong.*00000006"):
        assert equal(Run.load(tmp_path / "run").method, run.method)
    with pytest.warns(UserWarning, match=r"model\.safetensors.*written again"):
        small(npz, tmp_path / "run")
    assert file.read_bytes() == content
    assert digest.exists()


def test_final_weights_alone_are_enough(npz, tmp_path):
    run = small(npz, tmp_path / "run")
    shutil.rmtree(tmp_path / "run/checkpoints")
    assert equal(Run.load(tmp_path / "run").method, run.method)
    (tmp_path / "run/model.sha256").unlink()
    assert equal(Run.load(tmp_path / "run").method, run.method)
    (tmp_path / "run/model.sha256").write_text("nothing")
    with pytest.raises(CheckpointError, match=r"model\.sha256"):
        Run.load(tmp_path / "run")


def test_a_run_that_goes_on_forgets_its_old_digest(npz, tmp_path):
    small(npz, tmp_path / "run")
    run = small(npz, tmp_path / "run", steps=9)
    assert equal(Run.load(tmp_path / "run").method, run.method)


def test_the_digest_of_weights_is_that_of_the_tensors(npz, tmp_path):
    run = small(npz, tmp_path / "run")
    digest = run.weights_digest()
    assert len(digest) == 64
    assert Run(tmp_path / "run").weights_digest() == digest
    assert Run.load(tmp_path / "run").weights_digest() == digest
    (tmp_path / "run/model.safetensors").unlink()
    assert Run(tmp_path / "run").weights_digest() == digest
    with torch.no_grad():
        next(run.method.parameters()).view(-1)[0] += 1e-3
    assert run.weights_digest() != digest
    assert small(npz, tmp_path / "run", steps=7).weights_digest() != digest


def test_tied_weights_have_one_digest(tmp_path):
    class Tied(Noisy):
        def __init__(self, seed=0):
            super().__init__(seed)
            self.twin = torch.nn.Linear(3, 16, bias=False)
            self.twin.weight = self.decoder[0].weight

        def players(self):
            own = super().players()["vae"]
            return {"vae": type(own)((*own.modules, self.twin), own.optimizer)}

    run = fit(Tied(), Points(), steps=2, progress=False, out=tmp_path / "run")
    assert Run(tmp_path / "run").weights_digest() == run.weights_digest()


class Harm:
    def __init__(self, step, harm):
        self.step, self.harm = step, harm

    def on_step(self, state, losses):
        if state.position.step == self.step:
            self.harm(state.out)


def renamed(out):
    out.rename(out.with_name("elsewhere"))


def replaced(out):
    renamed(out)
    out.mkdir()


def remade(out):
    shutil.rmtree(out)
    out.mkdir()


def emptied(out):
    shutil.rmtree(out)
    out.write_text("a file")


@pytest.mark.parametrize("harm", [shutil.rmtree, renamed, replaced, remade, emptied])
@pytest.mark.parametrize("step", [3, 5, 10])
def test_a_folder_that_is_gone_stops_the_run(tmp_path, harm, step):
    out = tmp_path / "run"
    with pytest.raises(CheckpointError, match=r"run.*is gone, or another folder"):
        fit(
            Noisy(),
            Points(),
            steps=10,
            out=out,
            checkpoint_every=5,
            progress=False,
            callbacks=[Harm(step, harm)],
        )
    assert not (out / "checkpoints").exists()
    if harm is renamed:
        (tmp_path / "elsewhere").rename(out)
        assert fit(Noisy(), Points(), steps=10, out=out, progress=False).steps == 10


def test_a_folder_that_is_gone_after_the_last_step_is_noticed(tmp_path):
    class Last:
        def on_end(self, state):
            shutil.rmtree(state.out)

    with pytest.raises(CheckpointError, match="is gone, or another folder"):
        fit(Noisy(), Points(), steps=3, out=tmp_path / "run", progress=False, callbacks=[Last()])
    assert not (tmp_path / "run").exists()
