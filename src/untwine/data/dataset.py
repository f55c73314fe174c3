"""Interface of data sets with factors, subsets and splits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from ..spec import Recorded
from .batches import Images
from .seeds import check_seed
from .space import FactorSpace

__all__ = ["FactorDataset", "Index", "Slice", "Split", "Subset", "as_index"]

Index = Tensor | np.ndarray | Sequence[int]


class FactorDataset(Recorded, ABC):
    """Observations numbered from 0, and their factors.

    The combinations of factors need not form a full grid, nor be all different.

    Attributes:
        space: The factors' names and sizes; without factors, none.
        shape: Of one observation: ``(C, H, W)`` for images, ``(F,)`` for vectors.
        covariates: What is known of each observation beside its factors, ``(N, C)``, or ``None``.
        values: The names of a factor's values, where they have names.
        counts: Whether observations are counts of genes: methods then begin from other defaults.
        needs: What a data set of this class is made from, for lists of them: "nothing" (if it can
            be made without any argument), "a file", "a folder", "arrays", "an annotated matrix" or
            "a data set". Empty for those that are not listed.

    Example:
        >>> images = np.zeros((6, 8, 8), dtype=np.uint8)
        >>> data = FactorDataset.from_arrays(images, [[0], [1], [2]] * 2, names=["digit"])
        >>> data
        Arrays(6 observations of shape (1, 8, 8); factors: digit 3)
        >>> data.observations([0, 5]).shape, data.factors[5]
        (torch.Size([2, 1, 8, 8]), array([2]))
    """

    space: FactorSpace
    shape: tuple[int, ...]
    covariates: Tensor | None = None
    values: Mapping[str, tuple[str, ...]] = {}
    counts: bool = False
    needs: ClassVar[str] = ""

    # The functions of `untwine.data.constructors`, which knows the subclasses that they make.
    from_arrays: ClassVar[Callable[..., FactorDataset]]
    from_npz: ClassVar[Callable[..., FactorDataset]]
    from_h5: ClassVar[Callable[..., FactorDataset]]
    from_h5ad: ClassVar[Callable[..., FactorDataset]]
    from_folder: ClassVar[Callable[..., FactorDataset]]
    from_torch: ClassVar[Callable[..., FactorDataset]]

    @abstractmethod
    def __len__(self) -> int:
        """The number of observations, N."""

    @property
    @abstractmethod
    def factors(self) -> np.ndarray:
        """The factors of every observation, ``(N, K)`` integers, -1 where unknown."""

    @abstractmethod
    def observations(self, index: Index, draw: int = 0) -> Tensor:
        """The observations of given numbers.

        Args:
            index: Integers from 0 to N - 1, in any order.
            draw: Which version of an observation that has random noise; the same numbers give
                the same noise. A `Loader` passes another one at each step.

        Shape:
            index ``(B,)``; returns ``(B, *shape)`` of float32, images in [0, 1].

        Raises:
            IndexError: for a number that no observation has.
        """

    def batch(self, index: Index, draw: int = 0) -> Images:
        """Observations with their covariates: what training, encoding and reports are given.

        Args:
            index: See `observations`.
            draw: See `observations`.
        """
        rows = as_index(index, len(self))
        c = None if self.covariates is None else self.covariates[torch.from_numpy(rows)]
        return Images(self.observations(rows, draw), c)

    def __getitem__(self, index: int) -> Tensor:
        """One observation, so that a torch ``DataLoader`` can read the data set."""
        return self.observations([index])[0]

    def __repr__(self) -> str:
        factors = f"factors: {self.space}" if self.space.names else "no factors"
        return f"{type(self).__name__}({len(self)} observations of shape {self.shape}; {factors})"

    def subset(self, indices: Index) -> Subset:
        """The observations of given numbers as a data set of their own."""
        return Subset(self, indices)

    def split(self, fraction: float, seed: int = 0) -> tuple[Split, Split]:
        """Two data sets without a common observation, drawn at random.

        Args:
            fraction: Of the observations that the first one gets.
            seed: Of the draw.

        Example:
            >>> data = FactorDataset.from_arrays(np.zeros((10, 2)))
            >>> [len(part) for part in data.split(0.8)]
            [8, 2]
        """
        return Split(self, fraction, seed, "train"), Split(self, fraction, seed, "test")


class Subset(FactorDataset):
    """Some observations of another data set, in the order given.

    Args:
        data: The data set.
        indices: The numbers of the observations there. Given as a list of integers, they are
            written into a spec; given as an array, they are not.

    Raises:
        IndexError: for a number that no observation has.
        ValueError: for no numbers.
    """

    def __init__(self, data: FactorDataset, indices: Index) -> None:
        self.data = data
        self.indices = as_index(indices, len(data))
        if not len(self.indices):
            raise ValueError("a subset needs at least one observation, but indices is empty")
        self.space, self.shape, self.values = data.space, data.shape, data.values
        self.counts = data.counts
        if data.covariates is not None:
            self.covariates = data.covariates[torch.from_numpy(self.indices)]
        self._factors: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def factors(self) -> np.ndarray:
        if self._factors is None:
            self._factors = self.data.factors[self.indices]
        return self._factors

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        return self.data.observations(self.indices[as_index(index, len(self))], draw)


class Slice(Subset):
    """The observations at which some factors have one value; the other factors are its space.

    Args:
        data: The data set.
        at: The value of each factor that is held, by name.

    Raises:
        ValueError: for a factor that there is none of, and if no observation has those values.

    Example:
        >>> images = np.zeros((6, 8, 8), dtype=np.uint8)
        >>> table = [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
        >>> data = FactorDataset.from_arrays(images, table, names=["shape", "size"])
        >>> Slice(data, {"shape": 1})
        Slice(3 observations of shape (1, 8, 8); factors: size 3)
    """

    def __init__(self, data: FactorDataset, at: Mapping[str, int]) -> None:
        columns = [data.space.position(name) for name in at]
        mask = (data.factors[:, columns] == list(at.values())).all(axis=1)
        if not mask.any():
            raise ValueError(f"no observation has the values {dict(at)} of {data.space}")
        super().__init__(data, np.flatnonzero(mask))
        self.at = dict(at)
        free = [k for k in range(len(data.space.names)) if k not in columns]
        self.space = data.space.only(free)
        self.values = {name: words for name, words in data.values.items() if name not in at}
        self._factors = data.factors[self.indices][:, free]


class Split(Subset):
    """The train or the test part of a data set; together they are all of it.

    Args:
        data: The data set.
        fraction: Of the observations that the train part gets, between 0 and 1.
        seed: Of the draw.
        part: Which of the two.

    Raises:
        ValueError: if a part would be empty.
    """

    def __init__(
        self,
        data: FactorDataset,
        fraction: float,
        seed: int = 0,
        part: Literal["train", "test"] = "train",
    ) -> None:
        if part not in ("train", "test"):
            raise ValueError(f"part is {part!r}; expected 'train' or 'test'")
        n = len(data)
        cut = round(n * fraction)
        if not 0 < cut < n:
            raise ValueError(
                f"fraction {fraction} puts {cut} of {n} observations into the train part; "
                "both parts need at least one"
            )
        order = np.random.default_rng(check_seed(seed)).permutation(n)
        super().__init__(data, np.sort(order[:cut] if part == "train" else order[cut:]))


def as_index(index: Index, n: int) -> np.ndarray:
    """The numbers of observations as int64, checked to be among the ``n`` there are.

    Raises:
        IndexError: for a number outside 0 to ``n - 1``.
        TypeError: for anything but integers.
        ValueError: for more than one axis.
    """
    array = index.detach().cpu().numpy() if isinstance(index, Tensor) else np.asarray(index)
    if array.ndim != 1:
        raise ValueError(f"index has shape {array.shape}; expected one axis, (B,)")
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(
            f"index holds {array.dtype}; expected integers (np.flatnonzero(mask) makes them "
            "of a mask)"
        )
    array = array.astype(np.int64, copy=False)
    if array.size and (array.min() < 0 or array.max() >= n):
        wrong = array[(array < 0) | (array >= n)][0]
        raise IndexError(f"there is no observation {wrong}; the data set has 0 to {n - 1}")
    return array
