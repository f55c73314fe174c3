"""The terms of a loss on data that is not trained on, and what follows from their course."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data import IID, FactorDataset, ModalitiesSampler, Multimodal, as_loader, default_sampler
from ..data.batches import Batch, Indexed
from ..encoding import placement
from ..methods.method import Context, Method, Stage
from .record import merged, numbers
from .replicas import Replicas

__all__ = ["PREFIX", "HeldOutTerms", "Validation", "split"]

PREFIX = "validation/"
"""What the names of held-out terms begin with, in the log."""

_MOST = 10_000
"""Examples that are looked at each time."""


@dataclass(frozen=True)
class Validation:
    """What is held out, and what is made of it.

    Attributes:
        data: A data set or whatever `fit` learns from.
        every: Steps of a stage from one look at it to the next.
        monitor: The term by which weights are compared, ``player/term``; by default the total of
            the player who moves first in the stage.
        patience: Looks without a lower value, after which a stage ends.
        best: Whether the weights of the lowest value are kept.
    """

    data: Any
    every: int
    monitor: str | None = None
    patience: int | None = None
    best: bool = False


def split(data: Any, fraction: float, seed: int) -> tuple[FactorDataset, FactorDataset]:
    """What is trained on, and the share that is held out.

    Raises:
        TypeError: for data that cannot be divided.
        ValueError: for a share outside (0, 1), and if a part would be empty.
    """
    if not 0 < fraction < 1:
        raise ValueError(
            f"validation is {fraction}; expected a share between 0 and 1, such as 0.1, or data"
        )
    if not isinstance(data, FactorDataset):
        raise TypeError(
            f"validation={fraction} divides a FactorDataset, and data is a "
            f"{type(data).__name__}: give what is held out itself, validation=data"
        )
    train, held_out = data.split(1 - fraction, seed)
    return train, held_out


class HeldOutTerms:
    """The terms of a method's loss on held-out data, in evaluation mode.

    Each look takes the same examples and the same noise, so that values differ by the weights
    alone. Buffers that moves change are put back.

    Args:
        validation: What is held out.
        method: What is trained.
        sampler: As given to `fit`.
        batch_size: Of all processes.
        seed: Of examples that are drawn.
        replicas: Devices and processes.

    Raises:
        ValueError: for a method that learns a code for each training example.
    """

    def __init__(
        self,
        validation: Validation,
        method: Method,
        sampler: Any,
        batch_size: int,
        seed: int,
        replicas: Replicas,
    ) -> None:
        if issubclass(method.supervision, Indexed):
            raise ValueError(
                f"{type(method).__name__} learns a code for each training example, so that its "
                "loss says nothing of others: train it without validation"
            )
        self._method, self._replicas, self._monitor = method, replicas, validation.monitor
        data = validation.data
        drawn = sampler if sampler is not None else method.sampler()
        if drawn is None and isinstance(data, FactorDataset | Multimodal):
            drawn = default_sampler(method.supervision)
        device, dtype = replicas.fabric.device, placement(method)[1]
        self._batches: Callable[[], Iterator[Any]]
        if isinstance(data, FactorDataset | Multimodal) and type(drawn) in (IID, ModalitiesSampler):
            self._batches = _InOrder(data, drawn, batch_size, replicas, device, dtype)
            return
        if isinstance(data, FactorDataset | Multimodal):
            from ..data import Loader

            assert drawn is not None
            data = Loader(data, drawn, batch_size=batch_size, seed=seed)
        loader: Any = as_loader(
            data,
            method,
            batch_size=batch_size,
            seed=seed,
            rank=replicas.rank,
            world_size=replicas.count,
            device=device,
            dtype=dtype,
        )
        count = -(-min(loader.size, _MOST) // batch_size)
        self._batches = lambda: (loader(number) for number in range(count))

    def check(self, stage: Stage, ctx: Context) -> None:
        """Refuses held-out data that the moves cannot take, and a term that they do not have.

        Raises:
            ValueError: naming it.
        """
        training = self._method.training
        self._method.eval()
        try:
            with _buffers_kept(self._method), self._replicas.autocast():
                self.monitored(self._of(stage, next(iter(self._batches())), ctx))
        except RuntimeError as error:
            raise ValueError(
                f"the held-out data does not fit the method: {str(error).splitlines()[0]}"
            ) from error
        finally:
            self._method.train(training)

    def monitored(self, terms: Mapping[str, float]) -> float:
        """The value of the term by which weights are compared.

        Raises:
            ValueError: if there is no such term.
        """
        name = self._monitor or next(name for name in terms if name.endswith("/total"))
        if name not in terms:
            raise ValueError(f"monitor is {name!r}; the held-out terms are {', '.join(terms)}")
        return terms[name]

    def terms(self, stage: Stage, ctx: Context, seed: Callable[[int], None]) -> dict[str, float]:
        """Terms and totals by name, averaged over the held-out examples.

        Args:
            stage: Whose moves.
            ctx: Where training is.
            seed: Seeds the noise of a batch, by its number.
        """
        training = self._method.training
        self._method.eval()
        sums: dict[str, float] = {}
        examples = 0
        try:
            with _buffers_kept(self._method), self._replicas.autocast():
                for number, batch in enumerate(self._batches()):
                    seed(number)
                    n = len(batch) if isinstance(batch, Batch) else 1
                    for name, value in self._of(stage, batch, ctx).items():
                        sums[name] = sums.get(name, 0.0) + n * value
                    examples += n
        finally:
            self._method.train(training)
        return {name: value / examples for name, value in sums.items()}

    def _of(self, stage: Stage, batch: Any, ctx: Context) -> dict[str, float]:
        losses: dict[str, Any] = {}
        with torch.enable_grad():  # some losses are made of gradients
            for move in stage.moves(batch, ctx):
                for key, loss in move.items():
                    for player in [key] if isinstance(key, str) else key:
                        losses = merged(losses, player, loss)
            return numbers(losses, self._replicas.average)


class _InOrder:
    """Each held-out row once; of many, as many as are looked at, evenly spaced."""

    def __init__(
        self, data: Any, sampler: Any, batch_size: int, replicas: Replicas, device: Any, dtype: Any
    ) -> None:
        n = min(len(data), _MOST)
        if n < replicas.count:
            raise ValueError(f"{n} held-out examples are too few for {replicas.count} processes")
        rows = np.unique(np.linspace(0, len(data) - 1, n).astype(np.int64))
        share = batch_size // replicas.count
        rows = rows[: len(rows) // replicas.count * replicas.count][replicas.rank :: replicas.count]
        self._parts = [rows[i : i + share] for i in range(0, len(rows), share)]
        self._data, self._sampler, self._device, self._dtype = data, sampler, device, dtype

    def __call__(self) -> Iterator[Any]:
        for part in self._parts:
            yield self._sampler.batch(self._data, part).to(self._device, dtype=self._dtype)


@contextmanager
def _buffers_kept(module: nn.Module) -> Iterator[None]:
    kept: Mapping[str, Tensor] = {n: b.detach().clone() for n, b in module.named_buffers()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, buffer in module.named_buffers():
                if name in kept:
                    buffer.copy_(kept[name])
