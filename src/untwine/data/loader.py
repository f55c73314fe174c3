"""Loaders: batches as a function of the step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from itertools import count
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, DistributedSampler

from ..reading import memory_limit
from .batches import Batch, Images
from .dataset import FactorDataset
from .modalities import Multimodal
from .samplers import Indices, Sampler, default_sampler
from .seeds import check_seed, generator_for

__all__ = ["DataLoaderAdapter", "Loader", "as_loader"]

Device = torch.device | str | None
Type = torch.dtype | None


class Loader:
    """Batches of a data set, each a pure function of (seed, step, rank).

    Every process of a distributed run draws the same rows from (seed, step) and takes its own
    share of them: the shares of all ranks, one after another, are the batch of a single process.

    Args:
        data: The data set.
        sampler: What a batch is made of.
        batch_size: Of all processes together.
        seed: Of the rows and of the observations' noise.
        rank: Which of the processes this one is.
        world_size: How many there are.
        device: Where batches are moved to; by default they stay on the CPU.
        dtype: Of observations and covariates; float32 by default.

    Raises:
        ValueError: if ``batch_size`` cannot be divided among the processes, for numbers out of
            range, for batches that memory does not hold, and for a table of factors from which the
            sampler cannot draw.

    Example:
        >>> import numpy as np
        >>> from untwine.data import IID
        >>> data = FactorDataset.from_arrays(np.random.default_rng(0).random((100, 3)))
        >>> loader = Loader(data, IID(), batch_size=16, seed=1)
        >>> bool((loader(5).x == loader(5).x).all()), bool((loader(5).x == loader(6).x).all())
        (True, False)
    """

    def __init__(
        self,
        data: FactorDataset | Multimodal,
        sampler: Sampler[Any],
        *,
        batch_size: int,
        seed: int = 0,
        rank: int = 0,
        world_size: int = 1,
        device: Device = None,
        dtype: Type = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size is {batch_size}; expected at least 1")
        self.data, self.sampler = data, sampler
        self.batch_size, self.seed = batch_size, check_seed(seed)
        self._place(rank, world_size, device, dtype)
        self._draw = sampler.bind(data.space, data.factors)

    def placed(self, *, rank: int, world_size: int, device: Device, dtype: Type) -> Loader:
        """The same loader for another process, device or type."""
        loader = copy(self)
        loader._place(rank, world_size, device, dtype)
        return loader

    @property
    def size(self) -> int:
        """N, the number of observations in the data set."""
        return len(self.data)

    @property
    def supervision(self) -> type:
        """The type of the batches."""
        return self.sampler.supervision

    def indices(self, step: int) -> Indices:
        """The rows of this process at a step."""
        rows = self._draw(self.batch_size, generator_for(self.seed, step))
        return tuple(map(self._own, rows)) if isinstance(rows, tuple) else self._own(rows)

    def __call__(self, step: int) -> Any:
        """The batch of this process at a step, counted from 0."""
        # The draw that a data set shows on its own is 0, so the loader's begin at 1.
        draw = (self.seed << 64) + step + 1
        batch = self.sampler.batch(self.data, self.indices(step), draw)
        return batch.to(self.device, non_blocking=True, dtype=self.dtype)

    def __iter__(self) -> Iterator[Any]:
        """Batches without end, from step 0."""
        return (self(step) for step in count())

    def batches(self, n: int, start: int = 0) -> Iterator[Any]:
        """The batches of ``n`` steps."""
        return (self(step) for step in range(start, start + n))

    def __repr__(self) -> str:
        part = f", rank {self.rank} of {self.world_size}" if self.world_size > 1 else ""
        return (
            f"Loader({type(self.data).__name__}, {type(self.sampler).__name__}, "
            f"batch_size={self.batch_size}, seed={self.seed}{part})"
        )

    def _place(self, rank: int, world_size: int, device: Device, dtype: Type) -> None:
        if not 0 <= rank < world_size:
            raise ValueError(f"rank is {rank}; expected 0 to {world_size - 1} (world_size - 1)")
        _check_memory(self.data, _share(self.batch_size, world_size, "batch_size"))
        self.rank, self.world_size = rank, world_size
        self.device, self.dtype = device, dtype

    def _own(self, rows: Any) -> Any:
        part = _share(len(rows), self.world_size, "the sampler's batch")
        return rows[self.rank * part : (self.rank + 1) * part]


class DataLoaderAdapter:
    """The batches of a torch ``DataLoader``, epoch after epoch.

    What the data loader yields is used as it is if it is a batch type; of a tensor, and of the
    first part of a tuple, `Images` are made, and bytes are divided by 255. Observations and
    covariates of any type become ``dtype``. A resumed run goes on with other batches than those it
    would have seen, since a data loader has no state to go back to.

    Args:
        loader: The data loader.
        device: Where batches are moved to.
        dtype: Of observations and covariates.
        size: N, the number of examples; by default the length of the loader's data set.

    Raises:
        ValueError: if ``size`` is not given and cannot be found out.
    """

    def __init__(
        self,
        loader: DataLoader[Any],
        device: Device = None,
        size: int | None = None,
        dtype: Type = torch.float32,
    ) -> None:
        self.loader, self.device, self.dtype = loader, device, dtype
        if size is None:
            try:
                size = len(loader.dataset)  # type: ignore[arg-type]
            except TypeError as error:
                raise ValueError(
                    "the data loader's data set has no length: give the number of training "
                    "examples as DataLoaderAdapter(loader, size=...)"
                ) from error
        self.size = size
        self._epoch = 0
        self._batches: Iterator[Any] = iter(())

    def __call__(self, step: int) -> Any:
        """The next batch, whatever the step."""
        for _ in range(2):
            for batch in self._batches:
                return self._convert(batch)
            if isinstance(self.loader.sampler, DistributedSampler):
                self.loader.sampler.set_epoch(self._epoch)
            self._batches = iter(self.loader)
            self._epoch += 1
        raise ValueError(
            "the data loader yields no batch: its data set is empty, or smaller than a batch "
            "while drop_last is set"
        )

    def __iter__(self) -> Iterator[Any]:
        """Batches without end."""
        return (self(step) for step in count())

    def batches(self, n: int, start: int = 0) -> Iterator[Any]:
        """The next ``n`` batches."""
        return (self(step) for step in range(start, start + n))

    def _convert(self, batch: Any) -> Any:
        if not isinstance(batch, Batch):
            x = batch[0] if isinstance(batch, tuple | list) and batch else batch
            if not isinstance(x, Tensor):
                raise TypeError(
                    f"the data loader yields {type(batch).__name__}; expected a tensor, a tuple "
                    "that begins with one, or a batch type such as untwine.data.Pairs (made by "
                    "its collate_fn)"
                )
            if x.dtype == torch.uint8:
                if self._epoch == 1 and x.max() <= 1:
                    raise ValueError(
                        "the data loader yields bytes, which are divided by 255, but no byte of "
                        "this batch is above 1: if they are 0 and 1, give x.bool() or floats"
                    )
                x = x.to(torch.float32) / 255
            batch = Images(x)
        return batch.to(self.device, non_blocking=True, dtype=self.dtype)


def as_loader(
    data: Any,
    method: Any,
    batch_size: int = 64,
    seed: int = 0,
    *,
    rank: int = 0,
    world_size: int = 1,
    device: Device = None,
    dtype: Type = None,
) -> Callable[[int], Any]:
    """Whatever people have, as ``loader(step) -> batch`` with a ``size``.

    Args:
        data: A data set, from which the method's own sampler draws; a `Loader`, whose batch size
            and seed are kept; a torch ``DataLoader``; or any function of the step.
        method: What is trained; its ``supervision`` and ``sampler()`` are asked.
        batch_size: Of all processes together, for a data set.
        seed: For a data set.
        rank: Which of the processes this one is.
        world_size: How many there are.
        device: Where batches are moved to.
        dtype: Of observations and covariates.

    Raises:
        TypeError: for anything else.
        ValueError: if the loader makes batches of another type than the method learns from, and
            for a ``DataLoader`` that would give every process the same examples.
    """
    if isinstance(data, FactorDataset | Multimodal):
        sampler = method.sampler() or default_sampler(method.supervision)
        data = Loader(data, sampler, batch_size=batch_size, seed=seed)
    if isinstance(data, Loader):
        if not issubclass(data.supervision, method.supervision):
            raise ValueError(
                f"{type(method).__name__} learns from {method.supervision.__name__}, but "
                f"{type(data.sampler).__name__} makes {data.supervision.__name__}: use "
                f"{type(default_sampler(method.supervision)).__name__}"
            )
        return data.placed(rank=rank, world_size=world_size, device=device, dtype=dtype)
    if isinstance(data, DataLoaderAdapter):
        data.device, data.dtype = device, dtype
        return data
    if isinstance(data, DataLoader):
        if world_size > 1 and not isinstance(data.sampler, DistributedSampler):
            raise ValueError(
                f"each of the {world_size} processes would see all examples: give the DataLoader "
                "a torch.utils.data.DistributedSampler, or give the data set itself"
            )
        return DataLoaderAdapter(data, device, dtype=dtype)
    if callable(data):
        if not hasattr(data, "size"):
            raise TypeError(
                "a function of the step needs the attribute size, the number of training examples"
            )
        return _Moved(data, device, dtype)
    raise TypeError(
        f"data is a {type(data).__name__}; expected a FactorDataset (FactorDataset.from_arrays(x) "
        "makes one), a Loader, a torch DataLoader, or a function of the step"
    )


class _Moved:
    """A function of the step whose batches are moved to a device, in one type."""

    def __init__(self, loader: Any, device: Device, dtype: Type) -> None:
        self.loader, self.size = loader, loader.size
        self.device, self.dtype = device, dtype

    def __call__(self, step: int) -> Any:
        batch = self.loader(step)
        if not isinstance(batch, Batch):
            raise TypeError(
                f"the function of the step returns a {type(batch).__name__}; expected a batch "
                "type, such as untwine.data.Images(x)"
            )
        return batch.to(self.device, non_blocking=True, dtype=self.dtype)

    def __iter__(self) -> Iterator[Any]:
        return (self(step) for step in count())

    def batches(self, n: int, start: int = 0) -> Iterable[Any]:
        return (self(step) for step in range(start, start + n))


def _check_memory(data: Any, examples: int) -> None:
    shapes = data.shape.values() if isinstance(data.shape, Mapping) else [data.shape]
    size_needed = 4 * examples * sum(math.prod(shape) for shape in shapes)
    if size_needed > memory_limit():
        raise ValueError(
            f"batch_size is {examples:,} (in each process): a batch of {type(data).__name__} takes "
            f"{size_needed / 2**30:,.0f} GiB, more than the {memory_limit() / 2**30:,.0f} GiB of "
            "memory here"
        )


def _share(n: int, world_size: int, nouns: str) -> int:
    if n % world_size:
        raise ValueError(
            f"{nouns} of {n} cannot be divided among {world_size} processes: use a multiple of "
            f"{world_size}, such as {n // world_size * world_size or world_size}"
        )
    return n // world_size
