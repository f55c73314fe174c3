"""Dimensions that hold next to nothing: beside the default MIG, and gray in figures."""

import numpy as np
import pytest

from untwine import metrics, plots

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, 8, (4_000, 2))
UNIT = (FACTORS - 3.5) / 2.3
#: Two dimensions that tell a factor each, and a third whose mean tells one, of KL 0.03 only.
MEAN = np.concatenate([UNIT, 0.2 * UNIT[:, :1]], axis=1)
STDDEV = np.tile([0.15, 0.15, 0.97], (4_000, 1))


def test_active_only_and_chen2018_beside_the_default():
    score = metrics.mig(MEAN, FACTORS, stddev=STDDEV)
    assert score.value == metrics.mig(MEAN, FACTORS).value
    assert score.value < 0.55  # the first factor has two dimensions that tell it, by their means
    assert score.parts["active"].tolist() == [True, True, False]
    alone = metrics.mig(MEAN[:, :2], FACTORS)
    assert score.parts["active_only"] == pytest.approx(alone.value, abs=1e-12)
    exact = metrics.mig(MEAN, FACTORS, protocol="chen2018", stddev=STDDEV)
    assert score.parts["chen2018"] == exact.value
    assert exact.parts["active_only"] >= exact.value
    assert score.parts["active_only"] > 0.9
    assert score.parts["chen2018"] > 0.7


def test_evaluate_shows_them_where_there_are_posteriors():
    scores = metrics.evaluate(MEAN, FACTORS, "mig", stddev=STDDEV, confidence=0.9, repeats=2)
    assert {"active_only", "chen2018"} <= set(scores["mig"].parts)
    assert "  chen2018" in str(scores)
    assert set(scores.intervals["mig"]) == {"value"}
    assert "chen2018" not in metrics.evaluate(MEAN, FACTORS, "mig")["mig"].parts
    certain = metrics.evaluate(MEAN, FACTORS, "mig", stddev=np.zeros_like(STDDEV))
    assert "active_only" not in certain["mig"].parts


def test_nothing_is_active():
    score = metrics.mig(0.01 * MEAN, FACTORS, stddev=np.ones_like(STDDEV))
    assert score.parts["active_only"] == 0.0


@pytest.mark.parametrize("figure", [plots.mutual_information, plots.importance])
def test_rows_of_inactive_dimensions_are_gray(figure):
    matrix = np.array([[1.0, 0.2], [0.8, 0.1]])
    plain = figure(matrix).axes[0]
    gray = figure(matrix, inactive=[False, True]).axes[0]
    assert len(gray.collections) == len(plain.collections) + 1
    shown = gray.collections[-1].get_array()
    assert shown.mask.tolist() == [[True, True], [False, False]]
    assert "gray rows: inactive dimensions" in gray.get_xlabel()
    labels = [text.get_color() for text in gray.get_yticklabels()]
    assert labels[0] != labels[1]
    with pytest.raises(ValueError, match=r"inactive has shape \(3,\)"):
        figure(matrix, inactive=[True] * 3)
