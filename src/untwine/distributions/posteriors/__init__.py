"""Posteriors q(z|x): heads from an encoder's features to a distribution of codes."""

from .angles import AnglesPosterior
from .base import Posterior
from .blocks import BlocksPosterior
from .gaussian import Diagonal, FixedScale, FullCovariance, LowRank
from .heads import HeadsPosterior
from .mixture import MixturePosterior
from .one_hot import OneHotPosterior
from .point import PointPosterior
from .quantized import FiniteScalar, Quantizer, ScalarCodebooks

__all__ = [
    "AnglesPosterior",
    "BlocksPosterior",
    "Diagonal",
    "FiniteScalar",
    "FixedScale",
    "FullCovariance",
    "HeadsPosterior",
    "LowRank",
    "MixturePosterior",
    "OneHotPosterior",
    "PointPosterior",
    "Posterior",
    "Quantizer",
    "ScalarCodebooks",
]
