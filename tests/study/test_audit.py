"""The audit of metrics, on codes whose disentanglement is known; published studies; the command."""

from importlib import import_module

import numpy as np
import pytest

from untwine.data import (
    CorrelatedSampler,
    FactorSpace,
    FewLabelsSampler,
    PairsSampler,
    correlated_settings,
)
from untwine.settings.errors import UsageError
from untwine.spec import instantiate
from untwine.study import (
    PUBLISHED,
    Measuring,
    Study,
    audit,
    chain,
    fixed,
    published,
    run,
    table,
)
from untwine.study.metric_audit import LADDERS, SIZES, codes_on, discriminability, draw_factors
from untwine.study.published import CORRELATED, SETS, locatello2019, traeuble2021


@pytest.fixture(scope="module")
def audited():
    return audit(
        ["mig", "modularity", "r2"], points=(200, 800), reseeds=4, ladder_points=800,
        ladder_reseeds=2,
    )  # fmt: skip


def test_scores_fall_on_ladders_that_take_what_they_ask_for(audited):
    assert audited.loc["mig", ["rotated", "duplicated", "noisy"]].min() > 0.85
    assert audited.loc["modularity", "rotated"] > 0.85
    assert audited.loc["r2", "noisy"] == pytest.approx(1)
    assert audited.loc["mig", "follows"] == audited.loc["mig", ["rotated", "duplicated", "merged",
                                                                "noisy"]].min()  # fmt: skip
    assert audited.loc["r2", "tells rungs"] > 0.9


def test_more_points_make_scores_steadier(audited):
    assert (audited["cv 800"] < audited["cv 200"]).all()
    assert (audited["cv 200"] < 0.2).all()
    assert (audited["seconds"] > 0).all()


def test_the_first_rung_is_perfect_and_codes_are_of_their_factors():
    for name in LADDERS:
        codes, factors = codes_on(name, 0.0, 500, 3)
        assert factors.max(0).tolist() == [size - 1 for size in SIZES]
        standard = (factors - factors.mean(0)) / factors.std(0)
        np.testing.assert_allclose(
            np.abs([np.corrcoef(codes[:, k], standard[:, k])[0, 1] for k in range(5)]), 1, atol=0.01
        )
    far = draw_factors(20_000, 0.9, np.random.default_rng(0))
    assert np.corrcoef(far[:, 2], far[:, 3])[0, 1] == pytest.approx(0.9, abs=0.02)
    near = draw_factors(20_000, 0.0, np.random.default_rng(0))
    assert abs(np.corrcoef(near[:, 2], near[:, 3])[0, 1]) < 0.02


def test_what_a_score_ought_to_do_follows_from_what_it_asks_for():
    assert LADDERS["rotated"].expects("mig") == "falls"
    assert LADDERS["rotated"].expects("r2") == "stays"
    assert LADDERS["duplicated"].expects("modularity") == "stays"
    assert LADDERS["correlated"].expects("mig") == "stays"
    assert LADDERS["rotated"].expects("gaussian_total_correlation") is None


def test_steps_that_overlap_are_told_apart_less():
    assert discriminability(np.array([[1.0, 2], [3, 4], [5, 6]])) == 1
    assert discriminability(np.array([[1.0, 2], [1, 2]])) == 0
    path = [codes_on("noisy", rung, 400, 0) for rung in (1.0, 0.5, 0.0)]
    made = audit(["r2"], points=(100,), reseeds=2, ladder_points=100, ladder_reseeds=2, path=path)
    assert made.loc["r2", "tells steps"] == 1


def test_an_audit_that_was_stopped_goes_on(tmp_path):
    few = {"points": (100,), "reseeds": 2, "ladder_points": 100, "ladder_reseeds": 2}

    class Stop(Exception):
        pass

    def stops(text):
        if text.startswith("5 of"):
            raise Stop

    with pytest.raises(Stop):
        audit(["mig"], **few, keep=tmp_path / "a.jsonl", say=stops)
    before = (tmp_path / "a.jsonl").read_text()
    assert len(before.splitlines()) == 5
    (tmp_path / "a.jsonl").write_text(before + '[{"ladder": "rot\n')  # cut off
    said = []
    made = audit(["mig"], **few, keep=tmp_path / "a.jsonl", say=said.append)
    assert said[0].startswith("6 of")
    whole = audit(["mig"], **few)
    assert made.drop(columns="seconds").equals(whole.drop(columns="seconds"))


