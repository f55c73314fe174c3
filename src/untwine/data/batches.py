"""Batch types: images, pairs, groups, few labels, indexed examples, clips, modalities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import torch
from torch import Tensor

__all__ = [
    "Batch",
    "Clips",
    "FewLabels",
    "Groups",
    "Images",
    "Indexed",
    "Modalities",
    "Pairs",
]


class Batch:
    """What all batch types have in common: a length, and a device to be moved to."""

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        """The same batch with every tensor on ``device``."""
        return type(self)(
            **{name: _move(value, device, non_blocking) for name, value in self._parts().items()}
        )

    def __len__(self) -> int:
        """The number of examples, B."""
        first = next(iter(self._parts().values()))
        return len(next(iter(first.values())) if isinstance(first, Mapping) else first)

    def __repr__(self) -> str:
        parts = (f"{name}={_shape(value)}" for name, value in self._parts().items())
        return f"{type(self).__name__}({', '.join(parts)})"

    def _parts(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False, repr=False)
class Images(Batch):
    """Observations alone: images, or vectors.

    Attributes:
        x: The observations.
        c: The covariates, if the data has any.

    Shape:
        x ``(B, ...)``, images ``(B, C, H, W)`` in [0, 1]; c ``(B, C)``.

    Example:
        >>> batch = Images(torch.rand(8, 1, 64, 64))
        >>> one, two = batch.halves()
        >>> len(batch), len(one), one
        (8, 4, Images(x=(4, 1, 64, 64), c=None))
    """

    x: Tensor
    c: Tensor | None = None

    def halves(self) -> tuple[Images, Images]:
        """Two batches of B // 2 examples; if B is odd, the last example is in neither.

        Raises:
            ValueError: for a batch of one.
        """
        n = len(self.x) // 2
        if n == 0:
            raise ValueError(
                f"a batch of {len(self.x)} cannot be halved: this method compares two halves of "
                "a batch, so that batch_size must be at least 2 on every device"
            )
        c = (None, None) if self.c is None else (self.c[:n], self.c[n : 2 * n])
        return Images(self.x[:n], c[0]), Images(self.x[n : 2 * n], c[1])


@dataclass(frozen=True, eq=False, repr=False)
class Pairs(Batch):
    """Pairs of observations that differ in few factors.

    Attributes:
        x0: The first of each pair.
        x1: The second of each pair.

    Shape:
        x0 and x1 ``(B, ...)``.
    """

    x0: Tensor
    x1: Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Groups(Batch):
    """Groups of observations that share the values of some factors.

    Groups of unequal sizes are padded to one, and ``present`` says which members there are; what
    stands in the place of the others does not matter. Each has one at least.

    Attributes:
        x: The observations.
        shared: Which factors a group was drawn to share, bool.
        present: Which members each group has, bool; ``None`` means all.
        label: The class of each group, int64: the value of the shared factor, or the number of
            the combination of values of several. Only groups that share the same factors can be
            compared by it.

    Shape:
        x ``(B, G, ...)``; shared ``(B, K)``; present ``(B, G)``; label ``(B,)``.

    Example:
        >>> groups = Groups.of([torch.rand(2, 5), torch.rand(3, 5)])
        >>> groups.x.shape, groups.present.tolist()
        (torch.Size([2, 3, 5]), [[True, True, False], [True, True, True]])
    """

    x: Tensor
    shared: Tensor
    present: Tensor | None = None
    label: Tensor | None = None

    @classmethod
    def of(cls, members: Sequence[Tensor], shared: Tensor | None = None) -> Groups:
        """Pads groups of unequal sizes, each ``(n, ...)``, with zeros.

        Args:
            members: The observations of each group, one or more.
            shared: Which factors each group shares, ``(B, K)``; none are known by default.

        Raises:
            ValueError: for a group without members, and for no groups at all.
        """
        sizes = [len(group) for group in members]
        if not sizes or min(sizes) < 1:
            raise ValueError(f"the groups have {sizes} members; expected at least 1 in each")
        x = torch.nn.utils.rnn.pad_sequence(list(members), batch_first=True)
        present = torch.arange(max(sizes)) < torch.tensor(sizes)[:, None]
        if shared is None:
            shared = torch.zeros(len(sizes), 0, dtype=torch.bool)
        return cls(x, shared, None if len(set(sizes)) == 1 else present.to(x.device))


@dataclass(frozen=True, eq=False, repr=False)
class FewLabels(Batch):
    """An unlabelled batch, and a labelled one of another size.

    Attributes:
        x: The unlabelled observations.
        xl: The labelled observations.
        yl: Their labels, int64, from 0; of several labels, those that are unknown are -1.

    Shape:
        x ``(B, ...)``; xl ``(L, ...)``; yl ``(L,)`` of one label, ``(L, K)`` of several.
    """

    x: Tensor
    xl: Tensor
    yl: Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Indexed(Batch):
    """Observations with their place in the data set, for latents that are kept per example.

    Attributes:
        x: The observations.
        index: Which example of the data set each one is, int64.
        label: The class of each one, int64, from 0.

    Shape:
        x ``(B, ...)``; index and label ``(B,)``.
    """

    x: Tensor
    index: Tensor
    label: Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Clips(Batch):
    """Short sequences of observations, in the order of time.

    Attributes:
        x: The clips.

    Shape:
        x ``(B, T, ...)``.
    """

    x: Tensor


@dataclass(frozen=True, eq=False, repr=False)
class Modalities(Batch):
    """The same things observed in several ways, some of which may be missing.

    Attributes:
        x: The observations by modality; where one is missing, its values mean nothing.
        present: By modality, whether each example was observed in it, bool.
        c: The covariates, if the data has any.

    Shape:
        x ``{name: (B, ...)}``; present ``{name: (B,)}``; c ``(B, C)``.
    """

    x: Mapping[str, Tensor]
    present: Mapping[str, Tensor]
    c: Tensor | None = None


def _move(value: Any, device: torch.device | str, non_blocking: bool) -> Any:
    if isinstance(value, Mapping):
        return {name: _move(part, device, non_blocking) for name, part in value.items()}
    return value if value is None else value.to(device, non_blocking=non_blocking)


def _shape(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: tuple(part.shape) for name, part in value.items()}
    return value if value is None else tuple(value.shape)
