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

    in nats, where z is ``(B, D)`` and level l is ``(B, D_l)``, the columns ``q.slices[name]`` of
    it. One sample of each level is drawn, given those of the levels above; divergences are averages
    over the batch before the larger of both is taken.

    Args:
        model: Whose prior and posterior are named blocks: a `HierarchicalModel`, or a `Model` of
            `BlocksPosterior` and `BlocksPrior`, whose levels are drawn without each other.
        beta: :math:`\beta`, a number or a schedule.
        free_bits: :math:`\lambda`, nats of each level that cost nothing, see `LevelKL`.
        optimizer: Of all parameters; called with them.

    Raises:
        ValueError: for free bits that are negative.
        TypeError: in training, for a posterior or a prior without blocks.

    References:
        Sonderby, Raiko, Maaloe, Sonderby, Winther, "Ladder Variational Autoencoders", 2016,
        https://arxiv.org/abs/1602.02282, section 2 (the bound of a chain of latents);
        Kingma et al., "Improved Variational Inference with Inverse Autoregressive Flow", 2016,
        https://arxiv.org/abs/1606.04934, appendix C.8 (free bits).
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
