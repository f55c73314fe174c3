"""Erasure of an attribute, parity and odds, discrepancies of groups: against other derivations."""

import numpy as np
import pytest
import torch

import untwine as ut
from untwine.functional import RBF, group_mmd, mmd
from untwine.use import censor, erase, fairness, locate, parity, recover
from untwine.use.fairness import _differences as differences


def world(n=600, dims=5, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    s = rng.integers(0, classes, n)
    z = rng.normal(size=(n, dims)) @ rng.normal(size=(dims, dims))
    return z + rng.normal(size=(classes, dims))[s], s


@pytest.mark.parametrize("classes", [2, 3, 6])
def test_least_squares_is_the_solution_of_the_constrained_problem(classes):
    """min E|Az - z|^2 with A C = 0 has, by Lagrange, A = I - C (C' S^-1 C)^+ C' S^-1."""
    z, s = world(classes=classes)
    erasure = erase(z, s)
    one_hot = np.eye(classes)[s]
    center = z - z.mean(0)
    cross, covariance = center.T @ (one_hot - one_hot.mean(0)) / len(z), center.T @ center / len(z)
    inner = np.linalg.pinv(cross.T @ np.linalg.solve(covariance, cross), rcond=1e-10)
    taken = cross @ inner @ np.linalg.solve(covariance, cross).T
    np.testing.assert_allclose(erasure.projection, taken, atol=1e-9)
    assert erasure.rank == min(classes - 1, z.shape[1])
    left = erasure(z)
    assert np.abs((left - left.mean(0)).T @ one_hot).max() / len(z) < 1e-12
    np.testing.assert_allclose(left.mean(0), z.mean(0), atol=1e-12)


def test_least_squares_of_a_degenerate_code():
    z, s = world()
    wide = np.concatenate([z, z[:, :2], np.zeros((len(z), 1))], 1)
    left = erase(wide, s)(wide)
    one_hot = np.eye(3)[s]
    assert np.abs((left - left.mean(0)).T @ one_hot).max() / len(z) < 1e-9
    np.testing.assert_allclose(left[:, :2], left[:, 5:7], atol=1e-9)
    np.testing.assert_allclose(left[:, :5], erase(z, s)(z), atol=1e-8)


def test_a_constant_column_holds_no_trace_of_what_was_erased():
    """Rounding in it, scaled up by a probe that standardizes, once told the attribute again."""
    z, s = world(2000, classes=2)
    z = np.concatenate([3 * z, np.full((2000, 1), 0.3), np.zeros((2000, 1))], 1).astype(np.float32)
    left = erase(z[:1000], s[:1000])(z)
    assert np.ptp(left[:, 5:], axis=0).max() == 0
    assert recover(left[:1000], s[:1000], left[1000:], s[1000:]).linear < 0.6


def test_no_linear_probe_beats_a_constant_after_least_squares_and_a_curved_one_does():
    rng = np.random.default_rng(0)
    s = rng.integers(0, 2, 4000)
    z = rng.normal(size=(4000, 3)) * np.where(s[:, None] == 1, 3.0, 0.3)  # same means
    z[:, 0] += 2 * s
    left = erase(z, s)(z)
    probes = recover(left[:2000], s[:2000], left[2000:], s[2000:])
    assert probes.linear < 0.6
    assert probes.strong > 0.85
    assert probes.best == probes.strong


def test_nullspace_and_drop_take_out_what_they_should():
    rng = np.random.default_rng(0)
    s = rng.integers(0, 2, 2000)
    z = rng.normal(size=(2000, 4))
    z[:, 2] = 5.0 * (2 * s - 1) + rng.normal(size=2000)
    for way in ("nullspace", "drop"):
        erasure = erase(z, s, way, count=1)
        assert erasure.rank == 1
        left = erasure(z)
        assert recover(left[:1000], s[:1000], left[1000:], s[1000:]).best < 0.6
        assert np.abs(np.corrcoef(left[:, 0], z[:, 0])[0, 1]) > 0.95
    assert left[:, 2].std() < 1e-12
    same = erase(z, s, "nullspace", count=3)
    np.testing.assert_allclose(same.projection @ same.projection, same.projection, atol=1e-9)


def test_an_attribute_is_located_by_dimension_and_by_part():
    rng = np.random.default_rng(0)
    s = np.array(["a", "b", "c", "d"])[rng.integers(0, 4, 3000)]
    number = np.unique(s, return_inverse=True)[1]
    z = np.stack([rng.normal(size=3000), number, rng.normal(size=3000)], 1)
    where = locate(z, s, blocks={"left": [0], "right": [1, 2]})
    assert where.order[0] == 1
    assert where.share[1] == pytest.approx(1)
    assert where.share[[0, 2]].max() < 0.03
    assert where.floor.max() < 0.03
    assert where.parts["left"].best < 0.35
    assert where.parts["right"].best == where.parts["code"].best == 1
    assert "z1: 1.000" in str(where)


def test_parity_and_odds_of_a_table_by_hand():
    pytest.importorskip("fairlearn")
    #         a: y=1 (3 of 4 guessed 1), y=0 (1 of 4);  b: y=1 (1 of 4), y=0 (0 of 4)
    guess = [1, 1, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    truth = [1, 1, 1, 1, 0, 0, 0, 0] * 2
    group = ["a"] * 8 + ["b"] * 8
    assert parity(guess, truth, group) == (pytest.approx(4 / 8 - 1 / 8), pytest.approx(2 / 4))
    other = ["a"] * 4 + ["b"] * 12
    assert parity(guess, truth, other)[0] == pytest.approx(3 / 4 - 2 / 12)
    with pytest.raises(ValueError, match="guess has the value 2; expected 0 and 1"):
        parity([2, 0], [1, 0], ["a", "b"])


def test_erasure_makes_a_classifier_fair_where_the_target_does_not_depend_on_the_group():
    pytest.importorskip("fairlearn")
    rng = np.random.default_rng(0)
    s, y = rng.integers(0, 2, (2, 4000))
    y = np.where(rng.random(4000) < 0.3, s, y)  # the group is a shortcut
    z = np.stack([s + 0.1 * rng.normal(size=4000), y + rng.normal(size=4000)], 1)
    half = slice(None, 2000), slice(2000, None)
    before = fairness(z[half[0]], y[half[0]], s[half[0]], z[half[1]], y[half[1]], s[half[1]])
    left = erase(z[half[0]], s[half[0]])(z)
    after = fairness(left[half[0]], y[half[0]], s[half[0]], left[half[1]], y[half[1]], s[half[1]])
    assert before.parity > after.parity + 0.15
    assert after.parity < 0.08
    assert before.recovery.best > 0.99
    assert after.recovery.best < 0.6
    assert set(before.row()) >= {"accuracy", "parity", "odds", "recovery_strong"}


def test_discrepancy_of_two_groups_is_that_of_two_samples():
    torch.manual_seed(0)
    z = torch.randn(30, 3, dtype=torch.float64)
    one_hot = torch.nn.functional.one_hot(torch.arange(30) % 3 // 2, 2).double()
    a, b = z[one_hot[:, 0] == 1], z[one_hot[:, 0] == 0]
    for unbiased in (True, False):
        expected = 2 * mmd(a, b, RBF(3.0), unbiased=unbiased)
        mine = [
            group_mmd(z, groups, RBF(3.0), unbiased=unbiased)
            for groups in (
                one_hot,
                one_hot[:, :1],
                torch.cat([one_hot, torch.zeros(30, 1, dtype=torch.float64)], 1),
                torch.ones(30, 1, dtype=torch.float64),
            )
        ]
        for value, factor in zip(mine, (1, 0.5, 1, 0), strict=True):
            torch.testing.assert_close(value, factor * expected)


def test_the_penalty_is_the_weighted_discrepancy_of_the_covariates_groups():
    rng = np.random.default_rng(0)
    x, s = rng.normal(size=(40, 4)).astype(np.float32), rng.integers(0, 3, 40)
    told = ut.FactorDataset.from_arrays(x, covariates=np.eye(3, dtype=np.float32)[s])
    batch, ctx = told.batch(range(40)), ut.methods.Context(torch.tensor(0), 40)
    method = ut.methods.VAE.build(told, latent_dim=2, seed=0)
    trace = method.model.trace(batch)
    for columns in (None, [0, 2]):
        loss = ut.methods.GroupMMD(7.0, columns)(trace, ctx)
        c = batch.c if columns is None else batch.c[:, columns]
        torch.testing.assert_close(loss.total, 7.0 * group_mmd(trace.z, c))
    plain = ut.FactorDataset.from_arrays(x)
    method = ut.methods.VAE.build(plain, latent_dim=2, penalty=ut.methods.GroupMMD())
    with pytest.raises(ValueError, match="the batch has no covariates"):
        next(iter(method.moves(plain.batch(range(5)), ctx)))


def test_errors_name_what_was_wrong():
    z, s = world()
    with pytest.raises(ValueError, match="way is 'leace'; expected one of 'least_squares'"):
        erase(z, s, "leace")
    with pytest.raises(ValueError, match="attribute has a single class, 1"):
        erase(z, np.ones(len(z), int))
    with pytest.raises(ValueError, match=r"attribute has shape \(3,\)"):
        locate(z, [0, 1, 2])
    with pytest.raises(ValueError, match="count is 9; expected at most 5"):
        erase(z, s, "drop", count=9)
    with pytest.raises(ValueError, match="codes has 2 dimensions; expected 5"):
        erase(z, s)(z[:, :2])


def test_a_censor_without_weight_is_the_identity_and_its_divergence_is_of_the_shares():
    z, s = world(300)
    still = censor(z, s, weight=0.0, steps=2)
    assert (still(z) == z).all()
    noise = np.random.default_rng(0).normal(size=(900, 2))
    none = censor(noise, np.arange(900) % 3 // 2, weight=0.0, steps=150)  # nothing to be read
    assert none.fooled < 0.1


def test_a_censor_hides_what_no_line_sees_and_keeps_the_rest():
    """Spreads tell the class: least squares cannot take that out."""
    rng = np.random.default_rng(0)
    s = rng.integers(0, 2, 2000)
    z = rng.normal(size=(2000, 4))
    z[:, :2] *= np.where(s[:, None] == 1, 2.5, 0.4)
    learn, judge = slice(None, 1000), slice(1000, None)

    def strong(r):
        left = r(z)
        return recover(left[learn], s[learn], left[judge], s[judge]).strong

    assert strong(lambda z: z) > 0.85
    assert strong(erase(z[learn], s[learn])) > 0.78
    hidden = censor(z[learn], s[learn], steps=800)
    assert strong(hidden) < 0.75
    left = hidden(z)
    assert np.mean([np.corrcoef(left[:, j], z[:, j])[0, 1] for j in (2, 3)]) > 0.5


def test_a_censor_is_seeded_and_refuses():
    z, s = world(200)
    state = torch.random.get_rng_state()
    one, two = (censor(z, s, steps=3, seed=4)(z) for _ in range(2))
    assert (one == two).all()
    assert torch.equal(state, torch.random.get_rng_state())
    with pytest.raises(ValueError, match="weight"):
        censor(z, s, weight=-1.0)
    with pytest.raises(ValueError, match="single class"):
        censor(z, np.zeros(200))
    with pytest.raises(ValueError, match="codes has 4 dimensions; expected 5"):
        censor(z, s, steps=1)(z[:, :4])


@pytest.mark.parametrize("groups", [2, 3, 20])
def test_differences_by_counting_are_fairlearns(groups):
    """Small groups among them, some without a row of a class."""
    pytest.importorskip("fairlearn")
    rng = np.random.default_rng(groups)
    for _ in range(4):
        guess, target = rng.integers(0, 2, 60), (rng.random(60) < 0.2).astype(int)
        group = np.unique(rng.integers(0, groups, 60), return_inverse=True)[1]
        assert differences(guess, target, group) == pytest.approx(parity(guess, target, group))
