"""Likelihoods p(x|z): heads from a decoder's output to a distribution of observations."""

from .base import Likelihood
from .categories import Categorical, Ordinal
from .counts import CountLikelihood, NegativeBinomial, Poisson, ZeroInflatedNegativeBinomial
from .logistics import DiscretizedLogistics
from .mixed import Mixed
from .pixels import Bernoulli, ContinuousBernoulli
from .real import Gaussian, Laplace, StudentT

__all__ = [
    "Bernoulli",
    "Categorical",
    "ContinuousBernoulli",
    "CountLikelihood",
    "DiscretizedLogistics",
    "Gaussian",
    "Laplace",
    "Likelihood",
    "Mixed",
    "NegativeBinomial",
    "Ordinal",
    "Poisson",
    "StudentT",
    "ZeroInflatedNegativeBinomial",
]
