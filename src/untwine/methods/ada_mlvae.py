"""Ada-ML-VAE: Ada-GVAE with a product of posteriors where that takes their average."""

from __future__ import annotations

from typing import Literal

from .ada_gvae import AdaGVAE
from .method import ADAM, MakeOptimizer
from .model import Model
from .penalty import Penalty

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
        model: Encoder, decoder and prior, see `Model`; the posterior a diagonal Gaussian.
        changed: The number of dimensions that change in every pair, see `AdaGVAE`.
        symmetric: Whether divergences are averaged over both directions, see `AdaGVAE`.
        aggregate: ``"product"`` as the paper writes it, or ``"geometric"``, the mean of the
            precisions in place of their sum, as the authors' published code has it.
        penalty: The regularizer; the KL divergence by default.
        optimizer: Of all parameters; called with them.

    References:
        Locatello et al., "Weakly-Supervised Disentanglement Without Compromises", 2020,
        https://arxiv.org/abs/2002.02886, section 4; Bouchacourt, Tomioka, Nowozin, "Multi-Level
        Variational Autoencoder", 2018, https://arxiv.org/abs/1705.08841, section 3.2.

    Deviations:
        The published figures of Ada-ML-VAE were made with ``aggregate="geometric"``.
    """

    def __init__(
        self,
        model: Model,
        *,
        changed: int | None = None,
        symmetric: bool = False,
        aggregate: Literal["product", "geometric"] = "product",
        penalty: Penalty | None = None,
        optimizer: MakeOptimizer = ADAM,
    ) -> None:
        super().__init__(
            model,
            changed=changed,
            symmetric=symmetric,
            aggregate=aggregate,
            penalty=penalty,
            optimizer=optimizer,
        )
