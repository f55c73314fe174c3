"""Explorer: turning the knobs of a trained method, in a browser."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from .explorer import explore
from .server import Explorer
from .workbench import Workbench

__all__ = ["Explorer", "Workbench", "explore"]


class _Room(ModuleType):
    """``untwine.explore`` names this package and the function: the package can be called too."""

    def __call__(self, *args: Any, **kwargs: Any) -> Explorer:
        return explore(*args, **kwargs)


sys.modules[__name__].__class__ = _Room
