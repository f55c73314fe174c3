"""Images made smaller."""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..checks import check_size
from .dataset import FactorDataset, Index

__all__ = ["Downsampled"]


class Downsampled(FactorDataset):
    """The images of another data set at a fraction of their size, for quick experiments.

    A pixel is the mean of a square of pixels, so that edges become grey.

    Args:
        data: The data set, of images (C, H, W).
        by: The side of the square; it divides the image's sides.

    Raises:
        ValueError: for observations that are no images, or sides that ``by`` does not divide.

    Example:
        >>> images = np.arange(16.0).reshape(1, 1, 4, 4) / 16
        >>> data = Downsampled(FactorDataset.from_arrays(images, layout="CHW"))
        >>> (16 * data.observations([0])[0, 0]).tolist()
        [[2.5, 4.5], [10.5, 12.5]]
    """

    needs = "a data set"

    def __init__(self, data: FactorDataset, by: int = 2) -> None:
        check_size("by", by)
        if len(data.shape) != 3 or data.shape[1] % by or data.shape[2] % by:
            raise ValueError(
                f"observations of data have the shape {data.shape}; expected images (C, H, W) "
                f"whose sides are multiples of {by}"
            )
        channels, height, width = data.shape
        self.data, self.by = data, by
        self.space, self.values, self.covariates = data.space, data.values, data.covariates
        self.shape = (channels, height // by, width // by)

    def __len__(self) -> int:
        return len(self.data)

    @property
    def factors(self) -> np.ndarray:
        return self.data.factors

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        return avg_pool2d(self.data.observations(index, draw), self.by)
