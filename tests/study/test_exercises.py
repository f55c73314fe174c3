"""The classic exercises: which runs they are, and that each of them can be made."""

import pytest

from untwine.settings.errors import UsageError
from untwine.spec import instantiate
from untwine.study import (
    EXERCISES,
    NAMED,
    PUBLISHED,
    Measuring,
    Study,
    chain,
    fixed,
    published,
    run,
)


def names(exercise):
    return {one.name for one in exercise.runs()}


def test_exercises_share_their_runs():
    made = {name: names(make()) for name, make in EXERCISES.items()}
    assert made["traversals"] < made["mig_over_beta"] < made["trade_off"] < made["beta_tcvae"]
    assert made["total_correlation"] == made["beta_tcvae"]
    assert len(made["spread"] & made["trade_off"]) == 3  # beta 4
    assert len(set().union(*made.values())) == 24 + 7 + 3


def test_weights_are_those_of_full_size_for_as_many_pixels():
    small = EXERCISES["trade_off"]()
    data = instantiate(small.runs()[0].spec["data"])
    assert data.shape == (1, 16, 16)
    pixels = 64 * 64 / (16 * 16)
    for point in small.sweep:
        assert point["method.beta"] * pixels == point["tags.beta"]
    for point in EXERCISES["beta_tcvae"]().sweep:
        if point["method"] == "BetaTCVAE":  # with beta 1 the same loss as beta-VAE's
            assert point["method.alpha"] * pixels == point["method.gamma"] * pixels == 1
    full = EXERCISES["trade_off"](data={"data": "DSprites"})
    for point in full.sweep:
        assert point["method.beta"] == point["tags.beta"]
        assert point["steps"] == 20_000
    assert EXERCISES["spread"](0.01).runs()[0].spec["steps"] == 15


def test_a_weight_that_rises_ends_at_the_weight_that_stays():
    rising = [r.spec for r in EXERCISES["annealing"]().runs() if r.tags["beta"] == "0 to 10"]
    (still, *_) = [r.spec for r in EXERCISES["annealing"]().runs() if r.tags["beta"] == 10]
    for spec in rising:
        line = spec["method"]["init_args"]["beta"]["init_args"]
        assert line["start"] == 0
        assert line["end"] == still["method"]["init_args"]["beta"] == 10 / 16
        assert line["steps"] == spec["steps"] / 2


def test_each_kind_of_run_of_an_exercise_can_be_made(npz, tmp_path):
    data = {"data": str(npz), "method.net": "MLP", "method.net.hidden": [8]}
    points = {}
    for exercise in EXERCISES.values():
        for point in exercise(1e-4, data).sweep:
            points.setdefault((point["method"], point.get("method.beta.end")), point)
    study = Study(chain(*map(fixed, points.values())), measure=Measuring(["mig"], n=50),
                  figures=False)  # fmt: skip
    summary = run(study, tmp_path, runner="sequential", progress=False)
    assert summary.failed == {}
    assert summary.finished == len(points) == 3


@pytest.mark.parametrize("name", EXERCISES)
def test_exercises_are_studies_by_name(name):
    assert NAMED.keys() == {*PUBLISHED, *EXERCISES}
    assert published(name).about.endswith("?")
    assert {point["steps"] for point in published(name, 0.01).sweep} == {15}
    with pytest.raises(UsageError, match="did you mean"):
        published(name + "s")
