"""Every command that a page or a benchmark's own text gives is one that the benchmark accepts."""

import argparse
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = [p for p in sorted((ROOT / "benchmarks").glob("*.py")) if p.stem != "reference"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES += [*sorted((ROOT / "benchmarks/results").glob("*.md")), *SCRIPTS]
QUOTED = re.compile(r"`python (benchmarks/\w+\.py[^`]*)`")
LINES = re.compile(r"^ *python (benchmarks/\w+\.py.*)$", re.MULTILINE)


def commands() -> list:
    """Of all pages, once each; continued lines in one, and none that leaves something out."""
    found = {}
    for page in PAGES:
        text = re.sub(r"\\+\n *", "", page.read_text())
        quoted = (
            [] if page in SCRIPTS else QUOTED.findall(text)
        )  # scripts quote with blanks in them
        for command in [*LINES.findall(text), *quoted]:
            if "..." not in command:
                found.setdefault(" ".join(command.split()), page.relative_to(ROOT))
    return [pytest.param(command, id=f"{page}: {command}") for command, page in found.items()]


class Accepted(Exception):
    """The command was parsed; nothing is run."""


@pytest.mark.parametrize("command", commands())
def test_the_benchmark_accepts(command, monkeypatch):
    script, *arguments = shlex.split(command, comments=True)
    path = ROOT / script
    assert path in SCRIPTS, f"there is no {script}"
    parse = argparse.ArgumentParser.parse_args

    def parse_only(self, *args, **kwargs):
        parse(self, *args, **kwargs)
        raise Accepted

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
    monkeypatch.setattr(sys, "argv", [str(path), *arguments])
    monkeypatch.syspath_prepend(str(path.parent))
    with pytest.raises(Accepted):
        runpy.run_path(str(path), run_name="__main__")
