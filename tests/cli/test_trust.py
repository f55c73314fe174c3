"""Nothing that a run, a spec or a folder from elsewhere names is imported unasked."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

import untwine as ut
from untwine.spec import check_trust, instantiate
from untwine.training.plan import make_data, make_method

EVIL = """
from pathlib import Path

Path({marker!r}).write_text("executed")

from untwine.methods import KL, VAE
from untwine.data import IID


class Thing(VAE):
    pass


class Weight(KL):
    pass


class Rows(IID):
    pass
"""

PLACES = {
    "method": ("method", "class_path"),
    "penalty": ("method", "init_args", "penalty", "class_path"),
    "net": ("method", "init_args", "net", "class_path"),
    "data": ("data", "class_path"),
    "sampler": ("sampler", "class_path"),
    "optimizer": ("method", "init_args", "optimizer", "class_path"),
}
"""Where a spec may name a class."""

PATHS = ("shared_run.evil.Thing", "evil.Thing", "antigravity.fly", "unittest.__main__.main")


@pytest.fixture
def received(tmp_path):
    """A working folder with a run that somebody sent, and code beside it that leaves a mark."""
    np.savez(tmp_path / "small.npz", x=np.random.default_rng(0).random((40, 5)).astype("f4"))
    data = ut.data.Npz(tmp_path / "small.npz")
    run = tmp_path / "shared_run"
    ut.fit(ut.methods.VAE.build(data, 2, seed=0), data, steps=2, out=run, progress=False)
    code = EVIL.format(marker=str(tmp_path / "marker"))
    for place in (run / "evil.py", tmp_path / "evil.py"):
        place.write_text(code)
    return tmp_path


def _name(run: Path, place: str, path: str) -> None:
    spec = yaml.safe_load((run / "spec.yaml").read_text())
    node = spec
    keys = PLACES[place]
    if place == "sampler":
        spec["sampler"] = {"init_args": {}}
    for key in keys[:-1]:
        node = node.setdefault(key, {"init_args": {}})
    node[keys[-1]] = path
    (run / "spec.yaml").write_text(yaml.safe_dump(spec, sort_keys=False))


def _untwine(folder: Path, *words: str, module: bool = False) -> subprocess.CompletedProcess[str]:
    """A real process in the folder, started as the console script or as a module."""
    script = "import sys; from untwine.cli import main; sys.exit(main())"
    begin = ["-m", "untwine"] if module else ["-c", f"import sys; sys.path.pop(0); {script}"]
    return subprocess.run(
        [sys.executable, *begin, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=120,
    )


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("place", PLACES)
def test_a_received_spec_imports_nothing(received, place, path, monkeypatch):
    run = received / "shared_run"
    _name(run, place, path)
    monkeypatch.chdir(received)
    monkeypatch.setattr(sys, "path", [str(received), *sys.path])
    before = set(sys.modules)

    def make():
        loaded = ut.Run.load(run)
        instantiate(loaded.spec["sampler"])  # which only a training makes

    with pytest.raises(ValueError, match=r"not a class that a spec may name.*--trust"):
        make()
    assert not (received / "marker").exists()
    assert not {"evil", "shared_run", "antigravity", "unittest.__main__"} & (
        set(sys.modules) - before
    )


@pytest.mark.parametrize("module", [False, True])
@pytest.mark.parametrize(
    "words",
    [
        ("measure", "shared_run"),
        ("report", "shared_run"),
        ("diagnose", "shared_run"),
        ("train", "--config", "shared_run", "--out", "again"),
        ("train", "--config", "shared_run/spec.yaml", "--method.latent_dim", "3"),
    ],
)
def test_no_command_executes_a_received_spec(received, words, module):
    _name(received / "shared_run", "method", "shared_run.evil.Thing")
    done = _untwine(received, *words, module=module)
    assert done.returncode == 2, done.stderr
    assert "not a class that a spec may name" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (received / "marker").exists()


@pytest.mark.parametrize("place", ["penalty", "net", "data", "sampler", "optimizer"])
def test_train_from_a_received_config_imports_nothing(received, place):
    _name(received / "shared_run", place, "evil.Weight")
    done = _untwine(received, "train", "--config", "shared_run", "--out", "again")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert not (received / "marker").exists()


@pytest.mark.parametrize("module", [False, True])
@pytest.mark.parametrize("name", ["lightgbm", "yaml", "rich", "pandas", "safetensors"])
def test_a_file_in_the_working_folder_replaces_no_dependency(received, name, module):
    text = f"from pathlib import Path\nPath({str(received / 'marker')!r}).write_text('executed')\n"
    (received / f"{name}.py").write_text(text)
    done = _untwine(
        received, "measure", "shared_run", "--metrics", "active_units", "--no-progress",
        module=module,
    )  # fmt: skip
    assert not (received / "marker").exists()
    assert done.returncode == 0, done.stderr
    typed = _untwine(received, "measure", "codes_of_mine:both", "--metrics", "mig", module=module)
    assert typed.returncode == 2  # there is no such module, and the working folder was looked in
    assert not (received / "marker").exists()


def test_a_word_of_the_user_is_enough(received):
    run = received / "shared_run"
    _name(run, "penalty", "evil.Weight")
    for words in (
        ("measure", "shared_run", "--metrics", "active_units"),
        ("report", "shared_run"),
        ("diagnose", "shared_run"),
    ):
        done = _untwine(received, *words, "--trust", "evil")
        assert done.returncode == 0, done.stderr
    done = _untwine(received, "train", "--config", "shared_run", "--out", "b", "--trust", "evil")
    assert done.returncode == 0, done.stderr
    assert (received / "marker").exists()


def test_what_the_user_types_is_such_a_word(received):
    words = ["--data", "Npz", "--data.path", "small.npz", "--steps", "1", "--out", "mine"]
    method = ["--method", "evil.Thing", "--method.penalty", "evil.Weight"]
    for _ in range(2):  # the same line again resumes
        done = _untwine(received, "train", *method, *words)
        assert done.returncode == 0, done.stderr
    refused = _untwine(received, "measure", "mine")
    assert refused.returncode == 2
    assert "--trust evil" in refused.stderr
    again = ["train", "--config", "mine", "--method", "evil.Thing", "--out", "other"]
    refused = _untwine(received, *again)  # the penalty that the file names was not typed
    assert refused.returncode == 2
    assert "evil.Weight" in refused.stderr


def test_trust_is_of_whole_names():
    check_trust({"class_path": "untwine.methods.VAE"})
    check_trust({"class_path": "torch.optim.Adam"})
    check_trust({"class_path": "torch.optim.adam.Adam"})
    check_trust({"class_path": "mine.nets.Net"}, trust=["mine"])
    check_trust({"class_path": "mine.nets.Net"}, trust=["mine.nets.Net"])
    for path, trust in (
        ("mine.Net", []),
        ("minerals.Net", ["mine"]),
        ("mine.Net", ["mine.nets"]),
        ("mine.Net", [""]),
        ("untwined.methods.VAE", []),
        ("untwine", []),
        ("untwine.__main__.main", []),
        ("untwine.methods.VAE ", []),
        ("untwine.methods..VAE", []),
        ("torch.hub.load", []),
        ("torch.optim._functional.adam", []),
    ):
        with pytest.raises(ValueError, match="not a class that a spec may name"):
            check_trust([{"class_path": path}], trust)
    with pytest.raises(TypeError, match=r"expected a list of names, such as \['mine'\]"):
        check_trust({"class_path": "mine.Net"}, trust="mine")
    with pytest.raises(ValueError, match="class_path is 5"):
        check_trust({"class_path": 5})


def test_every_door_takes_the_word(received, monkeypatch):
    run = received / "shared_run"
    _name(run, "penalty", "evil.Weight")
    monkeypatch.setattr(sys, "path", [*sys.path, str(received)])
    loaded = ut.Run.load(run, trust=["evil"])
    assert type(loaded.method.penalty).__name__ == "Weight"
    spec = loaded.spec
    assert type(make_method(spec, make_data(spec), ["evil"]).penalty).__name__ == "Weight"
    assert ut.report(run, n=20, scores=False, trust=["evil"]).exists()
