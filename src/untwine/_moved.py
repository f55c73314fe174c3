"""Names that moved to another module, for code that still imports them from the old one."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

__all__ = ["redirect"]

# Paths are text, not imports: `annotate` needs a trained method, which no room of data may know,
# and an evaluation needs every metric.
_MOVED = {
    "untwine.data": {"annotate": "untwine.use"},
    "untwine.metrics": dict.fromkeys(
        ("Disentanglement", "Evaluation", "evaluate"), "untwine.evaluation"
    ),
}


def redirect(module: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a module that some names have left.

    Args:
        module: Its dotted path.

    Example:
        >>> redirect("untwine.data")("annotate").__module__
        'untwine.use.annotation'
    """

    def getattribute(name: str) -> Any:
        home = _MOVED.get(module, {}).get(name)
        if home is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        return getattr(importlib.import_module(home), name)

    return getattribute
