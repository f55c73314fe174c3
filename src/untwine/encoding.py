"""Codes of a data set: means and deviations of q(z|x), the factors, and names of the parts."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import (
    Distribution,
    Independent,
    LowRankMultivariateNormal,
    MultivariateNormal,
    Normal,
)

from .data.batches import Batch, Images
from .data.modalities import check_data
from .data.seeds import check_seed
from .distributions import Blocks, Chain, Point
from .methods.abilities import HasPrior, Represents
from .methods.encoders import Encoder, representing

if TYPE_CHECKING:
    from .data import Data, FactorSpace
    from .data.dataset import Index

__all__ = [
    "Codes",
    "Facts",
    "batch_of",
    "carried",
    "encode",
    "evaluating",
    "placement",
    "posterior_of",
]

_MANY = 20_000  # observations, from which on encoding shows a bar


@dataclass(frozen=True)
class Facts:
    """What a method's posterior and prior are, as far as scores depend on it.

    Attributes:
        posterior: What q(z|x) is called: ``"Normal"``, ``"Blocks of Normal, OneHot"``.
        gaussian: Whether each dimension of q(z|x) is Gaussian, or certain.
        prior: What p(z) is called; ``None`` where the method has no prior.
        standard_normal_prior: Whether p(z) is N(0, I).

    Example:
        >>> from untwine.distributions import diagonal_normal
        >>> q = diagonal_normal(torch.zeros(3, 2), torch.ones(3, 2))
        >>> Facts.of(q, diagonal_normal(torch.zeros(2), torch.ones(2)))
        Facts(posterior='Normal', gaussian=True, prior='Normal', standard_normal_prior=True)
    """

    posterior: str
    gaussian: bool
    prior: str | None = None
    standard_normal_prior: bool = False

    @classmethod
    def of(cls, q: Distribution, prior: Distribution | None) -> Facts:
        """Of one batch of posteriors and the prior."""
        if prior is None:
            return cls(_called(q), _gaussian(q))
        return cls(_called(q), _gaussian(q), _called(prior), _standard_normal(prior))


@dataclass(frozen=True, repr=False)
class Codes:
    """A data set, encoded.

    Attributes:
        mean: The codes, means of the posteriors, ``(N, D)``.
        stddev: The posteriors' standard deviations, ``(N, D)``, or ``None`` where the
            representation is deterministic, or no Gaussian (a class, an angle, a mixture), which
            two moments do not describe.
        factors: ``(N, K)``, -1 where unknown.
        space: The factors' names and sizes.
        blocks: The columns of the code's named parts; empty where it has none.
        facts: What posterior and prior are; ``None`` for codes that no method made.

    Example:
        >>> from untwine.data import FactorSpace
        >>> space = FactorSpace(("shape", "scale"), (3, 6))
        >>> Codes(np.zeros((9, 4)), None, np.zeros((9, 2), int), space, {"content": slice(0, 2)})
        Codes(9 x 4: content 0..1; factors shape, scale)
    """

    mean: np.ndarray
    stddev: np.ndarray | None
    factors: np.ndarray
    space: FactorSpace
    blocks: Mapping[str, slice | list[int]] = field(default_factory=dict)
    facts: Facts | None = None

    def __len__(self) -> int:
        return len(self.mean)

    def __repr__(self) -> str:
        text = " x ".join(map(str, self.mean.shape))
        if self.blocks:
            text += ": " + ", ".join(f"{n} {_extent(where)}" for n, where in self.blocks.items())
        if self.space.names:
            text += f"; factors {', '.join(self.space.names)}"
        if self.facts is not None:
            text += f"; q {self.facts.posterior}"
            if self.facts.standard_normal_prior:
                text += ", prior N(0, I)"
            elif self.facts.prior is not None:
                text += f", prior {self.facts.prior}"
        return f"Codes({text})"

    @classmethod
    @torch.no_grad()
    def of(
        cls,
        method: Encoder,
        data: Data,
        n: int | None = None,
        generator: np.random.Generator | None = None,
        *,
        batch_size: int = 256,
        progress: bool | None = None,
    ) -> Codes:
        """Encodes a data set, or a sample of it without repetitions.

        Args:
            method: Anything with ``represent(batch) -> Distribution``; or an encoder of another
                library: a module or a function from observations ``(B, ...)`` to codes ``(B, D)``
                or their distribution, or an estimator with ``transform``, which is given vectors.
            data: What to encode.
            n: How many observations to draw; all of them, in order, if ``None`` or at least as many
                as there are.
            generator: Draws the sample; ``numpy.random.default_rng(0)`` if not given.
            batch_size: Observations per call of ``represent``.
            progress: Whether to show a bar on standard error; by default where that is a terminal
                and there are many observations.

        Raises:
            ValueError: if ``n`` is below 1, or the codes are not finite.
            TypeError: for what does not represent, or is no data set.
        """
        method = representing(method)
        check_data(data)
        size = len(data)
        if n is not None and n < 1:
            raise ValueError(f"n is {n}; expected at least 1 observation, or None for all")
        if n is None or n >= size:
            index = np.arange(size)
        else:
            generator = np.random.default_rng(0) if generator is None else generator
            index = np.sort(generator.choice(size, n, replace=False))
        means, deviations, facts = [], [], None
        blocks: dict[str, slice | list[int]] = {}
        with evaluating(method):
            for start in _shown(range(0, len(index), batch_size), len(index), progress):
                q = posterior_of(method, data, index[start : start + batch_size])
                means.append(q.mean.float().cpu().numpy())
                if facts is None:
                    facts, blocks = Facts.of(q, _prior(method)), _blocks(q)
                if facts.gaussian:
                    deviations.append(q.stddev.float().cpu().numpy())
        mean = np.concatenate(means)
        stddev = np.concatenate(deviations) if deviations else None
        if not np.isfinite(mean).all():
            row = int(np.argwhere(~np.isfinite(mean))[0, 0])
            raise ValueError(
                f"the code of observation {index[row]} is not finite: the model's weights or the "
                "observation are not; load an earlier checkpoint, or look at that observation"
            )
        if stddev is not None and not stddev.any():
            stddev = None
        return cls(mean, stddev, data.factors[index], data.space, blocks, facts)


def encode(
    method: Encoder,
    data: Data,
    n: int | None = None,
    seed: int = 0,
    progress: bool | None = None,
) -> Codes:
    """Encodes a data set, or ``n`` observations of it drawn with ``seed``; see `Codes.of`.

    Example:
        >>> from untwine.data import FactorDataset
        >>> data = FactorDataset.from_arrays(np.zeros((6, 8, 8), np.uint8), [0, 1] * 3)
        >>> encode(lambda x: x.flatten(1)[:, :4], data)
        Codes(6 x 4; factors label; q Point)
    """
    generator = np.random.default_rng(check_seed(seed))
    return Codes.of(method, data, n, generator, progress=progress)


def _shown(starts: range, total: int, progress: bool | None) -> Iterable[int]:
    """The starts of batches, under a bar where one is wanted."""
    if not (total >= _MANY and sys.stderr.isatty() if progress is None else progress):
        return starts
    from rich.console import Console
    from rich.progress import track

    return track(starts, "encoding", console=Console(stderr=True), transient=True)


@contextmanager
def evaluating(method: object) -> Iterator[None]:
    """A method in evaluation mode, if it is a module; afterwards as it was."""
    if not isinstance(method, nn.Module):
        yield
        return
    training = method.training
    method.eval()
    try:
        yield
    finally:
        method.train(training)


def placement(method: object) -> tuple[torch.device, torch.dtype]:
    """Device and type of a method's numbers; the CPU and float32 where it has no parameters."""
    parameters = method.parameters() if isinstance(method, nn.Module) else iter(())
    for p in parameters:
        if p.is_floating_point():
            return p.device, p.dtype
    return torch.device("cpu"), torch.float32


