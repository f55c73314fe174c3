"""Traversals, reconstructions and samples of a method, as arrays for the figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution

from ..data.batches import Batch
from ..encoding import evaluating, placement
from ..methods.abilities import Decodes, HasPrior, Represents, Samples

__all__ = ["Traversals", "posterior_span", "reconstruct", "sample", "traverse"]


@dataclass(frozen=True)
class Traversals:
    """Decoded codes in which one dimension at a time was moved.

    Attributes:
        images: ``(N, D', S, ...)``: of N starting codes, D' moved dimensions and S positions.
        values: The positions of each dimension, ``(D', S)``.
        dims: Which dimensions were moved, ``(D',)``.
        start: The codes to begin with, ``(N, D)``.
    """

    images: Tensor
    values: Tensor
    dims: tuple[int, ...]
    start: Tensor


def traverse(
    method: Any,
    x: Tensor | None = None,
    *,
    z: Tensor | None = None,
    span: float | tuple[float, float] | Any = 2.0,
    steps: int = 11,
    dims: Sequence[int] | None = None,
    c: Tensor | None = None,
    batch_size: int = 256,
) -> Traversals:
    r"""Moves one dimension of a code at a time and decodes.

    .. math::
        \mathbb{E}\,[x \mid z + (t - z_j)\, e_j] \quad \text{for positions } t \text{ and every } j

    Args:
        method: Anything with ``decode(z) -> Distribution`` and, to begin with observations, with
            ``represent(x) -> Distribution``.
        x: Observations whose codes to begin with.
        z: Codes to begin with, instead of observations.
        span: The range of positions: ``r`` for :math:`[-r, r]`, a pair, or a lowest and a highest
            position for each dimension, as `posterior_span` gives.
        steps: Positions per dimension.
        dims: Which dimensions to move; by default all.
        c: Covariates of the observations, for methods that take them.
        batch_size: Codes per call of ``decode``.

    Shape:
        - x: ``(N, ...)``; z: ``(N, D)``; c: ``(N, C)``; span: ``(D, 2)`` if it is an array.

    Raises:
        TypeError: if the method cannot decode, or not exactly one of ``x`` and ``z`` is given.
        ValueError: for fewer than one step, a dimension that is not there, or a span of another
            shape.

    References:
        Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational
        Framework", 2017, https://openreview.net/forum?id=Sy2fzU9gl, figure 1.

    Example:
        >>> from torch.distributions import Normal
        >>> class Linear:
        ...     def decode(self, z): return Normal(z @ torch.ones(2, 5), 1.0)
        >>> found = traverse(Linear(), z=torch.zeros(3, 2), steps=7)
        >>> found.images.shape, found.values[0].tolist()[:2]
        (torch.Size([3, 2, 7, 5]), [-2.0, -1.3333333730697632])
    """
    if (x is None) == (z is None):
        raise TypeError("give either observations x or codes z to begin with")
    if steps < 1:
        raise ValueError(f"steps is {steps}; expected at least 1")
    decode = _decoder(method)
    with _evaluating(method) as place:
        if z is None:
            z = _codes(method, x.to(*place), c)  # type: ignore[union-attr]
        z = z.to(*place)
        dims = tuple(range(z.shape[1])) if dims is None else tuple(dims)
        for j in dims:
            if not 0 <= j < z.shape[1]:
                raise ValueError(f"there is no dimension {j}: codes have {z.shape[1]}")
        low, high = _ends(span, z.shape[1])
        part = torch.linspace(0, 1, steps, dtype=torch.float64)
        values = (low + (high - low) * part[:, None]).T[list(dims)].to(z)
        codes = z[:, None, None, :].expand(-1, len(dims), steps, -1).clone()
        for row, j in enumerate(dims):
            codes[:, row, :, j] = values[row]
        if c is not None:
            c = c[:, None, None].expand(-1, len(dims), steps, -1).flatten(0, 2)
        flat = _decoded(decode, codes.flatten(0, 2), c, batch_size)
    return Traversals(flat.unflatten(0, codes.shape[:3]), values.cpu(), dims, z.cpu())


def posterior_span(
    mean: Any, stddev: Any = None, *, coverage: float = 0.98, seed: int = 0
) -> Tensor:
    r"""Where the aggregate posterior :math:`q(z_j) = \frac1N \sum_n q(z_j|x_n)` has its mass.

    A traversal over this range stays where the decoder has been trained, whatever the prior.

    Args:
        mean: The codes.
        stddev: Of each posterior; one sample of each posterior is drawn with them. Without, the
            range is that of the means.
        coverage: The share of the mass between both ends.
        seed: Of the samples.

    Shape:
        - mean, stddev: ``(N, D)``.
        - Output: ``(D, 2)``.

    Raises:
        ValueError: unless ``0 < coverage <= 1``.

    Example:
        >>> posterior_span(np.linspace(-1, 1, 101)[:, None], coverage=0.9).tolist()
        [[-0.9, 0.9]]
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage is {coverage}; expected a share in (0, 1]")
    z = np.asarray(mean, dtype=np.float64)
    if stddev is not None:
        z = z + np.random.default_rng([seed, 1]).standard_normal(z.shape) * np.asarray(stddev)
    ends = np.quantile(z, [0.5 - coverage / 2, 0.5 + coverage / 2], axis=0)
    return torch.from_numpy(np.ascontiguousarray(ends.T.round(12)))


def reconstruct(method: Any, x: Tensor, c: Tensor | None = None) -> Tensor:
    """The means of p(x|z) at the codes of observations, ``(N, ...) -> (N, ...)``.

    Raises:
        TypeError: if the method cannot decode.

    Example:
        >>> from torch.distributions import Normal
        >>> class Half:
        ...     def represent(self, x): return Normal(x / 2, 1.0)
        ...     def decode(self, z): return Normal(z, 1.0)
        >>> reconstruct(Half(), torch.ones(1, 3))
        tensor([[0.5000, 0.5000, 0.5000]])
    """
    decode = _decoder(method)
    with _evaluating(method) as place:
        return _decoded(decode, _codes(method, x.to(*place), c), c, len(x))


def sample(method: Any, n: int, *, c: Tensor | None = None, seed: int = 0) -> Tensor:
    """What a method generates, ``(n, ...)``.

    By its own ``sample(n)`` where it has one and there are no covariates, otherwise by decoding
    codes from ``prior()``. The global random state is left as it was.

    Raises:
        TypeError: if the method has no prior to draw from, or cannot decode.

    Example:
        >>> from torch.distributions import Normal
        >>> class Identity:
        ...     def prior(self): return Normal(torch.zeros(4), 1.0)
        ...     def decode(self, z): return Normal(z, 1.0)
        >>> sample(Identity(), 2).shape
        torch.Size([2, 4])
    """
    with _evaluating(method) as (device, _):
        devices = [] if device.type == "cpu" else [device]
        with torch.random.fork_rng(devices=devices, device_type=_accelerator(device)):
            torch.manual_seed(seed)
            if c is None and isinstance(method, Samples):
                return torch.as_tensor(method.sample(n)).cpu()
            if not isinstance(method, HasPrior):
                kind = type(method).__name__
                raise TypeError(f"method is a {kind}, which has no prior to draw codes from")
            z = method.prior().sample((n,)).to(device)
            return _decoded(_decoder(method), z, c, n)


def _accelerator(device: torch.device) -> str:
    return "cuda" if device.type == "cpu" else device.type


def _decoder(method: Any) -> Callable[..., Distribution]:
    if not isinstance(method, Decodes):
        raise TypeError(f"method is a {type(method).__name__}, which has no decode")
    return method.decode


def _codes(method: Any, x: Tensor, c: Tensor | None) -> Tensor:
    """The codes of observations, which come alone where they have no covariates."""
    if not isinstance(method, Represents):
        raise TypeError(f"method is a {type(method).__name__}, which has no represent")
    return method.represent(x if c is None else Batch.of(x, c.to(x.device))).mean


@contextmanager
def _evaluating(method: Any) -> Iterator[tuple[torch.device, torch.dtype]]:
    """Evaluation mode without gradients; device and type of the method's numbers."""
    with evaluating(method), torch.no_grad():
        yield placement(method)


def _decoded(decode: Callable[..., Any], z: Tensor, c: Tensor | None, batch_size: int) -> Tensor:
    parts = []
    for start in range(0, len(z), batch_size):
        rows = slice(start, start + batch_size)
        p = decode(z[rows]) if c is None else decode(z[rows], c=c[rows].to(z.device))
        parts.append(p.mean.float().cpu())
    return torch.cat(parts)


def _ends(span: Any, dims: int) -> tuple[Tensor, Tensor]:
    ends = torch.as_tensor(span, dtype=torch.float64)
    if ends.ndim == 0:
        ends = torch.stack([-ends, ends])
    if ends.shape not in ((2,), (dims, 2)):
        raise ValueError(
            f"span has shape {tuple(ends.shape)}; expected a number, a pair, or ({dims}, 2)"
        )
    low, high = ends.expand(dims, 2).unbind(1)
    return low, high
