"""The demo, whole."""

import json

import pytest

from untwine.cli import main


@pytest.mark.slow
def test_with_pairs_a_knob_turns_a_position(tmp_path, monkeypatch, seed):
    """The page is whole, pairs help, and at least one position has a knob of its own.

    In some starts the other position is split over two knobs, or mixed with the scale
    (`docs/robustness.md`).
    """
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--no-progress", "--seed", str(seed)]) == 0
    text = (tmp_path / "runs/demo/with-pairs/scores.json").read_text()
    mig = json.loads(text)["scores"]["mig"]
    assert mig["value"] > 0.15
    assert max(mig["parts"]["per_factor"][1:]) > 0.4  # a position is on a single dimension
    assert (tmp_path / "runs/demo/report.html").stat().st_size > 50_000
