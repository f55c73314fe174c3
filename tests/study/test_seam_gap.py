"""The seam gap as one of the ways to choose a run without labels."""

import numpy as np
import pytest

import untwine as ut
from untwine.diagnostics import orthogonality
from untwine.study import Folder, Measuring, Study, fixed, run, seeds, sweep, table
from untwine.study.analysis import choices, oriented, rank_correlations, with_strengths


@pytest.fixture(scope="module")
def linear(tmp_path_factory):
    """A study of linear VAEs that use two dimensions, and one that is pushed to use none."""
    folder = tmp_path_factory.mktemp("linear")
    rng = np.random.default_rng(0)
    factors = np.stack(np.unravel_index(np.arange(64), (8, 8)), 1)
    x = (factors - 3.5) @ np.array([[1.0, 0.5, 0, 0], [0, 0.5, 1, 0.5]])
    np.savez(folder / "a.npz", x=(x + 0.05 * rng.standard_normal(x.shape)).astype("f4"),
             factors=factors)  # fmt: skip
    points = fixed(
        {
            "data": str(folder / "a.npz"),
            "method": "BetaVAE",
            "method.latent_dim": 2,
            "method.net": "MLP",
            "method.net.hidden": [16],
            "method.optimizer.lr": 1e-2,
        },
        steps=150,
    )
    study = Study(points * sweep("method.beta", [1, 1000]) * seeds(2),
                  measure=Measuring(["mig", "r2"], n=40), figures=False)  # fmt: skip
    run(study, folder / "s", runner="sequential", progress=False)
    return folder / "s"


def test_a_run_has_the_seam_gap_of_its_model(linear):
    frame = table(linear)
    used = frame[frame["method.beta"] == 1]
    assert used["seam_gap"].notna().all()
    for name, gap in zip(used["run"], used["seam_gap"], strict=True):
        made = ut.Run.load(Folder(linear).runs / name)
        assert gap == pytest.approx(orthogonality(made.method, made.data, n=100).gap.value)
        assert gap >= 0


def test_a_run_that_uses_less_than_two_dimensions_has_none_and_is_not_chosen(linear):
    frame = with_strengths(table(linear))
    collapsed = frame["method.beta"] == 1000
    assert frame.loc[collapsed, "seam_gap"].isna().all()
    (row,) = choices(frame, ["seam_gap"], ["mig"]).to_dict("records")
    assert row["run"] in set(frame.loc[~collapsed, "run"])


def test_the_least_gap_is_chosen(linear):
    frame = with_strengths(table(linear))
    (row,) = choices(frame, ["seam_gap"], ["r2"]).to_dict("records")
    assert row["run"] == frame.loc[frame["seam_gap"].idxmin(), "run"]
    assert (oriented(frame, ["seam_gap"])["seam_gap"].dropna() <= 0).all()
    made = frame.assign(seam_gap=-frame["r2"])
    assert rank_correlations(made, ["seam_gap"], ["r2"]).loc["seam_gap", "r2"] == pytest.approx(1)
