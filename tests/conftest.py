"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REFERENCE = Path(os.environ.get("UNTWINE_SHARED", Path(__file__).parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference values and real data that sits beside the checkout, if it does."""
    if not REFERENCE.is_dir():
        pytest.skip(f"the reference folder {REFERENCE} is not here (set UNTWINE_SHARED to name it)")
    return REFERENCE
