"""Critics of codes."""

from __future__ import annotations

from functools import partial

from torch import nn

from ..checks import check_size
from .mlp import mlp

__all__ = ["mlp_critic"]


def mlp_critic(latent_dim: int, width: int = 1000, depth: int = 6, outputs: int = 2) -> nn.Module:
    """FactorVAE's critic: six hidden layers of 1000, LeakyReLU(0.2), two logits.

    References:
        Kim, Mnih, "Disentangling by Factorising", 2018, https://arxiv.org/abs/1802.05983,
        appendix A.
    """
    check_size("width", width)
    return nn.Sequential(*mlp(latent_dim, [width] * depth, outputs, partial(nn.LeakyReLU, 0.2)))
