"""Studies: many runs from one expression, one table, and what the field asks of them."""

from .folder import Folder, Made
from .points import Planned, planned
from .runner import Summary, run
from .study import Measuring, Study
from .sweeps import Sweep, chain, fixed, product, seeds, sweep, zip_
from .table import metrics_of, read_table, scores, table, write_table

__all__ = [
    "Folder",
    "Made",
    "Measuring",
    "Planned",
    "Study",
    "Summary",
    "Sweep",
    "chain",
    "fixed",
    "metrics_of",
    "planned",
    "product",
    "read_table",
    "run",
    "scores",
    "seeds",
    "sweep",
    "table",
    "write_table",
    "zip_",
]
