"""Evaluation: many metrics at once, as a table with intervals; files of codes; torchmetrics."""

from typing import TYPE_CHECKING, Any

from .paired import PairedScores as PairedScores, compare_codes as compare_codes
from .suite import evaluate as evaluate
from .table import Evaluation as Evaluation
from .which import Which as Which, which as which

if TYPE_CHECKING:
    from .torchmetrics import Disentanglement as Disentanglement

__all__ = [
    "Disentanglement",
    "Evaluation",
    "PairedScores",
    "Which",
    "compare_codes",
    "evaluate",
    "which",
]


def __getattr__(name: str) -> Any:
    if name == "Disentanglement":  # torchmetrics takes a second to import
        from .torchmetrics import Disentanglement

        return Disentanglement
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
