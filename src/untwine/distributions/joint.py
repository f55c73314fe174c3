"""Joint distribution of several modalities, independent given the code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

__all__ = ["Joint"]


class Joint(Distribution):
    """Independent distributions by name: what a decoder of several modalities returns.

    ``p["rna"]`` is the distribution of one of them; ``.mean`` and samples are dictionaries.

    Args:
        parts: The distributions, of the same batch shape.

    Example:
        >>> from torch.distributions import Normal
        >>> p = Joint({"a": Normal(torch.zeros(3), 1.0), "b": Normal(torch.ones(3), 1.0)})
        >>> p["b"].mean.tolist(), {name: tuple(mean.shape) for name, mean in p.mean.items()}
        ([1.0, 1.0, 1.0], {'a': (3,), 'b': (3,)})
    """

    arg_constraints: dict[str, constraints.Constraint] = {}
    has_rsample = False

    def __init__(self, parts: Mapping[str, Distribution]) -> None:
        self.parts = dict(parts)
        first = next(iter(self.parts.values()))
        super().__init__(first.batch_shape, validate_args=False)

    def __getitem__(self, name: str) -> Distribution:
        return self.parts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.parts)

    @property
    def mean(self) -> Any:
        """The means by name."""
        return {name: part.mean for name, part in self.parts.items()}

    def log_prob(self, value: Any) -> Tensor:
        """The sum over those that ``value`` names, in nats."""
        return torch.stack([self.parts[name].log_prob(x) for name, x in value.items()]).sum(0)

    @torch.no_grad()
    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        """Samples by name."""
        size = torch.Size(sample_shape)
        return {name: part.sample(size) for name, part in self.parts.items()}
