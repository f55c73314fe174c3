"""Interface of models for diagnostics, and observations with their posteriors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast, runtime_checkable

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

from ..data import FactorDataset, Multimodal
from ..data.batches import Batch, Images
from ..data.seeds import check_seed
from ..distributions import Blocks, Chain, Point, Quantized, diagonal_normal
from ..encoding import carried, evaluating, placement
from ..functional.schedules import at
from ..methods import KL, VAE
from ..methods.abilities import Decodes, HasPrior, Represents
from ..methods.penalty import parts_of
from ..methods.vae import ModelMethod

__all__ = [
    "Adapter",
    "Encoded",
    "LatentModel",
    "NoDensity",
    "beta_of",
    "decoding",
    "encode_for",
    "no_density",
]

_ROWS = 256
_LATE = 1e12  # steps, after which a schedule has come to its end
_TOGETHER = 512  # codes that are decoded at once


@runtime_checkable
class LatentModel(Represents, Decodes, HasPrior, Protocol):
    """Anything with ``represent(x)``, ``decode(z)`` and ``prior()`` that return distributions."""


class NoDensity(TypeError):
    """A model that has no density where a diagnostic needs one; the message says why."""


class Adapter(nn.Module):
    """A model of any library, as three functions that return distributions.

    A class of three lines with methods of these names does as well.

    Args:
        represent: ``x -> q(z|x)``, batch shape ``(B,)``, event shape ``(D,)``.
        decode: ``z -> p(x|z)``, batch shape ``(B,)``.
        prior: ``() -> p(z)``, or the distribution itself; the standard normal if not given.
        modules: The modules behind them: they say where and in which type numbers are wanted, and
            are brought to evaluation mode meanwhile.

    Example:
        >>> encoder, decoder = nn.Linear(5, 4), nn.Linear(2, 5)
        >>> def represent(x):
        ...     mean, log_variance = encoder(x).chunk(2, 1)
        ...     return Independent(Normal(mean, (log_variance / 2).exp()), 1)
        >>> model = Adapter(
        ...     represent, lambda z: Independent(Normal(decoder(z), 1.0), 1),
        ...     modules=(encoder, decoder),
        ... )
        >>> model.represent(torch.zeros(3, 5)).event_shape
        torch.Size([2])
    """

    def __init__(
        self,
        represent: Callable[[Tensor], Distribution],
        decode: Callable[[Tensor], Distribution],
        prior: Distribution | Callable[[], Distribution] | None = None,
        *,
        modules: tuple[nn.Module, ...] = (),
    ) -> None:
        super().__init__()
        self.parts = nn.ModuleList(modules)
        self._represent, self._decode, self._prior = represent, decode, prior

    def represent(self, batch: Batch | Tensor, /) -> Distribution:
        """q(z|x)."""
        return self._represent(Batch.of(batch).tensor)

    def decode(
        self, z: Tensor, /, *, c: Tensor | None = None, y: Tensor | None = None
    ) -> Distribution:
        """p(x|z).

        Raises:
            ValueError: for covariates or classes, which are not handed on.
        """
        if c is not None or y is not None:
            raise ValueError("c and y are not handed on by an Adapter: write a class")
        return self._decode(z)

    def prior(self) -> Distribution:
        """p(z)."""
        if self._prior is None:
            return _StandardNormal()
        return self._prior if isinstance(self._prior, Distribution) else self._prior()


class _StandardNormal(Distribution):
    """The standard normal of however many dimensions it is asked about."""

    arg_constraints: dict = {}

    def __init__(self) -> None:
        super().__init__(validate_args=False)


@dataclass(frozen=True)
class Encoded:
    """Observations with their posteriors, and the model that made them.

    Attributes:
        model: A `LatentModel`.
        x: Observations as the model takes them, ``(N, ...)``.
        c: Their covariates, ``(N, C)``, if there are any.
        q: The posteriors as one distribution in float64: a diagonal or full Gaussian where that is
            what they are.
        prior: p(z), in float64.
        size: How many observations the data set has.
        dtype: The type of number that the model works in.
    """

    model: LatentModel
    x: Tensor
    c: Tensor | None
    q: Distribution
    prior: Distribution
    size: int
    dtype: torch.dtype = torch.float32

    def __len__(self) -> int:
        return len(self.x)

    @property
    def latent_dim(self) -> int:
        """D."""
        return self.q.event_shape[0]

    def rows(self, size: int = _ROWS) -> Iterator[slice]:
        """Slices of at most so many observations."""
        for start in range(0, len(self), size):
            yield slice(start, min(start + size, len(self)))

    def decode(self, z: Tensor, rows: slice | Tensor | None = None) -> Distribution:
        """p(x|z) of codes ``(B, D)`` under the covariates of some rows."""
        c = None if self.c is None or rows is None else self.c[rows]
        return decoding(self.model, z.to(self.x.device, self.dtype), c)

    def log_likelihood(self, z: Tensor) -> Tensor:
        """Log p(x|z) of several codes of each observation, ``(S, N, D)`` to ``(S, N)``, float64."""
        flat = z.reshape(-1, z.shape[-1])
        rows = torch.arange(len(self), device=z.device).repeat(len(z))
        parts = []
        for some in torch.arange(len(flat), device=z.device).split(_TOGETHER):
            fit = self.decode(flat[some], rows[some]).log_prob(self.x[rows[some]])
            parts.append(fit.double().reshape(len(some), -1).sum(1))
        return torch.cat(parts).reshape(z.shape[:2])

    @property
    def covariance(self) -> Tensor:
        """Each posterior's covariance, ``(N, D, D)``."""
        if isinstance(self.q, MultivariateNormal):
            return self.q.covariance_matrix
        return torch.diag_embed(self.q.variance)

    @property
    def gaussian(self) -> bool:
        """Whether the posteriors are Gaussian."""
        return _is_normal(self.q) or isinstance(self.q, MultivariateNormal)

    @property
    def standard_prior(self) -> bool:
        """Whether p(z) is N(0, I)."""
        if not _is_normal(self.prior):
            return False
        spread, mean = self.prior.stddev, self.prior.mean
        return torch.allclose(spread, torch.ones_like(spread)) and not bool(mean.abs().max() > 1e-6)

    def need_gaussian(self, what: str, *, prior: bool = True) -> None:
        """Refuses posteriors that are no Gaussians, and a prior that is not standard normal.

        Raises:
            NoDensity: naming what is asked for.
        """
        if not self.gaussian:
            raise NoDensity(
                f"{what} is known for Gaussian posteriors, but q(z|x) is a {type(self.q).__name__}"
            )
        if prior and not self.standard_prior:
            raise NoDensity(
                f"{what} is known for the standard normal prior, but p(z) is a "
                f"{type(_inside(self.prior)).__name__} of other moments"
            )


