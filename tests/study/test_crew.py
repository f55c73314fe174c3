"""Which worker is given which run, on a stand-in for Ray that does what it is told."""

from collections import deque
from types import SimpleNamespace

import pytest

from untwine.settings.errors import UsageError
from untwine.study import Folder
from untwine.study.cluster import _Crew
from untwine.study.work import Outcome, Work

from .conftest import toy


class Died(Exception):
    """As Ray's errors of actors."""


class StandIn:
    """Ray, as far as `_Crew` uses it; `script` says of each started worker what its calls do.

    A worker is a queue of results: a status, ``Died``, or ``"never"`` for a call that never ends.
    The first is that of its start.
    """

    exceptions = SimpleNamespace(RayError=Died)

    def __init__(self, script):
        self.script, self.results, self.calls, self.killed = deque(script), {}, [], []

    def remote(self, cls):
        return SimpleNamespace(options=lambda **options: SimpleNamespace(remote=self._hire))

    def _hire(self, work, place):
        answers = deque(self.script.popleft())
        worker = SimpleNamespace(number=len(self.calls))

        def ready():
            return self._task(answers.popleft())

        def make(run, folder):
            self.calls.append((id(worker), run.name))
            return self._task(answers.popleft() if answers else "finished", run.name)

        worker.ready, worker.make = SimpleNamespace(remote=ready), SimpleNamespace(remote=make)
        return worker

    def _task(self, answer, name=""):
        task = object()
        self.results[task] = answer, name
        return task

    def wait(self, tasks, num_returns, timeout):
        done = [task for task in tasks if self.results[task][0] != "never"][:1]
        return done, []

    def get(self, task):
        answer, name = self.results[task]
        if answer is Died:
            raise Died("the worker died\nand more")
        return Outcome(name, answer, 1.0)

    def kill(self, worker):
        self.killed.append(worker)


@pytest.fixture
def runs(npz):
    return toy(npz).runs()


def crew(ray, tmp_path, count):
    made = _Crew(ray, Work(toy("a.npz").measure), 0.0, Folder(tmp_path))
    made.hire(count)
    return made


def ended(team, runs, retries=3):
    said = []
    return {o.name: o.status for o in team.work_off(runs, retries, said.append)}, said


def test_a_worker_that_waits_for_room_is_given_no_run(runs, tmp_path):
    ray = StandIn([["finished"], ["never"]])
    outcomes, _ = ended(crew(ray, tmp_path, 2), runs)
    assert outcomes == {run.name: "finished" for run in runs}
    assert len({worker for worker, _ in ray.calls}) == 1
    assert len(ray.killed) == 2  # both, at the end


def test_a_run_whose_worker_dies_goes_on_with_another(runs, tmp_path):
    ray = StandIn([["finished", Died], ["finished", Died], ["finished"]])
    outcomes, said = ended(crew(ray, tmp_path, 1), runs)
    assert set(outcomes.values()) == {"finished"}
    assert len(said) == 2
    assert "begun again" in said[0]
    assert "\n" not in said[0]


def test_a_run_that_kills_every_worker_fails_and_stops_nobody(runs, tmp_path):
    first, *rest = runs
    ray = StandIn([["finished", Died]] * 3 + [["finished"]])
    team = crew(ray, tmp_path, 1)
    outcomes, _ = ended(team, [first], retries=2)
    assert outcomes == {first.name: "failed"}
    (made,) = Folder(tmp_path).made()
    assert (made.status, made.error["error"], made.error["again"]) == ("failed", "Crashed", True)
    assert ended(crew(StandIn([["finished"]]), tmp_path, 1), rest)[0].keys() == {
        r.name for r in rest
    }


def test_a_run_in_whose_folder_another_process_is_waits(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("untwine.study.cluster._BUSY", 0.0)
    ray = StandIn([["finished", "busy", "busy"]])
    outcomes, _ = ended(crew(ray, tmp_path, 1), runs)
    assert set(outcomes.values()) == {"finished"}
    assert len(ray.calls) == len(runs) + 2


def test_workers_that_never_start_are_said(runs, tmp_path):
    ray = StandIn([[Died]] * 10)
    with pytest.raises(UsageError, match="do not start: and more"):
        ended(crew(ray, tmp_path, 1), runs)


def test_a_cluster_without_nodes_ends_the_study(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("untwine.study.cluster._LOOK", -1.0)
    ray = StandIn([["never"]])
    looked = iter([[{"Alive": True}], [{"Alive": False}, {"Alive": False}]])
    ray.nodes = lambda: next(looked)
    with pytest.raises(UsageError, match="no node of Ray is alive"):
        ended(crew(ray, tmp_path, 1), runs)
    assert len(ray.killed) == 1


def test_a_run_that_gives_no_sign_is_ended(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("untwine.study.cluster._GRACE", -1.0)
    ray = StandIn([["finished", "never"], ["finished"]])
    team = _Crew(ray, Work(toy("a.npz").measure, limit=0.25), 0.0, Folder(tmp_path))
    team.hire(1)
    outcomes, _ = ended(team, runs)
    assert sorted(outcomes.values()) == ["failed", "finished", "finished", "finished"]
    failed = [one for one in Folder(tmp_path).made() if one.status == "failed"]
    assert failed[0].error["limit"] == 0.25
