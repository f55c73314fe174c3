"""Studies: many runs from one expression, one table, and what the field asks of them."""

from .points import Planned, planned
from .sweeps import Sweep, chain, fixed, product, seeds, sweep, zip_

__all__ = ["Planned", "Sweep", "chain", "fixed", "planned", "product", "seeds", "sweep", "zip_"]
