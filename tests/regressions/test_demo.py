"""The demo, whole."""

import json

import pytest

from untwine.cli import main


@pytest.mark.slow
def test_with_pairs_a_knob_turns_one_thing(tmp_path, monkeypatch, seed):
    """Of two starts the one of the lower loss has each factor on a dimension of its own."""
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--no-progress", "--seed", str(seed)]) == 0
    (scores,) = (tmp_path / "runs/demo").glob("with-pairs*/scores.json")  # one start is measured
    mig = json.loads(scores.read_text())["scores"]["mig"]
    assert mig["value"] > 0.4
    assert min(mig["parts"]["per_factor"]) > 0.3
    assert (tmp_path / "runs/demo/report.html").stat().st_size > 50_000
