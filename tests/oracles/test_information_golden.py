"""Information-based metrics against what the reference implementations say of fixed codes."""

from __future__ import annotations

import json

import numpy as np
import pytest

from untwine.metrics import (
    aggregate_posterior,
    dcimig,
    gaussian_total_correlation,
    infomec,
    jemmig,
    mig,
    mig_sup,
    modularity,
    pairwise_mutual_information,
    wasserstein_correlation,
)

CASES = ["a_identity", "b_rotation", "e_noisy_dead", "h_nonlinear"]

#: Key of the golden values, without "@arrays" -> (codes, factors) -> number.
DETERMINISTIC = {
    "disentanglement_lib/mig:discrete_mig": mig,
    "disentanglement_lib/modularity_only:modularity_score": modularity,
    "disentanglement_lib/unsupervised:gaussian_total_correlation": (
        lambda z, y: gaussian_total_correlation(z)
    ),
    "disentanglement_lib/unsupervised:gaussian_wasserstein_correlation": (
        lambda z, y: wasserstein_correlation(z)
    ),
    "disentanglement_lib/unsupervised:gaussian_wasserstein_correlation_norm": (
        lambda z, y: wasserstein_correlation(z, normalized=True)
    ),
    "disentanglement_lib/unsupervised:mutual_info_score": (
        lambda z, y: pairwise_mutual_information(z)
    ),
    "latent_quantization/mi_binned:gap_modularity": lambda z, y: mig_sup(z, y, active=1 / 8),
    "latent_quantization/mi_binned:gap_compactness": mig,
    **{
        f"disentanglement_lib/mig_per_factor:mig.factor_{k}": (
            lambda z, y, k=k: mig(z, y).parts["per_factor"][k]
        )
        for k in range(5)
    },
}
for suffix, continuous in (("pub", True), ("disc", False)):
    for metric in (mig, mig_sup):
        DETERMINISTIC[f"ubisoft/{metric.__name__}_{suffix}:score"] = (
            lambda z, y, metric=metric, continuous=continuous: metric(
                z, y, protocol="ubisoft", continuous_factors=continuous
            )
        )
    for metric in (dcimig, jemmig, modularity):
        DETERMINISTIC[f"ubisoft/{metric.__name__}_{suffix}:score"] = (
            lambda z, y, metric=metric, continuous=continuous: metric(
                z, y, bins=10, continuous_factors=continuous
            )
        )


@pytest.fixture(scope="module")
def golden(shared):
    folder = shared / "reference" / "golden"
    values = json.loads((folder / "values.json").read_text())
    return {
        case: (np.load(folder / f"dsprites_{case}.npz"), values[f"dsprites/{case}"])
        for case in CASES
    }


@pytest.mark.parametrize("key", DETERMINISTIC)
@pytest.mark.parametrize("case", CASES)
def test_deterministic(golden, case, key):
    arrays, values = golden[case]
    expected = values.get(f"{key}@arrays", {}).get("mean")
    found = float(DETERMINISTIC[key](arrays["codes_train"], arrays["factors_train"]))
    if expected is None:  # the reference divides by zero where a dimension is constant
        assert case == "e_noisy_dead"
        assert np.isfinite(found)
    else:
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_infomec(golden, case):
    arrays, values = golden[case]
    score = infomec(arrays["codes_train"], arrays["factors_train"])
    for part in ("infom", "infoe", "infoc"):
        expected = values[f"latent_quantization/infomec:{part}@arrays"]
        tolerance = 5e-4 + 3 * expected["sd"]
        assert score.parts[part] == pytest.approx(expected["mean"], abs=tolerance), part


@pytest.mark.parametrize("case", CASES)
def test_infomec_of_bins(golden, case):
    arrays, values = golden[case]
    codes, factors = arrays["codes_train"], arrays["factors_train"]
    parts = infomec(codes, factors, protocol="hsu2023_training").parts
    for part, name in (("infom", "ratio_modularity"), ("infoc", "ratio_compactness")):
        expected = values[f"latent_quantization/mi_binned:{name}@arrays"]["mean"]
        assert parts[part] == pytest.approx(expected, abs=1e-5), part


def test_infomec_of_discrete_codes(golden):
    arrays, values = golden["a_identity"]
    score = infomec(arrays["codes_train"], arrays["factors_train"], discrete_codes=True)
    for part in ("infom", "infoe", "infoc"):
        expected = values[f"latent_quantization/infomec_discrete:{part}@arrays"]["mean"]
        assert score.parts[part] == pytest.approx(expected, abs=5e-4), part


@pytest.mark.parametrize(
    ("key", "metric"),
    [
        ("mig:discrete_mig", mig),
        ("modularity_explicitness:modularity_score", modularity),
        ("unsupervised:mutual_info_score", lambda z, y: pairwise_mutual_information(z)),
        ("unsupervised:gaussian_total_correlation", lambda z, y: gaussian_total_correlation(z)),
    ],
)
@pytest.mark.parametrize("case", ["a_identity", "b_rotation"])
def test_sampled(golden, case, key, metric):
    arrays, values = golden[case]
    expected = values[f"disentanglement_lib/{key}@sampled"]
    sizes = arrays["factor_sizes"]
    found = []
    for seed in range(3):
        factors = np.random.default_rng(seed).integers(0, sizes, (10_000, len(sizes)))
        found.append(float(metric(_encode(arrays, factors), factors)))
    error = 3 * np.hypot(expected["sd"], np.std(found, ddof=1))
    assert np.mean(found) == pytest.approx(expected["mean"], abs=error)


@pytest.mark.parametrize("case", ["a_identity", "b_rotation"])
def test_exact_aggregate_posterior_on_a_grid(golden, case):
    arrays, values = golden[case]
    values = {key.split("/")[1]: value for key, value in values.items() if "beta-tcvae" in key}
    settings = values["MIG_posterior:MIG@grid"]["settings"]
    sizes, grid = arrays["factor_sizes"], settings["grid"]
    steps = [np.rint(np.linspace(0, s - 1, n)) for s, n in zip(sizes, grid, strict=True)]
    factors = np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, len(grid))
    mean = _encode(arrays, factors)
    stddev = np.full_like(mean, settings["sigma_live"])

    # The reference draws one posterior sample per point.
    score = mig(mean, factors, protocol="chen2018", stddev=stddev)
    assert float(score) == pytest.approx(values["MIG_posterior:MIG@grid"]["mean"], abs=0.005)

    parts = aggregate_posterior(mean, stddev, samples=len(mean))
    noise = 3 * np.sqrt(mean.shape[1] / 2 / len(mean))  # of a mean of log q(z|x)
    for found, key, tolerance in (
        (parts.kl.sum(), "analytical_cond_kl", 1e-3),
        (parts.dimension_kl.sum(), "dimwise_kl", noise),
        (parts.mutual_information, "information_MI", noise),
        (parts.total_correlation, "dependence_TC", noise),
    ):
        expected = values[f"elbo_decomposition:{key}@grid"]["mean"]
        assert found == pytest.approx(expected, abs=tolerance), key


def _encode(arrays, factors):
    """The case's codes of other factors: a linear function, read off the recorded pairs."""
    inputs = np.column_stack([arrays["factors_train"], np.ones(len(arrays["factors_train"]))])
    codes = arrays["codes_train"].astype(np.float64)
    weights, rest, _, _ = np.linalg.lstsq(inputs, codes, rcond=None)
    assert rest.max() < 1e-6
    # In single precision whole numbers, which lie on the bins' edges, are whole again.
    return (np.column_stack([factors, np.ones(len(factors))]) @ weights).astype(np.float32)
