"""Learn, measure and explain disentangled representations.

The dozen public nouns; everything else is one module further down. Nothing heavy is imported
before it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

__all__ = [
    "Codes",
    "FactorDataset",
    "FactorSpace",
    "Method",
    "Run",
    "Score",
    "annotate",
    "compare",
    "data",
    "diagnostics",
    "distributions",
    "encode",
    "evaluate",
    "explore",
    "fit",
    "functional",
    "methods",
    "metrics",
    "nets",
    "plots",
    "report",
    "study",
    "testing",
    "use",
]

_WHERE = {
    "Codes": "encoding",
    "FactorDataset": "data",
    "FactorSpace": "data",
    "Method": "methods",
    "Run": "training",
    "Score": "metrics.score",
    "annotate": "use",
    "compare": "report:compare_runs",
    "encode": "encoding",
    "evaluate": "evaluation",
    "explore": "explore",
    "fit": "training",
    "report": "report",
}

if TYPE_CHECKING:
    from . import (
        data,
        diagnostics,
        distributions,
        functional,
        methods,
        metrics,
        nets,
        plots,
        study,
        testing,
        use,
    )
    from .data import FactorDataset, FactorSpace
    from .encoding import Codes, encode
    from .evaluation import evaluate
    from .explore import explore
    from .methods import Method
    from .metrics.score import Score
    from .report import compare_runs as compare, report
    from .training import Run, fit
    from .use import annotate


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        home, _, there = _WHERE[name].partition(":")
        value = getattr(importlib.import_module(f".{home}", __name__), there or name)
    elif name in __all__:
        value = importlib.import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
