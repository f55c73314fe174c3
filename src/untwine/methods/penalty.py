"""Penalties: regularizers that any method of the VAE family takes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor
from torch.distributions import Distribution

from ..functional import Schedule, at, kl, kl_rule
from ..functional.schedules import check_weights
from ..spec import Recorded
from .abilities import Decodes
from .loss import Loss, Terms
from .method import Context

__all__ = ["KL", "OfPart", "Penalties", "Penalty", "Terms", "Trace"]


@dataclass(frozen=True)
class OfPart:
    """A decoder as a function of one part of the code, the other parts staying where they are.

    Attributes:
        put_in: From values of the part to p(x|z).
    """

    put_in: Callable[[Tensor], Distribution]

    def decode(
        self, z: Tensor, /, *, c: Tensor | None = None, y: Tensor | None = None
    ) -> Distribution:
        """p(x|z) with ``z`` for the part."""
        return self.put_in(z)


@dataclass(frozen=True)
class Trace:
    """Everything that one pass through a model computes, by the paper's names.

    Attributes:
        model: What decodes codes like ``z``: the model, or of a penalty of one part of the code,
            `OfPart`.
        x: Observations, ``(B, ...)``.
        q: Posteriors, batch shape ``(B,)``, event shape ``(D,)``.
        z: One sample of each posterior, ``(B, D)``.
        p: Likelihoods given ``z``, batch shape ``(B,)``.
        prior: The prior of ``z``.
        condition: What the decoder is given beside the code, by name: covariates ``c``, one-hot
            classes ``y``.
    """

    model: Decodes
    x: Tensor
    q: Distribution
    z: Tensor
    p: Distribution
    prior: Distribution
    condition: Mapping[str, Tensor | None] = field(default_factory=dict)

    def decode(self, z: Tensor) -> Distribution:
        """p(x|z) at other codes ``(B, D)``, under the same condition; gradients flow through it."""
        return self.model.decode(z, **self.condition)


class Penalty(Recorded, ABC):
    """``(trace, ctx)`` to named, weighted terms, each ``(B,)`` or a scalar, in nats.

    What its constructor annotates as ``float | Schedule`` is a weight, and not negative.
    """

    @classmethod
    def check_arguments(cls, arguments: Mapping[str, object]) -> None:
        """Refuses objects of a wrong kind, and weights below 0."""
        super().check_arguments(arguments)
        check_weights(cls, arguments)

    @abstractmethod
    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """The terms that are added to the negative log-likelihood."""

    def rules(self, q: Distribution, prior: Distribution) -> dict[str, str]:
        """How each divergence is computed for a posterior and a prior, by term.

        ``"closed form"``, ``"monte carlo"`` (the one sample that is decoded, too), or the name of a
        bound or an approximation. Empty for a penalty that does not say.
        """
        return {}

    def __add__(self, other: Penalty) -> Penalties:
        """Both, as in ``KL() + DIP()``; terms of one name are refused when they meet."""
        return Penalties([*parts_of(self), *parts_of(other)])


class Penalties(Penalty):
    """Several penalties, whose terms stand side by side.

    Args:
        parts: The penalties.

    Raises:
        ValueError: for none.

    Example:
        >>> (KL(4.0) + KL(2.0)).parts[1].beta
        2.0
    """

    def __init__(self, parts: Sequence[Penalty]) -> None:
        if not parts:
            raise ValueError("parts is empty; expected at least one penalty")
        self.parts = tuple(parts)

    def __call__(self, t: Trace, ctx: Context) -> Terms:
        """The terms of all.

        Raises:
            ValueError: if two have a term of one name.
        """
        terms = Loss(**self.parts[0](t, ctx))
        for penalty in self.parts[1:]:
            terms = terms + penalty(t, ctx)
        return terms

    def rules(self, q: Distribution, prior: Distribution) -> dict[str, str]:
        """Those of all."""
        return {k: rule for part in self.parts for k, rule in part.rules(q, prior).items()}


def parts_of(penalty: Penalty) -> tuple[Penalty, ...]:
    """The penalties that a penalty consists of: itself, unless it is a sum."""
    return penalty.parts if isinstance(penalty, Penalties) else (penalty,)


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
        return Loss(kl=(at(self.beta, ctx.step), kl(t.q, t.prior, t.z)))

    def rules(self, q: Distribution, prior: Distribution) -> dict[str, str]:
        """That of ``kl``, see `functional.kl_rule`."""
        return {"kl": kl_rule(q, prior)}
