"""What scores say beside the number: chance, balance, scale, values never seen, outliers."""

import warnings

import numpy as np
import pytest

from untwine import metrics
from untwine.metrics import METRICS

RNG = np.random.default_rng(0)
#: Nine of ten rows are of one value.
FACTORS = np.stack([RNG.choice(4, 3_000, p=[0.9, 0.05, 0.03, 0.02]), RNG.integers(0, 4, 3_000)], 1)
NOISE = RNG.normal(size=(3_000, 3))


def call(name, codes=NOISE, factors=FACTORS, **settings):
    return METRICS[name].call(codes, factors, seed=0, settings=settings)


def test_the_largest_share_is_beside_cluster_accuracy():
    label = FACTORS[:, 0]
    score = metrics.cluster_accuracy(NOISE, label, clusters=np.zeros(3_000, int))
    assert score.value == score.parts["chance_per_factor"][0] == (label == 0).mean()


def test_noise_is_at_chance_and_balanced_accuracy_says_so():
    score = call("downstream_accuracy", predictor="logistic")
    assert score.parts["per_factor"][0] == pytest.approx(0.9, abs=0.02)
    assert score.parts["chance_per_factor"] == pytest.approx([0.9, 0.25], abs=0.04)
    assert score.parts["balanced_per_factor"] == pytest.approx([0.25, 0.25], abs=0.05)
    assert score.parts["chance"] == pytest.approx(score.parts["chance_per_factor"].mean())


def test_a_perfect_code_is_balanced():
    parts = call("downstream_accuracy", FACTORS * 1.0, predictor="fast").parts
    assert parts["balanced_per_factor"].tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("name", "part", "settings"),
    [
        ("sample_efficiency", "chance_per_factor", {"predictor": "logistic"}),
        ("dci", "informativeness_chance_per_factor", {"predictor": "fast"}),
        ("sap", "chance_per_factor", {"form": "classifier"}),
    ],
)
def test_chance_beside_accuracies(name, part, settings):
    assert call(name, **settings).parts[part] == pytest.approx([0.9, 0.25], abs=0.04)


@pytest.mark.parametrize("name", ["beta_vae_score", "factor_vae_score", "z_max_var"])
def test_chance_of_telling_factors_apart(name):
    assert call(name).parts["chance"] == 0.5


@pytest.mark.parametrize("name", ["factor_vae_score", "z_max_var", "active_units"])
def test_a_threshold_on_codes_of_another_scale_warns(name):
    codes = FACTORS + 0.1 * NOISE[:, :2]
    with warnings.catch_warnings(action="error"):
        call(name, codes)
        call(name, np.hstack([codes, 1e-3 * NOISE[:, :1]]))  # one dimension is dead
    with pytest.warns(UserWarning, match=f"{name}: 2 dimensions deviate by less than"):
        call(name, 1e-3 * codes)


def test_a_value_that_was_never_learned_counts_as_chance():
    factor = np.repeat([0, 1], 100)
    test = np.repeat([0, 1, 2], 50)
    settings = {"codes_test": test[:, None] * 1.0, "factors_test": test}
    score = call("explicitness", factor[:, None] * 1.0, factor, **settings)
    learned = call(
        "explicitness",
        factor[:, None] * 1.0,
        factor,
        codes_test=test[:, None] * 1.0,
        factors_test=np.where(test == 2, -1, test),
    )
    assert learned.value == 1.0
    # the codes of 2 lie beyond those of 1: told from 0, but before 1 by all of its pairs
    assert score.value == pytest.approx((1.0 + 0.5 + 0.5) / 3)


@pytest.mark.parametrize("name", ["mig", "mig_sup", "modularity", "dcimig", "jemmig"])
def test_robust_bins_bear_an_outlier(name):
    factors = RNG.integers(0, 8, (4_000, 2))
    codes = factors + 0.1 * RNG.normal(size=(4_000, 2))
    clean = call(name, codes, factors).value
    codes[0] = 1e4
    robust = call(name, codes, factors, binning="robust")
    assert robust.value == pytest.approx(clean, abs=0.06)
    assert robust.protocol["codes"] == "equal-width bins of the inner 98 %"
    if name != "modularity":
        assert call(name, codes, factors).value < clean - 0.3


