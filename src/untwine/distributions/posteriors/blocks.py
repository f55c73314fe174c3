"""Posterior of a code in blocks."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ..blocks import Block, Blocks, check_blocks
from .base import Posterior

__all__ = ["BlocksPosterior"]


class BlocksPosterior(Posterior):
    """A head for several blocks: each takes its share of the encoder's features, in order.

    Args:
        blocks: By name. A name is a Python identifier.

    Raises:
        ValueError: for no blocks, or a name that is no identifier.
    """

    def __init__(self, blocks: Mapping[str, Block]) -> None:
        super().__init__()
        check_blocks(blocks)
        self.names = tuple(blocks)
        self.widths = tuple(b.dim for b in blocks.values())
        self.heads = nn.ModuleList(b.posterior for b in blocks.values())

    def features(self, latent_dim: int) -> int:
        """The sum over the blocks.

        Raises:
            ValueError: if ``latent_dim`` is not the sum of the blocks' widths.
        """
        if latent_dim != sum(self.widths):
            raise ValueError(f"latent_dim is {latent_dim}; the blocks have {sum(self.widths)}")
        return sum(self._shares())

    def forward(self, h: Tensor) -> Blocks:
        """``(B, features)`` to a distribution over ``(D,)``."""
        shares = h.split(self._shares(), -1)
        return Blocks({n: f(x) for n, f, x in zip(self.names, self.heads, shares, strict=True)})

    def _shares(self) -> list[int]:
        return [
            head.features(w)  # type: ignore[operator]
            for head, w in zip(self.heads, self.widths, strict=True)
        ]
