"""Flatness, the reduced and the strong downstream task, and consistency, by hand and by loops."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from untwine import metrics
from untwine.metrics._estimators import learners
from untwine.metrics._estimators.predictors import fit_predictor

GRID = np.stack(np.meshgrid(range(4), range(3), range(5), indexing="ij"), -1).reshape(-1, 3)


# flatness


def disent(codes, factors):
    """The ratio of widths in norm 2 and lengths in norm 1, as disent computes it, of all lines."""
    ratios = []
    for k in range(factors.shape[1]):
        widths, deltas = [], []
        rest = np.delete(factors, k, axis=1)
        for others in np.unique(rest, axis=0):
            rows = np.flatnonzero((rest == others).all(axis=1))
            z = torch.tensor(codes[rows[np.argsort(factors[rows, k])]])
            widths.append(torch.norm(z[:, None] - z[None], dim=-1, p=2).max())
            delta = torch.norm(z - torch.roll(z, -1, dims=0), dim=-1, p=1)
            deltas.append(torch.topk(delta, len(delta) - 1, largest=False).values)
        length = (len(rows) - 1) * torch.stack(deltas).mean()
        ratios.append(float(torch.stack(widths).mean() / length))
    return ratios


def test_flatness_is_disents():
    codes = np.random.default_rng(0).normal(size=(60, 4)) + GRID @ np.eye(3, 4)
    score = metrics.flatness(codes, GRID)
    np.testing.assert_allclose(score.parts["per_factor"], disent(codes, GRID), rtol=1e-6)
    assert score.parts["lines"].tolist() == [15, 20, 12]
    few = metrics.flatness(codes, GRID, lines=5)
    assert few.parts["lines"].tolist() == [5, 5, 5]
    assert few.value == pytest.approx(score.value, abs=0.15)


def test_a_cycle_is_flat_only_where_it_is_cut():
    angle = 2 * np.pi * np.arange(12) / 12
    factors = np.stack(np.meshgrid(range(12), range(2), indexing="ij"), -1).reshape(-1, 2)
    ring = np.column_stack([np.cos(angle), np.sin(angle)])[factors[:, 0]]
    codes = np.column_stack([ring, factors[:, 1]])
    step = np.abs(np.diff(np.concatenate([ring[::2], ring[:1]]), axis=0)).sum(axis=1)
    expected = 2.0 / (11 * np.sort(step)[:-1].mean())
    value = metrics.flatness(codes, factors).parts["per_factor"]
    np.testing.assert_allclose(value, [expected, 1.0])


def test_traversals_are_looked_up():
    whole = metrics.flatness(GRID * 1.0, GRID)
    holes = np.delete(np.arange(60), [7, 23])
    partly = metrics.flatness(GRID[holes] * 1.0, GRID[holes])
    assert partly.value == whole.value == 1.0
    assert (partly.parts["lines"] == whole.parts["lines"] - 2).all()
    diagonal = np.stack([np.arange(6), np.arange(6)], axis=1)
    with pytest.raises(ValueError, match=r"factor 0 has no complete traversal: .* all of its 6"):
        metrics.flatness(diagonal * 1.0, diagonal)


# downstream tasks


@pytest.fixture(scope="module")
def bits():
    return np.random.default_rng(0).integers(0, 2, (4000, 3))


def test_the_reduced_task_loses_a_factor_and_nothing_else(bits):
    codes = 1.0 * bits[:, [2, 0, 1]]
    score = metrics.reduced_downstream(codes, bits, predictor="logistic")
    assert score.parts["removed"].ravel().tolist() == [1, 2, 0]
    accuracy = score.parts["accuracy"]
    np.testing.assert_allclose(accuracy.diagonal(), 0.5, atol=0.06)
    assert (accuracy[~np.eye(3, dtype=bool)] == 1).all()
    np.testing.assert_allclose(score.parts["per_factor"], 1 - accuracy.diagonal())
    two = metrics.reduced_downstream(np.tile(codes, 2), bits, predictor="logistic", remove=2)
    assert sorted(two.parts["removed"][0].tolist()) == [1, 4]
    assert two.value == pytest.approx(0.5, abs=0.06)
    with pytest.raises(ValueError, match="remove is 3, but codes has 3 dimensions"):
        metrics.reduced_downstream(codes, bits, remove=3)


def test_the_strong_task_fails_where_a_reading_depends_on_another_factor(bits):
    """Of an exclusive or, what is learned at one value is wrong at every other."""
    factors = bits[:, :2]
    codes = np.column_stack([factors[:, 0] ^ factors[:, 1], factors[:, 1]]) * 1.0
    score = metrics.strong_downstream(codes, factors, predictor="fast", experiments=4)
    assert score.parts["per_factor"][0] == 0.0
    assert score.parts["test"] == score.parts["strong_train"] == 1.0
    assert score.parts["gap"] == 1 - score.value
    assert metrics.strong_downstream(factors * 1.0, factors, predictor="fast").parts["gap"] == 0.0
    with pytest.raises(ValueError, match="shifts another factor and got 1"):
        metrics.strong_downstream(codes, factors[:, :1], predictor="fast")


@pytest.mark.parametrize(
    ("name", "fits"), [("reduced_downstream", 3 * (3 + 1)), ("strong_downstream", 3 * (1 + 10))]
)
def test_what_the_tasks_cost_does_not_depend_on_the_number_of_rows(name, fits, monkeypatch):
    rows = np.random.default_rng(0).integers(0, 2, (60_000, 3))
    sizes = []

    def counted(predictor, z, *arguments, **settings):
        sizes.append(len(z))
        return fit_predictor(predictor, z, *arguments, **settings)

    monkeypatch.setattr(learners, "fit_predictor", counted)
    codes = rows + 0.1 * np.random.default_rng(1).normal(size=rows.shape)
    score = getattr(metrics, name)(codes, rows, predictor="logistic", groups=np.arange(60_000))
    assert score.protocol["train"] == max(sizes) == 10_000
    assert score.protocol["test"] == 5_000
    assert len(sizes) == fits


# consistency


def parts(*runs, **settings):
    score = metrics.consistency(runs, **settings)
    return [score.parts[name] for name in ("identity", "permutation", "linear", "affine")]


def test_each_class_of_maps_is_seen():
    z = np.random.default_rng(0).normal(size=(20_000, 3)) * [1.0, 2.0, 3.0]
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    assert parts(z, z) == pytest.approx([1, 1, 1, 1])
    assert parts(z, z[:, [2, 0, 1]] * [-1, 1, -1])[1:] == pytest.approx([1, 1, 1])
    assert parts(z, z @ rotation)[1] < 0.9
    assert parts(z, z @ rotation)[2:] == pytest.approx([1, 1])
    shifted = parts(z, z @ rotation + 1.5)
    assert shifted[2] < 0.99
    assert shifted[3] == pytest.approx(1)
    assert all(one <= two + 1e-9 for one, two in pairwise(shifted))


def test_noise_takes_its_share_of_the_variance():
    """Of codes z + e and z + e' with noise of variance s2 the identity explains (1 - s2)/(1 + s2),
    and the best scale, 1/(1 + s2), explains its square."""
    rng = np.random.default_rng(0)
    z, s2 = rng.normal(size=(200_000, 2)), 0.25
    runs = [z + np.sqrt(s2) * rng.normal(size=z.shape) for _ in range(3)]
    identity, permutation, linear, affine = parts(*runs)
    assert identity == permutation == pytest.approx((1 - s2) / (1 + s2), abs=0.01)
    assert linear == pytest.approx(1 / (1 + s2) ** 2, abs=0.01)
    assert affine == pytest.approx(linear, abs=1e-3)


def test_runs_may_differ_in_width():
    z = np.random.default_rng(0).normal(size=(10_000, 2))
    wide = np.column_stack([z, np.random.default_rng(1).normal(size=10_000)])
    score = metrics.consistency([z, wide], up_to="affine")
    # two of the three dimensions are told, of equal variance; back, all are
    assert score.parts["pairs"][0, 1] == pytest.approx(2 / 3, abs=0.02)
    assert score.parts["pairs"][1, 0] == pytest.approx(1.0)
    assert score.parts["permutation"] == pytest.approx(5 / 6, abs=0.02)
    with pytest.raises(ValueError, match=r"the codes of runs\[1\] do not vary"):
        metrics.consistency([z, 0 * z])