def test_an_outlier_neither_empties_bins_of_infomec_nor_switches_other_dimensions_off():
    factors = RNG.integers(0, 8, (4_000, 2))
    codes = factors + 0.1 * RNG.normal(size=(4_000, 2))
    settings = {"estimator": "bins", "binning": "robust"}
    clean = call("infomec", codes, factors, estimator="bins")
    codes[0, 0] = 1e4
    robust = call("infomec", codes, factors, **settings)
    assert robust.parts["active"].tolist() == [True, True]
    assert call("infomec", codes, factors, estimator="bins").parts["active"].tolist() == [
        True,
        False,
    ]
    np.testing.assert_allclose(robust.parts["nmi"], clean.parts["nmi"], atol=0.06)
    assert robust.protocol["binning"] == "robust"


def test_robust_bins_of_pairs_and_of_a_code_that_hardly_varies():
    codes = np.stack([NOISE[:, 0], NOISE[:, 0] + 0.1 * NOISE[:, 1]], axis=1)
    clean = metrics.pairwise_mutual_information(codes).value
    codes[0] = 1e5
    assert metrics.pairwise_mutual_information(codes).value < 0.1
    assert metrics.pairwise_mutual_information(codes, binning="robust").value == pytest.approx(
        clean, rel=0.2
    )
    still = np.zeros((3_000, 1))
    still[:5] = 1.0
    assert np.isfinite(call("mig", still, binning="robust").value)


def test_a_negative_total_correlation_is_explained():
    mean, stddev = RNG.normal(size=(300, 2)), np.full((300, 2), 0.5)
    for seed in range(20):
        score = metrics.aggregate_total_correlation(mean, stddev, samples=50, seed=seed)
        assert ("negative" in score.protocol) == (score.value < 0)
    scores = [
        metrics.aggregate_total_correlation(mean, stddev, samples=20, seed=seed)
        for seed in range(40)
    ]
    low = min(scores)
    assert low < 0
    assert "the true value is at least 0" in low.protocol["negative"]


@pytest.mark.parametrize(
    ("name", "balanced", "chance", "extra"),
    [
        ("downstream_accuracy", "balanced_per_factor", "chance_per_factor", {"predictor": "fast"}),
        ("strong_downstream", "balanced_per_factor", "chance_per_factor", {"predictor": "fast"}),
        ("reduced_downstream", "balanced", "chance_per_factor", {"predictor": "logistic"}),
        ("sample_efficiency", "balanced", "chance_per_factor", {"predictor": "logistic"}),
        ("sap", "balanced", "chance_per_factor", {"form": "classifier"}),
        (
            "dci",
            "informativeness_balanced_per_factor",
            "informativeness_chance_per_factor",
            {"predictor": "fast"},
        ),
        (
            "dci_es",
            "informativeness_balanced_per_factor",
            "informativeness_chance_per_factor",
            {"trees": 5, "depths": (1, 2)},
        ),
        ("readout", "balanced", "chance", {"blocks": {"all": [0, 1]}}),
    ],
)
def test_beside_every_accuracy_are_the_majority_and_all_values_of_equal_weight(
    name, balanced, chance, extra
):
    """A constant answer is right for nine rows in ten, and for one value of two."""
    rare = np.stack([RNG.random(3_000) < 0.1, RNG.random(3_000) < 0.1], axis=1).astype(int)
    parts = call(name, RNG.normal(size=(3_000, 2)), rare, **extra).parts
    assert np.shape(parts[chance]) == (2,)
    np.testing.assert_allclose(parts[chance], 0.9, atol=0.03)
    np.testing.assert_allclose(np.asarray(parts[balanced]), 0.5, atol=0.1)
    told = call(name, rare + 0.1 * RNG.normal(size=(3_000, 2)), rare, **extra).parts
    assert np.max(told[balanced]) > 0.95


def test_clusters_have_a_balanced_accuracy_too():
    label = np.repeat([0, 1], [90, 10])
    parts = metrics.cluster_accuracy(None, label, clusters=np.zeros(100, int)).parts
    assert parts["per_factor"] == parts["chance_per_factor"] == [0.9]
    assert parts["balanced_per_factor"] == [0.5]
