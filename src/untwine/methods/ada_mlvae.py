"""Ada-ML-VAE: Ada-GVAE with a product of posteriors where that takes their average."""

from __future__ import annotations

from typing import Any, Literal

from torch import nn

from .ada_gvae import AdaGVAE

__all__ = ["AdaMLVAE"]


class AdaMLVAE(AdaGVAE):
    r"""A VAE whose paired posteriors are multiplied in the dimensions that did not change.

    .. math::
        \tilde q(z_j|x_i) \propto \begin{cases}
        q(z_j|x_0) \, q(z_j|x_1) & \delta_j < \tau \\
        q(z_j|x_i) & \text{otherwise} \end{cases}, \qquad
        \tau = \tfrac12 (\max_j \delta_j + \min_j \delta_j)

    with :math:`\delta_j = D_{KL}(q(z_j|x_0) \,\|\, q(z_j|x_1))`. The precisions of shared
    dimensions add up: two observations tell more about what they have in common than one.

    Args:
        encoder: ``x -> q(z|x)``, a diagonal Gaussian.
        decoder: ``z -> p(x|z)``.
        prior: ``() -> p(z)``.
        aggregate: ``"product"`` as the paper writes it, or ``"geometric"``, the mean of the
            precisions in place of their sum, as the authors' published code has it.
        **options: Passed to `AdaGVAE`: ``changed``, ``symmetric``, and those of `VAE`.

    References:
        Locatello et al., "Weakly-Supervised Disentanglement Without Compromises", 2020,
        https://arxiv.org/abs/2002.02886, section 4; Bouchacourt, Tomioka, Nowozin, "Multi-Level
        Variational Autoencoder", 2018, https://arxiv.org/abs/1705.08841, section 3.2.

    Deviations:
        The published figures of Ada-ML-VAE were made with ``aggregate="geometric"``.
    """

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        prior: nn.Module,
        *,
        aggregate: Literal["product", "geometric"] = "product",
        **options: Any,
    ) -> None:
        super().__init__(encoder, decoder, prior, aggregate=aggregate, **options)
