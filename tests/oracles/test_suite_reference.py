"""The metrics beside the reference's own procedure, which the benchmarks time."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from untwine import metrics

PATH = Path(__file__).parents[2] / "benchmarks" / "reference.py"
SPEC = importlib.util.spec_from_file_location("reference", PATH)
reference = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(reference)

worlds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=20, deadline=None, derandomize=True)


def arrays(seed, n=300):
    """Codes that depend on factors of 2 to 30 values, in part or not at all."""
    rng = np.random.default_rng(seed)
    k, d = rng.integers(2, 5), rng.integers(2, 7)
    sizes = rng.integers(2, 31, k)
    factors = rng.integers(sizes, size=(n, k))
    codes = (factors / sizes) @ rng.normal(size=(k, d)) * rng.choice([0.0, 1.0, 3.0], d)
    return codes + rng.choice([0.0, 0.3], d) * rng.normal(size=(n, d)), factors


@given(seed=worlds)
@quick
def test_plug_in_metrics_are_the_reference_s(seed):
    codes, factors = arrays(seed)
    assert float(metrics.mig(codes, factors)) == pytest.approx(
        reference.mig_arrays(codes, factors), abs=1e-9
    )
    assert float(metrics.modularity(codes, factors)) == pytest.approx(
        reference.modularity_arrays(codes, factors), abs=1e-9
    )
    assert float(metrics.irs(codes, factors)) == pytest.approx(
        reference.irs_arrays(codes, factors), abs=1e-6
    )


@pytest.mark.parametrize("seed", range(3))
def test_fitted_metrics_are_the_reference_s(seed):
    codes, factors = arrays(seed, n=900)
    factors = factors % 4
    train, test = (codes[:600], factors[:600]), (codes[600:], factors[600:])
    parts = {"codes_test": test[0], "factors_test": test[1]}
    assert float(metrics.sap(*train, **parts)) == pytest.approx(
        reference.sap_arrays(*train, *test), abs=0.005
    )
    assert float(metrics.explicitness(*train, **parts)) == pytest.approx(
        reference.explicitness_arrays(*train, *test), abs=0.002
    )
    theirs = reference.dci_arrays(*train, *test)
    ours = metrics.dci(*train, **parts).parts
    for name, value in theirs.items():  # trees break ties by chance; a share of 300 rows by more
        tolerance = 0.02 if name == "informativeness" else 0.01
        assert ours[name] == pytest.approx(value, abs=tolerance), name


def test_interventional_metrics_agree_within_their_chance():
    rng = np.random.default_rng(0)
    sizes = (3, 4, 5)
    grid = np.stack(np.unravel_index(np.arange(60), sizes), axis=1)
    codes = grid @ rng.normal(size=(3, 4)) + 0.5 * rng.normal(size=(60, 4))
    world = reference.World(codes, sizes)
    ours = float(metrics.factor_vae_score(codes, grid, votes=4000, test_votes=4000))
    theirs = reference.factor_vae_score(world, 0, train=4000, test=4000)
    # Four standard errors of a difference of two shares of 4,000 votes.
    assert ours == pytest.approx(theirs, abs=4 * np.sqrt(2 * 0.25 / 4000))
    ours = float(metrics.beta_vae_score(codes, grid, train=1500, test=1500))
    theirs = reference.beta_vae_score(world, 0, train=1500, test=1500)
    assert ours == pytest.approx(theirs, abs=4 * np.sqrt(2 * 0.25 / 1500))


def test_the_reference_gives_the_golden_values(shared):
    case = np.load(shared / "reference/golden/dsprites_e_noisy_dead.npz")
    codes, factors = case["codes_train"], case["factors_train"]
    # From values.json: disentanglement_lib/mig, /modularity_only and /irs, @arrays.
    assert reference.mig_arrays(codes, factors) == pytest.approx(0.5054146814709728, abs=1e-9)
    assert reference.modularity_arrays(codes, factors) == pytest.approx(0.7099029616, abs=1e-9)
    assert reference.irs_arrays(codes, factors) == pytest.approx(0.6920456691, abs=1e-7)