@torch.no_grad()
def encode_for(
    model: Represents,
    data: FactorDataset | Multimodal | Batch | Tensor,
    n: int = 1000,
    seed: int = 0,
) -> Encoded:
    """Encodes observations for a diagnostic.

    Args:
        model: Anything with ``represent``, ``decode`` and ``prior``.
        data: A data set, of which some are drawn without repetition; or a batch, or observations
            ``(N, ...)``, which are all taken.
        n: How many.
        seed: Of the choice.

    Raises:
        NoDensity: for a model that lacks one of the three, or is deterministic in one of them.
        TypeError: for what is no data.
        ValueError: for fewer than two observations.
    """
    if isinstance(model, type) or not isinstance(model, Represents):
        raise NoDensity(f"{_called(model)} has no represent(x): there is no posterior to diagnose")
    for ability, name, why in (
        (Decodes, "decode(z)", "there is no likelihood p(x|z)"),
        (HasPrior, "prior()", "there is no density p(z) of its codes"),
    ):
        if not isinstance(model, ability):
            raise NoDensity(f"{_called(model)} has no {name}: {why}")
    if isinstance(data, FactorDataset | Multimodal):
        check_seed(seed)
        if n < 2:
            raise ValueError(f"n is {n}; expected at least 2 observations")
        size = len(data)
        index = np.arange(size)
        if n < size:
            index = np.sort(np.random.default_rng([seed, 13]).choice(size, n, replace=False))
        batch: Batch = data.batch(index)
    else:
        batch = Batch.of(data)
        size = len(batch.x)
    if not isinstance(batch.x, Tensor):
        raise NoDensity(
            f"observations have several modalities ({', '.join(batch.x)}): diagnose the model of "
            "one of them, behind an Adapter"
        )
    if size < 2:
        raise ValueError(f"there are {size} observations; expected at least 2")
    subject = cast(LatentModel, model)
    device, dtype = placement(subject)
    batch = batch.to(device, dtype=dtype)
    x, c = batch.tensor, batch.c
    parts = []
    with evaluating(model):
        for start in range(0, len(x), _ROWS):
            rows = slice(start, start + _ROWS)
            parts.append(model.represent(carried(Images(x[rows], None if c is None else c[rows]))))
        first = parts[0]
        if not isinstance(first, Distribution):
            raise TypeError(f"represent returns a {type(first).__name__}; expected a Distribution")
        reason = no_density(first)
        if reason is not None:
            raise NoDensity(f"the posterior of {_called(model)} {reason}")
        if len(first.event_shape) != 1 and not _is_bare_normal(first):
            raise NoDensity(
                f"q(z|x) has event shape {tuple(first.event_shape)}; expected (D,), as of "
                "Independent(Normal(mean, stddev), 1)"
            )
        q = _stacked(parts)
        if not torch.isfinite(q.mean).all():
            raise ValueError(
                "codes of some observations are not finite: the model's weights or the "
                "observations are not; load an earlier checkpoint"
            )
        prior = _prior(subject.prior(), q)
        z = first.mean[:2]
        p = decoding(subject, z, None if c is None else c[:2])
        reason = no_density(p)
        if reason is not None:
            raise NoDensity(f"the decoder of {_called(model)} {reason}")
    return Encoded(subject, x, c, q, prior, size, z.dtype)


