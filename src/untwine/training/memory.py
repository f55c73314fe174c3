"""Memory of the C library: what a training step frees is kept for the next one."""

from __future__ import annotations

import ctypes
import os
import sys

__all__ = ["keep_freed_memory"]

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # names and numbers of glibc's malloc.h
_LIMIT = 1 << 30


def keep_freed_memory() -> bool:
    """Lets the C library keep freed blocks instead of giving them back to the system at once.

    A step on the CPU frees and allocates the same megabytes over and over. By default glibc maps
    each large block afresh, and the system clears every page of it again: with the literature's
    64x64 nets about a fifth of the step's time (``benchmarks/results/training_step.md``). From here
    on, up to 1 GiB of freed memory stays with the process.

    Nothing is done where another C library is in use, or where the user has already decided by
    ``MALLOC_MMAP_THRESHOLD_`` or ``MALLOC_TRIM_THRESHOLD_``.

    Returns:
        Whether the settings were made.
    """
    if not sys.platform.startswith("linux"):
        return False
    if any(f"MALLOC_{name}_THRESHOLD_" in os.environ for name in ("MMAP", "TRIM")):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # musl has no mallopt
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LIMIT) and mallopt(_M_TRIM_THRESHOLD, _LIMIT))
