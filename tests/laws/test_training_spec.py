"""A spec says what is so: the weights that a run began with, what was changed, what data held."""

import inspect

import numpy as np
import pytest
import torch
import yaml
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import untwine as ut
from tests.training_toys import Noisy, Plain, Points, equal
from untwine.data import IID, FactorDataset, Loader, Multimodal
from untwine.data.digests import content_digest
from untwine.methods import VAE, BetaVAE, Model, Snapshot
from untwine.methods.snapshot import tensors_digest
from untwine.training import Run
from untwine.training.plan import differences, identity, make_method

ROWS = np.random.default_rng(0).random((1000, 6), dtype=np.float32)


@pytest.fixture
def file(tmp_path):
    np.savez(tmp_path / "set.npz", x=ROWS[:50])
    return FactorDataset.from_npz(tmp_path / "set.npz")


def build(data, **arguments):
    return BetaVAE.build(data, latent_dim=2, seed=0, **arguments)


def train(method, data, **options):
    return ut.fit(method, data, **{"steps": 2, "progress": False, **options})


def test_the_weights_at_step_0_are_those_of_the_digest(file, tmp_path):
    method = build(file)
    expected = tensors_digest(method.state_dict())
    spec = train(method, file, out=tmp_path / "run").spec
    assert spec["method"]["weights"] == expected
    assert tensors_digest(make_method(spec, file).state_dict()) == expected
    assert not {"initial", "parts", "changed"} & {*spec["method"]}
    assert yaml.safe_load((tmp_path / "run/spec.yaml").read_text()) == spec


def loaded(method, file):
    method.load_state_dict(BetaVAE.build(file, latent_dim=2, seed=5).state_dict())


def trained(method, file):
    train(method, file)


@pytest.mark.parametrize("warm", [loaded, trained])
def test_other_weights_than_a_fresh_methods_are_stated(file, tmp_path, warm):
    method = build(file)
    warm(method, file)
    expected = tensors_digest(method.state_dict())
    run = train(method, file, out=tmp_path / "run")
    assert run.spec["method"]["weights"] == expected
    assert run.spec["method"]["initial"] == "custom"
    assert run.command.startswith("untwine.fit(")
    assert "# What is marked `custom`" in (tmp_path / "run/spec.yaml").read_text()
    assert equal(Run.load(tmp_path / "run").method, method)
    again = train(build(file), file, out=tmp_path / "run", steps=4)  # goes on from its checkpoint
    assert again.spec["method"]["weights"] == expected
    assert again.spec["method"]["initial"] == "custom"


def test_the_same_method_goes_on_where_it_was(file, tmp_path):
    method, other = build(file), build(file)
    train(method, file, out=tmp_path / "run")
    run = train(method, file, out=tmp_path / "run", steps=4)
    assert "initial" not in run.spec["method"]
    train(other, file, steps=4)
    assert equal(method, other)


def penalized(method):
    method.penalty.beta = 50.0


def replaced(method):
    method.model.encoder.net = nn.Sequential(nn.Flatten(), nn.Linear(6, 4))


def frozen(method):
    method.model.decoder.requires_grad_(False)


def faster(method):
    method.optimizer = torch.optim.SGD


@pytest.mark.parametrize(
    ("change", "name", "pair"),
    [
        (penalized, "penalty.beta", [4.0, 50.0]),
        (replaced, "model.encoder.net.1.weight", ["float32 [256, 6]", "float32 [4, 6]"]),
        (
            frozen,
            "model.decoder.net.0.bias",
            ["float32 [256]", "float32 [256], frozen"],
        ),
        (nn.Module.double, "model.decoder.net.0.bias", ["float32 [256]", "float64 [256]"]),
    ],
)
def test_what_was_changed_is_named_and_not_continued_by_a_fresh_one(
    file, tmp_path, change, name, pair
):
    method = build(file)
    change(method)
    run = train(method, file, out=tmp_path / "run")
    assert run.spec["method"]["parts"] == "custom"
    assert run.spec["method"]["changed"][name] == pair
    with pytest.raises(FileExistsError, match=r"method.changed"):
        train(build(file), file, out=tmp_path / "run", steps=4)
    same = build(file)
    change(same)
    assert train(same, file, out=tmp_path / "run", steps=4).steps == 4


def test_a_changed_run_is_read_with_a_warning(file, tmp_path):
    method = build(file)
    penalized(method)
    train(method, file, out=tmp_path / "run")
    with pytest.warns(UserWarning, match=r"was changed .*\(penalty.beta: 4.0, now 50.0\)"):
        again = Run.load(tmp_path / "run")
    assert equal(again.method, method)


