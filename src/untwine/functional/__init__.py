"""Equations: pure, stateless, differentiable functions."""

from .adversarial import (
    critic_accuracy,
    critic_losses,
    cross_entropy_to,
    cross_entropy_to_uniform,
    density_ratio,
    fooling_loss,
    gradient_penalty,
    permute_dims,
    r1_penalty,
    ratio_calibration,
)
from .bits import bits_per_dimension
from .block_information import block_information
from .contrastive import nt_xent
from .coverage import density_and_coverage
from .decomposition import Decomposition, decompose, log_densities, log_importance_weights
from .discrepancies import group_mmd, mmd, score, sliced_wasserstein, stein, stein_direction
from .divergences import kl, kl_blocks, kl_rule
from .experts import mixture_of_experts, product_of_experts
from .f_distribution import log_betainc, log_f_cdf
from .fisher import NoInformation, fisher_information, parameters_of
from .hessians import hessian_penalty, second_differences
from .importance import self_normalized
from .jacobians import (
    column_cosines,
    gram,
    ima_contrast,
    jacobian,
    orthogonal_jacobian,
    seam_gap,
    signed_permutation_distance,
)
from .kernels import RBF, InverseMultiquadric, Kernel, squared_distances
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
from .path_length import path_lengths
from .repulsion import head_repulsion
from .schedules import Linear, Schedule, at
from .sharing import average, changed, geometric, pool, product, share
from .transitions import laplace_transition

__all__ = [
    "RBF",
    "Decomposition",
    "InverseMultiquadric",
    "Kernel",
    "Linear",
    "NoInformation",
    "Schedule",
    "at",
    "average",
    "bits_per_dimension",
    "block_information",
    "changed",
    "column_cosines",
    "convexity_upper_bound",
    "covariance",
    "critic_accuracy",
    "critic_losses",
    "cross_entropy_to",
    "cross_entropy_to_uniform",
    "decompose",
    "density_and_coverage",
    "density_ratio",
    "dip",
    "durrieu_bounds",
    "fisher_information",
    "fooling_loss",
    "geometric",
    "gradient_penalty",
    "gram",
    "group_mmd",
    "head_repulsion",
    "hessian_penalty",
    "ima_contrast",
    "jacobian",
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
    "mmd",
    "nt_xent",
    "one_hot",
    "orthogonal_jacobian",
    "parameters_of",
    "path_lengths",
    "permute_dims",
    "pool",
    "product",
    "product_of_experts",
    "r1_penalty",
    "ratio_calibration",
    "score",
    "seam_gap",
    "second_differences",
    "self_normalized",
    "share",
    "signed_permutation_distance",
    "sliced_wasserstein",
    "squared_distances",
    "stein",
    "stein_direction",
    "variational_approximation",
    "variational_upper_bound",
]
