"""AnnealedVAE: a KL divergence that is led along a growing capacity."""

from __future__ import annotations

from torch.distributions import Distribution

from ..checks import check_scale
from ..functional import Linear, at, kl, kl_rule
from .loss import Loss
from .method import ADAM, Context, MakeOptimizer
from .model import Model
from .penalty import Penalty, Terms, Trace
from .vae import VAE

__all__ = ["AnnealedVAE", "Capacity"]


class Capacity(Penalty):
    r""":math:`\gamma \, | \overline{D_{KL}(q(z|x) \| p(z))} - C(t) |`, with a growing capacity C.

    .. math::
        C(t) = C_{max} \min(t / T, 1)

    The logged term ``kl`` has weight 0; ``capacity`` is the distance of the batch's mean KL.

    Args:
        gamma: :math:`\gamma`, the weight of the distance.
        capacity: :math:`C_{max}`, in nats.
        warmup: :math:`T`, the steps over which the capacity grows from 0.

    Raises:
        ValueError: if the weight or the capacity is negative or the warm-up shorter than 1 step.

    References:
        Burgess et al., "Understanding disentangling in beta-VAE", 2018,
        https://arxiv.org/abs/1804.03599, equation 8.
    """

    def __init__(self, gamma: float = 1000.0, capacity: float = 25.0, warmup: int = 100_000):
        check_scale("gamma", gamma, zero=True)
        check_scale("capacity", capacity, zero=True)
        self.gamma = gamma
        self.capacity = Linear(0.0, capacity, warmup)

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """``capacity``, and ``kl`` for the record."""
        divergence = kl(t.q, t.prior, t.z).mean()
        distance = (divergence - at(self.capacity, ctx.step)).abs()
        return Loss(capacity=(self.gamma, distance), kl=(0.0, divergence.detach()))

    def rules(self, q: Distribution, prior: Distribution) -> dict[str, str]:
        """That of ``kl``, see `functional.kl_rule`."""
        return {"kl": kl_rule(q, prior)}


class AnnealedVAE(VAE):
    r"""A VAE whose KL divergence follows a capacity that grows through training.

    .. math::
        \mathcal{L} = -\mathbb{E}_{q(z|x)}[\log p(x|z)]
        + \gamma \, \big| D_{KL}(q(z|x) \,\|\, p(z)) - C(t) \big|

    Args:
        model: Encoder, decoder and prior, see `Model`.
        gamma: :math:`\gamma`, the weight of the distance from the capacity.
        capacity: :math:`C_{max}`, the final capacity, in nats.
        warmup: :math:`T`, steps until the final capacity.
        optimizer: Of all parameters; called with them.

    References:
        Burgess et al., "Understanding disentangling in beta-VAE", 2018,
        https://arxiv.org/abs/1804.03599, equation 8; its settings as in Locatello et al., 2019.
    """

    def __init__(
        self,
        model: Model,
        *,
        gamma: float = 1000.0,
        capacity: float = 25.0,
        warmup: int = 100_000,
        optimizer: MakeOptimizer = ADAM,
    ) -> None:
        super().__init__(model, penalty=Capacity(gamma, capacity, warmup), optimizer=optimizer)
