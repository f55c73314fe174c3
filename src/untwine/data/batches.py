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
    "Observations",
    "Pairs",
]

Observations = Tensor | Mapping[str, Tensor]
"""``(B, ...)``, or that by modality."""

Field = Tensor | Mapping[str, Tensor] | None
"""What a batch holds under one name."""


class Batch:
    """What all batch types have in common: observations, perhaps with covariates.

    It has a length, and a device to be moved to. `Batch.of` makes one of plain observations.
    """

    x: Observations
    """The observations."""

    c: Tensor | None = None
    """Their covariates, if the data has any."""

    @staticmethod
    def of(
        batch: Batch | Tensor | Mapping[str, Tensor],
        c: Tensor | None = None,
        present: Mapping[str, Tensor] | None = None,
    ) -> Batch:
        """A batch of plain observations; a batch as it is.

        Args:
            batch: Observations ``(B, ...)``, or those of several modalities by name; or a batch.
            c: Covariates ``(B, C)`` of plain observations.
            present: Which examples have each modality, ``(B,)`` of bool; all, where it says
                nothing.

        Raises:
            TypeError: for covariates beside a batch, which carries its own, and for what is
                neither a batch nor observations.
        """
        if isinstance(batch, Batch):
            if c is not None or present is not None:
                raise TypeError("a batch carries its covariates: give c= and present= to it")
            return batch
        if isinstance(batch, Tensor):
            return Images(batch, c)
        if not isinstance(batch, Mapping):
            raise TypeError(
                f"expected a batch or a tensor of observations, got a {type(batch).__name__}"
            )
        masks = {
            name: torch.ones(len(x), dtype=torch.bool, device=x.device) for name, x in batch.items()
        }
        return Modalities(batch, {**masks, **(present or {})}, c)

    @classmethod
    def check(cls, batch: Batch) -> Self:
        """The batch, if it is one of this type.

        Raises:
            TypeError: if it is not.
        """
        if not isinstance(batch, cls):
            raise TypeError(
                f"expected a batch of {cls.__name__}, got {type(batch).__name__}: train with a "
                f"sampler that makes {cls.__name__}"
            )
        return batch

    @property
    def tensor(self) -> Tensor:
        """The observations, where they are one tensor.

        Raises:
            TypeError: if they are of several modalities.
        """
        x = self.x
        if isinstance(x, Tensor):
            return x
        raise TypeError(f"observations of several modalities ({', '.join(x)}) are no tensor")

    def to(
        self,
        device: torch.device | str | None = None,
        non_blocking: bool = False,
        dtype: torch.dtype | None = None,
    ) -> Self:
        """The same batch elsewhere, or in another type.

        Args:
            device: Of every tensor; as it is by default.
            non_blocking: Whether the copy may go on while Python does.
            dtype: Of observations and covariates. Indices and labels become int64 with it, and
                masks stay.
        """
        return type(self)(
            **{
                name: _move(value, device, non_blocking, _type(name, dtype))
                for name, value in self._parts().items()
            }
        )

    def observations(self) -> dict[str, Tensor]:
        """The observations by field, ``(B, ...)``, ``(B, T, ...)`` of clips; those of modalities
        by ``x['name']``. What is not present is left out.
        """
        return {name: value for name, value in self._parts().items() if name in _OBSERVATIONS}

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
        c0: Covariates of the first, if the data has any.
        c1: Covariates of the second.

    Shape:
        x0 and x1 ``(B, ...)``; c0 and c1 ``(B, C)``.
    """

    x0: Tensor
    x1: Tensor
    c0: Tensor | None = None
    c1: Tensor | None = None

    @property
    def x(self) -> Tensor:  # type: ignore[override]
        """The first of all pairs, then the second, ``(2 B, ...)``."""
        return torch.cat([self.x0, self.x1])

    @property
    def c(self) -> Tensor | None:  # type: ignore[override]
        """The covariates of `x`, ``(2 B, C)``."""
        return None if self.c0 is None or self.c1 is None else torch.cat([self.c0, self.c1])


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
        c: The covariates of every member, if the data has any.

    Shape:
        x ``(B, G, ...)``; shared ``(B, K)``; present ``(B, G)``; label ``(B,)``; c ``(B, G, C)``.

    Example:
        >>> groups = Groups.of([torch.rand(2, 5), torch.rand(3, 5)])
        >>> groups.x.shape, groups.present.tolist()
        (torch.Size([2, 3, 5]), [[True, True, False], [True, True, True]])
    """

    x: Tensor
    shared: Tensor
    present: Tensor | None = None
    label: Tensor | None = None
    c: Tensor | None = None

    def observations(self) -> dict[str, Tensor]:
        """The members that there are, ``(M, ...)``."""
        return {"x": self.x.flatten(0, 1) if self.present is None else self.x[self.present]}

    @property
    def classes(self) -> Tensor:
        """The class of each group, where it is stated.

        Raises:
            ValueError: if it is not.
        """
        if self.label is None:
            raise ValueError("the groups have no classes: give Groups(..., label=)")
        return self.label

    @classmethod
    def of(  # type: ignore[override]
        cls, members: Sequence[Tensor], shared: Tensor | None = None
    ) -> Groups:
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
        c: The covariates of the unlabelled part, if the data has any.
        cl: Those of the labelled part.

    Shape:
        x ``(B, ...)``; xl ``(L, ...)``; yl ``(L,)`` of one label, ``(L, K)`` of several;
        c ``(B, C)``; cl ``(L, C)``.
    """

    x: Tensor
    xl: Tensor
    yl: Tensor
    c: Tensor | None = None
    cl: Tensor | None = None

    @property
    def unlabelled(self) -> Images:
        """The unlabelled part."""
        return Images(self.x, self.c)

    @property
    def labelled(self) -> Images:
        """The labelled part, without its labels."""
        return Images(self.xl, self.cl)


@dataclass(frozen=True, eq=False, repr=False)
class Indexed(Batch):
    """Observations with their place in the data set, for latents that are kept per example.

    Attributes:
        x: The observations.
        index: Which example of the data set each one is, int64.
        label: The class of each one, int64, from 0.
        c: The covariates, if the data has any.

    Shape:
        x ``(B, ...)``; index and label ``(B,)``; c ``(B, C)``.
    """

    x: Tensor
    index: Tensor
    label: Tensor
    c: Tensor | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Clips(Batch):
    """Short sequences of observations, in the order of time.

    Attributes:
        x: The clips.
        c: The covariates of every clip, or of every frame, if the data has any.

    Shape:
        x ``(B, T, ...)``; c ``(B, C)`` or ``(B, T, C)``.
    """

    x: Tensor
    c: Tensor | None = None


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

    def observations(self) -> dict[str, Tensor]:
        """Those that are present."""
        return {f"x[{name!r}]": x[self.present[name]] for name, x in self.x.items()}


_OBSERVATIONS = ("x", "x0", "x1", "xl")
_COVARIATES = ("c", "c0", "c1", "cl")
_NUMBERS = ("index", "label", "yl")


def _type(name: str, dtype: torch.dtype | None) -> torch.dtype | None:
    """The type that a field has in a batch whose observations are of some type."""
    if dtype is not None and name in _NUMBERS:
        return torch.int64
    return dtype if name in (*_OBSERVATIONS, *_COVARIATES) else None


def _move(
    value: Field,
    device: torch.device | str | None,
    non_blocking: bool,
    dtype: torch.dtype | None,
) -> Field:
    if isinstance(value, Mapping):
        return {
            name: part.to(device=device, dtype=dtype, non_blocking=non_blocking)
            for name, part in value.items()
        }
    if value is None:
        return None
    return value.to(device=device, dtype=dtype, non_blocking=non_blocking)


def _shape(value: Field) -> object:
    if isinstance(value, Mapping):
        return {name: tuple(part.shape) for name, part in value.items()}
    return value if value is None else tuple(value.shape)
