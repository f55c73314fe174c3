"""A run as a page that opens by double click and loads nothing from anywhere."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from .compare import compare
from .page import report
from .runs import RunComparison, compare_runs
from .study import study_page

__all__ = ["RunComparison", "compare", "compare_runs", "report", "study_page"]


class _Callable(ModuleType):
    """``untwine.report`` names this package and the function: the package can be called too."""

    def __call__(self, *args: Any, **kwargs: Any) -> Path:
        return report(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
