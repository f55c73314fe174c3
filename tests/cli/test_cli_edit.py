"""Edits from the command line are those of the library, and mistakes are said in a line."""

import numpy as np
import pytest

import untwine as ut
from untwine.training import Run


@pytest.fixture
def run(folder):
    rng = np.random.default_rng(0)
    factors = np.stack([np.arange(600) % 3, np.arange(600) // 3 % 4], 1)
    x = factors @ rng.normal(size=(2, 7)) + 0.05 * rng.normal(size=(600, 7))
    np.savez("many.npz", x=x.astype("f4"), factors=factors, factor_names=["size", "row"])
    data = ut.FactorDataset.from_npz("many.npz")
    method = ut.methods.VAE.build(data, latent_dim=3, seed=0)
    ut.fit(method, data, steps=20, batch_size=32, out="run", progress=False)
    return Run.load("run")


def test_set_makes_the_edits_of_controls(untwine, run):
    status, out, err = untwine("sample run --set size=2 row=1.5 --rows 0 7 31 --out made.npy")
    assert (status, err) == (0, "")
    assert "size is moved by" in out
    assert "row is moved by" in out
    made = np.load("made.npy")
    assert made.shape == (3, 3, 7)
    rows = [0, 7, 31]
    np.testing.assert_array_equal(made[0], run.data.observations(rows).numpy())
    controls = ut.use.Controls.fit(run.method, run.data, probe=False, seed=0)
    edited = controls.set(run.data.batch(rows), size="2", row=1.5)
    np.testing.assert_allclose(made[1], edited.before.numpy(), atol=1e-6)
    np.testing.assert_allclose(made[2], edited.images.numpy(), atol=1e-6)
    assert np.abs(made[2] - made[1]).max() > 1e-3


def test_all_values_have_a_row_each_and_a_picture(untwine, run, folder):
    status, _, _ = untwine("sample run --set size=all --n 4 --seed 1 --out made.npy")
    assert status == 0
    assert np.load("made.npy").shape == (2 + 3, 4, 7)
    assert untwine("sample run --set size=all --n 4 --out made.png")[0] == 0
    assert (folder / "made.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--set sise=2", "did you mean 'size'?"),
        ("--set size", "expected name=value"),
        ("--set size=huge", "size is 'huge'; expected 0 to 2"),
        ("--set size=7", "size is 7; expected 0 to 2"),
        ("--set size=1 size=2", "gives size twice, '1' and '2'"),
        ("--set size=all row=all", "gives all for size and row; give it for one"),
        ("--set size=1 --rows 600", "--rows has 600; the run's data has 0 to 599"),
        ("--set size=1 --n 0", "--n is 0"),
    ],
)
def test_a_mistake_is_said_in_a_line(untwine, run, line, said):
    status, _, err = untwine(f"sample run {line} --out made.npy")
    assert status == 2
    assert len(err.splitlines()) == 1, err
    assert said in err


def test_data_without_factors_have_nothing_to_set(untwine, folder):
    np.savez("plain.npz", x=np.random.default_rng(0).normal(size=(40, 5)).astype("f4"))
    data = ut.FactorDataset.from_npz("plain.npz")
    method = ut.methods.VAE.build(data, latent_dim=2, seed=0)
    ut.fit(method, data, steps=2, out="plain", progress=False)
    status, _, err = untwine("sample plain --set size=1 --out made.npy")
    assert status == 2
    assert "no factor of this data is known" in err
