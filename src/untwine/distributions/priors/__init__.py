"""Priors p(z): modules that take nothing and return a distribution over codes."""

from .angles import AnglesPrior
from .base import Prior
from .blocks import BlocksPrior
from .clustered import ClusteredPrior
from .flow import FlowPrior
from .gaussian import LearnedNormal, StandardNormal
from .gaussian_mixture import GaussianMixture
from .grid import GridPrior
from .heads import HeadsPrior
from .hierarchical_mixture import HierarchicalMixture
from .laplace import LaplacePrior
from .one_hot import OneHotPrior
from .swiss_roll import SwissRollPrior
from .trees import tree_from_merges
from .uniform import BoxPrior, UniformPrior
from .vamp import VampPrior

__all__ = [
    "AnglesPrior",
    "BlocksPrior",
    "BoxPrior",
    "ClusteredPrior",
    "FlowPrior",
    "GaussianMixture",
    "GridPrior",
    "HeadsPrior",
    "HierarchicalMixture",
    "LaplacePrior",
    "LearnedNormal",
    "OneHotPrior",
    "Prior",
    "StandardNormal",
    "SwissRollPrior",
    "UniformPrior",
    "VampPrior",
    "tree_from_merges",
]