def batch_of(method: object, data: Data, rows: Index) -> Batch:
    """Rows of a data set with everything that belongs to them, where and as the method is."""
    device, dtype = placement(method)
    return data.batch(rows).to(device, dtype=dtype)


def carried(batch: Batch) -> Batch | Tensor:
    """A batch; its observations, where it carries nothing else.

    What is no `Method` may take tensors alone.
    """
    return batch.x if isinstance(batch, Images) and batch.c is None else batch


def posterior_of(method: Represents, data: Data, rows: Index) -> Distribution:
    """q(z|x) of some rows of a data set; what encodes a data set calls ``represent`` here.

    Raises:
        TypeError: if ``represent`` returns no distribution.
    """
    q = method.represent(carried(batch_of(method, data, rows)))
    if not isinstance(q, Distribution):
        raise TypeError(
            f"represent returns a {type(q).__name__}; expected a Distribution, such as "
            "untwine.distributions.Point(codes) where codes are certain"
        )
    return q


def _blocks(q: Distribution) -> dict[str, slice | list[int]]:
    """The named parts of the code."""
    if isinstance(q, Blocks):
        return dict(q.slices)
    return {}


def _prior(method: object) -> Distribution | None:
    return method.prior() if isinstance(method, HasPrior) else None


def _gaussian(q: Distribution) -> bool:
    """Whether means and standard deviations say what each dimension's distribution is."""
    if isinstance(q, Blocks):
        return all(_gaussian(part) for part in q.parts.values())
    if isinstance(q, Independent):
        return isinstance(q.base_dist, Normal)
    return isinstance(q, Normal | MultivariateNormal | LowRankMultivariateNormal | Point)


def _standard_normal(prior: Distribution) -> bool:
    if isinstance(prior, Chain):
        return False
    if isinstance(prior, Blocks):
        return all(_standard_normal(part) for part in prior.parts.values())
    if isinstance(prior, MultivariateNormal | LowRankMultivariateNormal):
        covariance = prior.covariance_matrix
        unit = torch.eye(covariance.shape[-1], dtype=covariance.dtype, device=covariance.device)
        spread = torch.allclose(covariance, unit.expand_as(covariance))
    elif isinstance(prior, Normal) or (
        isinstance(prior, Independent) and isinstance(prior.base_dist, Normal)
    ):
        spread = torch.allclose(prior.stddev, torch.ones_like(prior.stddev))
    else:
        return False
    return spread and torch.allclose(prior.mean, torch.zeros_like(prior.mean))


def _called(distribution: Distribution) -> str:
    """What a distribution is called, by its class."""
    if isinstance(distribution, Chain):
        return f"Chain of {len(distribution.names)} levels"
    if isinstance(distribution, Blocks):
        return f"Blocks of {', '.join(_called(part) for part in distribution.parts.values())}"
    if isinstance(distribution, Independent):
        return _called(distribution.base_dist)
    return type(distribution).__name__


def _extent(where: slice | list[int]) -> str:
    """The columns of a part: ``0..4``, or a list where they have gaps."""
    if isinstance(where, slice):
        return f"{where.start or 0}..{'' if where.stop is None else where.stop - 1}"
    return str(where).replace(" ", "")
