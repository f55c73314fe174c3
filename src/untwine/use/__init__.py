"""Uses of a trained method outside of this library."""

from .annotation import annotate
from .estimator import CodeTransformer

__all__ = ["CodeTransformer", "annotate"]
