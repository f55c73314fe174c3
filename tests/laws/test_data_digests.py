"""A data file that changes under a run is noticed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.training_toys import equal
from untwine.data import Colored, FactorDataset, Folder, Npz, Subset
from untwine.data.digests import changed_files, file_digests
from untwine.methods import BetaVAE
from untwine.nets import MLP
from untwine.training import Run, fit


def save(path, seed):
    np.savez(path, x=np.random.default_rng(seed).random((40, 12), np.float32))
    return path


def small(data, out, steps=6):
    method = BetaVAE.build(data, latent_dim=2, net=MLP([8]), seed=1)
    return fit(method, data, steps=steps, batch_size=8, out=out, checkpoint_every=3, progress=False)


def test_a_changed_file_is_refused_at_resume_and_told_at_load(tmp_path):
    path = save(tmp_path / "set.npz", 0)
    run = small(Npz(path), tmp_path / "run")
    (noted,) = run.spec["data"]["files"].values()
    assert noted["bytes"] == path.stat().st_size
    assert len(noted["sha256"]) == 64
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert equal(Run.load(tmp_path / "run").method, run.method)
    assert small(Npz(path), tmp_path / "run", steps=8).steps == 8
    save(path, 1)
    with pytest.raises(FileExistsError, match=r"content of .*set\.npz has changed since"):
        small(Npz(path), tmp_path / "run", steps=9)
    with pytest.warns(UserWarning, match=r"content of .*set\.npz has changed since"):
        Run.load(tmp_path / "run")
    with pytest.warns(UserWarning, match=r"content of .*set\.npz has changed since"):
        assert len(Run(tmp_path / "run").data) == 40
    save(path, 0)
    assert small(Npz(path), tmp_path / "run", steps=9).steps == 9


def test_a_spec_without_a_digest_goes_on(tmp_path):
    path = save(tmp_path / "set.npz", 0)
    small(Npz(path), tmp_path / "run")
    file = tmp_path / "run/spec.yaml"
    spec = yaml.safe_load(file.read_text())
    del spec["data"]["files"]
    file.write_text(yaml.safe_dump(spec))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Run.load(tmp_path / "run")
    assert small(Npz(path), tmp_path / "run", steps=8).steps == 8
    assert "files" in Run(tmp_path / "run").spec["data"]


def test_a_run_without_a_folder_hashes_nothing(tmp_path):
    assert "files" not in small(Npz(save(tmp_path / "set.npz", 0)), None).spec["data"]


def test_folders_tables_and_data_sets_within_others(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(3):
        Image.new("L", (8, 8), i).save(folder / f"{i}.png")
    (folder / "t.csv").write_text("file,kind\n0.png,0\n1.png,1\n2.png,1\n")
    data = Folder(folder, csv="t.csv")
    noted = file_digests(data)
    assert list(noted) == [str(folder), "t.csv"]
    (folder / "notes.txt").write_text("not an image: nothing that was read")
    assert file_digests(Colored(Subset(data, [0, 1]))) == noted
    assert changed_files(data, noted) == []
    (folder / "t.csv").write_text("file,kind\n0.png,1\n1.png,1\n2.png,1\n")
    assert "t.csv has changed" in changed_files(data, noted)[0]
    noted = file_digests(data)
    Image.new("L", (8, 8), 9).save(folder / "2.png")
    assert "images has changed" in changed_files(data, noted)[0]
    noted = file_digests(Folder(folder))
    (folder / "2.png").rename(folder / "3.png")
    assert "images has changed" in changed_files(Folder(folder), noted)[0]
    (tmp_path / "u.csv").write_text("file,kind\n0.png,0\n")
    outer = Folder(folder, csv=tmp_path / "u.csv")
    assert list(file_digests(outer)) == [str(folder), str(tmp_path / "u.csv")]


def test_arrays_have_no_files():
    assert file_digests(FactorDataset.from_arrays(np.zeros((4, 2)))) == {}
    assert file_digests(range(3)) == {}


@pytest.mark.parametrize("noted", [None, 5, [], {"x": 5}, {"nowhere": {}}, {"/etc": None}])
def test_notes_that_make_no_sense_are_let_be(tmp_path, noted):
    assert changed_files(Npz(save(tmp_path / "set.npz", 0)), noted) == []
