"""A small data set on disk, and a study on it that takes seconds."""

import numpy as np
import pytest

from untwine.study import Measuring, Study, chain, fixed, product, run, seeds, sweep


def toy_points(path, steps=6):
    """Four runs: two weights of beta-VAE by two seeds."""
    return product(
        fixed({"data": str(path), "method.latent_dim": 3, "method.net": "MLP"}),
        fixed({"method.net.hidden": [8]}, steps=steps, batch_size=16, checkpoint_every=2),
        chain(fixed(method="BetaVAE") * sweep("method.beta", [1, 4])),
        seeds(2),
    )


def toy(path, steps=6, **options):
    return Study(
        toy_points(path, steps), "toy", measure=Measuring(["mig", "active_units"], n=60, codes=40),
        **{"figures": False, **options},
    )  # fmt: skip


@pytest.fixture(scope="session")
def npz(tmp_path_factory):
    rng = np.random.default_rng(0)
    factors = np.stack(np.unravel_index(np.arange(60), (3, 4, 5)), 1)
    x = factors @ rng.standard_normal((3, 6)) + 0.1 * rng.standard_normal((60, 6))
    path = tmp_path_factory.mktemp("data") / "toy.npz"
    names = np.array(["one", "two", "three"])
    np.savez(path, x=x.astype("f4"), factors=factors, factor_names=names)
    return path


@pytest.fixture(scope="session")
def finished(npz, tmp_path_factory):
    """The toy study, made without disturbance."""
    folder = tmp_path_factory.mktemp("finished") / "study"
    summary = run(toy(npz), folder, runner="sequential", progress=False)
    assert summary.finished == summary.total == 4
    return folder
