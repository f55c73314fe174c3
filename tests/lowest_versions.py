"""Prints the lowest versions that pyproject.toml allows, as constraints for pip.

Without torch, whose older releases are on PyPI as GPU builds of gigabytes: which one to test
with is the caller's to say (``TORCH`` of the Makefile).
"""

import re
import tomllib
from pathlib import Path

BOUND = re.compile(r"(?P<name>[\w.-]+)(\[[\w,]+\])?>=(?P<version>[\w.]+)")
OWN = re.compile(r"untwine\[(?P<extras>[\w,]+)\]")


def lowest(requirements: list[str]) -> dict[str, str]:
    """The lowest version by package, of requirements like ``numpy>=1.26``."""
    bounds = (BOUND.match(requirement) for requirement in requirements)
    return {bound["name"]: bound["version"] for bound in bounds if bound}


def tested(project: dict) -> list[str]:
    """What the tests install: dependencies, the extra ``test``, and the extras that it names."""
    extras = project["optional-dependencies"]
    named = (OWN.match(requirement) for requirement in extras["test"])
    names = [name for own in named if own for name in own["extras"].split(",")]
    return sum((extras[name] for name in ["test", *names]), project["dependencies"])


if __name__ == "__main__":
    versions = lowest(tested(tomllib.loads(Path("pyproject.toml").read_text())["project"]))
    print("\n".join(f"{name}=={v}" for name, v in versions.items() if name != "torch"))
