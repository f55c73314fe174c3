"""The diffs of docs/add_yours.md apply to the package, and what they add runs."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/add_yours.md").read_text()
DIFFS = re.findall(r"^```diff\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
COMMANDS = [
    shlex.split(line.removeprefix("$ untwine "))
    for block in re.findall(r"^```console\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """A copy of package and docs, with all three diffs."""
    if shutil.which("git") is None:
        pytest.skip("git, which applies the diffs, is not installed")
    root = tmp_path_factory.mktemp("package")
    for name in ("src", "docs"):
        unneeded = shutil.ignore_patterns("__pycache__", "*.png")
        shutil.copytree(ROOT / name, root / name, ignore=unneeded)
    for diff in DIFFS:
        words = ["git", "apply", "-C1", "-"]
        # outside of any repository, so that the paths are those of the folder
        environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(root.parent)}
        subprocess.run(words, input=diff, text=True, cwd=root, env=environment, check=True)
    return root


def test_the_diffs_are_as_short_as_the_page_says():
    changed = []
    for diff in DIFFS:
        new = re.findall(r"^--- /dev/null\n\+\+\+ b/(\S+)", diff, re.MULTILINE)
        old = re.findall(r"^--- a/(\S+)", diff, re.MULTILINE)
        lines = sum(
            len(re.findall(r"^[+-](?![+-])", part, re.MULTILINE))
            for part in diff.split("diff --git ")
            if "--- a/" in part
        )
        changed.append((sorted(Path(path).parts[0] for path in new), old, lines))
    assert changed == [
        (["docs", "src"], ["src/untwine/methods/__init__.py"], 1),
        (["docs", "src"], [], 0),
        (["src"], ["src/untwine/data/__init__.py"], 1),
    ]


def test_what_they_add_runs(package, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(package / "src"), "OMP_NUM_THREADS": "1"}
    output = []
    for words in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-m", "untwine", *words],
            cwd=tmp_path, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        output.append(done.stdout)
    text = "\n".join(output)
    for said in ("--method.period", "CyclicalVAE on DSprites: 2 steps", "cka", "x_red 8",
                 "CyclicalVAE on XYSquares: 2 steps"):  # fmt: skip
        assert said in text


def test_the_files_hold_the_style_of_the_others(package):
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        pytest.skip("ruff is not installed")
    files = [
        path for diff in DIFFS for path in re.findall(r"^\+\+\+ b/(\S+\.py)", diff, re.MULTILINE)
    ]
    config = ["--config", str(ROOT / "pyproject.toml")]
    for words in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [ruff, *words, *config, *files], cwd=package, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout
