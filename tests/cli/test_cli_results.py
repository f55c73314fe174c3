"""`untwine measure`, `report` and `demo`: what comes after training."""

import json

import numpy as np
import pytest

from untwine.cli import demo
from untwine.evaluation import Evaluation
from untwine.metrics import GROUPS
from untwine.training import Run

DATA = "--data Npz --data.path small.npz"


@pytest.fixture
def trained(untwine, folder):
    line = f"train --method VAE --method.latent_dim 3 {DATA} --steps 4 --batch_size 8 --no-progress"
    assert untwine(f"{line} --out run")[0] == 0
    return folder / "run"


def test_a_run_is_measured_and_keeps_its_scores(untwine, trained):
    status, out, err = untwine("measure run --metrics mig modularity --n 40 --no-progress")
    assert (status, err) == (0, "")
    assert "mig" in out
    assert "modularity" in out
    scores = Evaluation.from_json(trained / "scores.json").scores
    assert list(scores) == ["mig", "modularity"]
    assert f"{scores['mig'].value:.4f}" in out
    assert Run(trained).scores["names"] == ["size", "row", "column"]


def test_scores_are_those_that_python_gives(untwine, trained):
    from untwine import encode, evaluate

    assert untwine("measure run --metrics mig --n 30 --seed 4 --no-progress")[0] == 0
    run = Run.load(trained)
    codes = encode(run.method, run.data, 45, seed=4)
    expected = evaluate(codes, metrics=["mig"], points=30, seed=4)["mig"].value
    assert Evaluation.from_json(trained / "scores.json")["mig"].value == expected


def test_it_says_which_dimension_is_which_factor(untwine, trained, folder):
    _, out, _ = untwine("measure run --metrics mig --n 40 --no-progress")
    run = Run.load(trained)
    assert str(run.which(60)) in " ".join(out.split())
    factors = np.load(folder / "small.npz")["factors"]
    np.savez(folder / "codes.npz", codes=-factors[:, [2, 0]], factors=factors)
    _, out, _ = untwine("measure codes.npz --metrics mig --no-progress")
    assert "z0 follows factor_2 (1.00 of its entropy); z1 follows factor_0 (1.00). In no" in out


def test_kinds_of_factors_are_said_by_name(untwine, trained, folder):
    codes = np.random.default_rng(0).normal(size=(60, 3))
    factors = np.load(folder / "small.npz")["factors"]
    np.savez(folder / "codes.npz", codes=codes, factors=factors, names=["size", "row", "column"])
    for source in ("run", "codes.npz"):
        line = f"measure {source} --metrics mcc,mig --n 40 --kinds size=nominal,row=real"
        assert untwine(f"{line} --no-progress --out scores.json")[0] == 0
        scores = Evaluation.from_json(folder / "scores.json")
        assert scores["mcc"].protocol["kinds"] == ["nominal", "real", None]
    status, _, err = untwine("measure run --kinds size=metric --no-progress")
    assert status == 2
    assert err.startswith("untwine: --kinds is 'size=metric': expected age=real,shape=nominal")
    status, _, err = untwine("measure codes.npz --kinds height=real --no-progress")
    assert status == 2
    assert "kinds names factor 'height'; the factors are ['size', 'row', 'column']" in err


def test_scores_are_added_to_those_of_before(untwine, trained):
    assert untwine("measure run --metrics mig --n 40 --no-progress")[0] == 0
    assert untwine("measure run --metrics modularity,mig --n 40 --no-progress")[0] == 0
    assert set(Evaluation.from_json(trained / "scores.json")) == {"mig", "modularity"}


def test_scores_may_go_elsewhere(untwine, trained, folder):
    line = "measure run --metrics mig --n 40 --confidence 0.9 --repeats 5 --no-progress"
    assert untwine(f"{line} --out other/scores.json")[0] == 0
    assert not (trained / "scores.json").exists()
    content = json.loads((folder / "other/scores.json").read_text())
    assert content["confidence"] == 0.9
    assert len(content["scores"]["mig"]["interval"]) == 2
    assert untwine(f"{line} --out scores.csv")[0] == 0
    header, row = (folder / "scores.csv").read_text().splitlines()
    assert header.startswith("metric,value,low,high")
    assert row.startswith("mig,")


