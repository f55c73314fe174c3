"""The fast DCI spreads importance over copies of a dimension, as trees of scikit-learn do."""

import numpy as np
import pytest

from untwine.metrics import dci

FACTORS = np.random.default_rng(0).integers(0, 6, (1_500, 2))
CODES = FACTORS + 0.2 * np.random.default_rng(1).normal(size=FACTORS.shape)


def score(codes, predictor="fast", seed=0):
    same = {"codes_test": codes, "factors_test": FACTORS}
    return dci(codes, FACTORS, predictor=predictor, jobs=1, seed=seed, **same)


@pytest.mark.parametrize(
    ("name", "disentanglement", "completeness"),
    [("a_identity", 1.0, 1.0), ("b_rotation", 0.2965, 0.3065), ("e_noisy_dead", 0.5729, 0.6269)],
)
def test_deviation_from_boosting(name, disentanglement, completeness, shared):
    """Of the recorded values of disentanglement_lib, at 10,000 points."""
    arrays = np.load(shared / "reference" / "golden" / f"dsprites_{name}.npz")
    fast = dci(
        arrays["codes_train"],
        arrays["factors_train"],
        codes_test=arrays["codes_test"][:100],
        factors_test=arrays["factors_test"][:100],
        predictor="fast",
    )
    assert fast.parts["disentanglement"] == pytest.approx(disentanglement, abs=0.05)
    assert fast.parts["completeness"] == pytest.approx(completeness, abs=0.05)


@pytest.mark.parametrize("copy", [lambda z: z, lambda z: -z, lambda z: np.exp(z)])
def test_copies_share_what_one_has(copy):
    once, twice = score(CODES), score(np.hstack([CODES, copy(CODES)]))
    importance = twice.parts["importance"]
    assert (importance[[0, 1, 2, 3], [0, 1, 0, 1]] > 0.1).all()
    together = importance[:2] + importance[2:]
    np.testing.assert_allclose(together, once.parts["importance"], atol=0.01)
    assert twice.value == pytest.approx(once.value, abs=0.02)


def test_completeness_of_copies_is_that_of_boosting():
    """Equal shares would give one half, one copy alone 1."""
    twice = np.hstack([CODES, CODES])
    fast = [score(twice, seed=seed).parts["completeness"] for seed in range(10)]
    boosting = [score(twice, "boosting", seed).parts["completeness"] for seed in range(2)]
    assert np.mean(fast) == pytest.approx(np.mean(boosting), abs=0.15)
    assert min(fast) > 0.4
    assert max(fast) < 0.95


def test_a_copy_is_drawn_at_random_for_each_split():
    shares = []
    for seed in range(12):
        importance = score(np.hstack([CODES, CODES]), seed=seed).parts["importance"]
        shares.append(importance[0, 0] / (importance[0, 0] + importance[2, 0]))
    assert np.mean(shares) == pytest.approx(0.5, abs=0.15)
