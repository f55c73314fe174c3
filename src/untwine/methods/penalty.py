"""What a regularizer is: a value that any method of the VAE family takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor
from torch.distributions import Distribution

from ..functional import Schedule, at, kl, kl_rule
from ..spec import Recorded
from .method import Context

__all__ = ["KL", "Penalty", "Terms", "Trace"]

Terms = dict[str, Tensor | tuple[float | Tensor, Tensor]]


@dataclass(frozen=True)
class Trace:
    """Everything that one pass through a VAE computes, by the paper's names.

    Attributes:
        x: Observations, ``(B, ...)``.
        q: Posteriors, batch shape ``(B,)``, event shape ``(D,)``.
        z: One sample of each posterior, ``(B, D)``.
        p: Likelihoods given ``z``, batch shape ``(B,)``.
        prior: The prior of ``z``.
    """

    x: Tensor
    q: Distribution
    z: Tensor
    p: Distribution
    prior: Distribution


class Penalty(Recorded, ABC):
    """``(trace, ctx)`` to named, weighted terms, each ``(B,)`` or a scalar, in nats."""

    @abstractmethod
    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """The terms that are added to the negative log-likelihood."""

    def rules(self, q: Distribution, prior: Distribution) -> dict[str, str]:
        """How each divergence is computed for a posterior and a prior, by term.

        ``"closed form"``, ``"monte carlo"`` (the one sample that is decoded, too), or the name of a
        bound or an approximation. Empty for a penalty that does not say.
        """
        return {}


class KL(Penalty):
    r"""The KL divergence, :math:`\beta \, D_{KL}(q(z|x) \,\|\, p(z))`.

    Args:
        beta: :math:`\beta`, the weight of the KL divergence; a number or a schedule.

    References:
        Higgins et al., "beta-VAE: Learning Basic Visual Concepts with a Constrained Variational
        Framework", 2017, https://openreview.net/forum?id=Sy2fzU9gl.
    """

    def __init__(self, beta: float | Schedule = 1.0) -> None:
        self.beta = beta

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """One term, ``kl``."""
        return {"kl": (at(self.beta, ctx.step), kl(t.q, t.prior, t.z))}

    def rules(self, q: Distribution, prior: Distribution) -> dict[str, str]:
        """That of ``kl``, see `functional.kl_rule`."""
        return {"kl": kl_rule(q, prior)}
