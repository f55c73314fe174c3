"""From orthogonality to independent components: lengths of columns, seams, beta and sigma."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_scale, check_size
from ..data import FactorDataset
from ..data.batches import Batch
from ..encoding import evaluating
from ..functional import column_cosines, signed_permutation_distance
from ..methods.abilities import Represents
from .estimates import Finding
from .geometry import metric_at, optimal_sigma
from .models import Encoded, encode_for
from .orthogonality import active_dimensions, orthogonality_of

__all__ = [
    "BetaAndSigma",
    "Independence",
    "Seams",
    "beta_and_sigma",
    "independence",
    "independence_at",
    "seams",
]

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


@dataclass(frozen=True, repr=False)
class BetaAndSigma(Finding):
    r"""What :math:`\beta` does to the likelihood that fits, over several models.

    Attributes:
        betas: :math:`\beta` of each model.
        sigma: The scale of a Gaussian that fits best about each decoder's means.
        rates: The rate of each, nats.
        used: How many dimensions each uses.
        angle: How far its columns are from right angles, degrees.
        gaps: Its seam gap, nats.
    """

    betas: tuple[float, ...]
    sigma: tuple[float, ...]
    rates: tuple[float, ...]
    used: tuple[int, ...]
    angle: tuple[float, ...]
    gaps: tuple[float, ...]

    @property
    def slope(self) -> float:
        """The slope of log sigma squared over log beta: 1 would be noise that is all beta's."""
        x = torch.tensor(self.betas, dtype=torch.float64).log()
        y = 2 * torch.tensor(self.sigma, dtype=torch.float64).log()
        x, y = x - x.mean(), y - y.mean()
        return ((x * y).sum() / x.square().sum()).item() if len(x) > 1 else math.nan

    def __str__(self) -> str:
        rows = zip(
            self.betas, self.sigma, self.rates, self.used, self.angle, self.gaps, strict=True
        )
        lines = [
            f"beta {beta:g}: sigma {sigma:.3g}, rate {rate:.3g} nats, {used} dimensions, columns "
            f"cross by {angle:.2g} degrees, seam gap {gap:.2g} nats."
            for beta, sigma, rate, used, angle, gap in rows
        ]
        lines.append(f"sigma squared goes as beta to the power of {self.slope:.2f}.")
        return "\n".join(lines)


def beta_and_sigma(
    models: Mapping[float, Represents],
    data: FactorDataset | Batch | Tensor,
    *,
    n: int = 200,
    seed: int = 0,
) -> BetaAndSigma:
    r"""Fits :math:`\sigma` for models that were trained with several :math:`\beta`.

    .. math::
        \mathbb{E} \Big[ \frac{\|x - \mu(z)\|^2}{2} \Big] + \beta D_{KL}
        = \beta \Big( \mathbb{E} \Big[ \frac{\|x - \mu(z)\|^2}{2 \beta} \Big] + D_{KL} \Big)

    A beta-VAE of unit scale is a VAE of variance :math:`\beta`: :math:`\beta` says how far apart
    observations must be to be told apart, and what is nearer is glued together.

    Args:
        models: By their :math:`\beta`.
        data: See `encode_for`.
        n: How many observations.
        seed: Of observations and samples.

    Raises:
        ValueError: for no models, or a :math:`\beta` that is not positive.
    """
    if not models:
        raise ValueError("there are no models; expected some, by their beta")
    rows = []
    for beta in sorted(models):
        check_scale("beta", beta)
        encoded = encode_for(models[beta], data, n, seed)
        encoded.need_gaussian("the rate")
        found = orthogonality_of(encoded, beta=beta)
        variance = encoded.q.variance
        rate = 0.5 * (encoded.q.mean**2 + variance - 1 - variance.log()).sum(1).mean().item()
        rows.append(
            (
                float(beta), optimal_sigma(encoded, samples=2, seed=seed), rate, len(found.dims),
                found.angle, found.gap.value,
            )
        )  # fmt: skip
    betas, sigma, rates, used, angle, gaps = zip(*rows, strict=True)
    return BetaAndSigma(betas, sigma, rates, used, angle, gaps)


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
