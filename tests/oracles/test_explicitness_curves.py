"""DCI-ES on curves and worlds whose explicitness is known."""

import numpy as np
import pytest

from untwine import metrics
from untwine.metrics import explicitness_from_curve


def naive(x, y, baseline):
    """Trapezoids above the least loss, in units of the triangle of guessing."""
    lowest, area = float("inf"), 0.0
    curve = []
    for loss in y:
        lowest = min(lowest, loss)
        curve.append(lowest)
    for i in range(len(x) - 1):
        area += (x[i + 1] - x[i]) * (curve[i] - lowest + curve[i + 1] - lowest) / 2
    return 1 - 2 * area / ((x[-1] - x[0]) * baseline)


def test_curves_by_hand():
    assert explicitness_from_curve([1, 3], [0.2, 0.2], 0.8) == 1.0
    assert explicitness_from_curve([0, 1, 2], [0.8, 0.4, 0.0], 0.8) == pytest.approx(0.0)
    late = explicitness_from_curve([0, 999, 1000], [0.8, 0.8, 0.0], 0.8)
    assert late == pytest.approx(-1.0, abs=2e-3)
    assert explicitness_from_curve([0, 1], [5.0, 0.0], 0.5) == 0.0  # no worse than guessing


def test_random_curves():
    rng = np.random.default_rng(0)
    for _ in range(50):
        x, y = np.cumsum(rng.random(6) + 0.1), 0.7 * rng.random(6)
        assert explicitness_from_curve(x, y, 0.7) == pytest.approx(naive(x, y, 0.7))


def test_a_threshold_needs_no_capacity_and_an_exclusive_or_needs_two_levels():
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 2, (3000, 2))
    codes = bits + 0.01 * rng.normal(size=bits.shape)
    factors = np.column_stack([bits[:, 0], bits[:, 0] ^ bits[:, 1]])
    score = metrics.dci_es(codes, factors, depths=(1, 2, 4), trees=50)
    # the second factor's losses are 1/2, 0, 0 where guessing has 1/2: the area is 1/4 of 3/2
    assert score.parts["per_factor"][0] == pytest.approx(1.0, abs=0.02)
    assert score.parts["per_factor"][1] == pytest.approx(2 / 3, abs=0.1)
    assert score.parts["informativeness"] == pytest.approx(1.0, abs=0.01)
    assert score.parts["size"] == 1.0
    assert score.parts["loss"].shape == (3, 2)


def test_a_real_factor_is_a_regression_and_noise_is_told_by_informativeness():
    rng = np.random.default_rng(1)
    codes = rng.normal(size=(1500, 2))
    factors = np.column_stack([codes[:, 0], rng.normal(size=1500)])
    score = metrics.dci_es(codes, factors, depths=(1, 3, 9), trees=10)
    assert -1 <= score.parts["per_factor"][0] < 1
    assert score.parts["informativeness_per_factor"][0] > 0.95
    assert score.parts["per_factor"][1] == pytest.approx(1.0, abs=0.05)
    assert score.parts["informativeness_per_factor"][1] < 0.05


@pytest.mark.parametrize("depths", [(4,), (4, 2), (2, 2)])
def test_depths_increase(depths):
    codes = np.random.default_rng(0).normal(size=(60, 2))
    with pytest.raises(ValueError, match=r"depths is .* in increasing order"):
        metrics.dci_es(codes, np.arange(60) % 2, depths=depths)
    with pytest.raises(ValueError, match="baseline is 0"):
        explicitness_from_curve([1, 2], [0.1, 0.0], 0)
    with pytest.raises(ValueError, match="increasing capacities"):
        explicitness_from_curve([2, 1], [0.1, 0.0], 1)
