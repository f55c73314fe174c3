"""Modules that return torch distributions: posteriors, likelihoods, priors."""

from .angles import Angles, AnglesPosterior, AnglesPrior
from .blocks import (
    AngleBlock,
    Block,
    Blocks,
    BlocksPosterior,
    BlocksPrior,
    CategoricalBlock,
    GaussianBlock,
)
from .categorical import OneHot, OneHotPosterior, OneHotPrior
from .conditional import Conditional
from .counts import NegativeBinomial, Poisson, ZeroInflatedNegativeBinomial
from .flow import FlowPrior
from .hierarchy import HierarchicalMixture
from .joint import Joint
from .likelihoods import Bernoulli, ContinuousBernoulli, Gaussian, Laplace, Likelihood
from .mixture_posterior import Mixture, MixturePosterior
from .mixtures import ClusteredPrior, GaussianMixture
from .point import Point
from .posteriors import Diagonal, FullCovariance, LowRank, Posterior, diagonal_normal
from .priors import LaplacePrior, LearnedNormal, Prior, StandardNormal, UniformPrior
from .tables import Categorical, Mixed, Ordinal, StudentT
from .trees import tree_from_merges
from .vamp import VampPrior

__all__ = [
    "AngleBlock",
    "Angles",
    "AnglesPosterior",
    "AnglesPrior",
    "Bernoulli",
    "Block",
    "Blocks",
    "BlocksPosterior",
    "BlocksPrior",
    "Categorical",
    "CategoricalBlock",
    "ClusteredPrior",
    "Conditional",
    "ContinuousBernoulli",
    "Diagonal",
    "FlowPrior",
    "FullCovariance",
    "Gaussian",
    "GaussianBlock",
    "GaussianMixture",
    "HierarchicalMixture",
    "Joint",
    "Laplace",
    "LaplacePrior",
    "LearnedNormal",
    "Likelihood",
    "LowRank",
    "Mixed",
    "Mixture",
    "MixturePosterior",
    "NegativeBinomial",
    "OneHot",
    "OneHotPosterior",
    "OneHotPrior",
    "Ordinal",
    "Point",
    "Poisson",
    "Posterior",
    "Prior",
    "StandardNormal",
    "StudentT",
    "UniformPrior",
    "VampPrior",
    "ZeroInflatedNegativeBinomial",
    "diagonal_normal",
    "tree_from_merges",
]
