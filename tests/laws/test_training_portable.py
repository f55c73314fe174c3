"""Bundles and repositories: a run opens elsewhere, and nothing else comes in with it."""

import base64
import hashlib
import json
import threading
import zipfile
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import untwine as ut
from untwine.cli import main
from untwine.data import Npz
from untwine.methods import BetaVAE
from untwine.training import Run
from untwine.training.portable import PORTABLE, portable_files


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("portable")
    x = np.random.default_rng(0).random((50, 6), dtype=np.float32)
    np.savez(folder / "set.npz", x=x, factors=np.arange(50) % 5, factor_names=["side"])
    data = Npz(folder / "set.npz")
    method = BetaVAE.build(data, latent_dim=2, beta=3.0, seed=0)
    made = ut.fit(method, data, steps=3, out=folder / "run", progress=False)
    made.measure(["active_units"], n=30, progress=False)
    return made


def without_data(path, monkeypatch, load, **how):
    """What `load` gives where the data is not."""
    monkeypatch.setattr(
        "untwine.training.run_read.make_data",
        lambda *a: (_ for _ in ()).throw(OSError("no such file")),
    )
    with pytest.warns(UserWarning, match="read without its data"):
        return load(path, **how)


def same(one, two):
    for name, value in one.method.state_dict().items():
        assert torch.equal(value, two.method.state_dict()[name]), name
    assert (two.steps, two.stopped) == (one.steps, one.stopped)


def test_a_bundle_opens_without_its_data(run, tmp_path, monkeypatch):
    path = run.bundle(tmp_path / "run.zip")
    assert path.read_bytes() == run.bundle(tmp_path / "again.zip").read_bytes()
    opened = without_data(path, monkeypatch, Run.from_bundle, out=tmp_path / "there")
    same(run, opened)
    assert opened.log.equals(run.log)
    assert opened.scores == run.scores
    assert "places" not in opened.spec["data"]
    assert opened.export("torch", tmp_path / "torch").deviations["encoder"] == 0
    with pytest.raises(FileExistsError, match="there is there already"):
        Run.from_bundle(path, tmp_path / "there")


def repacked(path, change):
    """A bundle with its entries changed: ``change(name, content)`` gives names and contents."""
    source = zipfile.ZipFile(path)
    target = path.with_name("changed.zip")
    with zipfile.ZipFile(target, "w") as archive:
        for entry in source.infolist():
            for name, content, kind in change(entry.filename, source.read(entry)):
                archive.writestr(name, content, kind)
    return target


def also(name, content=b"x", kind=zipfile.ZIP_STORED):
    def change(old, data):
        yield old, data, zipfile.ZIP_STORED
        if old == "spec.yaml":
            yield name, content, kind

    return change


def squeezed(old, data):
    yield old, data, zipfile.ZIP_DEFLATED


def exotic(old, data):
    yield old, data, zipfile.ZIP_LZMA if old == "spec.yaml" else zipfile.ZIP_STORED


def without_weights(old, data):
    if old != "model.safetensors":
        yield old, data, zipfile.ZIP_STORED


