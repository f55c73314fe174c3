"""Several labels, and labels that are not perfect."""

import re

import numpy as np
import pytest

from untwine.data import FactorDataset, FactorSpace, FewLabelsSampler, generator_for
from untwine.spec import describe, instantiate

SPACE = FactorSpace(("shape", "angle", "place"), (3, 40, 32))
RNG = np.random.default_rng(0)
TABLE = SPACE.factors(RNG.integers(0, len(SPACE), 5000))


def labels_of(table=TABLE, **settings):
    sampler = FewLabelsSampler("*", **{"labelled": 1000, "balanced": False, **settings})
    rows, labels = sampler.labelled_set(SPACE, table)
    return table[rows], labels


def test_several_labels_come_in_the_order_they_are_named_in():
    data = FactorDataset.from_arrays(np.arange(5000.0)[:, None], TABLE, SPACE.names, SPACE.sizes)
    sampler = FewLabelsSampler(["place", "shape"], labelled=50, batch_labelled=8)
    batch = sampler.batch(data, sampler(data.space, data.factors, 16, generator_for(0, 0)))
    assert batch.yl.shape == (8, 2)
    rows = batch.xl[:, 0].long().numpy()
    assert (batch.yl.numpy() == TABLE[rows][:, [2, 0]]).all()
    assert sampler.names(SPACE) == ("place", "shape")
    one = FewLabelsSampler(["shape"], labelled=50)
    assert one.labelled_set(SPACE, TABLE)[1].shape == (50, 1)


def test_every_class_of_every_label_gets_a_row():
    for seed in range(5):
        sampler = FewLabelsSampler(["angle", "place"], labelled=60, seed=seed)
        rows, labels = sampler.labelled_set(SPACE, TABLE)
        assert len(np.unique(rows)) == 60
        assert [len(np.unique(column)) for column in labels.T] == [40, 32]
    assert not set(rows) & set(sampler(SPACE, TABLE, 3000, generator_for(0, 0))[0])


def test_binned_labels_are_the_first_values_of_five_bins_of_equal_width():
    truth, labels = labels_of(labels="binned")
    assert (labels[:, 0] == truth[:, 0]).all()  # three values are fewer than five
    for k, size in ((1, 40), (2, 32)):
        of = np.minimum(np.floor(truth[:, k] / (size / 5)), 4)
        assert len(np.unique(labels[:, k])) == 5
        for b in range(5):
            assert (labels[of == b, k] == np.ceil(b * size / 5)).all()


def test_noisy_labels_are_redrawn_with_probability_a_tenth():
    truth, labels = labels_of(labels="noisy", labelled=5000)
    wrong = (truth != labels).mean(0)
    expected = 0.1 * (1 - 1 / np.array(SPACE.sizes))
    assert wrong == pytest.approx(expected, abs=0.015)
    stronger = labels_of(labels="noisy", labelled=5000, noise=0.4)
    assert (stronger[0] != stronger[1]).mean() > 0.3


def test_permuted_labels_are_a_bijection_that_is_not_the_order():
    truth, labels = labels_of(labels="permuted", labelled=5000)
    for k, size in enumerate(SPACE.sizes):
        pairs = {(int(a), int(b)) for a, b in zip(truth[:, k], labels[:, k], strict=True)}
        assert len(pairs) == size
        assert {b for _, b in pairs} == set(range(size))
    assert np.abs(np.corrcoef(truth[:, 1], labels[:, 1])[0, 1]) < 0.6


def test_partial_labels_are_those_of_two_factors():
    truth, labels = labels_of(labels="partial")
    given = (labels >= 0).all(0)
    assert given.sum() == 2
    assert (labels[:, given] == truth[:, given]).all()
    assert (labels[:, ~given] == -1).all()
    assert {tuple((labels_of(labels="partial", seed=s)[1] >= 0)[0]) for s in range(12)} == {
        (True, True, False),
        (True, False, True),
        (False, True, True),
    }


def test_noise_is_given_to_each_label_on_its_own():
    truth, labels = labels_of(noise=0.25)
    assert (truth != labels).sum(0).tolist() == [250, 250, 250]


