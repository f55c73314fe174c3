"""Equations: pure, stateless, differentiable functions."""

from .adversarial import (
    cross_entropy_to,
    cross_entropy_to_uniform,
    density_ratio,
    permute_dims,
)
from .block_information import block_information
from .contrastive import nt_xent
from .decomposition import Decomposition, decompose, log_densities, log_importance_weights
from .divergences import kl, kl_blocks, kl_rule
from .experts import mixture_of_experts, product_of_experts
from .f_distribution import log_betainc, log_f_cdf
from .hessians import hessian_penalty, second_differences
from .importance import self_normalized
from .labels import label_covariance, label_cross_entropy, label_squares
from .mixture_divergences import (
    convexity_upper_bound,
    durrieu_bounds,
    matched_upper_bound,
    mixture_log_ratio,
    variational_approximation,
    variational_upper_bound,
)
from .moments import covariance, dip
from .multiinformation import kernel_multiinformation
from .onehot import one_hot
from .schedules import Linear, Schedule, at
from .sharing import average, changed, geometric, pool, product, share
from .transitions import laplace_transition

__all__ = [
    "Decomposition",
    "Linear",
    "Schedule",
    "at",
    "average",
    "block_information",
    "changed",
    "convexity_upper_bound",
    "covariance",
    "cross_entropy_to",
    "cross_entropy_to_uniform",
    "decompose",
    "density_ratio",
    "dip",
    "durrieu_bounds",
    "geometric",
    "hessian_penalty",
    "kernel_multiinformation",
    "kl",
    "kl_blocks",
    "kl_rule",
    "label_covariance",
    "label_cross_entropy",
    "label_squares",
    "laplace_transition",
    "log_betainc",
    "log_densities",
    "log_f_cdf",
    "log_importance_weights",
    "matched_upper_bound",
    "mixture_log_ratio",
    "mixture_of_experts",
    "nt_xent",
    "one_hot",
    "permute_dims",
    "pool",
    "product",
    "product_of_experts",
    "second_differences",
    "self_normalized",
    "share",
    "variational_approximation",
    "variational_upper_bound",
]
