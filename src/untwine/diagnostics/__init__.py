"""Diagnostics: why and when a model disentangles, as functions of a trained model.

Each takes anything with ``represent``, ``decode`` and ``prior`` and observations, and returns a
small record of numbers in the papers' symbols whose text is a verdict.
"""

from .activity import Activity, activity
from .annealing import AnnealedBound, annealed_bound, bidirectional
from .bounds import (
    ImportanceBound,
    InferenceGaps,
    importance_bound,
    inference_gaps,
    rate_distortion,
)
from .diagnosis import Diagnosis, diagnose
from .elbo import ElboParts, elbo_parts
from .estimates import Estimate, Finding
from .geometry import Metric, metric_at
from .linear import LinearCase, LinearGaussian, RatePoint, linear_case, principal_angles
from .models import Adapter, Encoded, LatentModel, NoDensity, encode_for
from .orthogonality import Orthogonality, orthogonality
from .rotations import Turn, best_rotation

__all__ = [
    "Activity",
    "Adapter",
    "AnnealedBound",
    "Diagnosis",
    "ElboParts",
    "Encoded",
    "Estimate",
    "Finding",
    "ImportanceBound",
    "InferenceGaps",
    "LatentModel",
    "LinearCase",
    "LinearGaussian",
    "Metric",
    "NoDensity",
    "Orthogonality",
    "RatePoint",
    "Turn",
    "activity",
    "annealed_bound",
    "best_rotation",
    "bidirectional",
    "diagnose",
    "elbo_parts",
    "encode_for",
    "importance_bound",
    "inference_gaps",
    "linear_case",
    "metric_at",
    "orthogonality",
    "principal_angles",
    "rate_distortion",
]
