"""Uses of a trained method outside of this library."""

from .annotation import annotate

__all__ = ["annotate"]
