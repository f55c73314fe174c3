"""Metrics of clusters and mixing beside scib-metrics 0.5.10, and by brute force."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

from untwine import metrics

from .scib_golden import world

GOLDEN = json.loads((Path(__file__).parent / "scib.json").read_text())
Z, LABEL, BATCH, CLUSTERS = world()


def close(value, name):
    assert float(value) == pytest.approx(GOLDEN[name], abs=1e-3)


def test_silhouettes():
    close(metrics.silhouette(Z, LABEL).parts["scaled"][0], "silhouette_label")
    close(metrics.batch_silhouette(Z, BATCH, within=LABEL), "silhouette_batch")
    close(metrics.isolated_labels_asw(Z, LABEL, batch=BATCH), "isolated_labels")
    close(metrics.isolated_labels_asw(Z, LABEL, batch=BATCH, most=3), "isolated_labels_3")


def test_simpson_indices_of_rows_and_their_medians():
    kind, donor = metrics.lisi(Z, LABEL), metrics.lisi(Z, BATCH)
    for score, name in ((kind, "lisi_label"), (donor, "lisi_batch")):
        np.testing.assert_allclose(score.parts["per_row"][:50, 0], GOLDEN[name], atol=1e-3)
    close(kind.parts["clisi"][0], "clisi")
    close(donor.parts["ilisi"][0], "ilisi")


def test_kbet():
    score = metrics.kbet(Z, BATCH, neighbors=50)
    close(score, "kbet_50")
    close(metrics.kbet(Z, BATCH, neighbors=15), "kbet_15")
    np.testing.assert_allclose(score.parts["per_row"][:50, 0], GOLDEN["kbet_p"], atol=1e-5)
    kind = np.where(LABEL == 0, 0, -1)
    close(metrics.kbet(Z, BATCH, within=kind, neighbors=11), "kbet_kind_0")


def test_graph_connectivity():
    close(metrics.graph_connectivity(Z, LABEL), "graph_connectivity_15")
    close(metrics.graph_connectivity(Z, LABEL, neighbors=4), "graph_connectivity_4")


# by brute force


def test_kbet_is_a_chi_squared_test_of_each_neighborhood():
    share = np.bincount(BATCH) / len(BATCH)
    distance = np.linalg.norm(Z[:, None] - Z[None], axis=2)
    p = []
    for row in distance:
        seen = np.bincount(BATCH[np.argsort(row)[:20]], minlength=3)
        statistic = ((seen - 20 * share) ** 2 / (20 * share)).sum()
        p.append(chi2.sf(statistic, 2))
    score = metrics.kbet(Z, BATCH, neighbors=20, alpha=0.2)
    np.testing.assert_allclose(score.parts["per_row"][:, 0], p)
    assert score.value == pytest.approx(np.mean(np.array(p) >= 0.2))


def test_kbet_accepts_as_often_as_its_level_says():
    """Batches drawn at random, in neighborhoods that do not overlap: each is a test of its own."""
    rng = np.random.default_rng(0)
    accepted = []
    for _ in range(25):
        batch = rng.integers(0, 2, 2000)
        z = np.repeat(np.arange(40), 50) * 100.0 + np.tile(np.arange(50), 40)
        p = metrics.kbet(z, batch, neighbors=50).parts["per_row"][::50, 0]
        accepted.append((p >= 0.1).mean())
    assert np.mean(accepted) == pytest.approx(0.9, abs=0.03)  # the statistic is discrete


def test_v_measure_is_entropies():
    joint = np.histogram2d(LABEL, CLUSTERS, bins=[5, 6])[0] / len(LABEL)

    def entropy(p):
        return -(p[p > 0] * np.log(p[p > 0])).sum()

    label, cluster, both = entropy(joint.sum(1)), entropy(joint.sum(0)), entropy(joint)
    score = metrics.v_measure(None, LABEL, clusters=CLUSTERS, beta=2.0)
    homogeneity, completeness = 1 - (both - cluster) / label, 1 - (both - label) / cluster
    assert score.parts["homogeneity"] == pytest.approx(homogeneity)
    assert score.parts["completeness"] == pytest.approx(completeness)
    expected = 3 * homogeneity * completeness / (2 * homogeneity + completeness)
    assert score.value == pytest.approx(expected)


def test_adjusted_mutual_information_is_above_its_mean_over_permutations():
    rng = np.random.default_rng(0)
    label, cluster = LABEL[:60], CLUSTERS[:60]

    def mutual(cluster):
        joint = np.histogram2d(label, cluster, bins=[5, 6])[0] / 60
        outer = np.outer(joint.sum(1), joint.sum(0))
        return (joint[joint > 0] * np.log(joint[joint > 0] / outer[joint > 0])).sum()

    chance = np.mean([mutual(rng.permutation(cluster)) for _ in range(4000)])
    entropies = [
        -(p[p > 0] * np.log(p[p > 0])).sum()
        for p in (np.bincount(label) / 60, np.bincount(cluster) / 60)
    ]
    expected = (mutual(cluster) - chance) / (np.mean(entropies) - chance)
    assert float(metrics.ami(None, label, clusters=cluster)) == pytest.approx(expected, abs=5e-3)


def f1(member, cluster):
    return 2 * (member & cluster).sum() / (member.sum() + cluster.sum())


def test_isolated_f1_is_the_best_of_clusters_and_of_the_tree():
    member = LABEL == 4  # the only kind in a single batch
    best = max(f1(member, value == CLUSTERS) for value in range(6))
    score = metrics.isolated_labels_f1(Z, LABEL, batch=BATCH, clusters=CLUSTERS)
    assert score.value == pytest.approx(best)
    assert score.parts["isolated"] == [[4]]
    # With all rows for neighbors the tree is the ordinary one of Ward.
    from scipy.cluster.hierarchy import linkage

    rows = [{i} for i in range(len(Z))]
    for one, two in linkage(Z, "ward")[:, :2].astype(int):
        rows.append(rows[one] | rows[two])
    inside = set(np.flatnonzero(member).tolist())
    best = max(2 * len(node & inside) / (len(node) + len(inside)) for node in rows)
    whole = metrics.isolated_labels_f1(Z, LABEL, batch=BATCH, neighbors=len(Z))
    assert whole.value == pytest.approx(best)
    near = metrics.isolated_labels_f1(Z, LABEL, batch=BATCH)
    assert 2 * member.sum() / (len(Z) + member.sum()) <= near.value <= 1


def test_pieces_that_are_apart_are_one_tree():
    z = np.concatenate([np.arange(10.0), np.arange(10.0) + 1000])
    score = metrics.isolated_labels_f1(z, np.arange(20) // 10, batch=np.arange(20) % 2, neighbors=3)
    assert score.value == 1.0


def test_mixing_falls_as_batches_move_apart():
    shift = np.array([[0.0], [1.0], [-1.0]])[BATCH]
    accepted = [float(metrics.kbet(Z + s * shift, BATCH, neighbors=20)) for s in (0, 1, 2, 8)]
    assert all(near >= far for near, far in pairwise(accepted))
    assert accepted[-1] == 0.0


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("kbet", {"alpha": 0.0}, "alpha is 0.0; expected a number"),
        ("kbet", {"neighbors": 1}, "neighbors is 1; expected a whole number of at least 2"),
        ("kbet", {"neighbors": 400}, "two batches and enough rows"),
        ("graph_connectivity", {"connection": "x"}, "connection is 'x'; expected 'strong'"),
        ("graph_connectivity", {"neighbors": 500}, "499 neighbors of each row need more than 499"),
        ("isolated_labels_asw", {"batch": BATCH, "most": 0}, "most is 0"),
        ("isolated_labels_f1", {"batch": BATCH[:9]}, r"batch has shape \(9,\); expected one label"),
        ("isolated_labels_f1", {"batch": BATCH, "clusters": BATCH[:9]}, "clusters has 9 rows"),
        ("v_measure", {"beta": -1}, "beta is -1"),
    ],
)
def test_errors_name_the_value(name, settings, message):
    with pytest.raises(ValueError, match=message):
        getattr(metrics, name)(Z, LABEL, **settings)
