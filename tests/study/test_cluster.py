"""Studies on Ray: the same table as one run after the other, whatever is killed meanwhile."""

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from untwine.study import Folder, Study, fixed, run, table
from untwine.training.files import CheckpointError

from .conftest import toy, toy_points
from .test_runner import same_table, toy_point

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def descendants(pid):
    """Processes by their command line, of this process and of those that it started."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "stat").read_text().rpartition(")")[2].split()
                parents[int(entry.name)] = int(words[1])
            except (OSError, IndexError):
                continue
    found, frontier = {}, {pid}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier}
        for child in frontier:
            try:
                line = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            found[child] = line
    return found


def named(pid, word):
    return [child for child, line in descendants(pid).items() if word in line]


def command(study, folder, *words):
    """The command line that makes a study in a folder's `s`."""
    study.write(folder / "study.yaml")
    script = "import sys; from untwine.cli import main; sys.exit(main())"
    return [sys.executable, "-c", script, "study", "run", "study.yaml", "--out", "s", *words,
            "--workers", "2", "--no-figures", "--no-progress"]  # fmt: skip


def begun(line, folder):
    """The process of a command line, once a run of it has a checkpoint."""
    process = subprocess.Popen(line, cwd=folder, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 200
    while time.monotonic() < end and not list(folder.glob("s/runs/*/checkpoints/*")):
        time.sleep(0.05)
    return process


@pytest.fixture(scope="module")
def whole(npz, tmp_path_factory):
    """What the study gives without disturbance."""
    folder = tmp_path_factory.mktemp("whole")
    run(toy(npz, steps=300), folder, runner="sequential", progress=False)
    return table(folder)


def test_ray_gives_the_results_of_one_run_after_the_other(npz, finished, tmp_path):
    summary = run(toy(npz), tmp_path, runner="ray", workers=2, progress=False)
    assert summary.finished == summary.made == 4
    assert same_table(table(tmp_path), table(finished))
    assert run(toy(npz), tmp_path, runner="ray", workers=2, progress=False).made == 0


def test_ten_workers_that_are_killed_cost_nothing(npz, whole, tmp_path):
    stop, kills = threading.Event(), []

    def kill():
        rng = random.Random(0)
        while not stop.is_set() and len(kills) < 10:
            time.sleep(rng.uniform(0.3, 1.0))
            workers = named(os.getpid(), "ray::Worker.make")
            if workers:
                victim = rng.choice(workers)
                os.kill(victim, signal.SIGKILL)
                kills.append(victim)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        summary = run(toy(npz, steps=300), tmp_path / "killed", runner="ray", workers=2, retries=20,
                      progress=False)  # fmt: skip
    finally:
        stop.set()
        killer.join()
    assert len(kills) >= 1
    print(f"{len(kills)} workers were killed")
    assert summary.finished == 4
    assert same_table(table(tmp_path / "killed"), whole)


def test_a_driver_that_is_killed_leaves_nothing_and_goes_on(npz, whole, tmp_path):
    line = command(toy(npz, steps=300), tmp_path, "--runner", "ray")
    process = begun(line, tmp_path)
    started = [p for p, line in descendants(process.pid).items() if "ray" in line]
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(table(tmp_path / "s")) < 4
    end = time.monotonic() + 180
    while time.monotonic() < end and any(_alive(p) for p in started):
        time.sleep(0.5)
    assert not [p for p in started if _alive(p)]
    subprocess.run(line, cwd=tmp_path, check=True, timeout=500)
    assert same_table(table(tmp_path / "s"), whole)


def test_a_node_that_is_killed_leaves_its_runs_to_the_others(npz, whole, tmp_path, monkeypatch):
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_worker_niceness", "0")  # on a busy machine its workers starve otherwise
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    other = cluster.add_node(num_cpus=1)
    there = threading.Event()

    def kill():
        while not list((tmp_path / "s").glob("runs/*/checkpoints/*")):
            time.sleep(0.1)
        cluster.remove_node(other, allow_graceful=False)
        there.set()

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    try:
        summary = run(toy(npz, steps=300), tmp_path / "s", address=cluster.address, workers=2,
                      progress=False)  # fmt: skip
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert there.is_set()
    assert summary.finished == 4
    assert same_table(table(tmp_path / "s"), whole)


def test_two_nodes_share_a_study_by_their_address(npz, finished, tmp_path, monkeypatch):
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_worker_niceness", "0")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    line = command(toy(npz), tmp_path, "--address", cluster.address)
    try:
        subprocess.run(line, cwd=tmp_path, check=True, timeout=500)
    finally:
        cluster.shutdown()
    times = sorted(
        ((p / "point.json").stat().st_mtime, (p / "done.json").stat().st_mtime)
        for p in (tmp_path / "s/runs").iterdir()
    )
    # a node has room for one worker: runs at the same time were on both
    assert any(start < end for (_, end), (start, _) in itertools.pairwise(times))
    assert same_table(table(tmp_path / "s"), table(finished))


def test_a_raylet_that_is_killed_leaves_a_study_that_goes_on(npz, whole, tmp_path):
    line = command(toy(npz, steps=300), tmp_path, "--runner", "ray")
    process = begun(line, tmp_path)
    raylets = named(process.pid, "raylet/raylet")
    assert raylets
    for pid in raylets:
        os.kill(pid, signal.SIGKILL)
    ended_well = process.wait(timeout=200) == 0  # short runs of workers that outlive it may end
    assert not ended_well or len(table(tmp_path / "s")) == 4
    subprocess.run(line, cwd=tmp_path, check=True, timeout=500)
    assert same_table(table(tmp_path / "s"), whole)


def test_a_run_that_raises_on_a_worker_stops_nobody(npz, finished, tmp_path):
    study = Study(
        toy_points(npz) + fixed(toy_point(npz, **{"method.optimizer.lr": 1e30})),
        measure=toy(npz).measure,
        figures=False,
    )
    summary = run(study, tmp_path, runner="ray", workers=2, progress=False)
    assert (summary.finished, summary.made) == (4, 5)
    ((name, message),) = summary.failed.items()
    assert "NonFiniteLoss" in message
    assert "Traceback" in Folder(tmp_path).made()[0].error.get("traceback", "Traceback")
    assert same_table(table(tmp_path), table(finished))
    assert name not in set(table(tmp_path)["run"])


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 128 kB, and a function that makes it larger."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("file systems cannot be mounted here")
    larger = ["mount", "-o", "remount,size=64m", str(place)]
    yield place, lambda: subprocess.run(larger, check=True)
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_is_full_ends_the_study_and_later_it_goes_on(npz, finished, small_disk):
    place, enlarge = small_disk
    for runner in ("sequential", "ray"):
        with pytest.raises(CheckpointError, match=r"the disk is full|No space left"):
            run(toy(npz), place / "s", runner=runner, workers=2, progress=False)
    assert len(table(place / "s")) < 4
    enlarge()
    assert run(toy(npz), place / "s", runner="ray", workers=2, progress=False).finished == 4
    assert same_table(table(place / "s"), table(finished))


def test_a_run_that_kills_its_worker_fails_and_stops_nobody(npz, finished, tmp_path, monkeypatch):
    (tmp_path / "fatal_method.py").write_text(FATAL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    fatal = {"method": "fatal_method.Fatal"}
    study = Study(toy_points(npz) + fixed(toy_point(npz, **fatal)), measure=toy(npz).measure,
                  figures=False, trust=["fatal_method"])  # fmt: skip
    summary = run(study, tmp_path / "s", runner="ray", workers=2, retries=1, progress=False)
    assert (summary.finished, summary.made) == (4, 5)
    ((_, message),) = summary.failed.items()
    assert message.startswith("Crashed: its worker died 2 times")
    assert same_table(table(tmp_path / "s"), table(finished))
    (failed,) = [made for made in Folder(tmp_path / "s").made() if made.status == "failed"]
    assert failed.error["again"] is True


FATAL = """
import os, signal
from pathlib import Path
from untwine.methods import BetaVAE

class Fatal(BetaVAE):
    '''Kills the worker of Ray that trains it.'''

    def moves(self, batch, ctx):
        if b"ray::" in Path("/proc/self/cmdline").read_bytes():
            os.kill(os.getpid(), signal.SIGKILL)
        yield from super().moves(batch, ctx)
"""


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