def test_rows_that_lack_a_label():
    table = TABLE.copy()
    table[:2000, 1] = -1
    table[3000:, 2] = -1
    sampler = FewLabelsSampler("*", labelled=None)
    assert sampler.labelled_set(SPACE, table)[0].tolist() == list(range(2000, 3000))
    rows, labels = FewLabelsSampler("*", labelled=None, known="any").labelled_set(SPACE, table)
    assert len(rows) == 5000
    assert (labels == table).all()
    for kind in ("binned", "noisy", "permuted"):
        found = FewLabelsSampler("*", labelled=None, known="any", labels=kind, noise=0.2)
        assert ((found.labelled_set(SPACE, table)[1] < 0) == (table < 0)).all()


def test_one_label_is_what_it_was_before_there_were_several():
    table = np.stack([np.arange(60) % 3, np.arange(60) // 2, np.zeros(60, int)], 1)
    rows, labels = FewLabelsSampler("shape", labelled=7, noise=0.3, seed=3).labelled_set(
        SPACE, table
    )
    assert labels.shape == (7,)
    assert rows.tolist() == RECORDED[0]
    assert labels.tolist() == RECORDED[1]


RECORDED = ([7, 8, 24, 41, 51, 58, 59], [0, 2, 0, 2, 2, 1, 2])


def test_the_labels_are_part_of_the_spec():
    sampler = FewLabelsSampler(("shape", "place"), 200, labels="noisy", noise=0.2, known="any")
    again = instantiate(describe(sampler))
    assert again.labels == "noisy"
    a, b = (s.labelled_set(SPACE, TABLE) for s in (sampler, again))
    assert (a[0] == b[0]).all()
    assert (a[1] == b[1]).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label": []}, "label is empty"),
        ({"label": "shape", "labels": "partial"}, "partial labels are those of some"),
        ({"labels": "good"}, "labels is 'good'; expected one of 'perfect'"),
        ({"bins": 1}, "bins is 1"),
        ({"observed": 0}, "observed is 0"),
        ({"known": "some"}, "known is 'some'"),
    ],
)
def test_settings_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        FewLabelsSampler(**{"label": "*", **settings})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label": ["shape", "shape"]}, "names factor 'shape' twice"),
        ({"label": ["shape", "color"]}, "no factor 'color'"),
        ({"labelled": 30}, "too few for a row of every class of"),
        ({"labelled": 5001}, "known in 5000 rows only"),
        ({"labels": "partial", "observed": 4}, "observed is 4, but there are 3 labels"),
    ],
)
def test_labels_that_cannot_be_given(settings, message):
    with pytest.raises(ValueError, match=message):
        FewLabelsSampler(**{"label": "*", **settings}).labelled_set(SPACE, TABLE)
    table = TABLE.copy()
    table[:, 1] = -1
    with pytest.raises(ValueError, match="known='any' takes rows that have some"):
        FewLabelsSampler("*").labelled_set(SPACE, table)


@pytest.mark.parametrize(("n", "seeds"), [(100, False), (700, True)])
def test_a_rare_class_gets_advice_that_works(n, seeds):
    digit = np.repeat(np.arange(10), [200] * 5 + [100] * 4 + [2])[:, None]
    space = FactorSpace(("digit",), (10,))
    messages = []
    for balanced, start in ((True, r"class 9 .* has 2 rows"), (False, r"class 9 .* no labelled")):
        for seed in range(50):
            try:
                FewLabelsSampler("digit", n, balanced=balanced, seed=seed).labelled_set(
                    space, digit
                )
            except ValueError as error:
                messages.append(str(error))
                assert re.match(start, messages[-1])
                break
    assert len(messages) == 2
    for message in messages:  # neither sends to the other's setting, where it fails
        assert "labelled=20 or fewer with balanced=True" in message
        assert ("balanced=False with another seed=" in message) == seeds
    labels = FewLabelsSampler("digit", 20).labelled_set(space, digit)[1]
    assert (np.bincount(labels) == 2).all()
    if seeds:
        drawn = [FewLabelsSampler("digit", n, balanced=False, seed=s) for s in range(50)]
        assert any(_has_all(sampler, space, digit) for sampler in drawn)


def _has_all(sampler, space, factors):
    try:
        return len(np.unique(sampler.labelled_set(space, factors)[1])) == space.sizes[0]
    except ValueError:
        return False
