"""From diagonal posteriors to orthogonal Jacobians: cosines, covariances, the seam gap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_scale
from ..data import FactorDataset
from ..data.batches import Batch
from ..functional import column_cosines, ima_contrast, seam_gap, signed_permutation_distance
from ..methods.abilities import Represents
from .estimates import Estimate, Finding
from .geometry import metric_of
from .models import Encoded, beta_of, encode_for
from .rotations import Turn, best_rotation

__all__ = ["Orthogonality", "active_dimensions", "orthogonality", "orthogonality_of"]

_ACTIVE, _SMALL = 0.1, 0.01  # nats
_MOST = 0.9  # of the seam gap: a rotation that leaves more changes nothing


@dataclass(frozen=True, repr=False, kw_only=True)
class Orthogonality(Finding):
    r"""How far a decoder's Jacobian has orthogonal columns, over observations.

    Attributes:
        seam_gap: :math:`\tfrac12 (\sum_j \log P_{jj} - \log \det P)`, nats, ``(N,)``: what a
            diagonal posterior costs; of all dimensions.
        ima_contrast: Its limit for a small scale, of the dimensions in use, nats, ``(N,)``.
        cosines: Absolute cosines of the columns in use, averaged over the observations, ``(D',
            D')``.
        v_distance: Of V to the nearest signed permutation, ``(N,)``. Where two singular values are
            equal, V is arbitrary within their plane; cosines and the gap are not.
        permuted: The same of a random rotation, on average, for comparison.
        singular_values: ``(N, D')``, the largest first.
        covariance_kl: Of the learned posterior from :math:`\mathcal{N}(\mu, P^{-1})`, nats,
            ``(N,)``; ``None`` where posteriors are no Gaussians. Of a diagonal posterior it is the
            seam gap and what its own scales lack.
        learned: The learned standard deviations, averaged, ``(D,)``.
        optimal: Those of the best diagonal posterior, :math:`P_{jj}^{-1/2}`, averaged, ``(D,)``.
        rotated: The seam gap that the best single rotation of the dimensions in use leaves, nats,
            ``(N,)``.
        rotation: That rotation, ``(D', D')``.
        turn: The pair of dimensions that it mixes most.
        dims: Which dimensions are in use.
        beta: :math:`\beta`.
        information: What F is.
        diagonal: Whether the learned posteriors are diagonal.
    """

    seam_gap: Tensor
    ima_contrast: Tensor
    cosines: Tensor
    v_distance: Tensor
    permuted: float
    singular_values: Tensor
    covariance_kl: Tensor | None
    learned: Tensor | None
    optimal: Tensor
    rotated: Tensor
    rotation: Tensor
    turn: Turn | None
    dims: tuple[int, ...]
    beta: float
    information: str
    diagonal: bool

    @property
    def gap(self) -> Estimate:
        """The seam gap on average, nats."""
        return Estimate.of(self.seam_gap)

    @property
    def mean_cosine(self) -> float:
        """The mean absolute cosine of two different columns in use; 0 if there are not two."""
        size = len(self.dims)
        if size < 2:
            return 0.0
        off = self.cosines.sum() - self.cosines.diagonal().sum()
        return (off / (size * (size - 1))).item()

    @property
    def angle(self) -> float:
        """How far columns are from a right angle, degrees."""
        return math.degrees(math.asin(min(1.0, self.mean_cosine)))

    def __str__(self) -> str:
        kind = "diagonal" if self.diagonal else "full-covariance"
        lines = [
            f"{len(self.dims)} dimensions are in use; beta is {self.beta:g}; lengths are in units "
            f"of {self.information}.",
            f"Columns cross by {self.angle:.2g} degrees (mean absolute cosine "
            f"{self.mean_cosine:.3f}).",
            f"Diagonal posteriors cost {self.gap} nats (the seam gap).",
        ]
        if self.turn is not None and self.gap.value > _SMALL:
            i, j = self.turn.dims
            left = Estimate.of(self.rotated)
            if left.value < _MOST * self.gap.value:
                lines.append(
                    f"Rotating the code (most of all z{i} and z{j}, by {self.turn.degrees:.0f} "
                    f"degrees) would leave {left} of it."
                )
            else:
                lines.append(
                    f"No single rotation of the code removes it (the best leaves {left}): "
                    "directions change from place to place."
                )
        if self.covariance_kl is not None:
            lines.append(
                f"The learned {kind} posteriors are {Estimate.of(self.covariance_kl)} nats from "
                "the optimum of this decoder."
            )
        return "\n".join(lines)


def orthogonality(
    model: Represents,
    data: FactorDataset | Batch | Tensor,
    *,
    n: int = 1000,
    beta: float | None = None,
    sigma: float | None = None,
    dims: Sequence[int] | None = None,
    seed: int = 0,
) -> Orthogonality:
    r"""The Jacobian of a decoder over the data, and what a diagonal posterior costs.

    .. math::
        P = I + \tfrac1\beta J^\top F J, \qquad F = I / \sigma^2 \text{ for a Gaussian},
        \qquad \Sigma^* = P^{-1}

    where P is the precision of the best Gaussian posterior, to second order in z, and its seam gap
    is what the best diagonal one lacks. For other likelihoods F is their Fisher information, the
    expected curvature of :math:`-\log p(x|z)`.

    Args:
        model: Anything with ``represent``, ``decode`` and ``prior``.
        data: See `encode_for`.
        n: How many observations; the Jacobians are taken at their posterior means.
        beta: :math:`\beta`; by default what the method was trained with, 1 where that is unknown.
        sigma: The scale of a Gaussian about the decoder's mean, to be taken instead of the
            likelihood.
        dims: Which dimensions are in use; by default those with at least 0.1 nats.
        seed: Of the choice of observations.

    Raises:
        NoDensity: for a model without densities, and a prior that is not standard normal.
        ValueError: for a ``beta`` or ``sigma`` that is not positive.

    References:
        Rolinek et al. 2019, https://arxiv.org/abs/1812.06775; Kumar, Poole 2020,
        https://arxiv.org/abs/2002.00041; Reizinger et al. 2022,
        https://arxiv.org/abs/2206.02416; Allen, "Unpicking Data at the Seams", 2024,
        https://arxiv.org/abs/2410.22559.

    Deviations:
        The prior's part of P, the identity, is kept, which the papers drop for a small
        :math:`\sigma`: with it the gap is exact for linear decoders at any :math:`\sigma`.
    """
    return orthogonality_of(encode_for(model, data, n, seed), beta=beta, sigma=sigma, dims=dims)


@torch.no_grad()
def orthogonality_of(
    encoded: Encoded,
    *,
    beta: float | None = None,
    sigma: float | None = None,
    dims: Sequence[int] | None = None,
) -> Orthogonality:
    """As `orthogonality`, of observations that are encoded already."""
    if beta is None:
        beta = beta_of(encoded.model) or 1.0
    check_scale("beta", beta)
    if not encoded.standard_prior:
        encoded.need_gaussian("the seam gap")
    used = active_dimensions(encoded) if dims is None else tuple(dims)
    metric = metric_of(encoded, sigma=sigma)
    precision = precision_of(metric.tensor, beta)
    part = metric.tensor[:, used][:, :, used]
    values, vectors = torch.linalg.eigh(part)
    inside = precision[:, used][:, :, used]
    rotation, left, turn = best_rotation(inside)
    if turn is not None:
        turn = Turn((used[turn.dims[0]], used[turn.dims[1]]), turn.degrees)
    # What lies between dimensions in use and others stays.
    gaps = seam_gap(precision)
    rotated = gaps - seam_gap(inside) + left
    covariance_kl = learned = None
    if encoded.gaussian:
        covariance_kl = _kl_of_covariances(encoded.covariance, precision)
        learned = encoded.q.stddev.mean(0)
    return Orthogonality(
        seam_gap=gaps,
        ima_contrast=ima_contrast(part) if used else precision.new_zeros(len(precision)),
        cosines=column_cosines(part).abs().mean(0),
        v_distance=signed_permutation_distance(vectors) if used else precision.new_zeros(0),
        permuted=_chance(len(used)),
        singular_values=values.flip(-1).clamp(min=0).sqrt(),
        covariance_kl=covariance_kl,
        learned=learned,
        optimal=precision.diagonal(dim1=1, dim2=2).rsqrt().mean(0),
        rotated=rotated,
        rotation=rotation,
        turn=turn,
        dims=used,
        beta=beta,
        information=metric.information,
        diagonal=bool((encoded.covariance.triu(1) == 0).all()) if encoded.gaussian else False,
    )


def precision_of(metric: Tensor, beta: float) -> Tensor:
    r""":math:`P = I + J^\top F J / \beta`, ``(N, D, D)``."""
    return metric / beta + torch.eye(metric.shape[-1]).to(metric)


def active_dimensions(encoded: Encoded, least: float = _ACTIVE) -> tuple[int, ...]:
    """Dimensions whose KL divergence is at least so many nats on average.

    All of them where posteriors are no Gaussians, or the prior is not standard normal.
    """
    if not (encoded.gaussian and encoded.standard_prior):
        return tuple(range(encoded.latent_dim))
    mean, variance = encoded.q.mean, encoded.q.variance
    kl = 0.5 * (mean**2 + variance - 1 - variance.log()).mean(0)
    return tuple((kl >= least).nonzero().flatten().tolist())


def _kl_of_covariances(covariance: Tensor, precision: Tensor) -> Tensor:
    r""":math:`D_{KL}(\mathcal{N}(0, \Sigma) \| \mathcal{N}(0, P^{-1}))`, nats."""
    trace = (covariance * precision).sum((1, 2)) - covariance.shape[-1]
    logs = torch.linalg.slogdet(covariance)[1] + torch.linalg.slogdet(precision)[1]
    return 0.5 * (trace - logs)


def _chance(dim: int, draws: int = 64) -> float:
    """The distance of random rotations to signed permutations, on average."""
    if dim < 2:
        return 0.0
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(draws, dim, dim, generator=generator, dtype=torch.float64)
    return signed_permutation_distance(torch.linalg.qr(noise)[0]).mean().item()
