"""Prints the lowest versions that pyproject.toml allows, as constraints for pip.

Without torch, whose older releases are on PyPI as GPU builds of gigabytes: which one to test
with is the caller's to say (``TORCH`` of the Makefile).
"""

import re
import tomllib
from pathlib import Path

BOUND = re.compile(r"(?P<name>[\w.-]+)(\[[\w,]+\])?>=(?P<version>[\w.]+)")


def lowest(requirements: list[str]) -> dict[str, str]:
    """The lowest version by package, of requirements like ``numpy>=1.26``."""
    bounds = (BOUND.match(requirement) for requirement in requirements)
    return {bound["name"]: bound["version"] for bound in bounds if bound}


if __name__ == "__main__":
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    tested = (extras[name] for name in ("cells", "explore", "files", "test"))
    versions = lowest(sum(tested, project["dependencies"]))
    print("\n".join(f"{name}=={v}" for name, v in versions.items() if name != "torch"))
