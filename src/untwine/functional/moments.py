"""Moment matching: covariance penalties of DIP-VAE."""

from __future__ import annotations

from torch import Tensor

__all__ = ["covariance", "dip"]


def covariance(x: Tensor) -> Tensor:
    r"""Covariance over the batch, :math:`\frac1B \sum_b (x_b - \bar x)(x_b - \bar x)^\top`.

    Shape: ``(B, D)`` to ``(D, D)``.
    """
    centered = x - x.mean(0)
    return centered.mT @ centered / len(x)


def dip(cov: Tensor, off_diagonal: float | Tensor, diagonal: float | Tensor) -> Tensor:
    r"""Distance of a covariance from the identity, a scalar.

    .. math::
        \lambda_{od} \sum_{i \ne j} C_{ij}^2 + \lambda_d \sum_i (C_{ii} - 1)^2

    References:
        Kumar, Sattigeri, Balakrishnan, "Variational Inference of Disentangled Latent Concepts
        from Unlabeled Observations", 2018, https://arxiv.org/abs/1711.00848, equations 6 and 7.
    """
    on = cov.diagonal()
    # All squares less those of the diagonal: no mask, so nothing to build on the device.
    off = (cov**2).sum() - (on**2).sum()
    return off_diagonal * off + diagonal * ((on - 1) ** 2).sum()
