"""Correlated factors and held-out combinations, against enumeration."""

from __future__ import annotations

import math

import numpy as np
import pytest

from untwine.data import (
    Correlated,
    CorrelatedSampler,
    Correlation,
    DSprites,
    FactorDataset,
    FactorSpace,
    HeldOut,
    HeldOutAtRandom,
    Loader,
    Npz,
    PairsSampler,
    Sampler,
    confounder,
    corner,
    correlated_settings,
    generator_for,
)
from untwine.spec import describe, instantiate

SPACE = FactorSpace(("a", "b", "c"), (4, 5, 3))
GRID = SPACE.factors(np.arange(60))
CHAIN = (Correlation("a", "b", 0.3), Correlation("c", "b", 0.5, inverse=True))


@pytest.fixture
def data(tmp_path):
    np.savez(tmp_path / "set.npz", x=np.arange(60.0)[:, None], factors=GRID, names=SPACE.names)
    return Npz(tmp_path / "set.npz", sizes=SPACE.sizes)


def probabilities():
    """Of each row under `CHAIN`, by the equation, one row at a time."""
    p = []
    for a, b, c in GRID.tolist():
        one = math.exp(-((a / 3 - b / 4) ** 2) / (2 * 0.3**2))
        two = math.exp(-((c / 2 - (1 - b / 4)) ** 2) / (2 * 0.5**2))
        p.append(one * two)
    return np.array(p) / sum(p)


def test_rows_have_the_probabilities_of_the_equation():
    rows = CorrelatedSampler(CHAIN).bind(SPACE, GRID)(200_000, generator_for(0, 0))
    share = np.bincount(rows, minlength=60) / len(rows)
    p = probabilities()
    assert np.abs(share - p).max() < 5 * np.sqrt(p.max() / len(rows))


def test_order_and_unknown_rows_do_not_matter():
    order = np.random.default_rng(0).permutation(60)
    table = np.concatenate([GRID[order], [[-1, 0, 0], [0, -1, 2]]])
    rows = CorrelatedSampler(CHAIN).bind(SPACE, table)(50_000, generator_for(1, 0))
    assert rows.max() < 60
    p = probabilities()[order]
    assert np.abs(np.bincount(rows, minlength=60) / len(rows) - p).max() < 0.01
    only = CorrelatedSampler([Correlation("a", "b", 0.3)])  # c may be unknown: nothing asks for it
    rows = only.bind(SPACE, np.array([[0, 0, -1]]))(5, generator_for(0, 0))
    assert rows.tolist() == [0] * 5


def test_wide_lines_are_uniform_and_narrow_ones_the_diagonal():
    space = FactorSpace(("a", "b"), (10, 10))
    table = space.factors(np.arange(100))
    wide = CorrelatedSampler([Correlation("a", "b", 10.0)]).bind(space, table)
    share = np.bincount(wide(100_000, generator_for(0, 0)), minlength=100) / 100_000
    assert np.abs(share - 0.01).max() < 0.002
    narrow = CorrelatedSampler([Correlation("a", "b", 0.01)]).bind(space, table)
    rows = narrow(1000, generator_for(0, 0))
    assert (table[rows, 0] == table[rows, 1]).all()


def test_a_drawn_set_carries_the_correlation_into_pairs(data):
    biased = Correlated(data, CHAIN, n=40_000, seed=3)
    share = np.bincount(biased.indices, minlength=60) / len(biased)
    assert np.abs(share - probabilities()).max() < 0.01
    batch = Loader(biased, PairsSampler(1), batch_size=512, seed=0)(0)
    x0, x1 = batch.x0[:, 0].long().numpy(), batch.x1[:, 0].long().numpy()
    assert ((GRID[x0] != GRID[x1]).sum(1) == 1).all()
    again = instantiate(describe(biased), FactorDataset)
    assert (again.indices == biased.indices).all()
    sampler = CorrelatedSampler(CHAIN)
    twin = instantiate(describe(sampler), Sampler)
    draws = [s.bind(SPACE, GRID)(9, generator_for(0, 5)) for s in (sampler, twin)]
    assert (draws[0] == draws[1]).all()


