"""Uses of a trained method: codes for other libraries, samples, what is missing, edits."""

from ..evaluation import which
from .annotation import annotate
from .choice import Control
from .controls import Controls
from .counterfactuals import Counterfactuals, counterfactuals
from .edited import Edited
from .estimator import CodeTransformer
from .generation import condition_of, interpolate, sample, sample_like
from .imputation import impute
from .probe import Probe

__all__ = [
    "CodeTransformer",
    "Control",
    "Controls",
    "Counterfactuals",
    "Edited",
    "Probe",
    "annotate",
    "condition_of",
    "counterfactuals",
    "impute",
    "interpolate",
    "sample",
    "sample_like",
    "which",
]
