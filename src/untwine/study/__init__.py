"""Studies: many runs from one expression, one table, and what the field asks of them."""

from .exercises import EXERCISES
from .folder import Folder, Made
from .metric_audit import audit
from .points import Planned, planned
from .published import NAMED, PUBLISHED, published
from .runner import Summary, run
from .study import Measuring, Study
from .sweeps import Sweep, chain, fixed, product, seeds, sweep, zip_
from .table import metrics_of, read_table, scores, table, write_table

__all__ = [
    "EXERCISES",
    "NAMED",
    "PUBLISHED",
    "Folder",
    "Made",
    "Measuring",
    "Planned",
    "Study",
    "Summary",
    "Sweep",
    "audit",
    "chain",
    "fixed",
    "metrics_of",
    "planned",
    "product",
    "published",
    "read_table",
    "run",
    "scores",
    "seeds",
    "sweep",
    "table",
    "write_table",
    "zip_",
]
