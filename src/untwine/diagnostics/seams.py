"""Seams: the images of the axes through a code, and the densities along them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_size
from ..data import FactorDataset
from ..data.batches import Batch
from ..encoding import evaluating
from ..methods.abilities import Represents
from .estimates import Finding
from .geometry import metric_at
from .models import encode_for
from .orthogonality import active_dimensions

__all__ = ["Seams", "seams"]


@dataclass(frozen=True, repr=False)
class Seams(Finding):
    r"""The images of the axes through one code, and the densities along them.

    Attributes:
        codes: ``(D', S, D)``, a line for each dimension.
        images: The decoder's means there, ``(D', S, M)``.
        speed: :math:`s_j`, the length of the column of J, ``(D', S)``, in units of x.
        density: :math:`p(z_j) / s_j`, of the position along the seam, ``(D', S)``.
        length: :math:`\int s_j \, dz_j` along the part that is shown, ``(D',)``.
        dims: Which dimensions these are.
        shape: Of one observation.
    """

    codes: Tensor
    images: Tensor
    speed: Tensor
    density: Tensor
    length: Tensor
    dims: tuple[int, ...]
    shape: tuple[int, ...]

    def __str__(self) -> str:
        each = ", ".join(
            f"z{j} {length:.3g}" for j, length in zip(self.dims, self.length.tolist(), strict=True)
        )
        return f"Lengths of the seams: {each} (in units of x)."


@torch.no_grad()
def seams(
    model: Represents,
    data: FactorDataset | Batch | Tensor,
    *,
    row: int = 0,
    span: float = 2.0,
    steps: int = 41,
    n: int = 200,
    dims: Sequence[int] | None = None,
    seed: int = 0,
) -> Seams:
    r"""The images of the axes through the code of an observation.

    .. math::
        x_j(t) = d(z + (t - z_j) e_j), \qquad p(x_j^U) = \frac{p(z_j)}{s_j}, \qquad
        s_j = \Big\| \frac{\partial d}{\partial z_j} \Big\|

    Args:
        model: Anything with ``represent``, ``decode`` and ``prior``, a prior of independent
            standard normals.
        data: See `encode_for`.
        row: Which of the observations that were drawn.
        span: Positions go from ``-span`` to ``span``.
        steps: How many.
        n: How many observations are drawn, to tell which dimensions are in use.
        dims: Which dimensions; by default those in use.
        seed: Of the choice of observations.

    Raises:
        NoDensity: for another prior.
        ValueError: for an observation that is not there.

    References:
        Allen 2024, https://arxiv.org/abs/2410.22559
    """
    encoded = encode_for(model, data, n, seed)
    encoded.need_gaussian("seams")
    check_size("steps", steps, least=2)
    if not 0 <= row < len(encoded):
        raise ValueError(f"row is {row}; expected one of {len(encoded)} observations")
    used = active_dimensions(encoded) if dims is None else tuple(dims)
    line = torch.linspace(-span, span, steps, dtype=torch.float64)
    codes = encoded.q.mean[row].repeat(len(used), steps, 1)
    for place, j in enumerate(used):
        codes[place, :, j] = line.to(codes)
    flat = codes.flatten(0, 1).to(encoded.dtype)
    at_row = torch.full((len(flat),), row, device=flat.device)
    c = None if encoded.c is None else encoded.c[at_row]
    with evaluating(encoded.model):
        images = encoded.decode(flat, at_row).mean if len(flat) else encoded.x[:0]
    shape = tuple(images.shape[1:])
    lengths = metric_at(encoded.model, flat, c=c, sigma=1.0).tensor if len(flat) else None
    speed = torch.zeros(len(used), steps, dtype=torch.float64)
    if lengths is not None:
        diagonal = lengths.diagonal(dim1=1, dim2=2).reshape(len(used), steps, -1)
        speed = torch.stack([diagonal[k, :, j] for k, j in enumerate(used)]).sqrt()
    normal = torch.exp(-0.5 * line**2) / math.sqrt(2 * math.pi)
    return Seams(
        codes=codes,
        images=images.flatten(1).double().reshape(len(used), steps, -1),
        speed=speed,
        density=normal / speed.clamp(min=1e-300),
        length=torch.trapezoid(speed, line, dim=1),
        dims=used,
        shape=shape,
    )
