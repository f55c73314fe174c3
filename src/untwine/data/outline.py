"""Outline of a data set: what a method asks of it when it is built, without the observations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checks import check_size, check_sizes
from .dataset import FactorDataset, Index, as_index
from .modalities import Data, Multimodal
from .space import FactorSpace

__all__ = ["Outline", "of_outline", "outline"]


class Outline(FactorDataset):
    """A data set of zeros, as large and of the same shape and factors as another one.

    The weights of a trained method are put into one that is built for it, so that a run can be read
    where its data is not.

    Args:
        size: How many observations there are.
        shape: Of one.
        covariates: How many there are beside each observation.
        names: Of the factors.
        sizes: Their numbers of values.

    Example:
        >>> data = Outline(10, (4,), covariates=2, names=["side"], sizes=[3])
        >>> data, data.observations([9]).tolist()
        (Outline(10 observations of shape (4,); factors: side 3), [[0.0, 0.0, 0.0, 0.0]])
    """

    def __init__(
        self,
        size: int,
        shape: Sequence[int],
        covariates: int = 0,
        names: Sequence[str] = (),
        sizes: Sequence[int] = (),
    ) -> None:
        check_sizes("shape", shape)
        check_size("covariates", covariates, least=0)
        self._size, self.shape = size, tuple(shape)
        self.space = FactorSpace(tuple(names), tuple(sizes))
        if covariates:
            self.covariates = torch.zeros(1).expand(size, covariates)

    def __len__(self) -> int:
        return self._size

    @property
    def factors(self) -> np.ndarray:
        return np.broadcast_to(np.int64(0), (self._size, len(self.space.names)))

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        return torch.zeros(len(as_index(index, self._size)), *self.shape)


def outline(data: Data) -> dict[str, Any]:
    """The arguments of the `Outline` of a data set; of several modalities, by name.

    Example:
        >>> outline(FactorDataset.from_arrays(np.zeros((10, 4))))
        {'size': 10, 'shape': [4]}
    """
    if isinstance(data, Multimodal):
        return {"parts": {name: outline(part) for name, part in data.parts.items()}}
    about: dict[str, Any] = {"size": len(data), "shape": list(data.shape)}
    if data.covariates is not None:
        about["covariates"] = int(data.covariates.shape[1])
    if data.space.names:
        about |= {"names": list(data.space.names), "sizes": list(data.space.sizes)}
    return about


def of_outline(about: Mapping[str, Any]) -> Data:
    """The data set of zeros that an outline describes.

    Raises:
        ValueError: for what is no outline.
        TypeError: for what is no outline.
    """
    if "parts" in about:
        return Multimodal({name: Outline(**part) for name, part in about["parts"].items()})
    return Outline(**about)
