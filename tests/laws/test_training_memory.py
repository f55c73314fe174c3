"""Freed memory that stays with the process: asked for where it can be, left alone where told."""

import sys

import pytest

from untwine.training.memory import keep_freed_memory

ON_GLIBC = sys.platform.startswith("linux") and "glibc" in __import__("platform").libc_ver()


@pytest.fixture(autouse=True)
def _nothing_decided(monkeypatch):
    for name in ("MMAP", "TRIM"):
        monkeypatch.delenv(f"MALLOC_{name}_THRESHOLD_", raising=False)


@pytest.mark.skipif(not ON_GLIBC, reason="the settings are glibc's")
def test_large_blocks_are_used_again_instead_of_mapped_afresh():
    import resource

    import torch

    assert keep_freed_memory()

    def faults(times):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(times):
            torch.ones(4_000_000)  # 16 MB: 3,906 pages
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    faults(2)
    # mapped afresh, ten blocks fault on 39,060 pages; the heap may have to grow once or twice
    assert faults(10) < 3 * 3906


def test_what_the_user_has_decided_stays(monkeypatch):
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "131072")
    assert not keep_freed_memory()


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
