"""The command: what it prints, refuses, and how it ends."""

import urllib.request

import numpy as np
import pytest

import untwine as ut
from untwine.cli import main
from untwine.explore import Explorer

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    images = np.random.default_rng(0).integers(0, 255, (60, 8, 8), dtype=np.uint8)
    np.savez(folder / "mine.npz", images=images)
    data = ut.FactorDataset.from_npz(folder / "mine.npz")
    method = ut.methods.VAE.build(data, latent_dim=2, seed=0)
    ut.fit(method, data, steps=2, out=folder / "first", progress=False)
    return folder / "first"


def test_it_prints_its_address_answers_there_and_ends_by_interrupt(run, capsys, monkeypatch):
    pages = []

    def interrupted(explorer):
        pages.append(urllib.request.urlopen(explorer.url, timeout=30).read())
        raise KeyboardInterrupt

    monkeypatch.setattr(Explorer, "wait", interrupted)
    token = "a-secret-of-my-own"
    assert main(["explore", str(run), str(run), "--n", "60", "--token", token]) == 0
    out = capsys.readouterr().out.strip()
    assert out.startswith("http://127.0.0.1:")
    assert out.endswith(f"/{token}/")
    assert b"Untwine explorer" in pages[0]
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(out, timeout=5)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("", "untwine explore needs a run's folder"),
        ("nothing-here", "nothing-here"),
        ("RUN --token short", "the token has 5 characters"),
        ("RUN --n 1", "n is 1; expected at least 2"),
        ("RUN --port 99999", "port is 99999"),
        ("RUN --seed -1", "seed"),
        ("RUN --host 0.0.0.0", "untwine explore has no option --host"),
    ],
)
def test_what_cannot_be_is_one_line(words, complaint, run, capsys):
    assert main(["explore", *words.replace("RUN", str(run)).split()]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert complaint in said[-1]
    assert said[-1].startswith("untwine: ")


def test_a_run_s_folder_is_explored_from_python(run):
    with ut.explore([run, str(run)], n=60) as explorer:
        assert [bench.name for bench in explorer.benches] == ["first", "first"]
        lines = explorer.benches[0].lines(explorer.benches[0].start(3).code)
    names: dict = {}
    exec(lines, names)
    assert names["image"].shape == (1, 8, 8)
