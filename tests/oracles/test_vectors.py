"""Vector-valued codes: all columns of a block count, and a reduction is asked for by name."""

import numpy as np
import pytest
from sklearn.feature_selection import mutual_info_classif

from untwine import metrics
from untwine.metrics import METRICS
from untwine.metrics._estimators.neighbors import spread_ties, vector_information

RNG = np.random.default_rng(0)
FACTORS = RNG.integers(0, 10, (4_000, 2))
ANGLES = 2 * np.pi * FACTORS / 10
#: Two angles as (cos, sin), a little noisy.
CODES = np.concatenate([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
CODES += 0.01 * RNG.normal(size=CODES.shape)
BLOCKS = {"first": [0, 2], "second": [1, 3]}
QUICK = {
    "dci": {"predictor": "fast"},
    "downstream_accuracy": {"predictor": "logistic"},
    "unfairness": {"predictor": "logistic"},
    "sample_efficiency": {"predictor": "logistic"},
    "factor_vae_score": {"protocol": "kim2018"},
}


def scored(name, **settings):
    settings = {"blocks": BLOCKS} | QUICK.get(name, {}) | settings
    return METRICS[name].call(CODES, FACTORS, seed=0, settings=settings)


@pytest.mark.parametrize("name", ["mig", "mig_sup", "dcimig", "modularity", "infomec"])
def test_the_information_of_a_block_is_that_of_the_block(name):
    assert scored(name).value == pytest.approx(1.0, abs=0.03)
    # one principal component says which of the angles that share a cosine, or a sine, it may be
    assert scored(name, components=1).value < 0.97 or name in ("modularity", "infomec")
    assert METRICS[name].call(CODES, FACTORS, seed=0, settings={}).value < 0.97 or (
        name in ("modularity", "infomec", "mig_sup", "dcimig")
    )


def test_mig_of_two_angles():
    assert scored("mig", components=1).value < 0.9
    assert scored("mig").value == pytest.approx(1.0, abs=0.02)
    assert scored("mig").protocol["estimator"] == "nearest neighbors"
    assert scored("mig", components=1).protocol["block_reduction"] == "PCA, 1 component(s)"


@pytest.mark.parametrize(
    ("name", "least"),
    [("downstream_accuracy", 0.99), ("explicitness", 0.99), ("dci", 0.95), ("sap", 0.8),
     ("factor_vae_score", 0.99), ("beta_vae_score", 0.99), ("irs", 0.9)],
)  # fmt: skip
def test_predictors_see_all_columns(name, least):
    assert scored(name).value > least
    assert scored(name).protocol["blocks"] == 2


def test_regressions_of_a_block_are_least_squares():
    x = np.column_stack([np.ones(4_000), CODES[:, [0, 2]]])
    y = FACTORS[:, 0] * 1.0
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    explained = 1 - rest @ rest / ((y - y.mean()) @ (y - y.mean()))
    every = {"codes_test": CODES, "factors_test": FACTORS}
    sap = metrics.sap(CODES, FACTORS, blocks=BLOCKS, form="regression", **every)
    assert sap.parts["predictability"][0, 0] == pytest.approx(explained, abs=1e-9)
    mcc = metrics.mcc(CODES, FACTORS, blocks=BLOCKS)
    assert mcc.parts["matrix"][0, 0] == pytest.approx(np.sqrt(explained), abs=1e-9)


def test_a_turn_within_a_block_changes_nothing():
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    turned = CODES.copy()
    turned[:, [0, 2]] = turned[:, [0, 2]] @ turn
    for name in ("mcc", "irs", "factor_vae_score", "r2"):
        metric, settings = METRICS[name], {"blocks": BLOCKS} | QUICK.get(name, {})
        again = metric.call(turned, FACTORS, seed=0, settings=settings).value
        assert again == pytest.approx(scored(name).value, abs=1e-6), name


def test_distinct_values_of_discrete_vectors():
    codes = np.stack([FACTORS[:, 0] % 2, FACTORS[:, 0] // 2, FACTORS[:, 1]], axis=1)
    blocks = [[0, 1], [2]]
    for name in ("mig", "jemmig", "infomec"):
        settings = {"discrete_codes": True, "blocks": blocks}
        value = METRICS[name].call(codes, FACTORS, seed=0, settings=settings).value
        plain = METRICS[name].call(FACTORS, FACTORS, seed=0, settings={"discrete_codes": True})
        assert value == pytest.approx(plain.value, abs=1e-9)


def test_what_bins_a_vector_says_how_to_reduce_it():
    with pytest.raises(ValueError, match="components=1"):
        scored("jemmig")
    with pytest.raises(ValueError, match="components=1"):
        scored("infomec", estimator="bins")
    with pytest.raises(ValueError, match="give blocks="):
        metrics.mig(CODES, FACTORS, components=1)
    assert scored("jemmig", components=1).value > 0.5


def test_pairs_of_blocks():
    mutual = scored("pairwise_mutual_information").value
    between = metrics.block_mutual_information(CODES, BLOCKS, points=None).value
    assert mutual == pytest.approx(between, abs=1e-4)


def test_vectors_against_one_dimension_and_scikit_learn():
    z, y = CODES[:, :1], FACTORS[:, 0]
    spread = spread_ties(z, seed=0)
    alone = vector_information(spread, y, 3)
    assert alone == pytest.approx(mutual_info_classif(z, y, random_state=0)[0], abs=1e-3)
    # by the maximum norm, a column that is repeated changes nothing
    assert vector_information(np.repeat(spread, 2, axis=1), y, 3) == pytest.approx(alone, abs=1e-9)


def test_information_of_a_gaussian_vector():
    """Two classes of equal covariance in three dimensions, by integration along their axis."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, 20_000)
    direction = np.array([1.0, 2.0, 2.0]) / 3
    z = rng.normal(size=(20_000, 3)) + 2.0 * y[:, None] * direction
    grid = np.linspace(-8, 10, 20_001)
    density = np.exp(-0.5 * (grid[:, None] - [0.0, 2.0]) ** 2) / np.sqrt(2 * np.pi)
    mixture = density.mean(axis=1)
    exact = (density * np.log(density / mixture[:, None])).mean(axis=1).sum() * (grid[1] - grid[0])
    assert vector_information(spread_ties(z, 0), y, 3) == pytest.approx(exact, abs=0.02)
