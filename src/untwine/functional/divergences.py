"""Divergences between distributions."""

from __future__ import annotations

from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from ..distributions import pairs as _pairs  # registers the closed forms that torch lacks

__all__ = ["kl"]

assert _pairs  # imported for what it registers


def kl(q: Distribution, p: Distribution, z: Tensor | None = None) -> Tensor:
    r"""Kullback-Leibler divergence, in closed form where one is known, else by Monte Carlo.

    .. math::
        D_{KL}(q \,\|\, p) = \mathbb{E}_{q(z)}[\log q(z) - \log p(z)]

    Shape: ``q`` with batch shape ``(B,)`` gives ``(B,)``, in nats, summed over event dimensions.

    Args:
        q: The distribution that the expectation is over.
        p: The other one; its batch shape broadcasts against that of ``q``.
        z: A reparameterized sample of ``q``, ``(B, D)``, for the single-sample estimate
            :math:`\log q(z) - \log p(z)` where no closed form is registered; drawn if not given.

    Example:
        >>> from torch.distributions import Normal
        >>> round(kl(Normal(1.0, 1.0), Normal(0.0, 1.0)).item(), 3)
        0.5
    """
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        z = q.rsample() if z is None else z
        return q.log_prob(z) - p.log_prob(z)
