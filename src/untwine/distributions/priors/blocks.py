"""Prior of a code in blocks."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from ..blocks import Block, Blocks, check_blocks
from .base import Prior

__all__ = ["BlocksPrior"]


class BlocksPrior(Prior):
    r"""Independent blocks, each with its own prior: :math:`p(z) = \prod_b p_b(z_b)`.

    Args:
        blocks: By name.

    Raises:
        ValueError: for no blocks, or a name that is no identifier.
    """

    def __init__(self, blocks: Mapping[str, Block]) -> None:
        super().__init__()
        check_blocks(blocks)
        self.names = tuple(blocks)
        self.priors = nn.ModuleList(b.prior for b in blocks.values())

    def forward(self) -> Blocks:
        """The prior."""
        return Blocks({n: p() for n, p in zip(self.names, self.priors, strict=True)})

    def start(self, codes: Tensor) -> None:
        """Shows each block's prior its own entries of the codes."""
        for prior, entries in zip(self.priors, self().split(codes).values(), strict=True):
            prior.start(entries)  # type: ignore[operator]

    @property
    def starts(self) -> bool:
        """Whether a block's prior looks at codes before training."""
        return any(prior.starts for prior in self.priors)
