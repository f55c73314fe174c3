"""Groups of varying size, successive pairs, and pairs with sparse steps."""

import numpy as np
import pytest
import torch

from untwine.data import (
    FactorDataset,
    FactorSpace,
    Groups,
    GroupsSampler,
    LaplacePairsSampler,
    Loader,
    SuccessivePairsSampler,
    generator_for,
)
from untwine.spec import describe, instantiate

SPACE = FactorSpace(("a", "b", "c"), (3, 4, 5))
GRID = SPACE.factors(np.arange(60))
DATA = FactorDataset.from_arrays(np.arange(60.0)[:, None] + np.zeros((60, 2)), GRID, SPACE.names)


def draw(sampler, table=GRID, n=2000, space=SPACE):
    return sampler(space, table, n, generator_for(0, 0))


def test_sizes_are_drawn_between_the_least_and_the_most():
    groups, shared, present = draw(GroupsSampler((2, 5), shared="b"))
    assert groups.shape == present.shape == (2000, 5)
    sizes = present.sum(1)
    assert np.bincount(sizes)[2:] / 2000 == pytest.approx(0.25, abs=0.04)
    assert (present == (np.arange(5) < sizes[:, None])).all()
    assert (GRID[groups][:, :, 1] == GRID[groups][:, :1, 1]).all()
    assert shared[:, 1].all()


def test_a_batch_of_groups_has_fixed_shapes_and_the_class_of_each():
    loader = Loader(DATA, GroupsSampler((1, 4), shared="b"), batch_size=8)
    one, two = loader(0), loader(1)
    assert one.x.shape == two.x.shape == (8, 4, 2)
    assert one.present.dtype == torch.bool
    rows = one.x[:, 0, 0].long().numpy()
    assert one.label.tolist() == GRID[rows, 1].tolist()
    moved = one.to("cpu")
    assert torch.equal(moved.present, one.present)
    assert torch.equal(moved.label, one.label)
    fixed = Loader(DATA, GroupsSampler(3, shared=["a", "c"]), batch_size=8)(0)
    assert fixed.present is None
    rows = fixed.x[:, 0, 0].long().numpy()
    assert fixed.label.tolist() == (5 * GRID[rows, 0] + GRID[rows, 2]).tolist()


def test_two_processes_share_the_groups_of_one():
    whole = Loader(DATA, GroupsSampler((1, 4), shared="b"), batch_size=8)(3)
    parts = [
        Loader(DATA, GroupsSampler((1, 4), shared="b"), batch_size=8, rank=r, world_size=2)(3)
        for r in (0, 1)
    ]
    assert torch.equal(torch.cat([p.x for p in parts]), whole.x)
    assert torch.equal(torch.cat([p.present for p in parts]), whole.present)


def test_a_row_without_others_of_its_kind_is_a_group_of_one_or_none():
    table = np.array([[0], [0], [0], [1], [2], [2]])
    space = FactorSpace(("digit",), (3,))
    groups, _, present = draw(GroupsSampler((1, 3), shared="digit"), table, 500, space)
    alone = table[groups[:, 0], 0] == 1
    assert alone.any()
    assert (present[alone].sum(1) == 1).all()
    assert (table[groups][present] == table[groups][:, :1].repeat(3, 1)[present]).all()
    groups, _, present = draw(GroupsSampler((2, 3), shared="digit"), table, 500, space)
    assert (table[groups[:, 0], 0] != 1).all()
    assert present.sum(1).min() == 2


@pytest.mark.parametrize(
    ("size", "message"),
    [(1, "size is 1; a group has at least 2"), ((1, 1), "a group has at least 2 rows"),
     ((0, 3), "the least and the most"), ((4, 3), "the least and the most")],
)  # fmt: skip
def test_sizes_that_are_none(size, message):
    with pytest.raises(ValueError, match=message):
        GroupsSampler(size)


def test_sizes_are_written_down():
    sampler = instantiate(describe(GroupsSampler((2, 6), shared="b")))
    for one, two in zip(draw(sampler), draw(GroupsSampler((2, 6), shared="b")), strict=True):
        assert (one == two).all()


def test_groups_of_unequal_sizes_are_padded():
    members = [torch.rand(n, 1, 4, 4) for n in (3, 1, 2)]
    groups = Groups.of(members)
    assert groups.x.shape == (3, 3, 1, 4, 4)
    assert groups.present.sum(1).tolist() == [3, 1, 2]
    for group, x, present in zip(members, groups.x, groups.present, strict=True):
        assert torch.equal(x[present], group)
    assert Groups.of([torch.rand(2, 3)] * 4).present is None
    with pytest.raises(ValueError, match=r"have \[2, 0\] members"):
        Groups.of([torch.rand(2, 3), torch.rand(0, 3)])


def test_successive_pairs():
    sampler = SuccessivePairsSampler("c")
    pairs = draw(sampler, GRID[::-1])
    first, second = GRID[::-1][pairs[:, 0]], GRID[::-1][pairs[:, 1]]
    assert (second - first == [0, 0, 1]).all()
    batch = sampler.batch(DATA, draw(sampler, n=16))
    assert torch.equal(batch.x1, batch.x0 + 1)
    with pytest.raises(ValueError, match="no factor 'time'"):
        draw(SuccessivePairsSampler("time"))


@pytest.mark.parametrize("rate", [0.5, 1.0, 3.0])
def test_sparse_steps_have_the_stated_probabilities(rate):
    pairs = draw(LaplacePairsSampler(rate), n=60_000)
    first, second = GRID[pairs[:, 0]], GRID[pairs[:, 1]]
    for k, size in enumerate(SPACE.sizes):
        value = np.arange(size)
        chance = np.exp(-rate * abs(value - value[:, None]))
        chance /= chance.sum(1, keepdims=True)
        for v in range(size):
            seen = np.bincount(second[first[:, k] == v, k], minlength=size)
            assert seen / seen.sum() == pytest.approx(chance[v], abs=0.02)
    counts = np.bincount(pairs[:, 0], minlength=60)
    assert abs(counts - 1000).max() < 5 * np.sqrt(1000)


def test_sparse_steps_need_every_combination():
    with pytest.raises(ValueError, match="use PairsSampler"):
        draw(LaplacePairsSampler(), GRID[:50])
    with pytest.raises(ValueError, match="rate is 0"):
        LaplacePairsSampler(0)
    batch = LaplacePairsSampler().batch(DATA, draw(LaplacePairsSampler(), n=4))
    assert batch.x0.shape == batch.x1.shape == (4, 2)
