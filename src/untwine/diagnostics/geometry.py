"""Geometry of decoders: pulled-back metrics around each point, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent

from ..distributions.optimal_normal import OptimalNormal
from ..encoding import evaluating, placement
from ..functional.fisher import NoInformation, fisher_information, parameters_of
from ..functional.jacobians import jacobian
from ..methods.abilities import Decodes
from .models import Encoded, NoDensity

__all__ = ["Metric", "metric_at", "metric_of", "optimal_sigma", "placement_of"]

_NUMBERS = 1 << 23  # of Jacobians that are held at once


@dataclass(frozen=True)
class Metric:
    r"""The metric that a decoder pulls back to the code, at points.

    Attributes:
        tensor: :math:`J^\top F J`, ``(N, D, D)`` in float64: squared lengths in units of what the
            likelihood can tell apart.
        z: The points, ``(N, D)``.
        information: What F is, in words.
    """

    tensor: Tensor
    z: Tensor
    information: str

    @property
    def singular_values(self) -> Tensor:
        r"""Of :math:`F^{1/2} J`, the largest first, ``(N, D)``."""
        return self._eigen[0]

    @property
    def rotations(self) -> Tensor:
        """V of the singular value decomposition, ``(N, D, D)``, a column each value."""
        return self._eigen[1]

    @property
    def _eigen(self) -> tuple[Tensor, Tensor]:
        values, vectors = torch.linalg.eigh(self.tensor)
        return values.flip(-1).clamp(min=0).sqrt(), vectors.flip(-1)


@torch.no_grad()
def metric_at(
    decoder: Decodes | nn.Module | Callable[[Tensor], Tensor | Distribution],
    z: Tensor,
    *,
    c: Tensor | None = None,
    sigma: float | None = None,
    mask: Tensor | None = None,
    rows: int | None = None,
) -> Metric:
    r"""The metric :math:`J^\top F J` of a decoder at codes.

    F is the Fisher information of the likelihood; with ``sigma``, that of a Gaussian of this scale
    about the decoder's mean, whatever the likelihood is: then :math:`J^\top J / \sigma^2`. A
    generator that returns tensors, or points, has no likelihood of its own: give one.

    Args:
        decoder: What decodes: an object with ``decode(z)``, or a module or function of z.
        z: Where, ``(N, D)``.
        c: Covariates, ``(N, C)``.
        sigma: Of the Gaussian that stands for the likelihood.
        mask: Which values of an observation count, of its shape, ``(...)``; all by default.
        rows: How many codes at once; by default as many as some tens of megabytes hold.

    Raises:
        NoDensity: for a likelihood whose information is not known, if there is no ``sigma``.
        ValueError: for a ``sigma`` that is not positive, a mask without one, and a mask of another
            shape.

    Example:
        >>> metric_at(lambda z: z @ torch.tensor([[3.0, 4.0]]), torch.zeros(1, 1), sigma=1.0).tensor
        tensor([[[25.]]], dtype=torch.float64)
    """
    if sigma is not None and not 0 < sigma < math.inf:
        raise ValueError(f"sigma is {sigma}; expected a positive number")
    if mask is not None and sigma is None:
        raise ValueError("mask is given without sigma: say how finely values are told apart")
    call = decoder.decode if isinstance(decoder, Decodes) else decoder
    device, dtype = placement_of(decoder, z)
    points = z.detach().to(device, dtype)
    tensors, word = [], ""
    with evaluating(decoder):
        start = 0
        while start < len(points):
            if rows is None:
                first = _values(call, points[:1], None if c is None else c[:1])
                size = first.mean.numel() if isinstance(first, Distribution) else first.numel()
                rows = max(1, _NUMBERS // max(size * points.shape[1], 1))
            part = slice(start, start + rows)
            given = None if c is None else c[part]
            tensor, word = _chunk(call, points[part], given, sigma, mask)
            tensors.append(tensor)
            start += rows
    tensor = torch.cat(tensors)
    if not torch.isfinite(tensor).all():
        raise NoDensity("the decoder's Jacobian is not finite at some codes: no lengths are known")
    return Metric(tensor, z.double(), word)


def placement_of(decoder: object, z: Tensor) -> tuple[torch.device, torch.dtype]:
    """Where and in which type a decoder wants codes; where they are, for what is no module."""
    if not isinstance(decoder, nn.Module) and z.is_floating_point():
        return z.device, z.dtype
    return placement(decoder)


def metric_of(encoded: Encoded, z: Tensor | None = None, sigma: float | None = None) -> Metric:
    """The metric of a model at the posterior means of observations, or at other codes of theirs.

    A likelihood at its optimal scale gets that of the observations at the posterior means.
    """
    z = (encoded.q.mean if z is None else z).to(encoded.dtype)
    if sigma is None:
        with torch.no_grad(), evaluating(encoded.model):
            p = encoded.decode(z[:1], slice(0, 1))
        if isinstance(_inside(p), OptimalNormal):
            sigma = optimal_sigma(encoded)
    return metric_at(encoded.model, z, c=encoded.c, sigma=sigma)


@torch.no_grad()
def optimal_sigma(encoded: Encoded, samples: int = 1, seed: int = 0) -> float:
    r"""The best scale of a Gaussian likelihood about the decoder's means.

    .. math::
        \sigma^2 = \tfrac{1}{M} \, \mathbb{E}_{x,\, q(z|x)} \| x - \mu(z) \|^2

    Args:
        encoded: Observations with their posteriors.
        samples: Of each posterior; 0 takes the means.
        seed: Of the samples.
    """
    total, count = 0.0, 0
    with evaluating(encoded.model), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        draws = [encoded.q.mean] if samples == 0 else encoded.q.sample((samples,))
        for z in draws:
            for rows in encoded.rows():
                mean = encoded.decode(z[rows], rows).mean
                total += (encoded.x[rows] - mean).double().square().sum().item()
                count += mean.numel()
    return math.sqrt(total / count)


def _chunk(
    call: Callable[..., Tensor | Distribution],
    z: Tensor,
    c: Tensor | None,
    sigma: float | None,
    mask: Tensor | None = None,
) -> tuple[Tensor, str]:
    value = _values(call, z, c)
    inside = _inside(value) if isinstance(value, Distribution) else value
    if sigma is not None:
        columns = jacobian(lambda v: _mean(_values(call, v, c)), z).double()
        if mask is not None:
            shape = tuple(_mean(value).shape[1:])
            if tuple(mask.shape) != shape:
                raise ValueError(f"mask has shape {tuple(mask.shape)}; expected {shape}")
            columns = columns * mask.flatten().to(columns)[:, None]
        return columns.mT @ columns / sigma**2, f"a Gaussian of scale {sigma:.4g}"
    if not isinstance(value, Distribution):
        raise NoDensity(
            "the decoder returns a tensor, not a distribution: say with sigma= how finely its "
            "values are told apart"
        )
    try:
        weight = fisher_information(value).double().sqrt()
        columns = jacobian(lambda v: parameters_of(_values(call, v, c)), z).double()  # type: ignore[arg-type]
    except NoInformation as error:
        raise NoDensity(f"{error}; or give sigma=, a Gaussian about its mean") from error
    columns *= weight.unsqueeze(-1)
    return columns.mT @ columns, f"the Fisher information of {type(inside).__name__}"


def _values(
    call: Callable[..., Tensor | Distribution], z: Tensor, c: Tensor | None
) -> Tensor | Distribution:
    return call(z) if c is None else call(z, c=c)


def _mean(value: Tensor | Distribution) -> Tensor:
    return value.mean if isinstance(value, Distribution) else value


def _inside(p: Distribution) -> Distribution:
    return p.base_dist if isinstance(p, Independent) else p