@pytest.mark.parametrize(
    ("metrics", "message"), [(["migg"], "did you mean mig"), (["udr"], "needs a set of runs")]
)
def test_what_cannot_be_audited_is_refused(metrics, message):
    with pytest.raises(UsageError, match=message):
        audit(metrics)


def test_the_large_study_has_the_published_size_and_numbers():
    every = {name: {"data": "DSprites"} for name in SETS}
    points = list(locatello2019(sets=every).sweep)
    assert [p["tags.model"] for p in points] == list(range(12_600))
    by_number = {p["tags.model"]: p for p in points}
    assert by_number[300]["method"] == "FactorVAE"
    assert by_number[300 + 5 * 50]["method.gamma"] == 100
    assert by_number[600 + 50]["method.lambda_d"] == 20  # ten times lambda_od
    assert by_number[900 + 50]["method.lambda_d"] == 2
    assert by_number[1799]["method.capacity"] == 100
    assert by_number[1799]["seed"] == 49
    small = published("locatello2019", 0.001).runs()
    assert len(small) == 36 * 2
    assert small[0].spec["steps"] == 300
    assert small[-1].tags["model"] == 1751


NAMES = {
    "DSprites": ("shape", "scale", "orientation", "posX", "posY"),
    "Shapes3D": ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation"),
    "MPI3D": ("color", "shape", "size", "height", "background", "horizontal", "vertical"),
}


def test_correlated_factors_have_the_published_size_pairs_and_widths():
    every = {
        name: {"data": "MPI3D" if name == "C" else "DSprites" if name == "B" else "Shapes3D"}
        for name in CORRELATED
    }
    points = list(traeuble2021(sets=every).sweep)
    assert [p["tags.model"] for p in points] == list(range(3600))
    assert {p["seed"] for p in points} == set(range(5))
    assert points[180 * 7]["method"] == "BetaVAE"  # A, width 10
    assert "sampler" not in points[180 * 7]
    drawn = {}
    for point in points:
        for line in point.get("sampler.correlations", ()):
            inside = line["init_args"]
            drawn.setdefault((point["data"], point["tags.pair"]), set()).add(
                (inside["first"], inside["second"], inside["width"])
            )
    for data, names in NAMES.items():
        space = FactorSpace(names, (3,) * len(names))
        for setting, (line,) in (
            pair for pair in correlated_settings(space).items() if pair[0].startswith("traeuble")
        ):
            letter = setting.split()[1].rstrip(",")
            assert (line.first, line.second, line.width) in drawn[data, letter]
    assert all(len(lines) == 3 for lines in drawn.values())
    assert len(drawn) == 5
    with pytest.raises(UsageError, match="no set 'F'"):
        traeuble2021(sets={"F": {"data": "DSprites"}})


def pairs_differ_as_published(sampler, draw, factors):
    one, two = draw(4000, np.random.default_rng(0)).T
    numbers = (factors[one] != factors[two]).sum(1)
    if sampler.changed == 1:
        assert set(numbers) == {1}
        return
    # one, or with even odds from one to four, which stay with the odds of one of their values
    expected = (0.5 + 0.5 * 2.5) * np.mean([1 - 1 / size for size in (3, 6, 4, 8, 8)])
    assert set(numbers) == {0, 1, 2, 3, 4}
    assert numbers.mean() == pytest.approx(expected, abs=0.1)


def labels_are_few_and_true(sampler, draw, factors):
    unlabelled, labelled, labels = draw(2000, np.random.default_rng(0))
    assert len({*labelled}) <= sampler.labelled < len({*unlabelled})
    np.testing.assert_array_equal(labels, factors[labelled])


def factors_are_near_a_line(sampler, draw, factors):
    (line,) = sampler.correlations
    first, second = (NAMES["DSprites"].index(name) for name in (line.first, line.second))
    rows = factors[draw(4000, np.random.default_rng(0))]
    far = np.abs(rows[:, first] / 7 - rows[:, second] / 7)  # both have eight values
    every = np.abs(np.subtract.outer(np.arange(8), np.arange(8)) / 7)
    density = np.exp(-(every**2) / (2 * line.width**2))
    expected = (every * density).sum() / density.sum()
    assert far.mean() == pytest.approx(expected, abs=0.02)
    assert far.mean() < every.mean() - 0.02


SAMPLERS = {
    PairsSampler: pairs_differ_as_published,
    FewLabelsSampler: labels_are_few_and_true,
    CorrelatedSampler: factors_are_near_a_line,
}


