"""Abilities of methods beside representing, as types: ``isinstance(method, Decodes)``.

Plots, reports and diagnostics ask for these and for nothing else, so that they take any object
that has the function, also one that is no `Method`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor
from torch.distributions import Categorical, Distribution

from ..data.batches import Batch

__all__ = [
    "Classifies",
    "Clusters",
    "Decodes",
    "HasLevels",
    "HasPrior",
    "MixesStyles",
    "Represents",
    "Samples",
    "SamplesGiven",
]


class Ability(type(Protocol)):  # type: ignore[misc]
    """Type of the abilities: an object has one if it has its names, wherever they come from.

    From Python 3.12 on ``isinstance`` of a protocol looks names up without ``__getattr__``, and so
    overlooks what is a part of a `torch.nn.Module`, as the prior of a VAE is.
    """

    def __instancecheck__(cls, instance: Any) -> bool:
        known = vars(cls)
        names = known.get("__protocol_attrs__")  # before 3.12 there is no such thing
        if names and known.get("_is_protocol"):
            return all(hasattr(instance, name) for name in names)
        return bool(super().__instancecheck__(instance))


@runtime_checkable
class Represents(Protocol, metaclass=Ability):
    """Gives observations a code."""

    def represent(self, batch: Batch | Tensor, /) -> Distribution:
        """The representation of a batch, or of observations that come alone."""


@runtime_checkable
class Decodes(Protocol, metaclass=Ability):
    """Makes observations of codes."""

    def decode(
        self, z: Tensor, /, *, c: Tensor | None = None, y: Tensor | None = None
    ) -> Distribution:
        """p(x|z), given covariates and classes where there are any."""


@runtime_checkable
class HasLevels(Protocol, metaclass=Ability):
    """Has a code that is a hierarchy."""

    @property
    def levels(self) -> tuple[str, ...]:
        """Names of the levels, blocks of the code, the uppermost first."""


@runtime_checkable
class MixesStyles(Protocol, metaclass=Ability):
    r"""Has a generator of layers that can each be given a code of their own.

    .. math::
        x = G(w_1, \ldots, w_L)

    References:
        Karras, Laine, Aila, "A Style-Based Generator Architecture for Generative Adversarial
        Networks", 2019, https://arxiv.org/abs/1812.04948, section 3.1 (style mixing).
    """

    @property
    def count(self) -> int:
        """L, the number of layers that have a style."""

    def codes(self, n: int, /) -> Tensor:
        """Codes as they are drawn, ``(n, D)``."""

    def style_grid(self, rows: Tensor, columns: Tensor, first: int, last: int, /) -> Tensor:
        """``(M, N, ...)`` images of codes ``(M, D)``, with others, ``(N, D)``, in some layers."""


@runtime_checkable
class Samples(Protocol, metaclass=Ability):
    """Makes observations of nothing."""

    def sample(self, n: int, /) -> Tensor | Mapping[str, Tensor]:
        """``(n, ...)`` observations."""


@runtime_checkable
class SamplesGiven(Protocol, metaclass=Ability):
    """Makes observations of a class, a component, or another value that it can be given."""

    def conditions(self) -> Mapping[str, int]:
        """Names of what can be given, and how many values each has."""

    def sample_given(
        self, n: int, condition: Mapping[str, int], /, *, c: Tensor | None = None
    ) -> Tensor | Mapping[str, Tensor]:
        """``(n, ...)`` observations, given values by name and covariates ``(n, C)``."""


@runtime_checkable
class HasPrior(Protocol, metaclass=Ability):
    """Has a distribution of codes."""

    def prior(self) -> Distribution:
        """p(z)."""


@runtime_checkable
class Clusters(Protocol, metaclass=Ability):
    """Gives observations soft assignments to clusters."""

    def cluster(self, batch: Batch | Tensor, /) -> Tensor:
        """``(B, K)`` probabilities."""


@runtime_checkable
class Classifies(Protocol, metaclass=Ability):
    """Tells the class of observations."""

    def classify(self, batch: Batch | Tensor, /) -> Categorical:
        """q(y|x)."""
