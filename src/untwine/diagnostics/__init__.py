"""Why and when a model disentangles: the theory as functions of a trained model.

Each takes anything with ``represent``, ``decode`` and ``prior`` and observations, and returns a
small record of numbers in the papers' symbols whose text is a verdict.
"""

from .estimates import Estimate, Finding
from .geometry import Metric, metric_at
from .linear import LinearCase, LinearGaussian, RatePoint, linear_case, principal_angles
from .models import Adapter, Encoded, LatentModel, NoDensity, encode_for
from .orthogonality import Orthogonality, orthogonality

__all__ = [
    "Adapter",
    "Encoded",
    "Estimate",
    "Finding",
    "LatentModel",
    "LinearCase",
    "LinearGaussian",
    "Metric",
    "NoDensity",
    "Orthogonality",
    "RatePoint",
    "encode_for",
    "linear_case",
    "metric_at",
    "orthogonality",
    "principal_angles",
]
