"""Encode once, measure many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.distributions import (
    Distribution,
    Independent,
    LowRankMultivariateNormal,
    MultivariateNormal,
    Normal,
)

from ..distributions import Blocks, Point

if TYPE_CHECKING:
    from ..data import FactorDataset, FactorSpace
    from ..methods import Method

__all__ = ["Codes", "encode", "inputs_of"]


@dataclass(frozen=True)
class Codes:
    """A data set, encoded.

    Attributes:
        mean: The codes, means of the posteriors, ``(N, D)``.
        stddev: The posteriors' standard deviations, ``(N, D)``, or ``None`` where the
            representation is deterministic, or no Gaussian (a class, an angle, a mixture), which
            two moments do not describe.
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
        means, deviations, gaussian = [], [], True
        try:
            for start in range(0, len(index), batch_size):
                part = index[start : start + batch_size]
                inputs, present = inputs_of(data, part, device)
                q = method.represent(*inputs, **present)
                means.append(q.mean.float().cpu().numpy())
                gaussian = gaussian and _gaussian(q)
                if gaussian:
                    deviations.append(q.stddev.float().cpu().numpy())
        finally:
            method.train(training)
        mean = np.concatenate(means)
        stddev = np.concatenate(deviations) if gaussian else None
        if not np.isfinite(mean).all():
            row = int(np.argwhere(~np.isfinite(mean))[0, 0])
            raise ValueError(
                f"the code of observation {index[row]} is not finite: the model's weights or the "
                "observation are not; load an earlier checkpoint, or look at that observation"
            )
        if stddev is not None and not stddev.any():
            stddev = None
        return cls(mean, stddev, data.factors[index], data.space)


def _gaussian(q: Distribution) -> bool:
    """Whether means and standard deviations say what each dimension's distribution is."""
    if isinstance(q, Blocks):
        return all(_gaussian(part) for part in q.parts.values())
    if isinstance(q, Independent):
        return isinstance(q.base_dist, Normal)
    return isinstance(q, Normal | MultivariateNormal | LowRankMultivariateNormal | Point)


def inputs_of(
    data: Any, rows: np.ndarray, device: torch.device
) -> tuple[list[Any], dict[str, Any]]:
    """Observations, and covariates if there are any; and which of several modalities are there."""
    x = data.observations(rows)
    present: dict[str, Any] = {}
    if isinstance(x, Mapping):
        x = {name: part.to(device) for name, part in x.items()}
        kept = torch.from_numpy(rows)
        present["present"] = {name: mask[kept].to(device) for name, mask in data.present.items()}
    else:
        x = x.to(device)
    if data.covariates is None:
        return [x], present
    return [x, torch.as_tensor(data.covariates[rows]).to(device)], present


def encode(method: Method, data: FactorDataset, n: int | None = None, seed: int = 0) -> Codes:
    """Encodes a data set, or ``n`` observations of it drawn with ``seed``; see `Codes.of`."""
    return Codes.of(method, data, n, np.random.default_rng(seed))