def test_the_thirteen_settings_and_those_of_2021():
    names = ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation")
    space = FactorSpace(names, (10, 10, 10, 8, 4, 15))
    settings = correlated_settings(space)
    roth = [name for name in settings if not name.startswith("traeuble")]
    assert len(roth) == 13
    kinds = [name.split()[0] for name in roth]
    assert [kinds.count(k) for k in ("pair", "pairs", "triple", "confounder")] == [3, 6, 2, 2]
    assert len(settings["confounder 1, width 0.2"]) == 5
    assert settings["traeuble A, width 0.4"] == (Correlation("scale", "orientation", 0.4),)
    dsprites = correlated_settings(DSprites.space)
    for correlations in [*settings.values(), *dsprites.values()]:
        where = space if correlations in settings.values() else DSprites.space
        table = where.factors(np.random.default_rng(0).integers(0, len(where), 2000))
        CorrelatedSampler(correlations).bind(where, table)
    with pytest.raises(ValueError, match="no published settings for the factors"):
        correlated_settings(SPACE)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Correlation("a", "a", 0.1), "both 'a'; expected two factors"),
        (lambda: Correlation("a", "b", 0.0), "width"),
        (lambda: CorrelatedSampler([]).bind(SPACE, GRID), "correlations is empty"),
        (lambda: confounder(SPACE, "z", 0.1), "no factor 'z'"),
        (
            lambda: CorrelatedSampler([Correlation("a", "z", 0.1)]).bind(SPACE, GRID),
            "no factor 'z'",
        ),
        (
            lambda: CorrelatedSampler([Correlation("a", "b", 0.1)]).bind(SPACE, GRID * 0 - 1),
            "unknown in every row",
        ),
        (
            lambda: CorrelatedSampler([Correlation("a", "b", 0.1)]).bind(
                FactorSpace(("a", "b"), (1, 3)), np.zeros((3, 2), np.int64)
            ),
            "'a' has one value",
        ),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_held_out_values_and_pairs_of_values(data):
    train, test = HeldOut(data, {"a": 1, "b": [0, 4]}), HeldOut(data, {"a": 1, "b": [0, 4]}, "test")
    wanted = (GRID[:, 0] == 1) & np.isin(GRID[:, 1], [0, 4])
    assert (test.indices == np.flatnonzero(wanted)).all()
    assert sorted([*train.indices, *test.indices]) == list(range(60))
    again = instantiate(describe(test), FactorDataset)
    assert (again.indices == test.indices).all()
    whole = HeldOut(data, {"a": 3}, "test")
    assert len(whole) == 15


def test_a_corner_has_about_the_share_that_was_asked_for():
    space = FactorSpace(("x", "y", "one"), (32, 32, 1))
    at = corner(space, 0.25)
    assert set(at) == {"x", "y"}
    assert len(at["x"]) * len(at["y"]) / 1024 == 0.25
    assert at["x"][-1] == 31
    assert corner(space, 0.5, ["x"]) == {"x": list(range(16, 32))}


def test_random_combinations_are_held_out_whole(data):
    train = HeldOutAtRandom(data, 0.3, ["a", "b"], seed=1)
    test = HeldOutAtRandom(data, 0.3, ["a", "b"], seed=1, part="test")
    assert sorted([*train.indices, *test.indices]) == list(range(60))
    seen = {tuple(row) for row in train.factors[:, :2].tolist()}
    unseen = {tuple(row) for row in test.factors[:, :2].tolist()}
    assert (len(seen & unseen), len(unseen)) == (0, 6)
    for column in range(3):  # no value was lost
        assert len(np.unique(train.factors[:, column])) == SPACE.sizes[column]
    assert (HeldOutAtRandom(data, 0.3, ["a", "b"], seed=2).indices != train.indices[0]).any()
    again = instantiate(describe(train), FactorDataset)
    assert (again.indices == train.indices).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda d: HeldOut(d, {}), "at is empty"),
        (lambda d: HeldOut(d, {"a": 4}), "values 0 to 3, not 4"),
        (lambda d: HeldOut(d, {"a": [0, 1, 2, 3]}), "every observation"),
        (lambda d: HeldOut(d, {"a": 1}, "dev"), "part is 'dev'"),
        (lambda d: HeldOutAtRandom(d, 1.5), "fraction is 1.5"),
        (lambda d: HeldOutAtRandom(d, 0.001), "holds 0 of 60 combinations"),
        (lambda d: HeldOutAtRandom(d, 0.5, ["a"]), "without losing a value"),
        (lambda d: corner(d.space, 0.0), "share is 0.0"),
    ],
)
def test_splits_that_cannot_be(data, make, message):
    with pytest.raises(ValueError, match=message):
        make(data)
