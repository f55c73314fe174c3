"""Kinds of blocks: Gaussian, categorical and angles, with posterior and prior."""

from __future__ import annotations

from ..checks import check_size
from .blocks import Block
from .posteriors.angles import AnglesPosterior
from .posteriors.base import Posterior
from .posteriors.gaussian import Diagonal
from .posteriors.one_hot import OneHotPosterior
from .priors.angles import AnglesPrior
from .priors.base import Prior
from .priors.gaussian import StandardNormal
from .priors.one_hot import OneHotPrior

__all__ = ["AngleBlock", "CategoricalBlock", "GaussianBlock"]


class GaussianBlock(Block):
    """Continuous dimensions.

    Args:
        dim: How many.
        posterior: The family of its posterior; independent Gaussians by default.
        prior: Its prior; the standard normal by default.
    """

    def __init__(
        self, dim: int, posterior: Posterior | None = None, prior: Prior | None = None
    ) -> None:
        check_size("dim", dim)
        super().__init__(
            dim,
            Diagonal() if posterior is None else posterior,
            StandardNormal(dim) if prior is None else prior,
        )


class CategoricalBlock(Block):
    """One class of several, as a (relaxed) one-hot vector; see `OneHot`.

    Args:
        classes: How many, and the entries of the block.
        temperature: Of the relaxed sample.
        straight_through: Whether the decoder sees unit vectors.
        prior: Of the classes; equal probabilities by default.
    """

    def __init__(
        self,
        classes: int,
        temperature: float = 0.67,
        straight_through: bool = False,
        prior: Prior | None = None,
    ) -> None:
        super().__init__(
            classes,
            OneHotPosterior(temperature, straight_through),
            OneHotPrior(classes) if prior is None else prior,
        )


class AngleBlock(Block):
    """Angles, each as a cosine and a sine: two entries; see `Angles`.

    Args:
        angles: How many.
    """

    def __init__(self, angles: int = 1) -> None:
        super().__init__(2 * angles, AnglesPosterior(), AnglesPrior(angles))
