"""Random and mutated files through every reader: plain data or a ValueError, and nothing else.

Sixty examples of each are tried here; UNTWINE_FUZZ=8000 in the environment asks for more.
"""

from __future__ import annotations

import io
import json
import os
import zipfile

import numpy as np
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings, strategies as st

from untwine.data import Folder, Npz
from untwine.reading import parse_json, parse_yaml
from untwine.training import Checkpoints, Position, Run
from untwine.training.record import read_record
from untwine.training.spec_file import check_spec, read_spec
from untwine.training.weights import read_weights, weights

fuzz = settings(
    max_examples=int(os.environ.get("UNTWINE_FUZZ", "60")),
    deadline=None,
    database=None,
    derandomize="UNTWINE_FUZZ" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["class_path", "init_args", "parts", "method", "x"]) | st.text(),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
KEYS = st.sampled_from(
    ["untwine", "method", "data", "sampler", "steps", "batch_size", "seed", "precision", "keep"]
)
SPEC = {
    "untwine": "0.1.0",
    "method": {"class_path": "untwine.methods.VAE", "init_args": {"latent_dim": 2, "seed": 0}},
    "data": {"class_path": "untwine.data.Npz", "init_args": {"path": "nowhere.npz"}},
    "sampler": None,
    "steps": 6,
    "batch_size": 8,
    "seed": 0,
}
ROW = {"step": 1, "stage": "fit", "seconds": 0.5, "images/s": 100.0, "vae/nll": 1.5}


@st.composite
def mutated(draw, content):
    """Bytes with a few of them changed, cut out, repeated or put in."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        kind = draw(st.sampled_from(["flip", "cut", "put", "end", "copy"]))
        if kind == "flip" and place < len(content):
            content[place] ^= draw(st.integers(1, 255))
        elif kind == "cut":
            del content[place : place + draw(st.integers(1, 16))]
        elif kind == "put":
            content[place:place] = draw(st.binary(max_size=8))
        elif kind == "end":
            del content[place:]
        else:
            content[place:place] = content[place : place + draw(st.integers(1, 64))]
    return bytes(content)


def tried(read):
    """Reads; a refusal in the library's own words is as good as an answer."""
    try:
        return read()
    except (ValueError, OSError) as error:
        assert str(error)  # noqa: PT017
        return None


@fuzz
@given(st.text(max_size=200) | PLAIN.map(lambda v: yaml.safe_dump(v, allow_unicode=True)))
def test_yaml(text):
    value = tried(lambda: parse_yaml(text))
    if isinstance(value, dict) and "method" in value:
        tried(lambda: check_spec(value))


@pytest.mark.parametrize(
    "value", ["!!bool x", "!!int", "!!int '-'", "!!float ''", "!!null x", "!!map {}", "! 6", "!x 6"]
)
def test_tags_of_yaml_are_refused(value):
    with pytest.raises(ValueError, match=r"line 1: the tag .* is not read"):
        parse_yaml(f"a: {value}")


@fuzz
@given(PLAIN)
def test_json_is_read_back(value):
    assert repr(parse_json(json.dumps(value))) == repr(json.loads(json.dumps(value)))


@fuzz
@given(st.data())
def test_specs(tmp_path, data):
    spec = dict(SPEC)
    for key in data.draw(st.lists(KEYS, max_size=3)):
        spec[key] = data.draw(PLAIN)
    content = yaml.safe_dump(spec, allow_unicode=True).encode()
    (tmp_path / "spec.yaml").write_bytes(data.draw(st.just(content) | mutated(content)))
    value = tried(lambda: read_spec(tmp_path))
    if value is not None:
        assert isinstance(value["method"]["class_path"], str)
        assert isinstance(value["data"], dict)
        repr(Run(tmp_path))


@fuzz
@given(st.data())
def test_logs(tmp_path, data):
    rows = [dict(ROW, step=step) for step in range(1, 4)]
    if data.draw(st.booleans()):
        rows[1][data.draw(st.sampled_from([*ROW, "vae/new"]))] = data.draw(PLAIN)
    content = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (tmp_path / "log.jsonl").write_bytes(data.draw(st.just(content) | mutated(content)))
    for row in tried(lambda: read_record(tmp_path / "log.jsonl")) or []:
        assert all(isinstance(v, str | int | float | None) for v in row.values())
        assert isinstance(row.get("step", 0), int)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    Checkpoints(folder).write(Position("fit", 0, 5, 5), model, {"vae": optimizer}, "abc")
    return folder / "fit-00000005"


@fuzz
@given(st.data())
def test_checkpoints(checkpoint, tmp_path, data):
    path = tmp_path / checkpoint.name
    path.mkdir(exist_ok=True)
    harmed = data.draw(st.sampled_from(["model.safetensors", "optimizer.pt", "state.json"]))
    for file in checkpoint.iterdir():
        content = file.read_bytes()
        changed = data.draw(mutated(content)) if file.name == harmed else content
        (path / file.name).write_bytes(changed)
    newest = tried(Checkpoints(tmp_path).newest)
    if newest is not None:  # what was changed is of no consequence: spaces in state.json
        assert newest.position == Position("fit", 0, 5, 5) or harmed == "state.json"


@fuzz
@given(st.data())
@pytest.mark.filterwarnings("ignore")
def test_optimizers_whose_checksums_are_right(checkpoint, tmp_path, data):
    from untwine.training import Checkpoint

    path = tmp_path / checkpoint.name
    path.mkdir(exist_ok=True)
    for name in ("model.safetensors", "optimizer.pt"):
        content = (checkpoint / name).read_bytes()
        (path / name).write_bytes(data.draw(mutated(content)))
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    loaded = Checkpoint(path, Position("fit", 0, 5, 5))
    if tried(lambda: loaded.load(model, {"vae": optimizer}) or True):
        model(torch.ones(1, 3)).sum().backward()
        optimizer.step()


@fuzz
@given(mutated(weights(torch.nn.Linear(3, 2))))
def test_weights(tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(content)
    tried(lambda: read_weights(tmp_path / "model.safetensors"))


def archive():
    buffer = io.BytesIO()
    np.savez(buffer, x=np.ones((5, 3), np.float32), factors=np.arange(5), names=["a"])
    return buffer.getvalue()


@fuzz
@given(st.data())
def test_archives(tmp_path, data):
    content = archive()
    if data.draw(st.booleans()):  # within an archive that is whole
        buffer = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(buffer, "w") as new:
            for name in old.namelist():
                part = old.read(name)
                new.writestr(name, data.draw(mutated(part)) if name == "x.npy" else part)
        content = buffer.getvalue()
    else:
        content = data.draw(mutated(content))
    (tmp_path / "set.npz").write_bytes(content)
    tried(lambda: Npz(tmp_path / "set.npz"))


@fuzz
@given(st.data())
def test_tables(tmp_path, data):
    from PIL import Image

    for i in range(3):
        if not (tmp_path / f"{i}.png").exists():
            Image.new("L", (4, 4), i).save(tmp_path / f"{i}.png")
    content = b"file,kind,angle\n0.png,cat,0.5\n1.png,dog,1.5\n2.png,,0.5\n"
    (tmp_path / "t.csv").write_bytes(data.draw(mutated(content)))
    tried(lambda: Folder(tmp_path, csv="t.csv"))
