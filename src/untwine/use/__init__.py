"""Uses of a trained method: codes for other libraries, samples of a condition, what is missing."""

from ..evaluation import which
from .annotation import annotate
from .estimator import CodeTransformer
from .generation import condition_of, interpolate, sample, sample_like
from .imputation import impute

__all__ = [
    "CodeTransformer",
    "annotate",
    "condition_of",
    "impute",
    "interpolate",
    "sample",
    "sample_like",
    "which",
]
