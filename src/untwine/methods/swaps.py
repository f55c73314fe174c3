"""Swaps: a part of the code of one observation in the place of that of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution

from ..data.batches import Batch
from ..distributions import Blocks
from .method import Method, Observations

__all__ = ["Swaps", "swap", "swap_grid"]


class Swaps(Method):
    """A method whose code has named parts that can be exchanged, see `swap`.

    Reports show a grid of swaps, and `plots.swap_grid` draws one.
    """

    of_rows: ClassVar[str]
    """The part that a row of the grid gives, unless another is named."""

    of_columns: ClassVar[str]
    """The part that a column gives."""

    label: str | None = None
    """The factor that one of the parts is about, if the method names one."""

    def take_apart(self, batch: Batch | Observations) -> Mapping[str, Tensor]:
        """The parts of the codes of a batch by name, ``(B, width)`` each."""
        q = self.represent(batch)
        if not isinstance(q, Blocks):
            raise TypeError(f"the representation is a {type(q).__name__}; expected named Blocks")
        return {name: part.mean for name, part in q.parts.items()}

    def put_together(self, parts: Mapping[str, Tensor], c: Tensor | None = None) -> Distribution:
        """What is decoded from such parts; gradients flow through it."""
        return self.decode(torch.cat(list(parts.values()), -1), c=c)

    def decode(
        self, z: Tensor, *, c: Tensor | None = None, y: Tensor | None = None
    ) -> Distribution:
        """The likelihood of codes."""
        raise NotImplementedError(f"{type(self).__name__} has no decoder")

    def swap_grid(self, rows: Batch | Observations, columns: Batch | Observations) -> Tensor:
        """Every row's code with the part `of_columns` of every column; see `swap_grid`."""
        return swap_grid(self, rows, columns, self.of_columns)


@torch.no_grad()
def swap(method: Swaps, a: Batch | Observations, b: Batch | Observations, take: str) -> Tensor:
    """Decodes the codes of some observations with one part taken from others'.

    Args:
        method: One whose code has named parts.
        a: Observations that give everything else, covariates included.
        b: Observations that give the part, as many.
        take: The name of the part.

    Shape:
        a and b ``(B, ...)``; returns ``(B, ...)``, means of the likelihood.

    Raises:
        ValueError: for a part that the code does not have.
    """
    a = Batch.of(a)
    parts = {**method.take_apart(a)}
    _check(take, parts)
    parts[take] = method.take_apart(b)[take]
    return method.put_together(parts, a.c).mean


@torch.no_grad()
def swap_grid(
    method: Swaps, rows: Batch | Observations, columns: Batch | Observations, take: str
) -> Tensor:
    """Every row's code with one part of every column's, decoded.

    Args:
        method: One whose code has named parts.
        rows: Observations that give everything else, covariates included.
        columns: Observations that give the part.
        take: The name of the part.

    Shape:
        rows ``(M, ...)``; columns ``(N, ...)``; returns ``(M, N, ...)``, means of the likelihood.

    Raises:
        ValueError: for a part that the code does not have.
    """
    rows = Batch.of(rows)
    parts, others = method.take_apart(rows), method.take_apart(columns)
    _check(take, parts)
    m, n = len(parts[take]), len(others[take])
    combined = {
        name: others[name].repeat(m, *[1] * (part.ndim - 1))
        if name == take
        else part.repeat_interleave(n, 0)
        for name, part in parts.items()
    }
    c = None if rows.c is None else rows.c.repeat_interleave(n, 0)
    x = method.put_together(combined, c).mean
    return x.reshape(m, n, *x.shape[1:])


def _check(take: str, parts: Mapping[str, Tensor]) -> None:
    if take not in parts:
        raise ValueError(f"take is {take!r}; the code has the parts {', '.join(parts)}")
