"""Trained linear VAEs beside probabilistic PCA of the same data."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from ..data import FactorDataset
from ..data.batches import Batch
from ..encoding import evaluating
from ..functional import jacobian
from ..methods.abilities import Represents
from .estimates import Finding
from .linear import LinearGaussian, principal_angles
from .models import Encoded, NoDensity, encode_for

__all__ = ["LinearCase", "linear_case"]

_LINEAR = 1e-3  # of the decoder's range: less is called linear


@dataclass(frozen=True, repr=False, kw_only=True)
class LinearCase(Finding):
    r"""A trained linear VAE beside probabilistic PCA of the same data, nats.

    Attributes:
        trained: The decoder as trained.
        best: Probabilistic PCA of as many dimensions, with its own noise.
        beta: :math:`\beta` of the training.
        eigenvalues: Of the data's covariance, the largest first, ``(M,)``.
        angles: Between the spaces of the decoder's columns and of the leading principal axes,
            degrees, of as many dimensions as do not collapse.
        alignment: :math:`\max_i |\cos(W_{:j}, u_i)|` of each column that does not collapse with
            the principal axes, ``(D',)``.
        column_cosine: The largest absolute cosine between two such columns.
        collapsed: Columns shorter than a hundredth of :math:`\sigma`.
        expected: How many dimensions collapse at this noise at the optimum: the leading
            eigenvalues at or below :math:`\beta \sigma^2`.
        elbo: Of model and encoder as trained, exactly.
        log_likelihood: Of the trained decoder, exactly.
        highest: Of probabilistic PCA.
        rotated_gap: The seam gap of the trained decoder.
    """

    trained: LinearGaussian
    best: LinearGaussian
    beta: float
    eigenvalues: Tensor
    angles: Tensor
    alignment: Tensor
    column_cosine: float
    collapsed: tuple[int, ...]
    expected: int
    elbo: float
    log_likelihood: float
    highest: float
    rotated_gap: float

    def __str__(self) -> str:
        used = self.trained.weight.shape[1] - len(self.collapsed)
        largest = self.angles.max().item() if len(self.angles) else 0.0
        least = self.alignment.min().item() if len(self.alignment) else 1.0
        return "\n".join(
            [
                f"{used} of {self.trained.weight.shape[1]} dimensions in use; at this noise the "
                f"optimum uses {self.trained.weight.shape[1] - self.expected}.",
                f"Their space is within {largest:.2g} degrees of the principal one; each column "
                f"has a cosine of {least:.4f} or more with a principal axis.",
                f"ELBO {self.elbo:.4f}, log-likelihood {self.log_likelihood:.4f}, of "
                f"probabilistic PCA {self.highest:.4f} nats.",
                f"Diagonal posteriors cost {self.rotated_gap:.4f} nats of it.",
                f"sigma is {self.trained.sigma:.4f}, of probabilistic PCA {self.best.sigma:.4f}.",
            ]
        )


@torch.no_grad()
def linear_case(
    model: Represents,
    data: FactorDataset | Batch | Tensor,
    *,
    n: int = 10_000,
    beta: float = 1.0,
    seed: int = 0,
) -> LinearCase:
    r"""Compares a trained linear VAE with probabilistic PCA of the same observations.

    .. math::
        \max_{W, \sigma} \mathbb{E} \log p(x) = -\tfrac12 \Big( M \log 2\pi
        + \sum_{j \le D} \log \lambda_j + (M - D) \log \sigma^2 + M \Big)

    Args:
        model: With a linear decoder and a Gaussian likelihood of one scale.
        data: See `encode_for`.
        n: How many observations.
        beta: :math:`\beta` of the training.
        seed: Of the choice of observations.

    Raises:
        NoDensity: for another likelihood, a decoder that is not linear, and other priors.

    References:
        Lucas, Tucker, Grosse, Norouzi, "Don't Blame the ELBO! A Linear VAE Perspective on Posterior
        Collapse", 2019, https://arxiv.org/abs/1911.02469, sections 3 and 4.
    """
    encoded = encode_for(model, data, n, seed)
    encoded.need_gaussian("the linear case")
    with evaluating(model):
        trained = linear_decoder(encoded)
    x = encoded.x.flatten(1).double()
    mean = x.mean(0)
    covariance = (x - mean).T @ (x - mean) / len(x)
    dim = encoded.latent_dim
    values, vectors = torch.linalg.eigh(covariance)
    values, vectors = values.flip(0), vectors.flip(1)
    best = LinearGaussian.best(covariance, min(dim, len(mean) - 1), mean=mean)
    norms = trained.weight.norm(dim=0)
    collapsed = tuple((norms < 0.01 * trained.sigma).nonzero().flatten().tolist())
    used = [j for j in range(dim) if j not in collapsed]
    columns = trained.weight[:, used] / norms[used]
    cosines = (columns.T @ columns - torch.eye(len(used)).to(columns)).abs()
    alignment = (columns.T @ vectors).abs().max(1).values if used else columns.new_zeros(0)
    return LinearCase(
        trained=trained,
        best=best,
        beta=beta,
        eigenvalues=values,
        angles=principal_angles(columns, vectors[:, : len(used)]) if used else norms[:0],
        alignment=alignment,
        column_cosine=cosines.max().item() if len(used) > 1 else 0.0,
        collapsed=collapsed,
        expected=int((values[:dim] <= beta * trained.sigma**2).sum()),
        elbo=_elbo(encoded, trained),
        log_likelihood=trained.log_likelihood(covariance, mean),
        highest=best.log_likelihood(covariance, mean),
        rotated_gap=trained.seam_gap(),
    )


def linear_decoder(encoded: Encoded) -> LinearGaussian:
    """The decoder as a linear map with noise.

    Raises:
        NoDensity: for what is not linear, or not Gaussian of one scale.
    """
    sample = encoded.q.mean[:64]
    first = torch.zeros(len(sample), dtype=torch.long)  # all under the covariates of one
    origin = torch.zeros_like(sample[:1])
    p = encoded.decode(origin, first[:1])
    base = p.base_dist if isinstance(p, Independent) else p
    if not isinstance(base, Normal):
        raise NoDensity(
            f"the linear case is of a Gaussian likelihood, but p(x|z) is a {type(base).__name__}"
        )
    scale = base.scale.double()
    if (scale - scale.flatten()[0]).abs().max() > 1e-6:
        raise NoDensity("the linear case is of a Gaussian likelihood of one scale for all elements")
    dtype = p.mean.dtype
    weight = jacobian(lambda v: encoded.decode(v, first[:1]).mean, origin.to(dtype))[0].double()
    mean = p.mean.flatten().double()
    straight = sample @ weight.T + mean
    actual = encoded.decode(sample, first).mean.flatten(1).double()
    size = (straight - mean).abs().max().item() + 1e-12
    off = (actual - straight).abs().max().item()
    if off > _LINEAR * size:
        raise NoDensity(
            f"the decoder is not linear: it is {off / size:.0%} of its range away from its tangent "
            "at 0; untwine.nets.MLP(hidden=()) is linear"
        )
    return LinearGaussian(weight, mean, scale.flatten()[0].item())


def _elbo(encoded: Encoded, decoder: LinearGaussian) -> float:
    """The average ELBO of given posteriors under a linear decoder, exactly."""
    x, mean, spread = encoded.x.flatten(1).double(), encoded.q.mean, encoded.covariance
    residual = x - decoder.mean - mean @ decoder.weight.T
    gram = decoder.weight.T @ decoder.weight
    error = residual.square().sum(1) + (spread * gram).sum((1, 2))
    size = x.shape[1] * math.log(2 * math.pi * decoder.sigma**2)
    log_p = -0.5 * (size + error / decoder.sigma**2)
    dim = mean.shape[1]
    trace = spread.diagonal(dim1=1, dim2=2).sum(1) + mean.square().sum(1) - dim
    kl = 0.5 * (trace - torch.linalg.slogdet(spread)[1])
    return (log_p - kl).mean().item()