def large(old, data):
    more = b" " * (PORTABLE["model.sha256"] + 1) if old == "model.sha256" else data
    yield old, more, zipfile.ZIP_STORED


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (also("../outside.txt"), "'../outside.txt', which no run that travels has"),
        (also("/etc/outside"), "'/etc/outside', which no run"),
        (also("evil.py"), "'evil.py', which no run"),
        (also("folder/"), "'folder/', which no run"),
        (also("log.jsonl"), "holds log.jsonl twice"),
        (squeezed, "model.safetensors in .* is packed in another way"),
        (exotic, "spec.yaml in .* is packed in another way"),
        (without_weights, "it has no model.safetensors"),
        (large, "model.sha256 in .* has 1,025 bytes; expected at most 1,024"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_what_is_in_a_bundle_of_others_and_does_not_belong_there(run, tmp_path, change, message):
    doubled = pytest.warns(UserWarning, match="Duplicate name")
    with doubled if "twice" in message else nullcontext():
        path = repacked(run.bundle(tmp_path / "run.zip"), change)
    with pytest.raises(ValueError, match=message):
        Run.from_bundle(path, tmp_path / "there")
    assert {p.name for p in tmp_path.iterdir()} == {"run.zip", "changed.zip"}


def test_a_file_that_is_larger_than_it_says_is_not_written(run, tmp_path):
    path = run.bundle(tmp_path / "run.zip")
    content = bytearray(path.read_bytes())
    where = content.rfind(b"travel.json") - 46  # its entry in the directory at the end
    assert content[where : where + 4] == b"PK\x01\x02"
    content[where + 24 : where + 28] = (1).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(ValueError, match="no bundle, or a damaged one"):
        Run.from_bundle(path, tmp_path / "there")
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_bundle_is_refused(tmp_path, content):
    (tmp_path / "run.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"no bundle|no run that travels"):
        Run.from_bundle(tmp_path / "run.zip", tmp_path / "there")
    assert not (tmp_path / "there").exists()


def test_a_bundle_names_classes_of_untwine_alone(run, tmp_path):
    def foreign(name, content):
        if name == "spec.yaml":
            spec = yaml.safe_load(content)
            spec["method"]["class_path"] = "elsewhere.Thing"
            content = yaml.safe_dump(spec).encode()
        yield name, content, zipfile.ZIP_STORED

    path = repacked(run.bundle(tmp_path / "run.zip"), foreign)
    with pytest.raises(ValueError, match=r"elsewhere.Thing is not a class that a spec may name"):
        Run.from_bundle(path, tmp_path / "there")


def test_the_card_says_what_the_run_is(run):
    text = run.card("someone/small", license="mit", tags=["toy"])
    head = yaml.safe_load(text.split("---")[1])
    assert head["license"] == "mit"
    assert head["library_name"] == "untwine"
    assert {"disentanglement", "BetaVAE", "toy"} <= set(head["tags"])
    for part in (
        'ut.Run.from_hub("someone/small")',
        "| steps made | 3 |",
        "| beta | 3.0 |",
        "| active_units | ",
        "`Npz`, 50 observations",
        "side (5)",
    ):
        assert part in text, part
    assert "license" not in run.card()
    assert "None was stated" in run.card()


class Hub(BaseHTTPRequestHandler):
    """As much of a hub as a commit of small files, and reading them back, asks for."""

    files: dict[str, bytes] = {}
    commit = "0" * 40
    seen: list[str] = []

    def log_message(self, *words):
        self.seen.append(f"{self.command} {self.path}")

    def answer(self, content=b"", status=200, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(content), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = f"http://{self.headers['Host']}/someone/small"
        if self.path == "/api/repos/create":
            self.answer(json.dumps({"url": url, "name": "someone/small", "id": "1"}).encode())
        elif "/preupload/" in self.path:
            files = [
                {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                for f in json.loads(body)["files"]
            ]
            self.answer(json.dumps({"files": files}).encode())
        elif "/commit/" in self.path:
            for line in body.splitlines():
                entry = json.loads(line)
                if entry["key"] == "file":
                    value = entry["value"]
                    self.files[value["path"]] = base64.b64decode(value["content"])
            about = {"commitUrl": f"{url}/commit/1", "commitOid": self.commit, "success": True}
            self.answer(json.dumps(about).encode())
        else:
            self.answer(b"{}")

    def do_GET(self):
        name = self.path.split("?")[0].rpartition("/")[2]
        if self.path.startswith("/api/models/"):
            files = [{"rfilename": n, "size": len(c)} for n, c in self.files.items()]
            about = {"id": "someone/small", "sha": self.commit, "siblings": files}
            if "/tree/" in self.path:
                about = [
                    {"type": "file", "path": n, "size": len(c), "oid": "0"}
                    for n, c in self.files.items()
                ]
            self.answer(json.dumps(about).encode(), Content_Type="application/json")
        elif name in self.files:
            content = self.files[name]
            tag = hashlib.sha1(content).hexdigest()
            self.answer(content, ETag=f'"{tag}"', X_Repo_Commit=self.commit)
        else:
            self.answer(b"not found", 404)

    do_HEAD = do_GET


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub on this machine, of which huggingface_hub is told."""
    client = pytest.importorskip("huggingface_hub")
    Hub.files, Hub.seen = {}, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        address + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(client, "snapshot_download", _cached(client, tmp_path / "cache"))
    yield Hub
    server.shutdown()
    server.server_close()


def _cached(client, folder):
    whole = client.snapshot_download
    return lambda *words, **options: whole(*words, cache_dir=folder, **options)


def test_a_run_is_published_and_read_back(run, tmp_path, hub):
    address = run.push_to_hub("someone/small", license="mit", token="hf_none")
    assert address.endswith("/someone/small")
    assert "places" not in hub.files["spec.yaml"].decode()
    assert {"README.md", "spec.yaml", "model.safetensors", "scores.json"} <= set(hub.files)
    hub.files["evil.py"] = b"raise SystemExit"
    received = Run.from_hub("someone/small", tmp_path / "received")
    same(run, received)
    assert {p.name for p in (tmp_path / "received").iterdir()} <= set(PORTABLE)
    assert not any("evil" in line for line in hub.seen)


def test_the_command_line_publishes(run, hub, capsys, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_none")
    words = ["push", str(run.path), "someone/small", "--license", "mit", "--tags", "small"]
    assert main(words) == 0
    assert capsys.readouterr().out.strip().endswith("/someone/small")
    card = hub.files["README.md"].decode()
    assert "license: mit" in card
    assert "- small" in card


def test_a_clone_is_read_as_a_repository(run, tmp_path, monkeypatch):
    clone = tmp_path / "small"
    clone.mkdir()
    for name, content in portable_files(run.path, run.spec, run.method, run.steps).items():
        (clone / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    received = Run.from_hub(str(clone))
    assert received.path == Path("runs/small")
    same(run, received)
    with pytest.raises(ValueError, match="revision is 'main', but"):
        Run.from_hub(str(clone), tmp_path / "other", revision="main")
    (clone / "log.jsonl").unlink()
    (clone / "log.jsonl").symlink_to("/etc/hostname")
    with pytest.raises(ValueError, match="leads out of"):
        Run.from_hub(str(clone), tmp_path / "other")
    assert not (tmp_path / "other").exists()
