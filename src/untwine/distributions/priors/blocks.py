"""Prior of a code in blocks."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ..blocks import Block, Blocks, check_blocks
from .base import Prior
from .one_hot import OneHotPrior

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

    def conditions(self) -> dict[str, int]:
        """A categorical block's class by the name of the block, and a mixture's component."""
        sizes: dict[str, int] = {}
        for name, prior in zip(self.names, self.priors, strict=True):
            if isinstance(prior, OneHotPrior):
                sizes[name] = len(prior.logits)
            elif isinstance(prior, Prior) and "component" in prior.conditions():
                sizes[name] = prior.conditions()["component"]
        return sizes

    def sample_given(self, n: int, condition: Mapping[str, int]) -> Tensor:
        """Codes ``(n, D)`` with the blocks that are named held at a class or a component."""
        parts = self().split(self().sample((n,)))
        for name, prior in zip(self.names, self.priors, strict=True):
            if name in condition and isinstance(prior, OneHotPrior):
                parts[name] = torch.zeros_like(parts[name])
                parts[name][:, condition[name]] = 1
            elif name in condition and isinstance(prior, Prior):
                parts[name] = prior.sample_given(n, {"component": condition[name]})
        return torch.cat(list(parts.values()), -1)

    def start(self, codes: Tensor) -> None:
        """Shows each block's prior its own entries of the codes."""
        for prior, entries in zip(self.priors, self().split(codes).values(), strict=True):
            prior.start(entries)  # type: ignore[operator]

    @property
    def starts(self) -> bool:
        """Whether a block's prior looks at codes before training."""
        return any(prior.starts for prior in self.priors)
