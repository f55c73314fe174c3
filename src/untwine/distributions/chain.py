"""Chain of named blocks, each given those before it: the levels of a hierarchy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor
from torch.distributions import Distribution, register_kl

from .blocks import Blocks, rows_of
from .gaussians import diagonal_normal

__all__ = ["Chain", "Choose", "Walk"]

Choose = Callable[[str, Distribution], Tensor]
"""From a level's name and its distribution, batch shape ``(R,)``, to its value, ``(R, D_l)``."""

Walk = Callable[[Choose, Sequence[Tensor], int], object]
"""Goes down all levels for ``R`` rows with their features, and asks for the value of each."""


class Chain(Blocks):
    r"""Named parts of one vector, each given those before it.

    .. math::
        q(z) = \prod_l q_l(z_l \mid z_{<l})

    The parts are diagonal Gaussians. ``.mean`` goes down by means, each part's given the means
    before it, so that it is the same each time; ``.variance`` and ``chain[name]`` are those of the
    parts there. Samples and log densities are those of the whole.

    Args:
        dims: Of the parts by name, in order.
        walk: Goes down the parts, see `Walk`.
        features: What the parts are conditioned on, ``(B, ...)`` each; without any, the batch
            shape is empty.

    Shape:
        Batch shape ``(B,)`` or ``()``. Event shape ``(D,)``, the sum of the parts'.

    Example:
        >>> from untwine.distributions import diagonal_normal
        >>> def walk(choose, features, rows):
        ...     one = torch.ones(rows, 1)
        ...     top = choose("top", diagonal_normal(3 * one, one))
        ...     choose("low", diagonal_normal(2 * top, one))
        >>> chain = Chain({"top": 1, "low": 1}, walk)
        >>> chain.mean.tolist(), chain.sample((5,)).shape
        ([3.0, 6.0], torch.Size([5, 2]))
    """

    def __init__(
        self, dims: Mapping[str, int], walk: Walk, features: Sequence[Tensor] = ()
    ) -> None:
        self.dims, self.walk, self.features = dict(dims), walk, tuple(features)
        self.slices, start = {}, 0
        for name, dim in self.dims.items():
            self.slices[name] = slice(start, start + dim)
            start += dim
        batch = self.features[0].shape[:1] if self.features else torch.Size()
        Distribution.__init__(self, batch, torch.Size([start]), validate_args=False)

    @cached_property
    def parts(self) -> dict[str, Distribution]:  # type: ignore[override]
        """The parts' distributions by name, each given the means of those before it."""
        parts = self._down(lambda name, q: q.mean, self.batch_shape)[1]
        return parts if self.batch_shape else {n: _first(part) for n, part in parts.items()}

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parts, in order."""
        return tuple(self.dims)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Parts have reparameterized samples."""
        return True

    @classmethod
    def joined(cls, chains: Sequence[Chain]) -> Chain:
        """The chains of several batches of one model as one."""
        features = [torch.cat(parts) for parts in zip(*(c.features for c in chains), strict=True)]
        return cls(chains[0].dims, chains[0].walk, features)

    def given(self, value: Tensor) -> Blocks:
        """The parts' distributions, each given the values before it.

        Args:
            value: ``(..., D)``, whose leading axes broadcast with the batch shape.

        Returns:
            Blocks with one batch axis, the leading axes flattened.
        """
        shape = torch.broadcast_shapes(value.shape[:-1], self.batch_shape)
        rows = value.expand(*shape, value.shape[-1]).reshape(-1, value.shape[-1])
        return Blocks(self._down(lambda name, q: rows[:, self.slices[name]], shape)[1])

    def complete(
        self,
        known: Mapping[str, Tensor],
        rest: Literal["mean", "sample"] = "mean",
        rows: int | None = None,
    ) -> Tensor:
        """See `Blocks.complete`; what is not known is drawn given the values before it."""
        shape = self.batch_shape or torch.Size([rows_of(known, rows)])

        def choose(name: str, q: Distribution) -> Tensor:
            if name in known:
                return known[name]
            return q.mean if rest == "mean" else q.sample()

        return self._down(choose, shape)[0]

    def expand(self, batch_shape: Sequence[int], _instance: object = None) -> Chain:
        """The same chain for a larger batch."""
        shape = torch.Size(batch_shape)
        if shape == self.batch_shape:
            return self
        raise NotImplementedError("draw with a sample shape instead: chain.rsample(shape)")

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Reparameterized samples, each part given the samples before it."""
        shape = torch.Size(sample_shape) + self.batch_shape
        z = self._down(lambda name, q: q.rsample(), shape)[0]
        return z.reshape(*shape, z.shape[-1])

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Samples, each part given the samples before it."""
        shape = torch.Size(sample_shape) + self.batch_shape
        z = self._down(lambda name, q: q.sample(), shape)[0]
        return z.reshape(*shape, z.shape[-1])

    def log_prob(self, value: Tensor) -> Tensor:
        """The sum of the parts' log densities given the values before them, in nats."""
        shape = torch.broadcast_shapes(value.shape[:-1], self.batch_shape)
        parts = self.given(value)
        rows = value.expand(*shape, value.shape[-1]).reshape(-1, value.shape[-1])
        return parts.log_prob(rows).reshape(shape)

    def entropy(self) -> Tensor:
        """Is not known: a part's depends on the values before it."""
        raise NotImplementedError("the entropy of a chain has no closed form: average -log_prob")

    def _down(self, choose: Choose, shape: torch.Size) -> tuple[Tensor, dict[str, Distribution]]:
        """One way down for all rows of a shape: values ``(R, D)`` and the parts' distributions."""
        rows, values, parts = math.prod(shape), [], {}
        features = [
            f.expand(*shape, *f.shape[1:]).reshape(rows, *f.shape[1:]) for f in self.features
        ]

        def noted(name: str, q: Distribution) -> Tensor:
            z = choose(name, q)
            values.append(z)
            parts[name] = q
            return z

        self.walk(noted, features, rows)
        return torch.cat(values, -1), parts


@register_kl(Chain, Chain)
@register_kl(Chain, Blocks)
@register_kl(Blocks, Chain)
def _chains(q: Blocks, p: Blocks) -> Tensor:
    """No closed form: an expectation over the values of the parts before, see `functional.kl`."""
    raise NotImplementedError("the KL divergence of chains has no closed form")


def _first(part: Distribution) -> Distribution:
    """The only row of a diagonal Gaussian, without its batch axis."""
    return diagonal_normal(part.mean[0], part.stddev[0])
