"""The demo, whole."""

import json

import pytest

from untwine.cli import main


@pytest.mark.slow
def test_the_demo_takes_the_positions_apart(tmp_path, monkeypatch):
    """Recorded with seed 0: MIG 0.29 with two threads, 0.31 with one, in three to four minutes."""
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--no-progress"]) == 0
    scores = json.loads((tmp_path / "runs/demo/scores.json").read_text())
    found = scores["scores"]
    mig = found["mig"]
    assert mig["value"] >= 0.20
    assert mig["parts"]["per_factor"][3] > 0.2  # posX
    assert mig["parts"]["per_factor"][4] > 0.2  # posY
    assert (tmp_path / "runs/demo/report.html").stat().st_size > 100_000
