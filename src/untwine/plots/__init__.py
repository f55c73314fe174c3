"""Figures: arrays in, matplotlib figures out; no training, no files, no global state.

Save one with ``figure.savefig("name.png")`` or ``"name.pdf"``; in a notebook it shows itself
after ``%matplotlib inline``.
"""

from .charts import dimension_kl, training_curves
from .clusters import cluster_map, cluster_tree, prior_paths, responsibilities
from .comparison import intervals, trade_off
from .compute import Traversals, posterior_span, reconstruct, sample, traverse
from .diagnostics import (
    column_cosines,
    elbo_parts,
    posterior_widths,
    rate_distortion,
    seam_gaps,
    seams,
    stretch,
)
from .directions import direction_grid
from .edits import control_effects, counterfactual_grid
from .factors import latents_against_factors, position_pairs
from .images import reconstructions, samples, samples_by_class, swap_grid, traversal_grid
from .levels import level_cuts, level_rates
from .matrices import importance, mutual_information
from .modalities import batch_mixing, cross_modal, feature_correlations
from .studies import correlations, curves, shares, violins

__all__ = [
    "Traversals",
    "batch_mixing",
    "cluster_map",
    "cluster_tree",
    "column_cosines",
    "control_effects",
    "correlations",
    "counterfactual_grid",
    "cross_modal",
    "curves",
    "dimension_kl",
    "direction_grid",
    "elbo_parts",
    "feature_correlations",
    "importance",
    "intervals",
    "latents_against_factors",
    "level_cuts",
    "level_rates",
    "mutual_information",
    "position_pairs",
    "posterior_span",
    "posterior_widths",
    "prior_paths",
    "rate_distortion",
    "reconstruct",
    "reconstructions",
    "responsibilities",
    "sample",
    "samples",
    "samples_by_class",
    "seam_gaps",
    "seams",
    "shares",
    "stretch",
    "swap_grid",
    "trade_off",
    "training_curves",
    "traversal_grid",
    "traverse",
    "violins",
]
