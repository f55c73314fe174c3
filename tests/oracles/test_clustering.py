"""Clustering and mixing scores against brute force."""

from itertools import combinations, permutations

import numpy as np
import pytest
import torch

from untwine import metrics

RNG = np.random.default_rng(0)
LABEL = RNG.integers(0, 3, 40)
FOUND = np.where(RNG.random(40) < 0.6, LABEL, RNG.integers(0, 3, 40))
Z = RNG.normal(size=(40, 2)) + LABEL[:, None]


def score(name, **options):
    return float(getattr(metrics, name)(Z, LABEL, **options))


def test_adjusted_rand_index_is_pairs_above_chance():
    together = [(LABEL[i] == LABEL[j], FOUND[i] == FOUND[j]) for i, j in combinations(range(40), 2)]
    a, b = np.array(together).T
    both, expected = (a & b).sum(), a.sum() * b.sum() / len(a)
    value = (both - expected) / ((a.sum() + b.sum()) / 2 - expected)
    assert score("ari", clusters=FOUND) == pytest.approx(value)


def test_normalized_mutual_information_is_its_definition():
    joint = np.histogram2d(LABEL, FOUND, bins=3)[0] / 40
    p, q = joint.sum(1), joint.sum(0)
    inside = joint > 0
    information = (joint * np.log(np.where(inside, joint, 1) / np.outer(p, q)))[inside].sum()
    entropies = -(p * np.log(p)).sum() - (q * np.log(q)).sum()
    assert score("nmi", clusters=FOUND) == pytest.approx(2 * information / entropies)


def test_accuracy_is_the_best_naming():
    best = max((np.array(names)[FOUND] == LABEL).mean() for names in permutations(range(3)))
    renamed = np.array([2, 0, 1])[FOUND]
    assert score("cluster_accuracy", clusters=FOUND) == pytest.approx(best)
    assert score("cluster_accuracy", clusters=renamed) == pytest.approx(best)
    soft = torch.nn.functional.one_hot(torch.tensor(FOUND), 5).float()
    assert score("cluster_accuracy", clusters=soft) == pytest.approx(best)


def silhouettes(z, label):
    distance = np.linalg.norm(z[:, None] - z[None], axis=-1)
    values = []
    for i in range(len(z)):
        own = (label == label[i]) & (np.arange(len(z)) != i)
        if not own.any():
            values.append(0.0)
            continue
        a = distance[i, own].mean()
        b = min(distance[i, label == v].mean() for v in set(label.tolist()) - {label[i]})
        values.append((b - a) / max(a, b))
    return np.array(values)


def test_silhouette_is_its_definition():
    assert score("silhouette") == pytest.approx(silhouettes(Z, LABEL).mean())
    batch = np.arange(40) % 2
    rows = [np.flatnonzero(v == LABEL) for v in range(3)]
    inside = [1 - np.abs(silhouettes(Z[i], batch[i])).mean() for i in rows]
    found = metrics.batch_silhouette(Z, batch, within=LABEL)
    assert float(found) == pytest.approx(np.mean(inside))
    names = np.array(["x", "y", "z"])[LABEL]
    assert float(metrics.batch_silhouette(Z, batch, within=names)) == pytest.approx(float(found))


def test_lisi_is_the_inverse_simpson_index_of_gaussian_neighbors():
    """With a bandwidth found by bisection on the entropy of the neighbors' weights."""
    z, label = RNG.normal(size=(120, 2)), RNG.integers(0, 3, 120)
    perplexity, found = 8.0, []
    distance = np.linalg.norm(z[:, None] - z[None], axis=-1)
    for i in range(120):
        near = np.argsort(distance[i])[1 : int(3 * perplexity)]
        d = distance[i, near]
        low, high = 1e-6, 1e6
        for _ in range(200):
            beta = np.sqrt(low * high)
            p = np.exp(-beta * (d - d.min()))
            p /= p.sum()
            entropy = -(p * np.log(np.maximum(p, 1e-300))).sum()
            low, high = (beta, high) if entropy > np.log(perplexity) else (low, beta)
        found.append(1 / sum(p[label[near] == v].sum() ** 2 for v in range(3)))
    value = metrics.lisi(z, label, perplexity=perplexity)
    assert float(value) == pytest.approx(np.mean(found), rel=0.01)
    assert value.parts["scaled"][0] == pytest.approx((float(value) - 1) / 2)


def test_errors_name_the_value():
    with pytest.raises(ValueError, match="clusters has 3 rows but codes has 40"):
        score("ari", clusters=[0, 1, 2])
    with pytest.raises(ValueError, match=r"within has shape \(3,\)"):
        metrics.batch_silhouette(Z, LABEL, within=[0, 1, 2])
    with pytest.raises(ValueError, match="lower perplexity="):
        score("lisi")
