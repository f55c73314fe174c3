"""Diagnostics: why and when a model disentangles, as functions of a trained model.

Each takes anything with ``represent``, ``decode`` and ``prior`` and observations, and returns a
small record of numbers in the papers' symbols whose text is a verdict.
"""

from .activity import Activity, activity
from .annealing import AnnealedBound, annealed_bound, bidirectional
from .axes import (
    Axes,
    Comparison,
    compare_axes,
    effective_rank,
    ganspace_axes,
    generator_gap,
    global_axes,
    local_axes,
    sefa_axes,
    walk,
)
from .beta_and_sigma import BetaAndSigma, beta_and_sigma
from .bounds import (
    ImportanceBound,
    InferenceGaps,
    importance_bound,
    inference_gaps,
    rate_distortion,
)
from .diagnosis import Diagnosis, diagnose
from .elbo import ElboParts, elbo_parts
from .entanglement import Entanglement
from .estimates import Estimate, Finding
from .geometry import Metric, metric_at
from .independence import Independence, independence, independence_at
from .latent_paths import Separability, linear_separability, perceptual_path_length
from .level_axes import level_axes
from .level_decoder import LevelDecoder
from .level_pictures import level_cuts, level_traversal
from .level_rates import LevelRates, level_rates
from .level_table import LevelTable, level_table
from .linear import LinearGaussian, RatePoint, principal_angles
from .linear_case import LinearCase, linear_case
from .models import Adapter, Encoded, LatentModel, NoDensity, encode_for
from .orthogonality import Orthogonality, orthogonality
from .overlap import Overlap, overlap
from .regions import RegionAxes, region_axes
from .rotations import Turn, best_rotation
from .seams import Seams, seams
from .sufficiency import Between, Goodness, goodness, goodness_of
from .twins import EntangledTwin, Impossibility, impossibility, pair_concentration
from .two_sample import TwoSample, two_sample
from .walks import Walks, axes_of

__all__ = [
    "Activity",
    "Adapter",
    "AnnealedBound",
    "Axes",
    "BetaAndSigma",
    "Between",
    "Comparison",
    "Diagnosis",
    "ElboParts",
    "Encoded",
    "EntangledTwin",
    "Entanglement",
    "Estimate",
    "Finding",
    "Goodness",
    "ImportanceBound",
    "Impossibility",
    "Independence",
    "InferenceGaps",
    "LatentModel",
    "LevelDecoder",
    "LevelRates",
    "LevelTable",
    "LinearCase",
    "LinearGaussian",
    "Metric",
    "NoDensity",
    "Orthogonality",
    "Overlap",
    "RatePoint",
    "RegionAxes",
    "Seams",
    "Separability",
    "Turn",
    "TwoSample",
    "Walks",
    "activity",
    "annealed_bound",
    "axes_of",
    "best_rotation",
    "beta_and_sigma",
    "bidirectional",
    "compare_axes",
    "diagnose",
    "effective_rank",
    "elbo_parts",
    "encode_for",
    "ganspace_axes",
    "generator_gap",
    "global_axes",
    "goodness",
    "goodness_of",
    "importance_bound",
    "impossibility",
    "independence",
    "independence_at",
    "inference_gaps",
    "level_axes",
    "level_cuts",
    "level_rates",
    "level_table",
    "level_traversal",
    "linear_case",
    "linear_separability",
    "local_axes",
    "metric_at",
    "orthogonality",
    "overlap",
    "pair_concentration",
    "perceptual_path_length",
    "principal_angles",
    "rate_distortion",
    "region_axes",
    "seams",
    "sefa_axes",
    "two_sample",
    "walk",
]
