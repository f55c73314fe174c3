"""The linear case: probabilistic PCA, whose likelihood, posteriors and rates are known exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor

from ..functional import seam_gap

__all__ = ["LinearGaussian", "RatePoint", "principal_angles"]

Covariance = Literal["diagonal", "full"]


@dataclass(frozen=True)
class RatePoint:
    r"""A point of the rate-distortion curve, in nats.

    Attributes:
        beta: :math:`\beta`, the slope at the point: :math:`\partial D / \partial R = -\beta`.
        rate: :math:`R = \mathbb{E}\, D_{KL}(q(z|x) \,\|\, p(z))`.
        distortion: :math:`D = -\mathbb{E}\, \mathbb{E}_q \log p(x|z)`.
    """

    beta: float
    rate: float
    distortion: float


@dataclass(frozen=True)
class LinearGaussian:
    r"""A linear decoder with Gaussian noise: :math:`x = W z + \mu + \sigma \varepsilon`.

    Its likelihood is Gaussian, and for data of which mean and covariance S are given, everything
    below is exact: the data need not be Gaussian.

    Attributes:
        weight: W, ``(M, D)``.
        mean: :math:`\mu`, ``(M,)``.
        sigma: :math:`\sigma`.

    References:
        Tipping, Bishop, "Probabilistic Principal Component Analysis", 1999,
        https://doi.org/10.1111/1467-9868.00196; Lucas, Tucker, Grosse, Norouzi, "Don't Blame the
        ELBO! A Linear VAE Perspective on Posterior Collapse", 2019,
        https://arxiv.org/abs/1911.02469.

    Example:
        >>> S = torch.diag(torch.tensor([9.0, 4.0, 0.5, 0.5], dtype=torch.float64))
        >>> model = LinearGaussian.best(S, latent_dim=2)
        >>> round(model.sigma**2, 6), model.weight.square().sum(0).round(decimals=4).tolist()
        (0.5, [8.5, 3.5])
        >>> round(model.elbo(S) - model.log_likelihood(S), 6) == 0
        True
    """

    weight: Tensor
    mean: Tensor
    sigma: float

    @classmethod
    def best(
        cls,
        covariance: Tensor,
        latent_dim: int,
        *,
        mean: Tensor | None = None,
        sigma: float | None = None,
        beta: float = 1.0,
    ) -> Self:
        r"""Probabilistic PCA: the model of maximum likelihood, with aligned columns.

        .. math::
            W = U_D (\Lambda_D - \beta \sigma^2 I)_+^{1/2}, \qquad
            \sigma^2 = \tfrac{1}{M - D} \textstyle\sum_{j > D} \lambda_j

        Args:
            covariance: S of the data, ``(M, M)``.
            latent_dim: D.
            mean: Of the data; zero if not given.
            sigma: The noise, if it is not to be the best one: directions whose variance is below
                :math:`\beta \sigma^2` then collapse.
            beta: :math:`\beta`, for the optimum of the beta-VAE's objective at the given noise.

        Raises:
            ValueError: for more dimensions than observations have, and as many without a
                ``sigma``.
        """
        values, vectors = torch.linalg.eigh(covariance.double())
        values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)
        if latent_dim > len(values) or (sigma is None and latent_dim == len(values)):
            raise ValueError(
                f"latent_dim is {latent_dim} for observations of {len(values)} dimensions; "
                "expected fewer, or as many with sigma given"
            )
        if sigma is None:
            sigma = math.sqrt(values[latent_dim:].mean().item())
        lengths = (values[:latent_dim] - beta * sigma**2).clamp(min=0).sqrt()
        middle = torch.zeros_like(values) if mean is None else mean.double()
        return cls(vectors[:, :latent_dim] * lengths, middle, sigma)

    def rotated(self, rotation: Tensor) -> LinearGaussian:
        """The same model of x with another basis of z, ``(D, D)`` orthogonal."""
        return LinearGaussian(self.weight @ rotation.to(self.weight), self.mean, self.sigma)

    def precision(self, beta: float = 1.0) -> Tensor:
        r""":math:`P = I + W^\top W / (\beta \sigma^2)`, that of the best posterior."""
        gram = self.weight.T @ self.weight / (beta * self.sigma**2)
        return gram + torch.eye(len(gram), dtype=gram.dtype, device=gram.device)

    def seam_gap(self, beta: float = 1.0) -> float:
        """What a diagonal posterior costs, nats; see `functional.seam_gap`."""
        return seam_gap(self.precision(beta)).item()

    def log_likelihood(self, covariance: Tensor, mean: Tensor | None = None) -> float:
        r"""The average of :math:`\log p(x)`, nats.

        .. math::
            -\tfrac12 \big( M \log 2 \pi + \log \det C + \mathrm{tr}(C^{-1} S') \big), \qquad
            C = W W^\top + \sigma^2 I

        with S' the second moments about the model's mean.

        Args:
            covariance: S of the data, ``(M, M)``.
            mean: Of the data; the model's if not given.
        """
        moments = self._moments(covariance, mean)
        size = len(moments)
        own = self.weight @ self.weight.T + self.sigma**2 * torch.eye(size).to(moments)
        fit = torch.linalg.solve(own, moments).trace()
        logs = size * math.log(2 * math.pi) + torch.linalg.slogdet(own)[1] + fit
        return -0.5 * logs.item()

    def elbo(
        self,
        covariance: Tensor,
        mean: Tensor | None = None,
        *,
        posterior: Covariance = "diagonal",
    ) -> float:
        """The average ELBO under the best linear encoder, nats.

        Args:
            covariance: S of the data, ``(M, M)``.
            mean: Of the data; the model's if not given.
            posterior: ``"full"``, whose ELBO is the log-likelihood; or ``"diagonal"``, which loses
                the `seam_gap`.
        """
        point = self.rate_distortion(covariance, mean, posterior=posterior)
        return -point.distortion - point.rate

    def rate_distortion(
        self,
        covariance: Tensor,
        mean: Tensor | None = None,
        *,
        beta: float = 1.0,
        posterior: Covariance = "full",
    ) -> RatePoint:
        r"""Rate and distortion of the encoder that is best for a :math:`\beta`.

        .. math::
            q(z|x) = \mathcal{N}\Big( \tfrac{1}{\beta \sigma^2} P^{-1} W^\top (x - \mu),\;
            P^{-1} \Big)

        minimizes :math:`D + \beta R` for this decoder; the best diagonal covariance is
        :math:`\mathrm{diag}(P)^{-1}`, with the same mean.

        Args:
            covariance: S of the data, ``(M, M)``.
            mean: Of the data; the model's if not given.
            beta: :math:`\beta`.
            posterior: ``"diagonal"`` or ``"full"``.

        References:
            Alemi et al., "Fixing a Broken ELBO", 2018, https://arxiv.org/abs/1711.00464, section 3.
        """
        if posterior not in ("diagonal", "full"):
            raise ValueError(f"posterior is {posterior!r}; expected 'diagonal' or 'full'")
        moments, w = self._moments(covariance, mean), self.weight
        precision = self.precision(beta)
        inverse = torch.linalg.inv(precision)
        spread = inverse if posterior == "full" else torch.diag(1 / precision.diagonal())
        encoder = inverse @ w.T / (beta * self.sigma**2)
        codes = encoder @ moments @ encoder.T
        error = moments.trace() - 2 * (w @ encoder @ moments).trace()
        error = error + ((codes + spread) @ (w.T @ w)).trace()
        size = len(moments) * math.log(2 * math.pi * self.sigma**2)
        trace = spread.trace() + codes.trace() - len(spread)
        rate = 0.5 * (trace - torch.linalg.slogdet(spread)[1])
        return RatePoint(beta, rate.item(), 0.5 * (size + error.item() / self.sigma**2))

    def curve(
        self,
        covariance: Tensor,
        mean: Tensor | None = None,
        *,
        betas: Sequence[float] = (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0),
        posterior: Covariance = "full",
    ) -> tuple[RatePoint, ...]:
        """Points of the rate-distortion curve of this decoder, see `rate_distortion`."""
        return tuple(
            self.rate_distortion(covariance, mean, beta=beta, posterior=posterior) for beta in betas
        )

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean ``(B, D)`` and covariance ``(D, D)`` of p(z|x) of observations ``(B, M)``."""
        inverse = torch.linalg.inv(self.precision())
        return (x - self.mean) @ self.weight @ inverse / self.sigma**2, inverse

    def log_prob(self, x: Tensor) -> Tensor:
        """Log p(x) of each of ``(B, M)`` observations, nats."""
        own = self.weight @ self.weight.T + self.sigma**2 * torch.eye(len(self.mean)).to(x)
        return torch.distributions.MultivariateNormal(self.mean, own).log_prob(x)

    def sample(self, n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
        """Codes ``(n, D)`` and their observations ``(n, M)``."""
        generator = torch.Generator().manual_seed(seed)
        size, dim = self.weight.shape
        z = torch.randn(n, dim, generator=generator, dtype=self.weight.dtype)
        noise = torch.randn(n, size, generator=generator, dtype=self.weight.dtype)
        return z, z @ self.weight.T + self.mean + self.sigma * noise

    def _moments(self, covariance: Tensor, mean: Tensor | None) -> Tensor:
        if mean is None:
            return covariance.to(self.weight)
        off = mean.to(self.weight) - self.mean
        return covariance.to(self.weight) + torch.outer(off, off)


def principal_angles(a: Tensor, b: Tensor) -> Tensor:
    """Angles between the spaces that columns span, the smallest first, in degrees.

    Args:
        a: ``(M, D)``.
        b: ``(M, E)``.

    Returns:
        ``(min(D, E),)``.

    Example:
        >>> a = torch.tensor([[1.0], [0.0]])
        >>> round(principal_angles(a, torch.tensor([[1.0], [1.0]])).item(), 3)
        45.0
    """
    one, two = (torch.linalg.qr(m.double())[0] for m in (a, b))
    if one.shape[1] < two.shape[1]:
        one, two = two, one
    cosines = torch.linalg.svdvals(one.T @ two).clamp(0, 1)
    # Sines of small angles have digits that their cosines lack.
    rest = two - one @ (one.T @ two)
    sines = torch.linalg.svdvals(rest).flip(0).clamp(0, 1)
    return torch.rad2deg(torch.atan2(sines, cosines))
