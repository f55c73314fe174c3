"""The demo, whole."""

import json

import pytest

from untwine.cli import main


@pytest.mark.slow
def test_with_pairs_a_knob_turns_one_thing(tmp_path, monkeypatch, seed):
    """What seeds and instruction sets gave is in docs/robustness.md."""
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--no-progress", "--seed", str(seed)]) == 0
    scores = {}
    for arm in ("with-pairs", "without-pairs"):
        text = (tmp_path / "runs/demo" / arm / "scores.json").read_text()
        scores[arm] = json.loads(text)["scores"]["mig"]
    paired, alone = scores["with-pairs"], scores["without-pairs"]
    assert paired["value"] >= 0.30
    assert paired["value"] > alone["value"]
    _, *rest = paired["parts"]["per_factor"]
    assert min(rest) > 0.2  # scale, posX, posY
    assert (tmp_path / "runs/demo/report.html").stat().st_size > 100_000