def decoding(model: Decodes, z: Tensor, c: Tensor | None = None) -> Distribution:
    """p(x|z), given covariates where there are any."""
    return model.decode(z) if c is None else model.decode(z, c=c)


def no_density(distribution: Distribution) -> str | None:
    """Why a distribution has no density, if it has none."""
    if isinstance(distribution, Blocks):
        reasons = [no_density(part) for part in distribution.parts.values()]
        return next((reason for reason in reasons if reason is not None), None)
    inside = _inside(distribution)
    if isinstance(inside, Point):
        return "is a point, a deterministic map: it has no density to take logarithms of"
    if isinstance(inside, Quantized):
        return "is a point of a grid: it has a probability, but no density"
    return None


def beta_of(model: object) -> float | None:
    r""":math:`\beta` of a method whose whole penalty is the KL divergence; otherwise ``None``.

    Of a schedule it is the value that it ends with.

    Example:
        >>> from untwine.methods import BetaVAE
        >>> from untwine.data import FactorDataset
        >>> beta_of(BetaVAE.build(FactorDataset.from_arrays(torch.rand(9, 3)), beta=6.0))
        6.0
    """
    if not isinstance(model, VAE):
        return 1.0 if isinstance(model, ModelMethod) else None
    weights = [part.beta for part in parts_of(model.penalty) if isinstance(part, KL)]
    if len(weights) != 1:
        return None
    return float(at(weights[0], torch.tensor(_LATE)))


def _called(model: object) -> str:
    return model.__name__ if isinstance(model, type) else type(model).__name__


def _inside(distribution: Distribution) -> Distribution:
    return distribution.base_dist if isinstance(distribution, Independent) else distribution


def _is_bare_normal(q: Distribution) -> bool:
    return isinstance(q, Normal) and len(q.batch_shape) == 2


def _is_normal(q: Distribution) -> bool:
    return isinstance(q, Independent) and isinstance(q.base_dist, Normal)


def _stacked(parts: list[Distribution]) -> Distribution:
    """Posteriors of several batches as one distribution, Gaussians in float64."""
    first = parts[0]
    if isinstance(first, Chain):
        return Chain.joined([q for q in parts if isinstance(q, Chain)])
    if _is_bare_normal(first) or _is_normal(first):
        mean, scale = (
            torch.cat([getattr(_inside(q), name) for q in parts]).double()
            for name in ("loc", "scale")
        )
        return diagonal_normal(mean, scale)
    if isinstance(first, MultivariateNormal):
        mean, factor = (
            torch.cat([getattr(q, name) for q in parts]).double() for name in ("loc", "scale_tril")
        )
        return MultivariateNormal(mean, scale_tril=factor, validate_args=False)
    if isinstance(first, LowRankMultivariateNormal) or (
        isinstance(first, Blocks)
        and all(isinstance(p, MultivariateNormal | Independent) for p in first.parts.values())
        and all(_is_normal(p) or isinstance(p, MultivariateNormal) for p in first.parts.values())
    ):
        mean = torch.cat([q.mean for q in parts]).double()
        covariance = torch.cat([q.covariance_matrix for q in parts]).double()  # type: ignore[attr-defined]
        blocks = first.parts.values() if isinstance(first, Blocks) else [first]
        if all(_is_normal(p) for p in blocks):
            return diagonal_normal(mean, covariance.diagonal(dim1=-2, dim2=-1).sqrt())
        return MultivariateNormal(mean, covariance, validate_args=False)
    if len(parts) == 1:
        return first
    raise NoDensity(
        f"q(z|x) is a {type(_inside(first)).__name__}; expected a Gaussian (diagonal, low-rank or "
        f"full), or at most {_ROWS} observations"
    )


def _prior(prior: Distribution, q: Distribution) -> Distribution:
    """The prior, in float64 where it is a Gaussian."""
    if isinstance(prior, _StandardNormal):
        return diagonal_normal(torch.zeros_like(q.mean[0]), torch.ones_like(q.mean[0]))
    base = _inside(prior)
    if isinstance(prior, Chain):
        return prior
    if isinstance(base, Normal):
        loc, scale = (v.double().expand(q.event_shape) for v in (base.loc, base.scale))
        return diagonal_normal(loc, scale)
    if isinstance(prior, Blocks) and all(_is_normal(p) for p in prior.parts.values()):
        return diagonal_normal(prior.mean.double(), prior.stddev.double())
    return prior
