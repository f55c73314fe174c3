"""Independent named blocks of one code: their distribution, and what specifies one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.distributions import (
    Distribution,
    constraints,
)

from ..checks import check_size
from ..spec import Recorded

if TYPE_CHECKING:
    from .posteriors.base import Posterior
    from .priors.base import Prior

__all__ = ["Block", "Blocks", "Snaps", "check_blocks", "rows_of"]


@runtime_checkable
class Snaps(Protocol):
    """A distribution whose relaxed samples stand for exact ones."""

    def snap(self, z: Tensor, /) -> Tensor:
        """The exact sample of a relaxed one, ``(..., D)``."""


class Blocks(Distribution):
    r"""Independent named parts of one vector: :math:`q(z) = \prod_b q_b(z_b)`.

    Args:
        parts: By name, each with an event of one dimension; they lie in ``z`` in this order.

    Raises:
        ValueError: for no parts, or a part whose event is no vector.

    Shape:
        Batch shape: that of the parts, broadcast. Event shape ``(D,)``, the sum of the parts'.

    Example:
        >>> from untwine.distributions import OneHot, diagonal_normal
        >>> s = diagonal_normal(torch.zeros(5, 3), torch.ones(5, 3))
        >>> q = Blocks({"s": s, "k": OneHot(torch.zeros(5, 2))})
        >>> q.event_shape, q["k"].mean[0].tolist(), q.slices["k"]
        (torch.Size([5]), [0.5, 0.5], slice(3, 5, None))
    """

    arg_constraints: dict[str, constraints.Constraint] = {}

    def __init__(self, parts: Mapping[str, Distribution]) -> None:
        if not parts:
            raise ValueError("a code has at least one block, got none")
        self.parts = dict(parts)
        self.slices: dict[str, slice] = {}
        start = 0
        for name, part in self.parts.items():
            if len(part.event_shape) != 1:
                raise ValueError(
                    f"block {name!r} has event shape {tuple(part.event_shape)}; expected a vector"
                )
            self.slices[name] = slice(start, start + part.event_shape[0])
            start += part.event_shape[0]
        batch = torch.broadcast_shapes(*(p.batch_shape for p in self.parts.values()))
        super().__init__(batch, torch.Size([start]), validate_args=False)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the blocks, in order."""
        return tuple(self.parts)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether all parts have reparameterized samples."""
        return all(part.has_rsample for part in self.parts.values())

    def __getitem__(self, name: str) -> Distribution:
        """A block's own distribution.

        Raises:
            KeyError: for a name that no block has.
        """
        if name not in self.parts:
            raise KeyError(f"there is no block {name!r}; the blocks are {', '.join(self.names)}")
        return self.parts[name]

    def split(self, z: Tensor) -> dict[str, Tensor]:
        """``(..., D)`` to each block's own entries."""
        return {name: z[..., columns] for name, columns in self.slices.items()}

    def complete(
        self,
        known: Mapping[str, Tensor],
        rest: Literal["mean", "sample"] = "mean",
        rows: int | None = None,
    ) -> Tensor:
        """A whole code of which some parts are given.

        Args:
            known: Values by name, ``(R, D_b)`` each.
            rest: What the other parts are: their means, or samples.
            rows: How many codes, where nothing is known and the batch shape is empty.

        Returns:
            ``(R, D)``.

        Raises:
            ValueError: if nothing says how many codes.
        """
        shape = torch.Size([] if self.batch_shape else [rows_of(known, rows)])
        values = []
        for name, part in self.parts.items():
            if name in known:
                values.append(known[name])
            elif rest == "mean":
                values.append(part.mean.expand(*shape, *part.mean.shape))
            else:
                values.append(part.sample(shape))
        return torch.cat(values, -1)

    def snap(self, z: Tensor) -> Tensor:
        """The exact sample that a relaxed one stands for; see `OneHot.snap`."""
        return torch.cat(
            [
                part.snap(z[..., columns]) if isinstance(part, Snaps) else z[..., columns]
                for part, columns in zip(self.parts.values(), self.slices.values(), strict=True)
            ],
            -1,
        )

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Blocks:
        """The same blocks for a larger batch."""
        return Blocks({n: part.expand(torch.Size(batch_shape)) for n, part in self.parts.items()})

    @property
    def mean(self) -> Tensor:
        """The blocks' means."""
        return self._join([part.mean for part in self.parts.values()])

    @property
    def variance(self) -> Tensor:
        """The blocks' variances."""
        return self._join([part.variance for part in self.parts.values()])

    @property
    def covariance_matrix(self) -> Tensor:
        """``(..., D, D)``: the blocks' own covariances, and zeros between blocks."""
        # Blocks are independent: what is off the diagonal blocks stays zero.
        mean = self.mean
        whole = mean.new_zeros(*mean.shape, mean.shape[-1])
        for name, part in self.parts.items():
            covariance = getattr(part, "covariance_matrix", None)
            covariance = torch.diag_embed(part.variance) if covariance is None else covariance
            whole[..., self.slices[name], self.slices[name]] = covariance
        return whole

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Reparameterized samples, block after block."""
        shape = torch.Size(sample_shape)
        return self._join([part.rsample(shape) for part in self.parts.values()], shape)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Exact samples, categorical blocks as unit vectors."""
        shape = torch.Size(sample_shape)
        return self._join([part.sample(shape) for part in self.parts.values()], shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """The sum of the blocks' log densities, in nats."""
        each = [part.log_prob(value[..., self.slices[n]]) for n, part in self.parts.items()]
        return sum(each[1:], each[0])

    def entropy(self) -> Tensor:
        """The sum of the blocks' entropies, in nats."""
        each = [part.entropy() for part in self.parts.values()]
        return sum(each[1:], each[0])

    def _join(self, values: list[Tensor], shape: Sequence[int] = ()) -> Tensor:
        batch = (*shape, *self.batch_shape)
        return torch.cat([value.expand(*batch, value.shape[-1]) for value in values], -1)


def rows_of(known: Mapping[str, Tensor], rows: int | None) -> int:
    """How many rows the values that are known have; without any, as many as were asked for.

    Raises:
        ValueError: if neither says it.
    """
    number = next((len(z) for z in known.values()), rows)
    if number is None:
        raise ValueError("nothing is known: say how many rows there are, rows=")
    return number


class Block(Recorded):
    """One named part of a code: how wide it is, its posterior and its prior.

    Args:
        dim: Entries of the code.
        posterior: The family of its posterior.
        prior: Its prior.

    Raises:
        ValueError: for fewer than one entry, a prior of another width, or one that is made of the
            encoder, which is that of the whole code and not of the block.
    """

    def __init__(self, dim: int, posterior: Posterior, prior: Prior) -> None:
        check_size("dim", dim)
        if prior.attaches:
            raise ValueError(
                f"prior is a {type(prior).__name__}, which looks at the data through the encoder "
                "of the whole code and fits no block: give it to a VAE without blocks"
            )
        if prior().event_shape != (dim,):
            raise ValueError(
                f"the block's prior is over {tuple(prior().event_shape)}, not ({dim},)"
            )
        self.dim, self.posterior, self.prior = dim, posterior, prior


def check_blocks(blocks: Mapping[str, Block]) -> None:
    if not blocks:
        raise ValueError("a code has at least one block, got none")
    for name, block in blocks.items():
        if not name.isidentifier():
            raise ValueError(f"block name {name!r} is no identifier, such as 'style'")
        if not isinstance(block, Block):
            raise ValueError(
                f"block {name!r} is a {type(block).__name__}; expected a Block, such as "
                "GaussianBlock(4) or CategoricalBlock(10)"
            )
