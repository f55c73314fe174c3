"""Interface of priors: modules that take nothing and return a distribution over codes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.distributions import (
    Distribution,
)

from ...spec import Recorded

if TYPE_CHECKING:
    from ...data import FactorDataset

__all__ = ["Prior"]


class Prior(Recorded, nn.Module, ABC):
    """A distribution over codes, perhaps with parameters that are learned.

    Two hooks, which do nothing unless a prior overrides them, let it look at what it will meet.
    """

    @abstractmethod
    def forward(self) -> Distribution:
        """The distribution, with empty batch shape and event shape ``(D,)``."""

    def conditions(self) -> dict[str, int]:
        """Names of what codes can be drawn given, and how many values each has; none here."""
        return {}

    def sample_given(self, n: int, condition: Mapping[str, int]) -> Tensor:
        """Codes ``(n, D)`` given values of `conditions`, each from 0 on.

        Args:
            n: How many.
            condition: By name; what is not named is drawn.
        """
        return self().sample((n,))

    def attach(self, data: FactorDataset, encoder: nn.Module) -> None:
        """Called once when a method is built, after its encoder has been made.

        Args:
            data: What the method will learn from.
            encoder: ``x -> q(z|x)``.
        """

    @property
    def attaches(self) -> bool:
        """Whether `attach` has something to do, with the encoder of the whole code."""
        return type(self).attach is not Prior.attach

    def start(self, codes: Tensor) -> None:
        """Called once before the first move of training; not again when a run is resumed.

        Args:
            codes: Posterior means of a few thousand examples, ``(N, D)``.
        """

    @property
    def starts(self) -> bool:
        """Whether `start` has something to do; if not, nothing is encoded for it."""
        return type(self).start is not Prior.start
