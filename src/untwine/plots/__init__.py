"""Figures: arrays in, matplotlib figures out; no training, no files, no global state.

Save one with ``figure.savefig("name.png")`` or ``"name.pdf"``; in a notebook it shows itself
after ``%matplotlib inline``.
"""

from .charts import dimension_kl, training_curves
from .compute import Traversals, posterior_span, reconstruct, sample, traverse
from .factors import latents_against_factors, position_pairs
from .images import reconstructions, samples, traversal_grid
from .matrices import importance, mutual_information

__all__ = [
    "Traversals",
    "dimension_kl",
    "importance",
    "latents_against_factors",
    "mutual_information",
    "position_pairs",
    "posterior_span",
    "reconstruct",
    "reconstructions",
    "sample",
    "samples",
    "training_curves",
    "traversal_grid",
    "traverse",
]
