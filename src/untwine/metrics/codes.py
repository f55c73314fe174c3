"""Encode once, measure many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

if TYPE_CHECKING:
    from ..data import FactorDataset, FactorSpace
    from ..methods import Method

__all__ = ["Codes", "encode"]


@dataclass(frozen=True)
class Codes:
    """A data set, encoded.

    Attributes:
        mean: The codes, means of the posteriors, ``(N, D)``.
        stddev: The posteriors' standard deviations, ``(N, D)``, or ``None`` where the
            representation is deterministic.
        factors: ``(N, K)``, -1 where unknown.
        space: The factors' names and sizes.
    """

    mean: np.ndarray
    stddev: np.ndarray | None
    factors: np.ndarray
    space: FactorSpace

    def __len__(self) -> int:
        return len(self.mean)

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        method: Method,
        data: FactorDataset,
        n: int | None = None,
        generator: np.random.Generator | None = None,
        *,
        batch_size: int = 256,
    ) -> Codes:
        """Encodes a data set, or a sample of it without repetitions.

        Args:
            method: Anything with ``represent(x) -> Distribution``.
            data: What to encode.
            n: How many observations to draw; all of them, in order, if ``None`` or at least as many
                as there are.
            generator: Draws the sample; ``numpy.random.default_rng(0)`` if not given.
            batch_size: Observations per call of ``represent``.

        Raises:
            ValueError: if ``n`` is below 1, or the codes are not finite.
        """
        size = len(data)
        if n is not None and n < 1:
            raise ValueError(f"n is {n}; expected at least 1 observation, or None for all")
        if n is None or n >= size:
            index = np.arange(size)
        else:
            generator = np.random.default_rng(0) if generator is None else generator
            index = np.sort(generator.choice(size, n, replace=False))
        device = next((p.device for p in method.parameters()), torch.device("cpu"))
        training = method.training
        method.eval()
        means, deviations = [], []
        try:
            for start in range(0, len(index), batch_size):
                part = index[start : start + batch_size]
                arguments: list[Any] = [data.observations(part).to(device)]
                if data.covariates is not None:
                    arguments.append(torch.as_tensor(data.covariates[part]).to(device))
                q = method.represent(*arguments)
                means.append(q.mean.float().cpu().numpy())
                deviations.append(q.stddev.float().cpu().numpy())
        finally:
            method.train(training)
        mean, stddev = np.concatenate(means), np.concatenate(deviations)
        if not np.isfinite(mean).all():
            row = int(np.argwhere(~np.isfinite(mean))[0, 0])
            raise ValueError(
                f"the code of observation {index[row]} is not finite: the model's weights or the "
                "observation are not; load an earlier checkpoint, or look at that observation"
            )
        return cls(mean, stddev if stddev.any() else None, data.factors[index], data.space)


def encode(method: Method, data: FactorDataset, n: int | None = None, seed: int = 0) -> Codes:
    """Encodes a data set, or ``n`` observations of it drawn with ``seed``; see `Codes.of`."""
    return Codes.of(method, data, n, np.random.default_rng(seed))
