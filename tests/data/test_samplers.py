"""Laws of the samplers, on a full grid, in any order, and on partial tables."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from untwine import data as ud
from untwine.data import (
    IID,
    ClipsSampler,
    FactorDataset,
    FactorSpace,
    FewLabelsSampler,
    GroupsSampler,
    IndexedSampler,
    ModalitiesSampler,
    Multimodal,
    PairsSampler,
    default_sampler,
    generator_for,
)
from untwine.spec import describe, instantiate

SPACE = FactorSpace(("a", "b", "c", "one"), (3, 4, 5, 1))
GRID = SPACE.factors(np.arange(60))
RNG = np.random.default_rng(0)
PARTIAL = GRID[RNG.permutation(60)[:30]]
UNKNOWN = np.where(RNG.random(GRID.shape) < 0.1, -1, GRID)
TABLES = {
    "grid": GRID,
    "shuffled": GRID[RNG.permutation(60)],
    "partial": PARTIAL,
    "repeated": np.concatenate([GRID, GRID[:20]]),
    "unknown": UNKNOWN,
}


@pytest.fixture(params=TABLES, ids=list(TABLES))
def table(request):
    return TABLES[request.param]


def draw(sampler, table, n=500, seed=0):
    return sampler(SPACE, table, n, generator_for(seed, 0))


def parts(indices):
    return indices if isinstance(indices, tuple) else (indices,)


SAMPLERS = [
    IID(),
    PairsSampler(),
    PairsSampler(2),
    GroupsSampler(3),
    GroupsSampler(2, shared="b"),
    FewLabelsSampler("a", labelled=12, batch_labelled=8),
    IndexedSampler("a"),
    ClipsSampler("c", 2),
]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)
def test_a_sampler_is_a_pure_function_of_its_arguments(sampler, table):
    again = instantiate(describe(sampler))
    first = draw(sampler, table)
    draw(sampler, GRID[:40], seed=9)  # another table in between
    for second in (draw(sampler, table), draw(again, table.copy())):
        for a, b in zip(parts(first), parts(second), strict=True):
            assert np.array_equal(a, b)
    other = draw(sampler, table, seed=1)
    one, two = parts(first)[0], parts(other)[0]
    assert one.shape == two.shape
    assert (len(one), one.dtype) == (500, np.int64)
    assert not np.array_equal(one, two)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_pairs_differ_in_exactly_k_factors(table, k):
    pairs = draw(PairsSampler(k), table, 2_000)
    first, second = table[pairs[:, 0]], table[pairs[:, 1]]
    assert (first >= 0).all()
    assert (second >= 0).all()
    assert ((first != second).sum(1) == k).all()
    assert (first[:, 3] == second[:, 3]).all()
    changed = (first != second)[:, :3].mean(0)
    assert (changed > 0.15).all()  # every factor changes


@pytest.mark.parametrize("k", [1, 2, 3])
def test_pairs_on_a_grid_are_uniform(k):
    n = 40_000
    for table in (GRID, GRID[::-1]):
        pairs = draw(PairsSampler(k), table, n)
        first, second = table[pairs[:, 0]], table[pairs[:, 1]]
        counts = np.bincount(SPACE.index(first), minlength=60)
        assert abs(counts - n / 60).max() < 5 * np.sqrt(n / 60)
        which = (first != second)[:, :3]
        assert which.mean(0) == pytest.approx(k / 3, abs=0.015)
        step = (second - first)[which[:, 2], 2] % 5
        assert np.bincount(step, minlength=5)[1:] / len(step) == pytest.approx(0.25, abs=0.02)


def test_pairs_by_look_up_have_the_same_distribution_as_by_arithmetic():
    table = np.concatenate([GRID, GRID])  # no grid, since every row is there twice
    n = 60_000
    frequencies = []
    for rows in (GRID, table):
        pairs = draw(PairsSampler("any"), rows, n)
        changed = rows[pairs[:, 0]] != rows[pairs[:, 1]]
        frequencies.append(np.bincount(changed[:, :3] @ [4, 2, 1], minlength=8) / n)
        assert sorted(np.unique(changed.sum(1))) == [1, 2]
    # k is 1 or 2 with equal chance, and then each of three choices is equally likely.
    assert frequencies[0][[1, 2, 3, 4, 5, 6]] == pytest.approx(1 / 6, abs=0.01)
    assert frequencies[0] == pytest.approx(frequencies[1], abs=0.012)


@pytest.mark.parametrize("table", [GRID, np.concatenate([GRID, GRID])])
def test_pairs_as_released_change_mostly_one_factor_or_none(table):
    """Against every outcome: 1 of 3 factors in 3 of 4 pairs, 2 in the rest, values drawn anew."""
    n = 60_000
    pairs = draw(PairsSampler("locatello2020"), table, n)
    which = (table[pairs[:, 0]] != table[pairs[:, 1]])[:, :3]
    chance = np.zeros((2, 2, 2))
    for share, factors in [(0.25, [0]), (0.25, [1]), (0.25, [2])] + [
        (1 / 12, pair) for pair in ([0, 1], [0, 2], [1, 2])
    ]:
        differs = [1 - 1 / SPACE.sizes[k] if k in factors else 0.0 for k in range(3)]
        chance += share * np.einsum("i,j,k->ijk", *([1 - p, p] for p in differs))
    observed = np.bincount(which @ [4, 2, 1], minlength=8) / n
    assert observed == pytest.approx(chance.reshape(-1), abs=0.012)


def test_pairs_of_dsprites_change_as_many_factors_as_the_page_says():
    sizes = (3, 6, 40, 32, 32)
    space = FactorSpace(tuple("abcde"), sizes)
    factors = space.factors(np.arange(np.prod(sizes)))
    for changed, mean in (("any", 2.5), ("locatello2020", 1.54)):
        pairs = PairsSampler(changed)(space, factors, 40_000, generator_for(0, 0))
        differ = (factors[pairs[:, 0]] != factors[pairs[:, 1]]).sum(1)
        assert differ.mean() == pytest.approx(mean, abs=0.025)
    assert (differ == 0).mean() == pytest.approx(0.075, abs=0.01)
    assert (differ == 1).mean() > 0.5


def test_every_pair_of_a_partial_table_is_found():
    pairs = draw(PairsSampler(1), PARTIAL, 5_000)
    differ = (PARTIAL[:, None] != PARTIAL[None]).sum(2) == 1
    expected = {tuple(p) for p in np.argwhere(differ)}
    assert {tuple(p) for p in pairs} == expected


def test_pairs_that_are_rare_are_found():
    # Two rows among 400 agree in the first factor; all others differ in both.
    table = np.stack([np.arange(400), np.arange(400)], axis=1)
    table[399] = (0, 399)
    space = FactorSpace(("a", "b"), (400, 400))
    pairs = PairsSampler(1)(space, table, 3, generator_for(0, 0))
    assert {tuple(sorted(p)) for p in pairs.tolist()} == {(0, 399)}


def test_pairs_that_do_not_exist():
    table = np.stack([np.arange(9), np.arange(9)], axis=1)
    space = FactorSpace(("a", "b"), (9, 9))
    with pytest.raises(ValueError, match=r"exactly 1 of the factors \['a', 'b'\] and agree in the"):
        PairsSampler(1)(space, table, 4, generator_for(0, 0))
    with pytest.raises(ValueError, match=r"differ in 4 factors, but .* only 3 factors take"):
        draw(PairsSampler(4), GRID)
    with pytest.raises(ValueError, match="only 0 factors take several values"):
        PairsSampler()(FactorSpace((), ()), np.empty((5, 0), int), 4, generator_for(0, 0))
    with pytest.raises(ValueError, match="in the 0 rows whose factors are all known"):
        PairsSampler()(space, np.full((5, 2), -1), 4, generator_for(0, 0))
    with pytest.raises(ValueError, match="changed is 0"):
        PairsSampler(0)


def test_pairs_of_many_factors_do_not_overflow():
    space = FactorSpace([f"f{i}" for i in range(70)], [2] * 70)
    table = RNG.integers(0, 2, (20, 70))
    table[10:] = table[:10]
    table[10:, 69] = 1 - table[:10, 69]
    pairs = PairsSampler(1)(space, table, 6, generator_for(0, 0))
    assert ((table[pairs[:, 0]] != table[pairs[:, 1]]).sum(1) == 1).all()


@pytest.mark.parametrize("shared", [None, "a", "c", ["a", "b"]])
def test_groups_share_what_the_mask_says(table, shared):
    sampler = GroupsSampler(4, shared=shared)
    groups, mask = draw(sampler, table)
    assert (groups.shape, mask.shape, mask.dtype) == ((500, 4), (500, 4), bool)
    values = table[groups]
    same = (values == values[:, :1]).all(1)
    assert (same | ~mask).all()
    assert (values.min(1)[mask] >= 0).all()
    if shared is None:
        assert (mask.sum(1) == 1).all()
        assert mask[:, :3].mean(0) == pytest.approx(1 / 3, abs=0.08)
    else:
        names = [shared] if isinstance(shared, str) else shared
        assert (mask == [name in names for name in SPACE.names]).all()
    free = ~mask & [True, True, True, False]
    assert same[free].mean() < 0.3  # the others vary, but for chance


def test_groups_of_the_only_factor_share_a_class():
    space, table = FactorSpace(("digit",), (10,)), (np.arange(50) % 10)[:, None]
    groups, mask = GroupsSampler(5)(space, table, 100, generator_for(0, 0))
    assert mask.all()
    assert (table[groups] == table[groups][:, :1]).all()
    assert len(np.unique(groups)) == 50


def test_groups_that_do_not_exist():
    with pytest.raises(ValueError, match=r"no two of the 60 rows share \['a', 'b', 'c'\]"):
        draw(GroupsSampler(2, shared=["a", "b", "c"]), GRID)
    with pytest.raises(ValueError, match="no factor 'd'"):
        draw(GroupsSampler(2, shared="d"), GRID)
    with pytest.raises(ValueError, match="size is 1"):
        GroupsSampler(1)
    with pytest.raises(ValueError, match="but the data has none"):
        GroupsSampler()(FactorSpace((), ()), np.empty((5, 0), int), 4, generator_for(0, 0))


DIGITS = FactorSpace(("side", "digit"), (2, 10))
TABLE = np.stack([np.arange(1000) % 2, RNG.permutation(np.arange(1000) % 10)], axis=1)


def test_the_labelled_set_is_balanced_and_a_function_of_its_seed():
    sampler = FewLabelsSampler("digit", labelled=105, batch_labelled=7)
    rows, labels = sampler.labelled_set(DIGITS, TABLE)
    assert len(np.unique(rows)) == 105
    assert (labels == TABLE[rows, 1]).all()
    assert sorted(np.bincount(labels)) == [10] * 5 + [11] * 5
    again = FewLabelsSampler("digit", labelled=105).labelled_set(DIGITS, TABLE.copy())
    assert (again[0] == rows).all()
    other = FewLabelsSampler("digit", labelled=105, seed=1).labelled_set(DIGITS, TABLE)
    assert (other[0] != rows).any()
    unlabelled, labelled = sampler(DIGITS, TABLE, 5_000, generator_for(0, 0))
    assert (unlabelled.shape, labelled.shape) == ((5_000,), (7,))
    assert not set(unlabelled) & set(rows)
    assert set(labelled) <= set(rows)


def test_other_sizes_of_the_labelled_set():
    share = FewLabelsSampler("digit", labelled=0.3, balanced=False)
    assert len(share.labelled_set(DIGITS, TABLE)[0]) == 300
    partly = TABLE.copy()
    partly[200:, 1] = -1
    known = FewLabelsSampler("digit", labelled=None)
    assert known.labelled_set(DIGITS, partly)[0].tolist() == list(range(200))
    everything = FewLabelsSampler("digit", labelled=None)
    unlabelled, labelled = everything(DIGITS, TABLE, 8, generator_for(0, 0))
    assert (len(unlabelled), len(labelled)) == (8, 8)
    assert FewLabelsSampler(labelled=10).labelled_set(DIGITS, TABLE)[1].max() == 1  # the first


def test_wrong_labels():
    sampler = FewLabelsSampler("digit", labelled=200, noise=0.25)
    rows, labels = sampler.labelled_set(DIGITS, TABLE)
    assert (labels != TABLE[rows, 1]).sum() == 50
    assert set(labels) <= set(range(10))
    data = FactorDataset.from_arrays(np.arange(1000.0)[:, None], TABLE, ["side", "digit"])
    batch = sampler.batch(data, sampler(DIGITS, data.factors, 64, generator_for(0, 0)))
    given = dict(zip(rows.tolist(), labels.tolist(), strict=True))
    assert batch.yl.tolist() == [given[int(row)] for row in batch.xl[:, 0]]


@pytest.mark.parametrize(
    ("sampler", "message"),
    [
        (FewLabelsSampler("digit", labelled=9), "labelled is 9, but factor 'digit' has 10 classes"),
        (FewLabelsSampler("digit", labelled=1001), "known in 1000 rows only"),
        (FewLabelsSampler("digit", labelled=999, seed=2), r"class \d of factor 'digit' has"),
        (FewLabelsSampler("digit", labelled=12, balanced=False), "has no labelled row among 12"),
        (FewLabelsSampler("letter"), "no factor 'letter'"),
    ],
)
def test_labels_that_cannot_be_given(sampler, message):
    table = TABLE.copy()
    if sampler.labelled == 999:
        table[:, 1] = np.arange(1000) % 10
        table[:30, 1] = 0
    with pytest.raises(ValueError, match=message):
        sampler(DIGITS, table, 8, generator_for(0, 0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labelled": 0}, "labelled is 0"),
        ({"labelled": 1.5}, "labelled is 1.5"),
        ({"batch_labelled": 0}, "batch_labelled is 0"),
        ({"noise": 1.0}, "noise is 1.0"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_settings_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=message):
        FewLabelsSampler("digit", **arguments)


def test_clips_are_successive_and_share_the_rest(table):
    clips = draw(ClipsSampler("c", 2), table)
    values = table[clips]
    assert (np.diff(values[:, :, 2], axis=1) == 1).all()
    rest = np.delete(values, 2, axis=2)
    assert (rest == rest[:, :1]).all()
    assert values.min() >= 0


def test_every_clip_is_found():
    table = GRID[RNG.permutation(60)]
    values = table[draw(ClipsSampler("c", 3), table, 3_000)]
    assert len(np.unique(values.reshape(3_000, -1), axis=0)) == 12 * 3
    with pytest.raises(ValueError, match="no 6 rows have successive values of factor 'c'"):
        draw(ClipsSampler("c", 6), table)
    with pytest.raises(ValueError, match="give both or neither"):
        ClipsSampler("c")


DATA = FactorDataset.from_arrays(
    np.arange(60.0)[:, None] + np.zeros((60, 2)), GRID, SPACE.names, covariates=np.arange(60)
)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda s: type(s).__name__)
def test_the_batch_holds_the_rows_of_the_indices(sampler):
    indices = draw(sampler, DATA.factors, 16)
    batch = sampler.batch(DATA, indices)
    assert type(batch) is sampler.supervision
    assert len(batch) == 16
    if isinstance(batch, ud.Images):
        assert batch.x[:, 0].tolist() == indices.tolist()
        assert batch.c[:, 0].tolist() == indices.tolist()
    elif isinstance(batch, ud.Pairs):
        assert batch.x0[:, 0].tolist() == indices[:, 0].tolist()
        assert batch.x1[:, 0].tolist() == indices[:, 1].tolist()
    elif isinstance(batch, ud.Groups):
        assert batch.x[..., 0].tolist() == indices[0].tolist()
        assert batch.shared.tolist() == indices[1].tolist()
    elif isinstance(batch, ud.FewLabels):
        assert batch.x[:, 0].tolist() == indices[0].tolist()
        assert batch.xl[:, 0].tolist() == indices[1].tolist()
        assert batch.yl.tolist() == GRID[indices[1], 0].tolist()
        assert batch.yl.dtype == torch.int64
    elif isinstance(batch, ud.Indexed):
        assert batch.x[:, 0].tolist() == batch.index.tolist() == indices.tolist()
        assert batch.label.tolist() == GRID[indices, 0].tolist()
    else:
        assert batch.x[..., 0].tolist() == indices.tolist()


def test_clips_that_are_observations():
    data = FactorDataset.from_arrays(np.zeros((5, 7, 3, 8, 8)))
    sampler = ClipsSampler()
    batch = sampler.batch(data, sampler(data.space, data.factors, 4, generator_for(0, 0)))
    assert batch.x.shape == (4, 7, 3, 8, 8)
    with pytest.raises(ValueError, match=r"shape \(2,\), which is no clip"):
        sampler.batch(DATA, np.array([0]))


def test_indexed_without_factors_has_one_class():
    data = FactorDataset.from_arrays(np.zeros((5, 2)))
    sampler = IndexedSampler()
    batch = sampler.batch(data, sampler(data.space, data.factors, 4, generator_for(0, 0)))
    assert batch.label.tolist() == [0] * 4
    assert (UNKNOWN[draw(IndexedSampler("b"), UNKNOWN), 1] >= 0).all()


def test_modalities():
    a = FactorDataset.from_arrays(np.arange(4.0)[:, None], [0, 1, -1, 0], ["kind"])
    b = FactorDataset.from_arrays(
        np.arange(8.0).reshape(4, 2), [[0, 2], [-1, 1], [1, 0], [0, 0]], ["kind", "dose"]
    )
    data = Multimodal({"a": a, "b": b}, present={"b": [True, False, True, True]})
    assert data.space == FactorSpace(("kind", "dose"), (2, 3))
    assert data.factors.tolist() == [[0, 2], [1, 1], [1, 0], [0, 0]]
    assert data.shape == {"a": (1,), "b": (2,)}
    sampler = ModalitiesSampler()
    indices = sampler(data.space, data.factors, 16, generator_for(0, 0))
    batch = sampler.batch(data, indices)
    assert len(batch) == 16
    assert batch.x["a"][:, 0].tolist() == indices.tolist()
    assert batch.x["b"][:, 0].tolist() == (2 * indices).tolist()
    assert batch.present["a"].all()
    assert batch.present["b"].tolist() == (indices != 1).tolist()
    with pytest.raises(ValueError, match="data is a Arrays, which has one modality"):
        sampler.batch(a, indices)
    with pytest.raises(ValueError, match=r"have different lengths, {'a': 4, 'b': 3}"):
        Multimodal({"a": a, "b": b.subset([0, 1, 2])})
    with pytest.raises(ValueError, match="'kind' is 1 in row 1, but 0 there in modality 'b'"):
        Multimodal({"a": a, "b": b.subset([0, 3, 2, 1])})
    with pytest.raises(ValueError, match="row 1 is present in no modality"):
        Multimodal({"b": b}, present={"b": [True, False, True, True]})
    with pytest.raises(ValueError, match="present names 'c'"):
        Multimodal({"b": b}, present={"c": [True] * 4})
    with pytest.raises(ValueError, match=r"is torch.int64 of shape"):
        Multimodal({"b": b}, present={"b": [1, 0, 1]})


def test_every_batch_type_has_a_default_sampler():
    types = [ud.Images, ud.Pairs, ud.Groups, ud.FewLabels, ud.Indexed, ud.Clips, ud.Modalities]
    for supervision in types:
        assert default_sampler(supervision).supervision is supervision
    with pytest.raises(ValueError, match="no sampler makes 'dict'; the batch types are"):
        default_sampler(dict)


def test_dsprites_pairs_are_drawn_without_looking_at_images():
    space = ud.DSprites.space
    factors = ud.DSprites().factors
    pairs = PairsSampler(1)(space, factors, 1_000, generator_for(0, 0))
    assert ((factors[pairs[:, 0]] != factors[pairs[:, 1]]).sum(1) == 1).all()


@pytest.mark.parametrize("changed", [1, 2, "any"])
def test_pairs_of_real_faces(shared, changed):
    data = FactorDataset.from_npz(shared / "data" / "cmu_faces_60x64.npz")
    pairs = PairsSampler(changed)(data.space, data.factors, 500, generator_for(0, 0))
    number = (data.factors[pairs[:, 0]] != data.factors[pairs[:, 1]]).sum(1)
    assert set(number) == ({1, 2, 3} if changed == "any" else {changed})


def test_a_bound_sampler_draws_what_a_call_draws(table):
    for sampler in SAMPLERS:
        bound = sampler.bind(SPACE, table)
        for seed in range(3):
            indices = parts(bound(40, generator_for(seed, 0)))
            at_once = parts(draw(sampler, table, 40, seed))
            assert all((a == b).all() for a, b in zip(indices, at_once, strict=False))


APART = [[0, 0, 0], [1, 2, 0], [0, 4, 0]]  # no two rows share a and b, and b has gaps
UNLABELLED = [[0, 0, -1], [1, 2, -1], [0, 4, -1]]


@pytest.mark.parametrize(
    ("sampler", "table", "message"),
    [
        (PairsSampler(4), APART, "pairs must differ in 4 factors"),
        (PairsSampler(3), [[0, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 1]], "exactly 3 of the factors"),
        (ud.LaplacePairsSampler(), APART, "does not have every combination"),
        (GroupsSampler(2, shared="d"), APART, "there is no factor 'd'"),
        (GroupsSampler(2, shared=["a", "b"]), APART, "share .*'a', 'b'"),
        (FewLabelsSampler("a", labelled=100), APART, "labelled is 100"),
        (IndexedSampler("c"), UNLABELLED, "'c' is unknown in every row"),
        (ClipsSampler("b", 3), APART, "no 3 rows have successive values"),
        (ud.SuccessivePairsSampler("b"), APART, "no 2 rows have successive values"),
    ],
)
def test_a_sampler_that_does_not_fit_the_table_is_refused_when_bound(sampler, table, message):
    space = FactorSpace(("a", "b", "c"), (2, 6, 2))
    table = np.array(table)
    with pytest.raises(ValueError, match=message):
        sampler.bind(space, table)
    data = FactorDataset.from_arrays(np.zeros((len(table), 2)), table, space.names, space.sizes)
    with pytest.raises(ValueError, match=message):
        ud.Loader(data, sampler, batch_size=4)


def test_drawn_labels_are_those_of_the_labelled_set():
    sampler = FewLabelsSampler("a", labelled=12, batch_labelled=8, noise=0.25)
    unlabelled, labelled, labels = sampler.bind(SPACE, GRID)(16, generator_for(0, 0))
    data = FactorDataset.from_arrays(np.arange(60.0)[:, None], GRID, SPACE.names, SPACE.sizes)
    looked_up = sampler.batch(data, (unlabelled, labelled))
    assert looked_up.yl.tolist() == labels.tolist()
    assert ud.Loader(data, sampler, batch_size=16)(0).yl.shape == (8,)