@pytest.mark.parametrize(("name", "count"), [("locatello2020", 4), ("traeuble2021", 3)])
def test_published_samplers_draw_what_the_papers_drew(name, count):
    space = FactorSpace(NAMES["DSprites"], (3, 6, 4, 8, 8))
    factors = space.factors(np.arange(3 * 6 * 4 * 8 * 8))
    specs = {str(one.spec["sampler"]): one.spec["sampler"] for one in published(name, 1e-4).runs()}
    samplers = [instantiate(spec) for spec in specs.values() if spec is not None]
    assert len(samplers) == count
    for sampler in samplers:
        SAMPLERS[type(sampler)](sampler, sampler.bind(space, factors), factors)


@pytest.mark.parametrize("name", sorted({*PUBLISHED} - {"locatello2020", "traeuble2021"}))
def test_unsupervised_studies_leave_drawing_to_the_methods(name):
    assert all(one.spec["sampler"] is None for one in published(name, 1e-4).runs())


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    """Vectors with the factors of dSprites, and the settings of data that they are."""
    sizes = (3, 2, 2, 10, 10)
    factors = np.stack(np.unravel_index(np.arange(np.prod(sizes)), sizes), 1)
    path = tmp_path_factory.mktemp("data") / "vectors.npz"
    x = (factors / np.array(sizes)).astype("f4")
    np.savez(path, x=x, factors=factors, factor_names=np.array(NAMES["DSprites"]))
    return {"data": str(path)}


@pytest.mark.parametrize("name", PUBLISHED)
def test_each_kind_of_published_run_can_be_trained(name, stand_in, tmp_path):
    given = {"locatello2019": {"sets": {"dsprites_full": stand_in}},
             "traeuble2021": {"sets": {"B": stand_in}}}.get(name, {"data": stand_in})  # fmt: skip
    study = PUBLISHED[name](1e-5, **given)
    kinds = {}
    for point in study.sweep:
        kinds.setdefault((point["method"], point.get("tags.labels"), "sampler" in point), point)
    few = Study(chain(*map(fixed, kinds.values())),
                measure=Measuring(["active_units"], n=50), figures=False)  # fmt: skip
    summary = run(few, tmp_path, runner="sequential", progress=False)
    assert summary.failed == {}
    assert summary.finished == len(kinds) >= 2


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_studies_are_settings_that_there_are(name):
    study = published(name, 0.0001)
    runs = study.runs()
    assert len({one.name for one in runs}) == len(list(study.sweep))
    assert study.about.endswith("?")
    with pytest.raises(UsageError, match="expected a share"):
        published(name, 2.0)


def test_the_command_makes_a_study_and_its_table(finished, tmp_path, capsys, monkeypatch):
    from untwine.cli import main

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(import_module("untwine.report.study"), "_DRAWS", 5)
    assert main(["study", "run", str(finished), "--out", str(finished), "--no-progress"]) == 0
    assert "4 of 4 runs are finished" in capsys.readouterr().out
    assert main(["study", "status", str(finished)]) == 0
    assert "finished" in capsys.readouterr().out
    assert main(["study", "table", str(finished), "--metrics", "mig"]) == 0
    assert "method.beta" in capsys.readouterr().out
    assert main(["study", "table", str(finished), "--out", "t.parquet", "--long"]) == 0
    assert main(["study", "report", str(finished), "--out", "p.html"]) == 0
    assert main(["study", "list"]) == 0
    assert "locatello2019" in capsys.readouterr().out
    assert main(["study", "run", "kim2018", "--scale", "1e-5", "--dry_run", "--no-progress"]) == 0
    assert "20 runs, 0 finished; 20 runs to make" in capsys.readouterr().out
    words = ["study", "audit", "--metrics", "mig", "--points", "100", "--reseeds", "2"]
    assert main([*words, "--ladder_points", "100", "--ladder_reseeds", "2"]) == 0
    assert "rotated" in capsys.readouterr().out
    assert len(table(finished)) == 4


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rn"], "did you mean run"),
        (["run", "kim2019"], "did you mean kim2018"),
        (["run", "gone.yaml"], "there is no study"),
        (["run", "kim2018", "--scale", "3"], "expected a share"),
        (["status", "nothing"], "is no study"),
        (["table", "nothing"], "there is no folder"),
        (["report", "nothing"], "is no study"),
        (["audit", "--points", "3"], "expected numbers"),
        (["audit", "--points", "few"], "expected a list"),
        (["run"], "needs a file of YAML"),
    ],
)
def test_words_that_cannot_be_are_refused_in_a_line(words, message, capsys, tmp_path, monkeypatch):
    from untwine.cli import main

    monkeypatch.chdir(tmp_path)
    assert main(["study", *words]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
