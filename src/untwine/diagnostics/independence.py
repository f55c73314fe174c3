"""From orthogonality to independent components: how lengths of columns change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_scale
from ..data import FactorDataset
from ..data.batches import Batch
from ..encoding import evaluating
from ..functional import column_cosines, signed_permutation_distance
from ..methods.abilities import Represents
from .estimates import Finding
from .geometry import metric_at, optimal_sigma
from .models import Encoded, encode_for
from .orthogonality import active_dimensions

__all__ = ["Independence", "independence", "independence_at"]

_CROSSED, _BENT = 0.1, 0.1


@dataclass(frozen=True, repr=False)
class Independence(Finding):
    r"""Whether a decoder maps independent codes to independent components.

    Attributes:
        cosines: :math:`|\cos(J_{:i}, J_{:j})|`, averaged, ``(D', D')``: the first condition.
        v_distance: Of V to a signed permutation, averaged.
        stretch: :math:`\big( \mathbb{E} (\partial \log s_i / \partial z_j)^2 \big)^{1/2}`, ``(D',
            D')``, with :math:`s_i = \| F^{1/2} J_{:i} \|`: the second condition is that it is 0 off
            the diagonal.
        dims: Which dimensions these are.
        step: Of the differences that the derivatives are taken by.
        information: What lengths are measured in.
    """

    cosines: Tensor
    v_distance: float
    stretch: Tensor
    dims: tuple[int, ...]
    step: float
    information: str

    @property
    def crossing(self) -> float:
        """The largest average absolute cosine of two columns."""
        return _off_diagonal(self.cosines)

    @property
    def bending(self) -> float:
        r"""The largest :math:`\partial \log s_i / \partial z_j` for :math:`i \ne j`."""
        return _off_diagonal(self.stretch)

    @property
    def orthogonal(self) -> bool:
        """Whether the first condition holds within 0.1."""
        return self.crossing < _CROSSED

    @property
    def independent(self) -> bool:
        """Whether both conditions hold within 0.1."""
        return self.orthogonal and self.bending < _BENT

    def __str__(self) -> str:
        lines = [
            f"Columns of the Jacobian have cosines up to {self.crossing:.3f}: "
            f"{'orthogonal' if self.orthogonal else 'not orthogonal'}."
        ]
        if len(self.dims) > 1:
            off = self.stretch.clone().fill_diagonal_(-1)
            i, j = divmod(int(off.argmax()), len(self.dims))
            lines.append(
                f"The length of the column of z{self.dims[i]} changes with z{self.dims[j]} by "
                f"{self.bending:.3f} of itself per unit, the most of all pairs."
            )
        if self.independent:
            lines.append("Both conditions hold: the components are independent.")
        elif self.orthogonal:
            lines.append(
                "Orthogonal columns, but not independent components (as in polar coordinates)."
            )
        else:
            lines.append("The components are not independent.")
        return "\n".join(lines)


def independence(
    model: Represents,
    data: FactorDataset | Batch | Tensor,
    *,
    n: int = 50,
    step: float = 0.05,
    sigma: float | None = None,
    dims: Sequence[int] | None = None,
    seed: int = 0,
) -> Independence:
    r"""Whether a decoder maps independent codes to independent components, over the data.

    With :math:`J = U S V^\top`, the density on the image of the code is
    :math:`p(z) / \prod_i s_i`. It is a product of densities along the images of the axes,
    :math:`p(x_i^U) = p(z_i) / s_i`, if

    .. math::
        V_{ij} = 0 \;\text{ and }\; \frac{\partial \log s_i}{\partial z_j} = 0
        \quad \text{for } i \ne j

    (V up to the order and signs of its columns). Orthogonality alone is not enough: polar
    coordinates have orthogonal columns everywhere, and :math:`s_2 = r` depends on :math:`z_1`.

    Args:
        model: Anything with ``represent``, ``decode`` and ``prior``.
        data: See `encode_for`.
        n: How many observations; the decoder is differentiated 1 + 2 D times for each.
        step: Of central differences of :math:`\log s_i`. A decoder of ReLUs is linear in pieces:
            what counts is how it changes over such a distance.
        sigma: See `orthogonality`.
        dims: Which dimensions are asked about; by default those with at least 0.1 nats.
        seed: Of the choice of observations.

    Raises:
        NoDensity: for a model without densities.

    References:
        Allen, "Unpicking Data at the Seams: Understanding Disentanglement in VAEs", 2024,
        https://arxiv.org/abs/2410.22559
    """
    encoded = encode_for(model, data, n, seed)
    used = active_dimensions(encoded) if dims is None else tuple(dims)
    if sigma is None:
        sigma = _scale(encoded)
    return independence_at(
        encoded.model, encoded.q.mean.to(encoded.dtype), c=encoded.c, step=step, sigma=sigma,
        dims=used,
    )  # fmt: skip


@torch.no_grad()
def independence_at(
    decoder: object,
    z: Tensor,
    *,
    c: Tensor | None = None,
    step: float = 0.05,
    sigma: float | None = None,
    dims: Sequence[int] | None = None,
) -> Independence:
    """As `independence`, at codes ``(N, D)`` of any decoder, see `metric_at`.

    Example:
        >>> def polar(z):
        ...     r, t = z.unbind(1)
        ...     return torch.stack([r * t.cos(), r * t.sin()], 1)
        >>> z = torch.tensor([[2.0, 0.3], [2.0, 1.0]], dtype=torch.float64)
        >>> found = independence_at(polar, z, step=1e-4, sigma=1.0)
        >>> found.orthogonal, found.independent, found.stretch.round(decimals=4).tolist()
        (True, False, [[0.0, 0.0], [0.5, 0.0]])
    """
    check_scale("step", step)
    used = list(range(z.shape[1])) if dims is None else list(dims)
    here = metric_at(decoder, z, c=c, sigma=sigma)  # type: ignore[arg-type]
    part = here.tensor[:, used][:, :, used]
    columns = []
    for j in used:
        ends = []
        for side in (step, -step):
            moved = z.clone()
            moved[:, j] += side
            tensor = metric_at(decoder, moved, c=c, sigma=sigma).tensor  # type: ignore[arg-type]
            lengths = tensor.diagonal(dim1=1, dim2=2)[:, used]
            ends.append(0.5 * lengths.clamp(min=1e-300).log())
        columns.append(((ends[0] - ends[1]) / (2 * step)).square().mean(0).sqrt())
    size = len(used)
    vectors = torch.linalg.eigh(part)[1] if size else part
    return Independence(
        cosines=column_cosines(part).abs().mean(0),
        v_distance=signed_permutation_distance(vectors).mean().item() if size else 0.0,
        stretch=torch.stack(columns, 1) if size else part.new_zeros(0, 0),
        dims=tuple(used),
        step=step,
        information=here.information,
    )


def _scale(encoded: Encoded) -> float | None:
    """The scale that stands for a likelihood at its optimal scale; ``None`` for others."""
    from ..distributions.optimal_normal import OptimalNormal
    from .geometry import _inside

    with torch.no_grad(), evaluating(encoded.model):
        p = encoded.decode(encoded.q.mean[:1], slice(0, 1))
    return optimal_sigma(encoded) if isinstance(_inside(p), OptimalNormal) else None


def _off_diagonal(matrix: Tensor) -> float:
    """The largest entry off the diagonal; 0 where there is none."""
    if len(matrix) < 2:
        return 0.0
    return matrix.clone().fill_diagonal_(-math.inf).max().item()
