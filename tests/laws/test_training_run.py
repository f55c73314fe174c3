"""A run can be read back, and repeated."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
import torch
import yaml
from torch import nn
from torch.optim import Adam

from tests.training_toys import WIDTH, Noisy, Points, equal
from untwine.data import IID, FactorDataset, Loader, Npz
from untwine.methods import VAE, BetaVAE, Model
from untwine.nets import MLP
from untwine.training import CheckpointError, Run, fit


@pytest.fixture
def npz(tmp_path):
    x = np.random.default_rng(0).random((60, WIDTH), dtype=np.float32)
    np.savez(tmp_path / "points.npz", x=x)
    return Npz(tmp_path / "points.npz")


def small(data, out, steps=6, **options):
    method = BetaVAE.build(data, latent_dim=2, beta=3.0, net=MLP([8]), seed=1)
    run = fit(method, data, steps=steps, out=out, batch_size=8, progress=False, **options)
    return method, run


def test_a_run_comes_back_whole(npz, tmp_path):
    method, run = small(npz, tmp_path / "run", checkpoint_every=2)
    again = Run.load(tmp_path / "run")
    assert type(again.method) is BetaVAE
    assert again.method.penalty.beta == 3.0
    assert equal(again.method, method)
    assert not again.method.training
    assert torch.equal(again.data.observations([3]), npz.observations([3]))
    assert (again.spec, again.steps, again.scores) == (run.spec, 6, None)
    assert again.log.equals(run.log)
    assert again.rows == run.rows
    lazy = Run(tmp_path / "run")
    assert equal(lazy.method, method)
    assert repr(lazy) == f"Run('{tmp_path / 'run'}': BetaVAE, 6 steps)"


def test_what_the_spec_says_repeats_the_run(npz, tmp_path):
    """As `untwine train --config spec.yaml` does it, from the file alone."""
    from untwine.training.plan import make_data, make_method

    method, run = small(npz, tmp_path / "run", seed=4)
    spec = yaml.safe_load((tmp_path / "run/spec.yaml").read_text())
    data = make_data(spec)
    again = make_method(spec, data)
    names = ("steps", "batch_size", "seed", "sampler", "log_every", "checkpoint_every", "keep")
    fit(again, data, progress=False, **{name: spec[name] for name in names})
    assert equal(again, method)
    assert run.command == (
        f"untwine train --config {tmp_path}/run/spec.yaml --out {tmp_path}/run-repeat"
    )


def test_scores_are_read(npz, tmp_path):
    _, run = small(npz, tmp_path / "run")
    (tmp_path / "run/scores.json").write_text(json.dumps({"mig": {"value": 0.5}}))
    assert run.scores == {"mig": {"value": 0.5}}
    (tmp_path / "run/scores.json").write_text("{")
    with pytest.raises(ValueError, match=r"scores\.json is damaged"):
        _ = run.scores


def test_a_run_without_a_folder_is_in_memory():
    run = fit(Noisy(), Points(), steps=3, progress=False)
    assert run.path is None
    assert run.scores is None
    assert list(run.log.step) == [1, 3]
    assert (run.steps, run.command) == (
        3,
        "untwine.fit(method, data, steps=3, batch_size=64, seed=0)",
    )


def test_methods_made_by_hand_are_marked_and_have_to_be_given(npz, tmp_path):
    def net():
        return VAE(Model.of(npz, 2, net=MLP([8])), optimizer=partial(Adam, lr=1e-3))

    method = net()
    run = fit(method, npz, steps=3, batch_size=8, out=tmp_path / "run", progress=False)
    written = run.spec["method"]
    assert (written["class_path"], written["parts"]) == ("untwine.methods.VAE", "custom")
    assert written["init_args"] == {
        "optimizer": {"class_path": "torch.optim.Adam", "init_args": {"lr": 1e-3}},
    }
    assert "made by hand" in (tmp_path / "run/spec.yaml").read_text()
    assert run.command.startswith("untwine.fit(method, data, steps=3")
    with pytest.raises(ValueError, match=r"made by hand.*Run\.load\(folder, method=method\)"):
        Run.load(tmp_path / "run")
    other = net()
    assert equal(Run.load(tmp_path / "run", method=other).method, method)


def test_a_method_made_by_its_constructor_from_plain_values_is_made_again(tmp_path):
    method = Noisy(seed=7)
    run = fit(method, Points(), steps=3, out=tmp_path / "run", progress=False)
    assert run.spec["method"]["made_by"] == "constructor"
    again = Run.load(tmp_path / "run", trust=["tests.training_toys"])
    assert equal(again.method, method)
    with pytest.raises(ValueError, match=r"data of this run \(tests.training_toys.Points\)"):
        _ = again.data


def test_arrays_have_to_be_given_and_to_be_the_same(tmp_path):
    x = np.random.default_rng(0).random((60, WIDTH), dtype=np.float32)
    data = FactorDataset.from_arrays(x)
    method, run = small(data, tmp_path / "run")
    assert run.spec["data"]["parts"] == "custom"
    assert (run.spec["data"]["size"], run.spec["data"]["shape"]) == (60, [WIDTH])
    alone = Run.load(tmp_path / "run")
    assert equal(alone.method, method)
    with pytest.raises(ValueError, match=r"Run\.load\(folder, data=data\)"):
        alone.data  # noqa: B018
    assert equal(Run.load(tmp_path / "run", data=data).method, method)
    x = x.copy()
    x[0, 0] += 0.5
    with pytest.raises(FileExistsError, match=r"data\.sha256"):
        small(FactorDataset.from_arrays(x), tmp_path / "run", steps=9)


def test_a_class_of_a_script_has_to_be_given(tmp_path, monkeypatch):
    class Here(Noisy):
        pass

    Here.__module__, Here.__qualname__ = "__main__", "Here"
    run = fit(Here(), Points(), steps=1, out=tmp_path / "run", progress=False)
    assert run.spec["method"]["class_path"] == "__main__.Here"
    assert run.spec["method"]["parts"] == "custom"


def test_samplers_and_loaders_are_written_down(npz, tmp_path):
    _, run = small(npz, tmp_path / "one", sampler=IID())
    assert run.spec["sampler"]["class_path"] == "untwine.data.IID"
    loader = Loader(npz, IID(), batch_size=4, seed=2)
    _, run = small(loader.data, tmp_path / "two")
    method = BetaVAE.build(npz, latent_dim=2, net=MLP([8]), seed=1)
    run = fit(method, loader, steps=2, out=tmp_path / "three", progress=False)
    assert run.spec["data"]["batch_size"] == 4
    assert run.spec["data"]["data"]["class_path"] == "untwine.data.Npz"
    with pytest.raises(ValueError, match="a sampler draws from a FactorDataset"):
        fit(method, Points(), steps=1, sampler=IID(), progress=False)


def test_an_unfinished_run_gives_its_newest_checkpoint(npz, tmp_path):
    method, _ = small(npz, tmp_path / "run")
    (tmp_path / "run/model.safetensors").unlink()
    with pytest.warns(UserWarning, match=r"has not finished.*fit-00000006"):
        assert equal(Run.load(tmp_path / "run").method, method)


def test_damaged_final_weights_are_named(npz, tmp_path):
    method, _ = small(npz, tmp_path / "run")
    file = tmp_path / "run/model.safetensors"
    file.write_bytes(file.read_bytes()[:100])
    with pytest.warns(UserWarning, match=r"model\.safetensors is truncated or corrupt"):
        assert equal(Run.load(tmp_path / "run").method, method)
    for folder in (tmp_path / "run/checkpoints").iterdir():
        (folder / "optimizer.pt").unlink()
    with pytest.raises(CheckpointError, match="no checkpoint in"):
        Run.load(tmp_path / "run")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (None, FileNotFoundError, "is no run: it has no spec.yaml"),
        ("method: {class_path: [", ValueError, "spec.yaml is damaged"),
        ("- 1", ValueError, "does not describe a run"),
        (
            "method: VAE\ndata: {class_path: untwine.data.DSprites}",
            ValueError,
            "the spec's 'method'",
        ),
        (
            "method: {class_path: os.system, init_args: {command: 'true'}}\n"
            "data: {class_path: untwine.data.Npz, parts: custom}",
            ValueError,
            "os.system is not a class that a spec may name",
        ),
        (
            "method: {class_path: nowhere.VAE}\ndata: {class_path: x, parts: custom}",
            ValueError,
            "nowhere.VAE is not a class that a spec may name",
        ),
        (
            "method: {class_path: untwine.methods.VAE}\n"
            "data: {class_path: subprocess.Popen, init_args: {args: 'true'}}",
            ValueError,
            "subprocess.Popen is not a class that a spec may name",
        ),
    ],
)
def test_damaged_and_dangerous_specs_are_refused(tmp_path, text, error, message):
    if text is not None:
        (tmp_path / "spec.yaml").write_text(text)
    data = Points() if text is not None and "custom" in text else None
    with pytest.raises(error, match=message):
        Run.load(tmp_path, data=data)


def test_there_is_no_such_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no such folder"):
        Run(tmp_path / "nothing")
    with pytest.raises(ValueError, match="needs its method"):
        Run(None)


def test_tied_weights_survive_a_run(tmp_path):
    class Tied(Noisy):
        def __init__(self, seed=0):
            super().__init__(seed)
            self.twin = nn.Linear(3, 16, bias=False)
            self.twin.weight = self.decoder[0].weight

        def players(self):
            own = super().players()["vae"]
            return {"vae": type(own)((*own.modules, self.twin), own.optimizer)}

    whole, part = Tied(), Tied()
    fit(whole, Points(), steps=8, progress=False)
    fit(part, Points(), steps=3, progress=False, out=tmp_path / "run")
    part = Tied()
    fit(part, Points(), steps=8, progress=False, out=tmp_path / "run")
    assert equal(part, whole)
    assert part.twin.weight is part.decoder[0].weight


def test_a_method_built_without_a_seed_goes_on_in_the_same_folder(tmp_path):
    from untwine.methods import VAE

    data = FactorDataset.from_arrays(np.random.default_rng(0).random((40, 6), np.float32))

    def run(steps):
        method = VAE.build(data, latent_dim=2)  # another seed each time
        return fit(method, data, steps=steps, batch_size=8, out=tmp_path / "run", progress=False)

    first = run(4)
    again = run(4)
    for a, b in zip(first.method.parameters(), again.method.parameters(), strict=True):
        assert torch.equal(a, b)
    assert again.spec["method"]["init_args"]["seed"] == first.spec["method"]["init_args"]["seed"]
    assert run(6).steps == 6
    with pytest.raises(FileExistsError, match="seed"):
        fit(
            VAE.build(data, latent_dim=2, seed=1), data, steps=4, batch_size=8, out=tmp_path / "run"
        )
