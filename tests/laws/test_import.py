"""Importing the package is light."""

import subprocess
import sys

HEAVY = (
    "lightning",
    "sklearn",
    "scipy",
    "matplotlib",
    "pandas",
    "lightgbm",
    "rich",
    "jsonargparse",
)


def test_importing_untwine_imports_nothing_heavy():
    code = (
        "import sys, torch; before = set(sys.modules); import untwine; "
        "new = {m.split('.')[0] for m in set(sys.modules) - before}; print(*sorted(new))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(out.stdout.split()) & set(HEAVY)


def test_every_public_noun_is_there():
    import untwine

    for name in untwine.__all__:
        assert getattr(untwine, name) is not None
    assert set(untwine.__all__) <= set(dir(untwine))
