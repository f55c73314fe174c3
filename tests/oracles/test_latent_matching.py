"""DRVI's nine scores beside scikit-learn, SciPy and loops."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import entropy, spearmanr
from sklearn.feature_selection import mutual_info_classif

from untwine.metrics import latent_matching
from untwine.metrics._latent_matching import _AGGREGATIONS

RNG = np.random.default_rng(5)
LABEL = RNG.choice(4, 500, p=[0.4, 0.3, 0.2, 0.1])
Z = np.column_stack([np.eye(4)[LABEL][:, :3] * [3.0, 1.0, 0.5], np.zeros(500)])
Z = Z + RNG.normal(size=(500, 4))


def matrix(measure, z=Z, label=LABEL):
    return latent_matching(z, label, measure=measure).parts["matrices"][0]


def test_information_is_scikit_learns():
    expected = np.empty((4, 4))
    for v in range(4):
        member = (v == LABEL).astype(int)
        share = member.mean()
        information = mutual_info_classif(Z, member, n_neighbors=3, random_state=0)
        expected[:, v] = information / entropy([share, 1 - share])
    np.testing.assert_allclose(matrix("information"), expected, atol=1e-6)


def test_correlation_is_scipys():
    expected = np.abs(spearmanr(Z, np.eye(4)[LABEL]).statistic[:4, 4:])
    np.testing.assert_allclose(matrix("spearman"), expected, atol=1e-12)


def test_alignment_is_neighbors_of_the_same_value_above_chance():
    expected = np.empty((4, 4))
    for j in range(4):
        order = LABEL[np.argsort(Z[:, j])]
        for v in range(4):
            count, share = (v == LABEL).sum(), (v == LABEL).mean()
            pairs = sum(a == v and b == v for a, b in pairwise(order))
            expected[j, v] = max(0.0, pairs / (count - 1) - share) / (1 - share)
    np.testing.assert_allclose(matrix("neighbors"), expected, atol=1e-12)


def test_aggregations_of_a_matrix():
    one = np.array([[0.9, 0.1, 1.0], [0.1, 0.9, 0.1], [0.1, 0.1, 0.9], [0.1, 0.9, 0.1]])
    values = {name: aggregate(one) for name, aggregate in _AGGREGATIONS.items()}
    # 0.9 + 0.9 + 0.9, best columns 0.9, 0.9, 1.0, gaps 0.8, 0.0, 0.1
    assert values == pytest.approx({"matching": 0.9, "averaging": 2.8 / 3, "gap": 0.3})
    narrow = np.array([[0.6, 0.8]])  # one dimension has one partner
    assert _AGGREGATIONS["matching"](narrow) == pytest.approx(0.4)


def test_the_value_is_the_aggregation_that_was_asked_for():
    for aggregation in ("matching", "averaging", "gap"):
        score = latent_matching(Z, LABEL, measure="spearman", aggregation=aggregation)
        expected = _AGGREGATIONS[aggregation](matrix("spearman"))
        assert score.value == pytest.approx(expected) == score.parts[aggregation]


@pytest.mark.parametrize("measure", ["information", "neighbors", "spearman"])
def test_invariant_under_monotone_maps_and_zero_for_constants(measure):
    kept = matrix(measure)
    np.testing.assert_allclose(matrix(measure, np.exp(Z / 3)), kept, atol=0.05)
    still = np.column_stack([Z[:, :2], np.full(500, 7.0)])
    assert (matrix(measure, still)[2] == 0).all()
