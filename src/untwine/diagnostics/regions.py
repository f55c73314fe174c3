"""Axes of a region: directions that change an observation inside a mask and not outside of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..checks import check_scale, check_size
from .axes import Axes, Generator, decoded
from .geometry import metric_at, placement_of

__all__ = ["Outside", "RegionAxes", "from_metrics", "region_axes", "region_of"]

Outside = Literal["ratio", "null"]


@dataclass(frozen=True, repr=False)
class RegionAxes(Axes):
    r"""Directions of a code that act in a region, the best first.

    Attributes:
        directions: Unit vectors as columns, ``(D, K)``; not orthogonal to one another by
            ``"ratio"``.
        strength: How much each changes inside, :math:`\| J_A v \|`, root mean square over codes,
            ``(K,)``.
        source: How they were found.
        outside: How much each changes outside, :math:`\| J_B v \|`, ``(K,)``.
    """

    outside: Tensor

    @property
    def leak(self) -> Tensor:
        """The share of each direction's squared change that lies outside, ``(K,)``."""
        inside, outside = self.strength.square(), self.outside.square()
        return outside / (inside + outside).clamp(min=torch.finfo(inside.dtype).tiny)

    def __str__(self) -> str:
        lead = ", ".join(f"{share:.0%}" for share in self.leak[:5].tolist())
        return f"{len(self)} axes by {self.source}; of their squared change lie outside: {lead}."


@torch.no_grad()
def region_axes(
    generator: Generator,
    z: Tensor,
    mask: Tensor,
    *,
    c: Tensor | None = None,
    k: int | None = None,
    outside: Outside = "ratio",
    tolerance: float = 0.01,
) -> RegionAxes:
    r"""The directions that change most inside a region for what they change outside.

    With the Jacobian's rows inside, :math:`J_A`, and outside, :math:`J_B`, averaged over codes,

    .. math::
        \text{ratio:} \quad \max_v \frac{v^\top J_A^\top J_A v}{v^\top (J_B^\top J_B +
        \epsilon I) v}, \qquad \text{null:} \quad \max_{v \in N} v^\top J_A^\top J_A v

    where N is spanned by the eigenvectors of :math:`J_B^\top J_B` whose eigenvalues are at most
    :math:`\epsilon`, a share of the largest one.

    Args:
        generator: What decodes, see `metric_at`: a method, a module or a function of z; of W-space
            a function of w; of one level of a hierarchy a `LevelDecoder`.
        z: A code, ``(D,)``, or codes whose Jacobians are averaged, ``(N, D)``.
        mask: Which values of an observation are the region: of its shape, or ``(H, W)`` of an
            image.
        c: Covariates, ``(C,)`` or ``(N, C)``.
        k: How many axes; all that there are by default.
        outside: ``"ratio"``, or ``"null"`` for directions that do next to nothing outside.
        tolerance: :math:`\epsilon` as a share of the largest eigenvalue.

    Raises:
        ValueError: for a mask of another shape, or of nothing or everything; a tolerance that is
            not positive; by ``"null"``, if every direction does something outside.

    References:
        Zhu, Feng, Shen, Zhao, Zha, Zhou, Chen, "Low-Rank Subspaces in GANs", 2021,
        https://arxiv.org/abs/2106.04488, section 3 (regions, null space).

    Deviations:
        By ``"null"`` the best directions within the null space are taken, where the paper projects
        the region's own principal directions onto it; its rank is by a threshold, where the paper
        factorizes the matrix into a low-rank and a sparse one. ``"ratio"`` is the generalized
        eigenproblem.

    Example:
        >>> weight = torch.tensor([[3.0, 1.0], [3.0, 0.0]])  # z_2 moves the first value alone
        >>> found = region_axes(lambda z: z @ weight.T, torch.zeros(2), torch.tensor([True, False]))
        >>> round(found.directions[:, 0].abs()[1].item(), 2), round(found.leak[0].item(), 2)
        (1.0, 0.01)
    """
    device, dtype = placement_of(generator, z)
    points = torch.atleast_2d(z.to(device, dtype))
    given = None if c is None else torch.atleast_2d(c.to(device, dtype))
    region = region_of(generator, points, mask, given)
    inside, rest = (
        metric_at(generator, points, c=given, sigma=1.0, mask=part).tensor.mean(0)
        for part in (region, ~region)
    )
    return from_metrics(inside, rest, k=k, outside=outside, tolerance=tolerance)


def from_metrics(
    inside: Tensor, rest: Tensor, *, k: int | None, outside: Outside, tolerance: float
) -> RegionAxes:
    """See `region_axes`, of the two average metrics ``(D, D)``."""
    check_scale("tolerance", tolerance)
    if k is not None:
        check_size("k", k)
    values, vectors = torch.linalg.eigh(rest)
    floor = max(tolerance * float(values[-1]), 1e-12 * float(inside.diagonal().sum()), 1e-300)
    if outside == "null":
        basis = vectors[:, values <= floor]
        if not basis.shape[1]:
            raise ValueError(
                f"all {len(values)} directions do something outside (the least "
                f"{float(values[0] / values[-1]):.2g} of the largest, squared): raise tolerance, "
                "or outside='ratio'"
            )
    elif outside == "ratio":
        basis = vectors / (values.clamp(min=0) + floor).sqrt()
    else:
        raise ValueError(f"outside is {outside!r}; expected 'ratio' or 'null'")
    _, turned = torch.linalg.eigh(basis.T @ inside @ basis)
    directions = basis @ turned.flip(1)[:, :k]
    directions = directions / directions.norm(dim=0)
    strengths = [
        (directions * (metric @ directions)).sum(0).clamp(min=0).sqrt() for metric in (inside, rest)
    ]
    return RegionAxes(directions, strengths[0], f"the region, {outside}", strengths[1])


def region_of(generator: Generator, z: Tensor, mask: Tensor, c: Tensor | None = None) -> Tensor:
    """A mask of an observation's shape, with values both inside and outside.

    Raises:
        ValueError: otherwise.
    """
    shape = decoded(generator, z[:1], None if c is None else c[:1]).shape[1:]
    mask = torch.as_tensor(mask).bool()
    if mask.shape != shape:
        if len(shape) != 3 or mask.shape != shape[1:]:
            also = f" or {tuple(shape[1:])}" if len(shape) == 3 else ""
            raise ValueError(
                f"mask has shape {tuple(mask.shape)}; expected the observation's, "
                f"{tuple(shape)}{also}"
            )
        mask = mask.expand(shape)
    if not mask.any() or mask.all():
        what = "all" if mask.all() else "none"
        raise ValueError(f"mask has {what} of the values; expected some inside and some outside")
    return mask
