"""Equations: pure, stateless, differentiable functions."""

from .adversarial import cross_entropy_to, density_ratio, permute_dims
from .decomposition import Decomposition, decompose, log_densities, log_importance_weights
from .divergences import kl
from .moments import covariance, dip
from .onehot import one_hot
from .schedules import Linear, Schedule, at
from .sharing import average, changed, product, share

__all__ = [
    "Decomposition",
    "Linear",
    "Schedule",
    "at",
    "average",
    "changed",
    "covariance",
    "cross_entropy_to",
    "decompose",
    "density_ratio",
    "dip",
    "kl",
    "log_densities",
    "log_importance_weights",
    "one_hot",
    "permute_dims",
    "product",
    "share",
]
