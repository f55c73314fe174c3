"""Critics of codes, and noise on what they see."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from ..checks import check_scale, check_size
from ..spec import Recorded
from .mlp import mlp

__all__ = ["GaussianNoise", "mlp_critic"]


class GaussianNoise(Recorded, nn.Module):
    r"""Adds Gaussian noise in training, :math:`x + \sigma \epsilon`, and nothing in evaluation.

    Args:
        scale: :math:`\sigma`; 0 for none.

    Raises:
        ValueError: for a negative scale.
    """

    def __init__(self, scale: float) -> None:
        super().__init__()
        check_scale("scale", scale, zero=True)
        self.scale = float(scale)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, ...)`` to the same."""
        return x + self.scale * torch.randn_like(x) if self.training and self.scale else x

    def extra_repr(self) -> str:
        """The scale."""
        return f"scale={self.scale:g}"


def mlp_critic(latent_dim: int, width: int = 1000, depth: int = 6, outputs: int = 2) -> nn.Module:
    """FactorVAE's critic: six hidden layers of 1000, LeakyReLU(0.2), two logits.

    References:
        Kim, Mnih, "Disentangling by Factorising", 2018, https://arxiv.org/abs/1802.05983,
        appendix A.
    """
    check_size("width", width)
    return nn.Sequential(*mlp(latent_dim, [width] * depth, outputs, partial(nn.LeakyReLU, 0.2)))
