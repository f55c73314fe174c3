"""What methods whose code has levels have in common."""

from __future__ import annotations

from ..functional import Schedule
from .level_kl import LevelKL
from .method import ADAM, MakeOptimizer
from .model import Model
from .vae import VAE

__all__ = ["HierarchicalVAE"]


class HierarchicalVAE(VAE):
    r"""A VAE whose code has levels: named blocks, the uppermost first.

    .. math::
        \mathcal{L} = -\mathbb{E}_q[\log p(x|z)] + \beta \sum_l \max\big( \lambda, \,
        D_{KL}(q(z_l|z_{<l}, x) \,\|\, p(z_l|z_{<l})) \big)

    Args:
        model: Whose prior and posterior are named blocks.
        beta: :math:`\beta`, a number or a schedule.
        free_bits: :math:`\lambda`, nats of each level that cost nothing, see `LevelKL`.
        optimizer: Of all parameters; called with them.
    """

    def __init__(
        self,
        model: Model,
        *,
        beta: float | Schedule = 1.0,
        free_bits: float = 0.0,
        optimizer: MakeOptimizer = ADAM,
    ) -> None:
        super().__init__(model, penalty=LevelKL(beta, free_bits), optimizer=optimizer)
        self.beta, self.free_bits = beta, free_bits

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the levels, the uppermost first."""
        return tuple(self.model.prior().names)
