"""Divergences between distributions."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from ..distributions.blocks import Blocks
from ..distributions.chain import Chain
from ..distributions.kl_pairs import same_blocks

__all__ = ["kl", "kl_blocks", "kl_rule"]


def kl(q: Distribution, p: Distribution, z: Tensor | None = None) -> Tensor:
    r"""Kullback-Leibler divergence, in closed form where one is known, else by Monte Carlo.

    .. math::
        D_{KL}(q \,\|\, p) = \mathbb{E}_{q(z)}[\log q(z) - \log p(z)]

    `kl_rule` tells which it is. Two `Blocks` distributions are compared block by block, each by its
    own rule.

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
    if isinstance(q, Blocks) and isinstance(p, Blocks):
        each = list(kl_blocks(q, p, z).values())
        return sum(each[1:], each[0])
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        z = q.rsample() if z is None else z
        return q.log_prob(z) - p.log_prob(z)


def kl_blocks(q: Blocks, p: Blocks, z: Tensor | None = None) -> dict[str, Tensor]:
    r"""The divergence of every block, :math:`D_{KL}(q_b \,\|\, p_b)`; `kl` is their sum.

    Of a `Chain`, :math:`D_{KL}(q_l(z_l | z_{<l}) \,\|\, p_l(z_l | z_{<l}))` at the sample ``z`` of
    the levels before: in closed form for each, on average that of the whole.

    Args:
        q: A code in blocks.
        p: Its prior, of the same blocks.
        z: A sample of all of ``q``, see `kl`.

    Raises:
        ValueError: if the blocks are not the same.
    """
    same_blocks(q, p)
    if isinstance(q, Chain) or isinstance(p, Chain):
        return _kl_levels(q, p, q.rsample() if z is None else z)
    samples = dict.fromkeys(q.names) if z is None else q.split(z)
    return {name: kl(q[name], p[name], samples[name]) for name in q.names}


def _kl_levels(q: Blocks, p: Blocks, z: Tensor) -> dict[str, Tensor]:
    """Of the levels of a hierarchy, each given the sample of those above it."""
    shape, rows = z.shape[:-1], z.reshape(-1, z.shape[-1])
    q = q.given(z) if isinstance(q, Chain) else q
    p = p.given(rows) if isinstance(p, Chain) else p
    return {n: v.reshape(shape) for n, v in kl_blocks(q, p, rows).items()}


@torch.no_grad()
def kl_rule(q: Distribution, p: Distribution) -> Literal["closed form", "monte carlo"]:
    """How `kl` computes the divergence of two distributions.

    Of `Blocks`, ``"closed form"`` if that of every block is.

    Example:
        >>> from torch.distributions import Normal, StudentT
        >>> kl_rule(Normal(1.0, 1.0), Normal(0.0, 1.0)), kl_rule(Normal(1.0, 1.0), StudentT(3.0))
        ('closed form', 'monte carlo')
    """
    try:
        kl_divergence(q, p)
    except NotImplementedError:
        return "monte carlo"
    return "closed form"
