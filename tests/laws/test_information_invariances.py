"""What information-based metrics must not depend on."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from untwine.metrics import (
    active_units,
    aggregate_total_correlation,
    dcimig,
    dimension_kl,
    gaussian_total_correlation,
    infomec,
    jemmig,
    mig,
    mig_sup,
    modularity,
    pairwise_mutual_information,
    wasserstein_correlation,
)

HISTOGRAM = [mig, mig_sup, dcimig, jemmig, modularity]
UNSUPERVISED = [
    gaussian_total_correlation,
    wasserstein_correlation,
    pairwise_mutual_information,
    active_units,
]
LEVELS = 24  # of 20 bins no inner edge lies on one of the numbers 0 .. 23

worlds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=25, deadline=None, derandomize=True)


def world(seed, n=60):
    """Codes of whole numbers that reach both ends, and factors that they depend on."""
    rng = np.random.default_rng(seed)
    d, k = rng.integers(2, 6), rng.integers(2, 5)
    sizes = rng.integers(2, 7, k)
    factors = rng.integers(0, sizes, (n, k))
    factors[:2] = [[0], [1]]
    mixed = factors @ rng.integers(0, 4, (k, d)) + rng.integers(0, 4, (n, d))
    codes = mixed % LEVELS
    codes[-2:] = [[0], [LEVELS - 1]]
    return codes.astype(np.float64), factors, rng


@pytest.mark.parametrize("metric", HISTOGRAM)
@given(seed=worlds)
@quick
def test_order_scale_and_sign_of_dimensions(metric, seed):
    codes, factors, rng = world(seed)
    d = codes.shape[1]
    scale = rng.choice([-4.0, -1.0, 0.25, 2.0], d)
    changed = (codes * scale)[:, rng.permutation(d)]
    assert float(metric(changed, factors)) == pytest.approx(
        float(metric(codes, factors)), abs=1e-12
    )


@pytest.mark.parametrize("metric", HISTOGRAM)
@given(seed=worlds)
@quick
def test_order_of_factors_names_of_their_values_and_order_of_points(metric, seed):
    codes, factors, rng = world(seed)
    renamed = np.column_stack([rng.permutation(50)[column] for column in factors.T])
    renamed = renamed[:, rng.permutation(factors.shape[1])]
    rows = rng.permutation(len(codes))
    expected = float(metric(codes, factors))
    assert float(metric(codes[rows], renamed[rows])) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", HISTOGRAM)
@given(seed=worlds, times=st.integers(2, 4))
@quick
def test_repeated_points(metric, seed, times):
    codes, factors, _ = world(seed)
    repeated = np.tile(codes, (times, 1)), np.tile(factors, (times, 1))
    expected = float(metric(codes, factors))
    assert float(metric(*repeated)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("metric", HISTOGRAM)
@given(seed=worlds)
@quick
def test_range_and_parts(metric, seed):
    codes, factors, _ = world(seed)
    score = metric(codes, factors)
    (d, k), n = (codes.shape[1], factors.shape[1]), len(codes)
    assert -1e-12 <= float(score) <= 1 + 1e-12
    mutual = score.parts["mutual_information"]
    assert mutual.shape == (d, k)
    assert (mutual >= 0).all()
    assert (mutual <= score.parts["factor_entropy"] + 1e-12).all()
    assert score.protocol["points"] == n
    assert score.protocol["bins"] == 20
    assert score.name == metric.__name__


@pytest.mark.parametrize("metric", HISTOGRAM)
@given(seed=worlds)
@quick
def test_discrete_codes_are_names(metric, seed):
    codes, factors, rng = world(seed)
    renamed = np.column_stack([rng.permutation(LEVELS)[c.astype(int)] for c in codes.T])
    assert float(metric(renamed, factors, discrete_codes=True)) == pytest.approx(
        float(metric(codes, factors, discrete_codes=True)), abs=1e-12
    )


@pytest.mark.parametrize("metric", UNSUPERVISED)
@given(seed=worlds)
@quick
def test_unsupervised_scores_ignore_order_and_sign(metric, seed):
    codes, _, rng = world(seed)
    d = codes.shape[1]
    changed = (codes * rng.choice([-1.0, 1.0], d))[rng.permutation(len(codes))]
    found = float(metric(changed[:, rng.permutation(d)]))
    assert found == pytest.approx(float(metric(codes)), abs=1e-9, rel=1e-9)


@given(seed=worlds)
@quick
def test_gaussian_total_correlation_is_scale_free(seed):
    codes, _, rng = world(seed)
    scale = 10.0 ** rng.uniform(-3, 3, codes.shape[1])
    assert float(gaussian_total_correlation(codes * scale)) == pytest.approx(
        float(gaussian_total_correlation(codes)), abs=1e-8
    )


@pytest.mark.parametrize("metric", [*HISTOGRAM, infomec])
def test_whatever_holds_the_numbers(metric):
    import pandas as pd
    import torch

    codes, factors, _ = world(0)
    expected = float(metric(codes, factors))
    frame = pd.DataFrame(codes, columns=[f"z{j}" for j in range(codes.shape[1])])
    named = pd.DataFrame({f"v{k}": column for k, column in enumerate(factors.T)})
    for z, y in (
        (torch.from_numpy(codes).requires_grad_(), torch.from_numpy(factors)),
        (torch.from_numpy(codes).bfloat16(), factors.astype(np.float32)),
        (frame, named.astype(str)),
        (codes.tolist(), factors.tolist()),
    ):
        assert float(metric(z, y)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("metric", HISTOGRAM)
@pytest.mark.parametrize("unknown", [-1, np.nan])
def test_unknown_factors_leave_their_points_out(metric, unknown):
    codes, factors, _ = world(1)
    factors = factors.astype(np.float64)
    part = factors.copy()
    part[20:40, 0] = unknown
    score = metric(codes, part)
    assert score.parts["known"].tolist() == [40] + [60] * (factors.shape[1] - 1)
    assert score.protocol["unknown_rows_left_out"] == [20] + [0] * (factors.shape[1] - 1)
    kept = np.r_[0:20, 40:60]  # with the extremes, so that the bins are the same
    alone = metric(codes[kept], factors[kept]).parts["mutual_information"]
    whole = metric(codes, factors).parts["mutual_information"]
    found = score.parts["mutual_information"]
    np.testing.assert_allclose(found[:, 0], alone[:, 0], atol=1e-12)
    np.testing.assert_allclose(found[:, 1:], whole[:, 1:], atol=1e-12)


def test_continuous_factors_are_binned():
    rng = np.random.default_rng(0)
    factors = np.column_stack([rng.uniform(size=500), rng.integers(0, 3, 500)])
    codes = np.column_stack([2 * factors[:, 0] + 1, factors[:, 1]])
    score = mig(codes, factors)
    assert score.protocol["binned_factors"] == [0]
    assert float(score) == pytest.approx(1, abs=0.05)
    factors[7, 0] = np.nan
    assert mig(codes, factors).parts["known"].tolist() == [499, 500]
    assert infomec(codes, factors).protocol["binned_factors"] == [0]


@pytest.mark.parametrize("metric", [*HISTOGRAM, infomec])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda z, y: (z[:-1], y), "rows"),
        (lambda z, y: (np.where(z == 0, np.nan, z), y), "not finite"),
        (lambda z, y: (z, np.zeros_like(y)), "single value"),
        (lambda z, y: (z[:1], y[:1]), "single value"),
        (lambda z, y: (z.astype(str), y), "expected numbers"),
        (lambda z, y: (z[:0], y[:0]), "empty"),
    ],
)
def test_refusals(metric, change, message):
    codes, factors, _ = world(2)
    with pytest.raises(ValueError, match=message):
        metric(*change(codes, factors))


@pytest.mark.parametrize("metric", [*HISTOGRAM, pairwise_mutual_information])
@pytest.mark.parametrize("bins", [1, 2.5, True])
def test_refused_bins(metric, bins):
    codes, factors, _ = world(2)
    arguments = (codes,) if metric is pairwise_mutual_information else (codes, factors)
    with pytest.raises(ValueError, match="bins is"):
        metric(*arguments, bins=bins)


def test_refused_settings():
    codes, factors, _ = world(2)
    with pytest.raises(ValueError, match="expected 'locatello2019'"):
        mig(codes, factors, protocol="locatello")
    with pytest.raises(ValueError, match="needs stddev="):
        mig(codes, factors, protocol="chen2018")
    with pytest.raises(ValueError, match="expected 'factor' or 'code'"):
        mig_sup(codes, factors, normalizer="both")
    with pytest.raises(ValueError, match="density"):
        mig(codes, factors, protocol="chen2018", stddev=codes + 1, normalizer="code")
    with pytest.raises(ValueError, match=r"active is 1\.5"):
        modularity(codes, factors, active=1.5)
    for metric in (modularity, infomec):
        with pytest.raises(ValueError, match="at least two columns"):
            metric(codes, factors[:, :1])
    with pytest.raises(ValueError, match="expected 'knn', 'bins' or 'discrete'"):
        infomec(codes, factors, estimator="kraskov")
    with pytest.raises(ValueError, match="at least two dimensions"):
        pairwise_mutual_information(codes[:, :1])
    with pytest.raises(ValueError, match="at least two points"):
        gaussian_total_correlation(codes[:1])
    with pytest.raises(ValueError, match="threshold is -1"):
        active_units(codes, threshold=-1)
    with pytest.raises(ValueError, match="names column 9"):
        dimension_kl(codes, codes + 1, blocks=[[0, 9]])


def test_infomec_draws_its_points_by_seed():
    codes, factors, _ = world(3, n=400)
    one, same, other = (infomec(codes, factors, points=200, seed=s) for s in (0, 0, 1))
    assert one.protocol["points"] == 200
    assert float(one) == float(same)
    assert float(one) != float(other)


def test_noise_has_the_infomec_of_noise():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, [3, 6, 40, 32, 32], (2000, 5))
    parts = infomec(rng.standard_normal((2000, 10)), factors).parts
    assert 0.2 < parts["infom"] < 0.7
    assert parts["infoe"] < 0.05


@pytest.mark.parametrize(
    "call",
    [
        *(lambda z, s, y, metric=metric: metric(z, y) for metric in HISTOGRAM),
        *(lambda z, s, y, metric=metric: metric(z) for metric in UNSUPERVISED),
        lambda z, s, y: dimension_kl(z, s),
        lambda z, s, y: aggregate_total_correlation(z, s, samples=20),
        lambda z, s, y: mig(z, y, protocol="chen2018", stddev=s),
        lambda z, s, y: infomec(z, y, points=500),
    ],
)
def test_memory_beyond_the_arrays_is_a_few_numbers_per_point(call):
    n, d = 200_000, 8
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 4, (n, 2))
    codes = (factors @ rng.standard_normal((2, d)) + rng.standard_normal((n, d))).astype("f4")
    stddev = np.full_like(codes, 0.5)
    tracemalloc.start()
    try:
        call(codes, stddev, factors)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # codes and factors: 48 bytes per point; a million points by 32 dimensions fit in 4 GB
    assert peak / n < 300
