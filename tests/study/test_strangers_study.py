"""Studies that others hand over: a line for what is damaged, and nothing executes."""

import json
import os

import pytest

from untwine.cli import main
from untwine.study import Folder

SPEC = {
    "method": {"class_path": "untwine.methods.VAE", "init_args": {"latent_dim": 2}},
    "data": {"class_path": "untwine.data.Npz", "init_args": {"path": "toy.npz"}},
    "steps": 4,
    "seed": 0,
}
POINT = {"spec": SPEC, "tags": {"of": "tests"}}
DONE = {"seconds": {"train": 1.5, "measure": 0.5}, "weights": "abc", "versions": {"torch": "2"}}
SCORES = {"weights": "abc", "scores": {"mig": {"value": 0.5, "parts": {"active": 0.4}}}}
STUDY = "name: toy\nsweep:\n  fixed: {method: VAE, data: toy.npz, steps: 4}\n"

WRONG = [None, 5, "text", [], [1], {}, {"a": {"b": [{}]}}, 10**400, float("nan"), True]
"""Values in the place of any other."""


@pytest.fixture
def received(npz, tmp_path, monkeypatch):
    """A study's folder that somebody sent, with a finished run and a failed one."""
    monkeypatch.chdir(tmp_path)
    os.link(npz, tmp_path / "toy.npz")
    folder = tmp_path / "sent"
    for name, files in (
        ("good", {"point": POINT, "done": DONE, "scores": SCORES}),
        ("bad", {"point": POINT, "error": {"error": "ValueError", "message": "no"}}),
    ):
        (folder / "runs" / name).mkdir(parents=True)
        for file, content in files.items():
            (folder / "runs" / name / f"{file}.json").write_text(json.dumps(content))
    (folder / "study.yaml").write_text(STUDY)
    return folder


def words(capsys, *argv):
    """The status of a command, and its complaint of one line."""
    capsys.readouterr()
    status = main([*argv])
    said = capsys.readouterr().err
    assert status == 0 or len(said.splitlines()) == 1, said
    assert not said.startswith("Traceback")
    return status, said


def commands(capsys, folder):
    for argv in (["status"], ["table", "--all"], ["table", "--long"]):
        words(capsys, "study", argv[0], str(folder), *argv[1:])
    words(capsys, "study", "table", str(folder), "--all", "--out", str(folder / "t.csv"))


def places(content, path=()):
    """Every place in nested mappings."""
    yield path
    if isinstance(content, dict):
        for key, value in content.items():
            yield from places(value, (*path, key))


def put(content, path, value):
    if not path:
        return value
    return {**content, path[0]: put(content[path[0]], path[1:], value)}


@pytest.mark.parametrize("file", ["point", "done", "scores", "error"])
def test_values_of_another_kind_anywhere(received, capsys, file):
    name = "bad" if file == "error" else "good"
    path = received / "runs" / name / f"{file}.json"
    content = json.loads(path.read_text())
    for i, place in enumerate(places(content)):
        for value in (WRONG[i % len(WRONG)], WRONG[(3 * i + 5) % len(WRONG)]):
            path.write_text(json.dumps(put(content, place, value)))
            commands(capsys, received)


@pytest.mark.parametrize("harm", ["empty", "cut", "deep", "binary", "folder", "pipe", "link"])
@pytest.mark.parametrize("file", ["study.yaml", "runs/good/done.json", "runs/good/scores.json"])
def test_files_that_are_damaged_or_none(received, capsys, file, harm, tmp_path):
    path = received / file
    content = path.read_bytes()
    path.unlink()
    if harm == "folder":
        path.mkdir()
    elif harm == "pipe":
        os.mkfifo(path)
    elif harm == "link":
        path.symlink_to(tmp_path / "nowhere")
    else:
        harms = {"empty": b"", "cut": content[:9], "deep": b"[" * 9999, "binary": b"\0\xff"}
        path.write_bytes(harms[harm])
    commands(capsys, received)
    if file != "study.yaml":
        assert words(capsys, "study", "status", str(received))[0] == 0
    else:
        assert words(capsys, "study", "status", str(received))[0] == 2
        assert words(capsys, "study", "run", str(received), "--dry_run")[0] == 2


@pytest.mark.parametrize(
    "text",
    [
        "- 1\n",
        "sweep: &a [1]\nname: *a\n",
        "sweep: !!python/object/apply:os.system [ls]\n",
        "name: ../../up\nsweep: {fixed: {method: VAE, data: toy.npz, steps: 4, seed: -9}}\n",
        "sweep: {fixed: {method: evil.Thing, data: toy.npz, steps: 4}}\n",
        "sweep: {fixed: {method: {class_path: evil.Thing}, data: toy.npz, steps: 4}}\n",
        "sweep: {fixed: {method: VAE, data: toy.npz, steps: -4}}\n",
        "sweep: {fixed: {method: VAE, data: 5, steps: 4}}\n",
        "sweep: 5\n",
        "sweep: {product: 5}\n",
        "sweep: {chain: [[[]]]}\n",
        "measure: {n: many}\nsweep: {fixed: {method: VAE, data: toy.npz, steps: 4}}\n",
        "measure: {metrics: [no]}\nsweep: {fixed: {method: VAE, data: toy.npz, steps: 4}}\n",
    ],
)
def test_studies_that_make_no_sense(received, capsys, text):
    (received.parent / "evil.py").write_text("open('marker', 'w')\n")
    (received / "study.yaml").write_text(text)
    status, said = words(capsys, "study", "run", str(received), "--dry_run")
    assert status == 2, said
    (received.parent / "s.yaml").write_text(text)
    assert words(capsys, "study", "run", "s.yaml", "--dry_run")[0] == 2
    assert not (received.parent / "marker").exists()


def test_runs_that_leave_the_folder_are_not_of_the_study(received, capsys, tmp_path):
    other = tmp_path / "secret"
    other.mkdir()
    (other / "done.json").write_text(json.dumps(DONE))
    (received / "runs" / "linked").symlink_to(other)
    commands(capsys, received)
    assert [made.name for made in Folder(received).made()] == ["bad", "good"]
    (planned,) = Folder(received).study().runs()
    (received / "runs" / planned.name).symlink_to(other)
    status, said = words(capsys, "study", "run", str(received), "--runner", "sequential")
    assert status == 2
    assert "is a link, and nothing is written through it" in said
    assert [path.name for path in other.iterdir()] == ["done.json"]
