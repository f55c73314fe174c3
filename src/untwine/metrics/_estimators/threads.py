"""One thread for torch and the linear algebra library while a metric computes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

__all__ = ["one_thread"]

_lock = threading.Lock()
_inside = 0
_before = 1
_blas = ExitStack()


@contextmanager
def one_thread() -> Iterator[None]:
    """Keeps torch and BLAS to one thread each, which is fastest for many small operations.

    More threads wait for each other busily: beside other programs on the same cores, a fit of
    0.3 s took a minute. It may be nested, and entered by several threads at a time.

    Example:
        >>> before = torch.get_num_threads()
        >>> with one_thread():
        ...     torch.get_num_threads()
        1
        >>> torch.get_num_threads() == before
        True
    """
    global _inside, _before
    from threadpoolctl import threadpool_limits

    with _lock:
        if _inside == 0:
            import scipy.linalg  # noqa: F401  its BLAS has to be loaded to be limited

            _before = torch.get_num_threads()
            _blas.enter_context(threadpool_limits(1, user_api="blas"))
        _inside += 1
        torch.set_num_threads(1)  # OpenMP's count is each thread's own
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                torch.set_num_threads(_before)
                _blas.close()
