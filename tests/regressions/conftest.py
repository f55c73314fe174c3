"""The seed of the tests that train."""

import os

import pytest


@pytest.fixture(scope="session")
def seed() -> int:
    """0, or what ``UNTWINE_SEED`` says: `make test-machines` runs several."""
    return int(os.environ.get("UNTWINE_SEED", "0"))
