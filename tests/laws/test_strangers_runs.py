"""Run folders from others, or damaged: a line that names the file, and never another end."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial

import numpy as np
import pytest
import torch
import yaml

from tests.training_toys import Noisy, Points, equal
from untwine.cli import main
from untwine.data import Npz
from untwine.data.loader import Loader
from untwine.data.samplers import IID
from untwine.methods import BetaVAE, GaussianMixtureVAE
from untwine.methods.method import Player
from untwine.nets import MLP
from untwine.training import CheckpointError, PriorSnapshots, Run, fit, read_snapshots
from untwine.training.files import make_folder

FILES = (
    "spec.yaml",
    "log.jsonl",
    "model.safetensors",
    "model.sha256",
    "environment.json",
    "scores.json",
    ".lock",
    "checkpoints",
    "checkpoints/fit-00000003",
    "checkpoints/fit-00000006",
    *(
        f"checkpoints/fit-0000000{step}/{name}"
        for step in (3, 6)
        for name in ("model.safetensors", "optimizer.pt", "state.json")
    ),
)


def small(data, out, steps=6):
    method = BetaVAE.build(data, latent_dim=2, net=MLP([8]), seed=1)
    return fit(method, data, steps=steps, batch_size=8, out=out, checkpoint_every=3, progress=False)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "points.npz"
    np.savez(path, x=np.random.default_rng(0).random((40, 12), np.float32))
    return Npz(path)


@pytest.fixture(scope="module")
def made(data, tmp_path_factory):
    """A finished run."""
    out = tmp_path_factory.mktemp("made") / "run"
    small(data, out)
    (out / "scores.json").write_text('{"scores": {}}')
    return out


@pytest.fixture(scope="module")
def end(data):
    """What it ends with after three more steps."""
    return small(data, None, 9).method


@pytest.fixture
def run(made, tmp_path):
    """A copy of the finished run."""
    return shutil.copytree(made, tmp_path / "run")


def remove(path):
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path):
    content = bytearray(path.read_bytes() or b"\0")
    for place in range(0, len(content), max(1, len(content) // 5)):
        content[place] ^= 0x41
    path.write_bytes(content)


def emptied(path):
    path.write_bytes(b"")


def a_folder(path):
    remove(path)
    path.mkdir()


def a_pipe(path):
    remove(path)
    os.mkfifo(path)


def a_link(path):
    remove(path)
    path.symlink_to("/nowhere/at/all")


def a_file(path):
    remove(path)
    path.write_bytes(b"something else\n" * 9)


HARMS = (truncated, flipped, emptied, remove, a_folder, a_pipe, a_link, a_file)


def complaint(use):
    """What something was refused with, if it was."""
    try:
        use()
    except (ValueError, OSError, ImportError) as error:
        return error
    return None


def is_ours(error):
    """Whether untwine raised an error, and no library below it."""
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{os.sep}untwine{os.sep}" in trace.tb_frame.f_code.co_filename


@pytest.mark.skipif(os.name != "posix", reason="pipes are POSIX's")
@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("name", FILES)
def test_a_run_with_a_file_that_is_damaged(data, run, end, name, harm):
    """It is loaded or refused in a line, and continues to the same weights or is refused."""
    file = run / name
    if file.is_dir() and harm in (truncated, flipped, emptied):
        pytest.skip("a folder has no content of that kind")
    harm(file)
    for use in (
        lambda: Run.load(run).method,
        lambda: Run(run).log,
        lambda: Run(run).scores,
        lambda: Run(run).weights_digest(),
        lambda: equal(small(data, run, 9).method, end) or pytest.fail("another end"),
        lambda: equal(Run.load(run).method, end),
    ):
        error = complaint(use)
        if error is not None:
            assert str(run) in str(error)
            assert is_ours(error), repr(error)


def test_arguments_that_are_cut_off_name_the_file(run):
    spec = yaml.safe_load((run / "spec.yaml").read_text())
    spec["data"] = {"class_path": "untwine.data.Npz"}
    (run / "spec.yaml").write_text(yaml.safe_dump(spec))
    with pytest.raises(ValueError, match=r"run/spec\.yaml: .*missing 1 required.*'path'"):
        Run.load(run)


@pytest.mark.parametrize(
    ("cut", "error", "words"),
    [
        ("untwine.methods.Beta", ImportError, r"run/spec\.yaml names what cannot.*'Beta'"),
        ("untwi", ValueError, r"run/spec\.yaml: untwi is not a class that a spec may name"),
    ],
)
def test_a_class_path_that_is_cut_off_names_the_file(run, cut, error, words):
    spec = run / "spec.yaml"
    spec.write_text(spec.read_text().replace("untwine.methods.BetaVAE", cut))
    with pytest.raises(error, match=words):
        Run.load(run)


@pytest.mark.filterwarnings("ignore")
def test_links_in_a_run_are_not_written_through(data, run, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    (run / ".lock").unlink()
    (run / ".lock").symlink_to(precious)
    with pytest.raises(CheckpointError, match=r"run/\.lock"):
        small(data, run, 9)
    assert precious.read_text() == "precious"
    (run / ".lock").unlink()
    (run / "log.jsonl").unlink()
    (run / "log.jsonl").symlink_to(tmp_path / "made by a link")
    (run / "spec.yaml").rename(tmp_path / "spec.yaml")
    (run / "spec.yaml").symlink_to(tmp_path / "spec.yaml")
    before = (tmp_path / "spec.yaml").read_bytes()
    small(data, run, 9)
    assert not (tmp_path / "made by a link").exists()
    assert (tmp_path / "spec.yaml").read_bytes() == before


GOOD = {"class_path": "untwine.methods.VAE", "init_args": {"latent_dim": 2}}
DATA = {"class_path": "untwine.data.DSprites"}
SPECS = {
    "nothing": ("", "does not describe a run"),
    "text": ("hello", "does not describe a run"),
    "binary": (b"\xff\xfe\x00a", "is not in UTF-8"),
    "a null": (b"a\0b", "special characters"),
    "no data": ({"method": GOOD}, "the spec's 'data' is None"),
    "data: null": ({"method": GOOD, "data": None}, "the spec's 'data' is None"),
    "data: 5": ({"method": GOOD, "data": 5}, "the spec's 'data' is 5"),
    "class_path: 5": ({"method": {"class_path": 5}, "data": DATA}, "a class_path .* is 5"),
    "class_path: null": ({"method": {"class_path": None}, "data": DATA}, "a class_path .* is None"),
    "class_path: list": ({"method": {"class_path": []}, "data": DATA}, r"a class_path .* is \[\]"),
    "inner": (
        {"method": {**GOOD, "init_args": {"net": [{"class_path": {}}]}}, "data": DATA},
        r"a class_path .* is \{\}",
    ),
    "init_args: 5": ({"method": {**GOOD, "init_args": 5}, "data": DATA}, "init_args .* is 5"),
    "inner init_args": (
        {"method": {**GOOD, "init_args": {"net": {**GOOD, "init_args": "x"}}}, "data": DATA},
        "init_args of untwine.methods.VAE is 'x'",
    ),
    "an unknown key": ({"method": GOOD, "data": DATA, "hook": 1}, "the unknown key 'hook'"),
    "an unknown inner key": ({"method": {**GOOD, "dict_kwargs": {}}, "data": DATA}, "dict_kwargs"),
    "steps": ({"method": GOOD, "data": DATA, "steps": -1}, "'steps' is -1"),
    "steps of a stage": ({"method": GOOD, "data": DATA, "steps": {"a": "x"}}, "stage 'a'"),
    "seed": ({"method": GOOD, "data": DATA, "seed": 2**70}, "'seed' is 11805"),
    "negative seed": ({"method": GOOD, "data": DATA, "seed": -1}, "'seed' is -1"),
    "batch_size": ({"method": GOOD, "data": DATA, "batch_size": 1.5}, "'batch_size' is 1.5"),
    "keep": ({"method": GOOD, "data": DATA, "keep": True}, "'keep' is True"),
    "precision": ({"method": GOOD, "data": DATA, "precision": []}, "'precision'"),
    "aliases": (
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nmethod: *b\n",
        r"line 1: anchors \(&a\)",
    ),
    "merge": ("method: {<<: {class_path: x}}\n", "the tag .*merge is not read"),
    "deep": ("method: " + "[" * 5000 + "]" * 5000, "nested deeper than 64 levels"),
    "deep in lines": ("\n".join(" " * i + "a:" for i in range(2000)), "nested deeper"),
    "twice": ("method: 1\nmethod: 2\n", "the key 'method' comes twice"),
    "a number as key": ("method: {1: 2}\n", "a key must be text"),
    "a tag": ("method: !!python/object/apply:os.system ['true']\n", "the tag .*is not read"),
    "a set": ("method: !!set {a, b}\n", "the tag .*set is not read"),
    "bytes": ("method: !!binary aGVsbG8=\n", "the tag .*binary is not read"),
    "a long number": ("method: " + "9" * 5000, "a number of 5000 characters"),
    "a long clock": ("method: 1" + ":00" * 100_000, "a number of 300001 characters"),
    "two documents": ("method: 1\n---\nmethod: 2\n", "another document"),
    "much": ("# " + "x" * (1 << 22) + "\n", "larger than the 4,194,304 bytes"),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", SPECS)
def test_specs_that_make_no_sense_are_refused(tmp_path, name):
    text, said = SPECS[name]
    text = yaml.safe_dump(text, sort_keys=False) if isinstance(text, dict) else text
    (tmp_path / "spec.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=rf"spec\.yaml is damaged:.*{said}") as caught:
        Run(tmp_path)
    assert len(str(caught.value)) < 1000


def test_dates_in_a_spec_are_text(tmp_path):
    spec = "method: {class_path: x, init_args: {name: 2020-01-01}}\ndata: {class_path: y}\n"
    (tmp_path / "spec.yaml").write_text(spec)
    assert Run(tmp_path).spec["method"]["init_args"]["name"] == "2020-01-01"


ROWS = {
    "[1]": "it is no object",
    "{": "delimiter|Expecting",
    '{"step": "1"}': "'step' is '1'",
    '{"step": -1}': "'step' is -1",
    '{"step": Infinity}': "'step' is inf",
    '{"step": 1e400}': "'step' is inf",
    '{"step": true}': "'step' is True",
    '{"stage": 3}': "'stage' is 3",
    '{"seconds": NaN}': "'seconds' is nan",
    '{"vae/nll": "low"}': "'vae/nll' is 'low'",
    '{"vae/nll": [1]}': r"'vae/nll' is \[1\]",
    '{"vae/nll": 1' + "0" * 400 + "}": "'vae/nll' is 1000",
    '{"vae/nll": ' + "[" * 50_000 + "]" * 50_000 + "}": "nested deeper",
    "9" * 5000: "5000 digits",
    "\xff\xfe": "can't decode",
}


@pytest.mark.parametrize("row", ROWS)
def test_rows_of_a_log_that_make_no_sense(run, row):
    log = run / "log.jsonl"
    first, *rest = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(first + row.encode("latin-1") + b"\n" + b"".join(rest))
    with pytest.raises(ValueError, match=rf"log\.jsonl, line 2 is damaged.*({ROWS[row]})"):
        _ = Run(run).log


def test_a_log_may_hold_what_training_writes(run):
    log = run / "log.jsonl"
    log.write_text('{"step": 1, "stage": "fit", "seconds": 0.1, "a/b": NaN, "a/c": Infinity}\n')
    assert np.isnan(Run(run).log["a/b"][0])


@pytest.mark.parametrize("text", ["", "[1]", "3", "[" * 100_000, '{"a": ' * 70 + "1" + "}" * 70])
def test_scores_that_are_none(run, text):
    (run / "scores.json").write_text(text)
    with pytest.raises(ValueError, match=r"scores\.json is damaged.*measure again"):
        _ = Run(run).scores


STATES = {
    "index": -1,
    "step": "6",
    "done": 1,
    "seconds": float("inf"),
    "stage": 5,
    "more": 1,
}


@pytest.mark.parametrize("key", STATES)
def test_positions_that_make_no_sense_are_damage(run, key):
    (run / "model.safetensors").unlink()
    file = run / "checkpoints/fit-00000006/state.json"
    state = json.loads(file.read_text())
    state["position"][key] = STATES[key]
    file.write_text(json.dumps(state))
    with pytest.warns(UserWarning, match=r"damaged checkpoint: .*fit-00000006"):
        assert Run(run).steps == 3


class With(Noisy):
    def __init__(self, make):
        super().__init__()
        self.make = make

    def players(self):
        return {"vae": Player((self.encoder, self.decoder), self.make)}


OPTIMIZERS = {
    "a negative rate": (partial(torch.optim.Adam, lr=-1e-3), "cannot be made: .*-0.001"),
    "no number": (partial(torch.optim.Adam, lr=float("nan")), "cannot be made: .*nan"),
    "infinite": (partial(torch.optim.Adam, lr=float("inf")), "the learning rate lr=inf"),
    "text": (partial(torch.optim.Adam, lr="fast"), "cannot be made"),
    "an unknown option": (partial(torch.optim.Adam, rate=1), "cannot be made: .*rate"),
    "betas": (partial(torch.optim.Adam, betas=(2.0, 0.9)), "cannot be made: .*beta"),
    "LBFGS": (torch.optim.LBFGS, "LBFGS, evaluates the loss several times"),
    "SparseAdam": (torch.optim.SparseAdam, "SparseAdam, takes sparse gradients"),
    "none at all": (lambda parameters: None, "is a NoneType; expected a torch Optimizer"),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_that_make_no_sense_are_refused_at_the_start(tmp_path, name):
    make, said = OPTIMIZERS[name]
    with pytest.raises(ValueError, match=f"the optimizer of player 'vae'.*{said}"):
        fit(With(make), Points(), steps=3, out=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_outs_that_make_no_sense_are_refused_at_the_start(tmp_path):
    (tmp_path / "s.txt").write_text("mine")
    train = partial(fit, steps=3, progress=False)
    for out in (tmp_path / "s.txt", tmp_path / "s.txt/run"):
        with pytest.raises(NotADirectoryError, match=r"s\.txt is no folder"):
            train(Noisy(), Points(), out=out)
    with pytest.raises(ValueError, match="~nosuchuser/run"):
        train(Noisy(), Points(), out="~nosuchuser/run")
    with pytest.raises(ValueError, match="null character"):
        train(Noisy(), Points(), out="a\0b")
    with pytest.raises(ValueError, match="~nosuchuser"):
        Run("~nosuchuser/run")
    assert (tmp_path / "s.txt").read_text() == "mine"


@pytest.mark.parametrize("seed", [-1, 2**70, 1.5, True, "3", None])
def test_seeds_that_make_no_sense_are_refused_at_the_start(tmp_path, seed):
    with pytest.raises(ValueError, match=r"seed is .*; expected an integer from 0 to 2\*\*64 - 1"):
        fit(Noisy(), Points(), steps=3, out=tmp_path / "run", progress=False, seed=seed)
    assert not (tmp_path / "run").exists()


def test_batches_that_fill_memory_are_refused(data):
    with pytest.raises(ValueError, match=r"batch_size is 1,000,000,000,000 .* takes 44,703 GiB"):
        Loader(data, IID(), batch_size=10**12)


def test_snapshots_that_make_no_sense_are_named(data, tmp_path):
    method = GaussianMixtureVAE.build(data, latent_dim=2, components=3, seed=0)
    out = tmp_path / "run"
    fit(method, data, steps=4, out=out, callbacks=[PriorSnapshots(2)], progress=False)
    assert len(read_snapshots(out).step) == 3
    for name, arrays, said in (
        ("x.npz", {}, "is no snapshot"),
        ("000000009.npz", {"loc": np.zeros((3, 2))}, "has no weights of 1 axes"),
        ("000000009.npz", {"loc": np.zeros(3), "weights": np.zeros(3)}, "no loc of 2 axes"),
        ("000000009.npz", {"loc": np.zeros((9, 2)), "weights": np.zeros(9)}, "different shapes"),
    ):
        np.savez(out / "prior" / name, **arrays)
        with pytest.raises(ValueError, match=said):
            read_snapshots(out)
        (out / "prior" / name).unlink()


def test_folders_in_a_run_are_not_written_through_links(run, tmp_path, capsys):
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("diagnosis", "snapshots"):
        (run / name).symlink_to(outside)
        with pytest.raises(CheckpointError, match="is a link, and nothing is written through it"):
            make_folder(run / name)
    assert main(["diagnose", str(run)]) == 2
    complaint = capsys.readouterr().err
    assert "diagnosis" in complaint
    assert len(complaint.splitlines()) == 1
    assert not list(outside.iterdir())
    assert main(["diagnose", str(run), "--out", str(run / "spec.yaml")]) == 2
    assert "is a file: name a folder with --out" in capsys.readouterr().err
