"""Uniform prior over the points of a quantized code's grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from ...checks import check_size
from ..conditional import Conditional
from ..posteriors import Quantizer
from ..quantized import UniformGrid
from .base import Prior

if TYPE_CHECKING:
    from ...data import FactorDataset

__all__ = ["GridPrior"]


class GridPrior(Prior):
    r"""Every combination of the values that a quantized code can take, equally likely.

    It uses the values of the encoder that it is attached to, learned ones as they are learned.

    Args:
        latent_dim: :math:`D`.

    Raises:
        TypeError: when it is attached to an encoder whose code is not quantized.
        RuntimeError: if it is used before it has been attached.
    """

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        check_size("latent_dim", latent_dim)
        self.latent_dim = latent_dim
        self._quantizer: tuple[Quantizer, ...] = ()  # in a tuple, a module is not registered

    def attach(self, data: FactorDataset, encoder: nn.Module) -> None:
        """Looks up the encoder's quantizer."""
        head = encoder.head if isinstance(encoder, Conditional) else None
        if not isinstance(head, Quantizer):
            raise TypeError(
                f"posterior is a {type(head).__name__}, and prior a GridPrior, which is for "
                "quantized codes: build the method with posterior=FiniteScalar() or "
                "posterior=ScalarCodebooks(latent_dim), or with another prior"
            )
        self._quantizer = (head,)

    def forward(self) -> UniformGrid:
        """The uniform distribution over the grid."""
        if not self._quantizer:
            raise RuntimeError(
                "the prior has no grid before it is attached: make the method with "
                "build(data, prior=GridPrior(latent_dim)), or call prior.attach(data, encoder)"
            )
        return UniformGrid(self._quantizer[0].grid(self.latent_dim))