def test_a_file_is_measured(untwine, folder):
    factors = np.stack(np.unravel_index(np.arange(60), (3, 4, 5)), 1)
    np.savez("codes.npz", codes=factors * 1.0, factors=factors)
    status, out, _ = untwine("measure codes.npz --metrics mig modularity --no-progress")
    assert status == 0
    assert out.count("1.0000") == 2
    assert "scores.json" not in [p.name for p in folder.iterdir()]


def test_a_function_of_the_users_is_measured(untwine, folder):
    (folder / "codes_of_the_user.py").write_text(
        "import numpy as np\n"
        "def perfect():\n"
        "    factors = np.stack(np.unravel_index(np.arange(60), (3, 4, 5)), 1)\n"
        "    return factors * 1.0, factors\n"
    )
    status, out, _ = untwine("measure codes_of_the_user:perfect --metrics mig --no-progress")
    assert status == 0
    assert "1.0000" in out


def test_an_unknown_metric(untwine, trained):
    status, _, err = untwine("measure run --metrics modulrity --n 40 --no-progress")
    assert status == 2
    assert "no metric 'modulrity': did you mean 'modularity'" in err


def test_a_page_is_written(untwine, trained, folder):
    status, out, _ = untwine("report run --n 40 --no-scores")
    assert status == 0
    assert out.strip() == "run/report.html"
    assert "untwine train --config run/spec.yaml" in (trained / "report.html").read_text()
    assert untwine("report run --n 40 --no-scores --out page.html")[1].strip() == "page.html"
    assert (folder / "page.html").exists()


def test_a_page_is_opened(untwine, trained, folder, monkeypatch):
    import webbrowser

    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    assert untwine("report run --n 40 --no-scores --open")[0] == 0
    assert opened == [(trained / "report.html").as_uri()]


def test_runs_are_shown_side_by_side(untwine, trained):
    assert untwine(f"train --method BetaVAE {DATA} --steps 4 --no-progress --out other")[0] == 0
    status, out, _ = untwine("report run --beside other --n 40 --no-scores --out both.html")
    assert (status, out.strip()) == (0, "both.html")
    status, _, err = untwine("report run --beside other --n 40")
    assert status == 2
    assert "a page of several runs is in none of their folders: name it with --out" in err


def test_the_demo_goes_the_whole_way(untwine, folder, monkeypatch):
    """On few steps and points; the real one takes minutes."""
    monkeypatch.setattr("untwine.evaluation.suite.GROUPS", {**GROUPS, "default": ("mig",)})
    monkeypatch.setattr(demo, "POINTS", 200)
    status, out, err = untwine("demo --steps 2 --no-progress")
    assert (status, err) == (0, "")
    for said in ("train --method AdaGVAE", "train --method BetaVAE", "runs/demo/report.html"):
        assert said in out
    page = (folder / "runs/demo/report.html").read_text()
    specs = []
    for arm in ("with-pairs", "without-pairs"):
        specs.append(spec := Run(folder / "runs/demo" / arm).spec)
        assert f">{arm} " in page
        assert (spec["seed"], spec["steps"]) == (0, 2)
        assert spec["method"]["init_args"]["optimizer"]["init_args"]["lr"] == 2e-3
    pairs, alone = specs
    assert 2 * pairs["batch_size"] == alone["batch_size"] == 64  # as many images for both
    assert pairs["data"] == alone["data"]
    assert pairs["method"]["init_args"]["net"] == alone["method"]["init_args"]["net"]
    weight = pairs["method"]["init_args"]["penalty"]["init_args"]["beta"]
    assert weight == alone["method"]["init_args"]["beta"]
    assert untwine("demo --steps 3 --no-progress")[0] == 0
    assert Run(folder / "runs/demo/with-pairs").steps == 3
