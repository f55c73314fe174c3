"""Modules that return torch distributions: posteriors, likelihoods, priors."""

from .conditional import Conditional
from .likelihoods import Bernoulli, ContinuousBernoulli, Gaussian, Laplace, Likelihood
from .point import Point
from .posteriors import Diagonal, FullCovariance, Posterior, diagonal_normal
from .priors import GaussianMixture, Prior, StandardNormal

__all__ = [
    "Bernoulli",
    "Conditional",
    "ContinuousBernoulli",
    "Diagonal",
    "FullCovariance",
    "Gaussian",
    "GaussianMixture",
    "Laplace",
    "Likelihood",
    "Point",
    "Posterior",
    "Prior",
    "StandardNormal",
    "diagonal_normal",
]
