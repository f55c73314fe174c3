"""Torch distributions, and modules that return them: posteriors, likelihoods, priors."""

# Closed forms of divergences are registered with torch when their module is imported.
from . import kl_pairs as kl_pairs
from .angles import Angles
from .block_kinds import AngleBlock, CategoricalBlock, GaussianBlock
from .blocks import Block, Blocks
from .chain import Chain
from .conditional import Conditional
from .gaussians import diagonal_normal
from .heads import HeadAndStyle
from .joint import Joint
from .likelihoods import (
    Bernoulli,
    Categorical,
    ContinuousBernoulli,
    DiscretizedLogistics,
    Gaussian,
    Laplace,
    Likelihood,
    Mixed,
    NegativeBinomial,
    Ordinal,
    Poisson,
    StudentT,
    ZeroInflatedNegativeBinomial,
)
from .logistic_mixture import LogisticMixture
from .mixture import Mixture
from .one_hot import OneHot
from .point import Point
from .posteriors import (
    AnglesPosterior,
    BlocksPosterior,
    Diagonal,
    FiniteScalar,
    FixedScale,
    FullCovariance,
    HeadsPosterior,
    LowRank,
    MixturePosterior,
    OneHotPosterior,
    PointPosterior,
    Posterior,
    Quantizer,
    ScalarCodebooks,
)
from .priors import (
    AnglesPrior,
    BlocksPrior,
    BoxPrior,
    ClusteredPrior,
    FlowPrior,
    GaussianMixture,
    GridPrior,
    HeadsPrior,
    HierarchicalMixture,
    LaplacePrior,
    LearnedNormal,
    OneHotPrior,
    Prior,
    StandardNormal,
    SwissRollPrior,
    UniformPrior,
    VampPrior,
    tree_from_merges,
)
from .quantized import Quantized, UniformGrid

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
    "BoxPrior",
    "Categorical",
    "CategoricalBlock",
    "Chain",
    "ClusteredPrior",
    "Conditional",
    "ContinuousBernoulli",
    "Diagonal",
    "DiscretizedLogistics",
    "FiniteScalar",
    "FixedScale",
    "FlowPrior",
    "FullCovariance",
    "Gaussian",
    "GaussianBlock",
    "GaussianMixture",
    "GridPrior",
    "HeadAndStyle",
    "HeadsPosterior",
    "HeadsPrior",
    "HierarchicalMixture",
    "Joint",
    "Laplace",
    "LaplacePrior",
    "LearnedNormal",
    "Likelihood",
    "LogisticMixture",
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
    "PointPosterior",
    "Poisson",
    "Posterior",
    "Prior",
    "Quantized",
    "Quantizer",
    "ScalarCodebooks",
    "StandardNormal",
    "StudentT",
    "SwissRollPrior",
    "UniformGrid",
    "UniformPrior",
    "VampPrior",
    "ZeroInflatedNegativeBinomial",
    "diagonal_normal",
    "tree_from_merges",
]
