"""Beta as the variance of the likelihood, over several models."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import check_scale
from ..data import FactorDataset
from ..data.batches import Batch
from ..methods.abilities import Represents
from .estimates import Finding
from .geometry import optimal_sigma
from .models import encode_for
from .orthogonality import orthogonality_of

__all__ = ["BetaAndSigma", "beta_and_sigma"]


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