def test_training_changes_no_setting(method, images):
    sampled = ut.data.default_sampler(method.supervision)
    if method.sampler() is None:
        train(method, Loader(images, sampled, batch_size=16), steps=1)
    assert method.snapshot.changes(Snapshot.of(method)) == {}


def test_init_from_begins_with_a_runs_weights_and_says_so(file, tmp_path):
    first = train(build(file), file, out=tmp_path / "first")
    method, warm = build(file), build(file)
    run = train(method, file, out=tmp_path / "second", init_from=tmp_path / "first", seed=1)
    assert run.spec["init_from"] == str(tmp_path / "first")
    assert run.spec["method"]["weights"] == first.weights_digest()
    assert "initial" not in run.spec["method"]
    warm.load_state_dict(first.method.state_dict())
    train(warm, file, seed=1)
    assert equal(method, warm)
    with pytest.raises(FileExistsError, match="init_from"):
        train(build(file), file, out=tmp_path / "second", seed=1, steps=3)
    with pytest.raises(ValueError, match="another model"):
        train(VAE.build(file, latent_dim=3), file, init_from=tmp_path / "first")
    with pytest.raises((FileNotFoundError, OSError), match="nowhere"):
        train(build(file), file, init_from=tmp_path / "nowhere")


def test_a_dataloader_is_written_with_its_batch_size(tmp_path):
    data = TensorDataset(torch.rand(64, 12))
    one, two = DataLoader(data, batch_size=16), DataLoader(data, batch_size=32)
    spec = train(Plain(), one, out=tmp_path / "run").spec
    assert spec["data"]["loader"] == {"batch_size": 16, "rows": 64}
    with pytest.raises(FileExistsError, match=r"data.loader.batch_size: 16, now 32"):
        train(Plain(), two, out=tmp_path / "run", steps=3)


def test_other_rows_in_memory_are_not_continued(tmp_path):
    data = FactorDataset.from_arrays(ROWS)
    train(build(data), data, out=tmp_path / "run")
    changed = ROWS.copy()
    seen = np.unique(np.linspace(0, 999, 64).astype(int))
    others = np.setdiff1d(np.arange(1000), seen)
    changed[others] = 1 - changed[others]
    assert len(others) == 936
    other = FactorDataset.from_arrays(changed)
    with pytest.raises(FileExistsError, match=r"data.content"):
        train(build(other), other, out=tmp_path / "run", steps=3)
    same = FactorDataset.from_arrays(ROWS.copy())
    assert train(build(same), same, out=tmp_path / "run", steps=3).steps == 3


def test_digests_of_content_see_every_row():
    rows = FactorDataset.from_arrays(ROWS[:20], np.arange(20) % 3)
    digests = {
        content_digest(rows),
        content_digest(rows.subset(np.arange(20))),
        content_digest(rows.subset(np.arange(19, -1, -1))),
        content_digest(Multimodal({"a": rows, "b": rows})),
        content_digest(FactorDataset.from_arrays(ROWS[:20], np.arange(20) % 2)),
        content_digest(FactorDataset.from_arrays(ROWS[1:21], np.arange(20) % 3)),
    }
    assert len(digests) == 6


def test_older_specs_are_the_same_runs(file, tmp_path):
    """A spec without what newer ones note has the same digest and no differences."""
    new = train(build(file), file, out=tmp_path / "run").spec
    old = {k: v for k, v in new.items() if k != "init_from"}
    old["method"] = {k: v for k, v in new["method"].items() if k != "weights"}
    old["data"] = {k: v for k, v in new["data"].items() if k not in ("content", "files")}
    assert identity(old) == identity(new)
    assert differences(old, new) == []
    (tmp_path / "run/spec.yaml").write_text(yaml.safe_dump(old))
    assert train(build(file), file, out=tmp_path / "run", steps=4).steps == 4


def test_a_class_has_the_signature_of_its_constructor():
    assert [*inspect.signature(BetaVAE).parameters] == ["model", "beta", "optimizer"]
    assert [*VAE(Model.of(FactorDataset.from_arrays(ROWS), 2)).arguments] == ["model"]


def test_a_toy_of_its_constructor_has_a_snapshot(tmp_path):
    method = Noisy(seed=3)
    spec = train(method, Points(), out=tmp_path / "run").spec
    assert "initial" not in spec["method"]
    method.lr = 1.0
    assert method.snapshot.changes(Snapshot.of(method)) == {"lr": [1e-2, 1.0]}
    assert IID().arguments == {}
