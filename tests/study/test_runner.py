"""Studies that are run, stopped, killed, and run again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import untwine as ut
from untwine.settings.errors import UsageError
from untwine.study import (
    Folder,
    Measuring,
    Study,
    fixed,
    run,
    scores,
    seeds,
    sweep,
    table,
    work as work_module,
)
from untwine.study.table import read_table, write_table
from untwine.training.files import CheckpointError

from .conftest import toy, toy_points

SAME = ("run", "method", "method.beta", "seed", "mig", "active_units", "nll", "kl", "weights")
"""What is the same however a study was made; seconds are not."""


def again(study, folder, **options):
    return run(study, folder, runner="sequential", progress=False, **options)


def same_table(one, two):
    return one[list(SAME)].equals(two[list(SAME)])


def test_a_study_is_runs_that_stand_alone(finished):
    made = Folder(finished).made()
    assert [one.status for one in made] == ["finished"] * 4
    loaded = ut.Run.load(made[0].path)
    assert type(loaded.method).__name__ == "BetaVAE"
    assert loaded.scores["scores"].keys() == {"mig", "active_units"}
    assert ut.encode(loaded.method, loaded.data).mean.shape == (60, 3)
    with np.load(made[0].path / "codes.npz") as kept:
        assert kept["mean"].shape == (40, 3)
        assert kept["kl"].shape == (3,)


def test_the_table_has_settings_scores_budget_and_versions(finished):
    frame = table(finished)
    assert len(frame) == 4
    assert sorted(frame["method.beta"]) == [1, 1, 4, 4]
    assert frame.attrs["metrics"] == ["mig", "active_units"]
    assert set(frame["seed"]) == {0, 1}
    assert "method.seed" not in frame
    for column in ("steps", "batch_size", "nll", "seconds.train", "version.torch", "weights"):
        assert frame[column].notna().all(), column
    np.testing.assert_allclose(frame["elbo"], -frame["nll"] - frame["kl"])
    run_path = Folder(finished).runs / frame["run"][0]
    assert frame["mig"][0] == ut.Run.load(run_path).scores["scores"]["mig"]["value"]


def test_a_row_for_each_run_and_metric_has_the_protocol(finished):
    frame = scores(finished)
    assert len(frame) == 8
    mig = frame[frame["metric"] == "mig"]
    assert json.loads(mig["protocol"].iloc[0])["bins"] == 20
    wide = table(finished).set_index("run")["mig"]
    assert (mig.set_index("run")["value"] == wide).all()


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.jsonl"])
def test_tables_are_files_for_others(finished, tmp_path, name):
    frame = table(finished)
    read = read_table(write_table(frame, tmp_path / name))
    assert list(read.columns) == list(frame.columns)
    np.testing.assert_allclose(read["mig"], frame["mig"])
    assert (read["run"].astype(str).str.zfill(12) == frame["run"]).all()


def test_one_more_point_costs_one_run_and_removed_ones_stay(npz, finished, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(finished, folder)
    times = {p: p.stat().st_mtime_ns for p in folder.glob("runs/*/model.safetensors")}
    more = Study(toy_points(npz) + fixed(toy_point(npz)), "toy", measure=toy(npz).measure,
                 figures=False)  # fmt: skip
    summary = again(more, folder)
    assert (summary.made, summary.finished, summary.total) == (1, 5, 5)
    assert all(p.stat().st_mtime_ns == t for p, t in times.items())
    summary = again(toy(npz), folder)
    assert (summary.made, summary.finished) == (0, 4)
    assert len(table(folder)) == 5


def toy_point(npz, **changes):
    (point, *_) = toy_points(npz)
    return {**point, "method.beta": 9, **changes}


def test_other_metrics_are_measured_without_training_again(npz, finished, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(finished, folder)
    before = table(folder)
    other = Study(toy_points(npz), "toy", measure=Measuring(["mig", "sap"], n=60), figures=False)
    assert again(other, folder).made == 4
    after = table(folder)
    assert (after["weights"] == before["weights"]).all()
    assert after["sap"].notna().all()


def test_a_failing_run_writes_its_error_down_and_stops_nobody(npz, tmp_path):
    study = Study(
        toy_points(npz) + fixed(toy_point(npz, **{"method.optimizer.lr": 1e30})),
        measure=toy(npz).measure,
        figures=False,
    )
    summary = again(study, tmp_path)
    assert (summary.finished, summary.made) == (4, 5)
    ((name, message),) = summary.failed.items()
    assert "NonFiniteLoss" in message
    error = json.loads((Folder(tmp_path).runs / name / "error.json").read_text())
    assert "Traceback" in error["traceback"]
    assert again(study, tmp_path).made == 0  # it would fail again
    assert again(study, tmp_path, retry=True).made == 1
    frame = table(tmp_path, status=("failed",))
    assert frame["error"][0].startswith("NonFiniteLoss")


def test_a_time_limit_ends_a_run_and_a_longer_one_goes_on(npz, tmp_path):
    (point, *_) = toy_points(npz, steps=40)
    study = Study(fixed(point), measure=toy(npz).measure, figures=False)
    summary = again(study, tmp_path, time_limit=1e-9)
    assert "TimeLimit" in next(iter(summary.failed.values()))
    assert again(study, tmp_path, time_limit=1e-9).made == 0
    assert again(study, tmp_path, time_limit=500).finished == 1


class Death(BaseException):
    """What no `except Exception` sees, like a signal that kills."""


@pytest.mark.parametrize("where", ["encode", "measure", "bound", "fit"])
def test_stopped_anywhere_the_same_call_ends_with_the_same_table(
    npz, finished, tmp_path, monkeypatch, where
):
    calls = []

    def dies(clocks, name, function):
        calls.append(name)
        if name == where and calls.count(name) == 2:
            raise Death
        return timed(clocks, name, function)

    class Stops(work_module._Watch):
        def on_step(self, state, losses):
            calls.append("fit")
            if where == "fit" and calls.count("fit") == 7:
                raise Death

    timed = work_module._timed
    with monkeypatch.context() as patch:
        patch.setattr(work_module, "_timed", dies)
        patch.setattr(work_module, "_Watch", Stops)
        with pytest.raises(Death):
            again(toy(npz), tmp_path)
    statuses = [one.status for one in Folder(tmp_path).made()]
    assert "failed" not in statuses
    assert "started" in statuses
    again(toy(npz), tmp_path)
    assert same_table(table(tmp_path), table(finished))


def test_killed_for_real_the_same_command_ends_with_the_same_table(npz, finished, tmp_path):
    toy(npz).write(tmp_path / "study.yaml")
    script = "import sys; from untwine.cli import main; sys.exit(main())"
    words = ["study", "run", "study.yaml", "--out", "s", "--runner", "sequential", "--no-figures"]
    process = subprocess.Popen(
        [sys.executable, "-c", script, *words], cwd=tmp_path, stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    end = time.monotonic() + 120
    while time.monotonic() < end and not list(tmp_path.glob("s/runs/*/checkpoints/*")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    before = len(table(tmp_path / "s"))
    assert before < 4
    again(toy(npz), tmp_path / "s")
    assert same_table(table(tmp_path / "s"), table(finished))


def test_a_full_disk_stops_the_study_and_later_it_goes_on(npz, finished, tmp_path, monkeypatch):
    def full(path, *arrays):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(work_module, "_keep_codes", full)
        with pytest.raises(CheckpointError, match="the disk is full"):
            again(toy(npz), tmp_path)
    assert again(toy(npz), tmp_path).finished == 4
    assert same_table(table(tmp_path), table(finished))


def test_files_that_are_damaged_are_made_again(npz, finished, tmp_path):
    folder = tmp_path / "study"
    shutil.copytree(finished, folder)
    one, two, *_ = Folder(folder).made()
    (one.path / "done.json").write_text("{")
    shutil.rmtree(two.path)
    assert again(toy(npz), folder).made == 2
    assert same_table(table(folder), table(finished))


def test_two_processes_do_not_run_one_study(npz, tmp_path):
    import multiprocessing as mp

    refused = pytest.raises(UsageError, match="another process runs a study")
    fork = mp.get_context("fork")
    with Folder(tmp_path).taken(), fork.Pool(1) as pool, refused:  # locks are of processes
        pool.apply(_take, (tmp_path,))


def _take(path):
    with Folder(path).taken():
        pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method.beta": -1}, "beta"),
        ({"steps": {"fit": 3, "more": 1}}, "the method's stages are"),
        ({"data": "gone.npz"}, r"gone\.npz"),
        ({"sampler": "PairsSampler", "sampler.changed": 9}, "changed|factors"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(npz, tmp_path, change, message):
    good = Study(toy_points(npz) + fixed(toy_point(npz, **change)), figures=False)
    with pytest.raises(UsageError, match=message) as caught:
        again(good, tmp_path / "study")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "study").exists()


def test_a_study_is_a_file_and_back(npz, tmp_path):
    study = toy(npz)
    study.write(tmp_path / "s.yaml")
    read = Study.read(tmp_path / "s.yaml")
    assert read.plain() == study.plain()
    assert [r.name for r in read.runs()] == [r.name for r in study.runs()]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sweep: {fixed: {a: &x 1}}", "anchors"),
        ("swep: []", "did you mean sweep"),
        ("name: a", "has no sweep"),
        ("[1]", "holds no study"),
        ("sweep: {seeds: 1}\nmeasure: {metrics: [migg]}", "did you mean mig"),
        ("sweep: {seeds: 1}\nmeasure: {metrics: {mig: {bin: 3}}}", "did you mean 'bins'"),
        ("sweep: {seeds: 1}\nmeasure: {n: 1}", "expected a number from 2"),
        ("sweep: {seeds: 1}\nmeasure: {m: 1}", "has 'm'"),
        ("sweep: {seeds: 1}\nfigures: 3", "true or false"),
        ("sweep: {seeds: 1}\nname: 3", "expected text"),
        ("a: !!python/object/apply:os.system ['true']", "tag"),
    ],
)
def test_files_of_studies_that_cannot_be_are_refused_in_a_line(tmp_path, text, message):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        Study.read(tmp_path / "s.yaml")
    assert "\n" not in str(caught.value)


def test_a_studys_file_imports_nothing_unasked(npz, tmp_path, monkeypatch):
    (tmp_path / "evil_study.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'w')")
    monkeypatch.chdir(tmp_path)
    for place in ("method", "method.net", "method.optimizer", "data", "sampler"):
        study = Study(fixed(toy_point(npz, **{place: "evil_study.Thing"})))
        study.write("s.yaml")
        with pytest.raises(UsageError, match="--trust evil_study"):
            again(Study.read("s.yaml"), "out")
    assert not (tmp_path / "mark").exists()
    assert "evil_study" not in sys.modules
    with pytest.raises((UsageError, ImportError, ValueError)):
        again(Study.read("s.yaml", trust=["evil_study"]), "out")
    assert (tmp_path / "mark").exists()


def test_progress_counts_runs_and_forecasts(npz, tmp_path, capfd):
    run(toy(npz), tmp_path, runner="sequential")
    said = capfd.readouterr().err
    assert "4 runs, 0 finished; 4 runs to make, about" in said
    assert "4/4 runs" in said
    summary = run(toy(npz), tmp_path, runner="sequential", only_forecast=True, progress=False)
    assert summary.forecast.line() == "nothing is left to do"
    bigger = toy(npz).times(fixed({"tags.note": "a"}))
    assert again(bigger, tmp_path).made == 0  # a tag decides nothing
    more = Study(toy(npz).sweep + toy_points(npz, steps=7), measure=toy(npz).measure)
    forecast = again(more, tmp_path, only_forecast=True).forecast
    assert sum(forecast.runs.values()) == 4


def test_every_kind_of_method_is_forecast_and_run(npz, tmp_path):
    base = fixed({"data": str(npz), "method.latent_dim": 3}, steps=2, batch_size=16)
    study = Study(
        base * sweep("method", ["FactorVAE", "AdaGVAE", "MLVAE"]) * seeds(1),
        measure=Measuring(["active_units"], n=40),
    )
    assert again(study, tmp_path).failed == {}
    assert len(table(tmp_path)) == 3


def test_seeds_that_are_trained_at_once_give_the_same_scores_but_for_rounding(
    npz, finished, tmp_path, capfd
):
    summary = run(toy(npz), tmp_path, together=2, progress=False)
    assert (summary.finished, summary.made) == (4, 4)
    one, two = table(tmp_path).set_index("run"), table(finished).set_index("run")
    assert set(one.index) == set(two.index)
    for column in ("nll", "kl"):
        np.testing.assert_allclose(one[column], two.loc[one.index, column], rtol=1e-3)
    assert again(toy(npz), tmp_path).made == 0
    logs = [Folder(tmp_path).runs / name / "log.jsonl" for name in one.index]
    assert all(len(log.read_text().splitlines()) == 2 for log in logs)


def test_methods_whose_seeds_cannot_be_trained_at_once_are_trained_alone(npz, tmp_path, capfd):
    (point, *_) = toy_points(npz)
    base = {k: v for k, v in point.items() if not k.startswith("method.beta") and k != "seed"}
    study = Study(fixed({**base, "method": "FactorVAE"}) * seeds(2), measure=toy(npz).measure,
                  figures=False)  # fmt: skip
    assert run(study, tmp_path, together=2).finished == 2
    said = capfd.readouterr().err
    assert said.count("seeds of FactorVAE are trained one after the other") == 1
    with pytest.raises(UsageError, match="Ray makes single runs"):
        run(study, tmp_path, together=2, runner="ray")
    with pytest.raises(UsageError, match="together is 0"):
        run(study, tmp_path, together=0)


def test_groups_hold_runs_that_differ_in_their_seed_alone(npz, finished, tmp_path):
    from untwine.study.together import groups

    runs = toy(npz).runs()
    made = groups(runs, Folder(tmp_path), 2)
    assert [[r.spec["seed"] for r in group] for group in made] == [[0, 1], [0, 1]]
    assert len({r.spec["method"]["init_args"]["beta"] for r in made[0]}) == 1
    assert groups(runs, Folder(finished), 2) == [[r] for r in runs]  # have begun
    assert groups(runs, Folder(tmp_path), 1) == [[r] for r in runs]
