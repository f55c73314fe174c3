"""Data set of several modalities, one row each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..spec import Recorded
from .batches import Modalities
from .dataset import FactorDataset, Index, as_index
from .space import FactorSpace, Kind

__all__ = ["Data", "Multimodal"]


class Multimodal(Recorded):
    """Data sets whose rows belong together: row i of each is the same thing, observed differently.

    It is read as a `FactorDataset` is, except that shapes and observations are dictionaries by
    modality. Factors of the same name must agree where both are known.

    Args:
        parts: The data sets by modality, equally long.
        present: By modality, whether each row was observed in it, ``(N,)`` of bool; a modality that
            is not named is there everywhere.

    Attributes:
        space: The factors of all parts, in the order of the parts.
        shape: Of one observation, by modality.
        covariates: Of the first part that has any.
        present: By modality, ``(N,)`` of bool.
        whole: Of a part of a data set, what it is a part of.

    Raises:
        ValueError: for parts of different lengths, for factors that disagree, for a row without
            any modality, and for ``present`` of another length or of an unknown modality.

    Example:
        >>> rna = FactorDataset.from_arrays(np.zeros((4, 20)), [0, 0, 1, 1], ["type"])
        >>> protein = FactorDataset.from_arrays(np.zeros((4, 5)))
        >>> data = Multimodal({"rna": rna, "protein": protein})
        >>> data.shape, {name: tuple(x.shape) for name, x in data.observations([0, 3]).items()}
        ({'rna': (20,), 'protein': (5,)}, {'rna': (2, 20), 'protein': (2, 5)})
    """

    whole: Multimodal | None = None

    def __init__(
        self,
        parts: Mapping[str, FactorDataset],
        present: Mapping[str, Any] | None = None,
    ) -> None:
        if not parts:
            raise ValueError("parts is empty; expected at least one data set by its modality")
        self.parts = dict(parts)
        lengths = {name: len(part) for name, part in self.parts.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(
                f"the modalities have different lengths, {lengths}: row i of each must be the "
                "same thing; give rows that lack one and say so with present="
            )
        self.shape = {name: part.shape for name, part in self.parts.items()}
        self.values: dict[str, tuple[str, ...]] = {}
        for part in self.parts.values():
            self.values = {**part.values, **self.values}
        covariates = [p.covariates for p in self.parts.values() if p.covariates is not None]
        self.covariates = covariates[0] if covariates else None
        self.present = self._present(present or {})
        self.space, self.factors = self._merge()

    def __len__(self) -> int:
        return len(next(iter(self.parts.values())))

    def __repr__(self) -> str:
        factors = f"factors: {self.space}" if self.space.names else "no factors"
        return f"Multimodal({len(self)} observations of shapes {self.shape}; {factors})"

    def observations(self, index: Index, draw: int = 0) -> dict[str, Tensor]:
        """The observations of given rows by modality, ``(B, *shape[name])`` each."""
        rows = as_index(index, len(self))
        return {name: part.observations(rows, draw) for name, part in self.parts.items()}

    def batch(self, index: Index, draw: int = 0) -> Modalities:
        """Observations with their covariates, and which modalities each row has.

        Args:
            index: The numbers of the rows.
            draw: Which version of observations that have random noise.
        """
        rows = as_index(index, len(self))
        at = torch.from_numpy(rows)
        present = {name: mask[at] for name, mask in self.present.items()}
        c = None if self.covariates is None else self.covariates[at]
        return Modalities(self.observations(rows, draw), present, c)

    def subset(self, indices: Index) -> Multimodal:
        """The observations of given numbers as a data set of their own."""
        rows = as_index(indices, len(self))
        return self._of({name: part.subset(rows) for name, part in self.parts.items()}, rows)

    def split(self, fraction: float, seed: int = 0) -> tuple[Multimodal, Multimodal]:
        """Two data sets without a common observation, drawn at random.

        Args:
            fraction: Of the observations that the first one gets.
            seed: Of the draw.

        Example:
            >>> part = FactorDataset.from_arrays(np.zeros((10, 2)))
            >>> [len(half) for half in Multimodal({"a": part, "b": part}).split(0.8)]
            [8, 2]
        """
        halves = {name: part.split(fraction, seed) for name, part in self.parts.items()}
        first = next(iter(halves.values()))
        train, test = (
            self._of({name: half[i] for name, half in halves.items()}, first[i].indices)
            for i in range(2)
        )
        return train, test

    def _of(self, parts: Mapping[str, FactorDataset], rows: np.ndarray) -> Multimodal:
        index = torch.from_numpy(rows)
        incomplete = {name: mask[index] for name, mask in self.present.items() if not mask.all()}
        selection = Multimodal(parts, incomplete or None)
        selection.covariates = None if self.covariates is None else self.covariates[index]
        selection.whole = self.whole or self
        return selection

    def _present(self, masks: Mapping[str, Any]) -> dict[str, Tensor]:
        for name in masks:
            if name not in self.parts:
                raise ValueError(f"present names {name!r}; the modalities are {list(self.parts)}")
        present = {}
        for name in self.parts:
            mask = torch.as_tensor(masks.get(name, np.ones(len(self), np.bool_)))
            if mask.shape != (len(self),) or mask.dtype != torch.bool:
                raise ValueError(
                    f"present[{name!r}] is {mask.dtype} of shape {tuple(mask.shape)}; expected "
                    f"bool of shape ({len(self)},)"
                )
            present[name] = mask
        somewhere = torch.stack(list(present.values())).any(0)
        if not somewhere.all():
            row = int((~somewhere).nonzero()[0])
            raise ValueError(f"row {row} is present in no modality: drop it")
        return present

    def _merge(self) -> tuple[FactorSpace, np.ndarray]:
        names: list[str] = []
        sizes: list[int] = []
        kinds: list[Kind | None] = []
        columns: list[np.ndarray] = []
        for modality, part in self.parts.items():
            for k, name in enumerate(part.space.names):
                column, size = part.factors[:, k], part.space.sizes[k]
                if name not in names:
                    names.append(name)
                    sizes.append(size)
                    kinds.append(part.space.kinds[k])
                    columns.append(column)
                    continue
                at = names.index(name)
                if part.values.get(name, ()) != self.values.get(name, ()):
                    raise ValueError(
                        f"factor {name!r} has other values in modality {modality!r} "
                        f"({part.values.get(name, 'numbers')}) than before "
                        f"({self.values.get(name, 'numbers')}): number them alike in all of them"
                    )
                wrong = (columns[at] != column) & (columns[at] >= 0) & (column >= 0)
                if wrong.any():
                    row = int(wrong.argmax())
                    raise ValueError(
                        f"factor {name!r} is {columns[at][row]} in row {row}, but {column[row]} "
                        f"there in modality {modality!r}: the rows must belong together"
                    )
                columns[at] = np.maximum(columns[at], column)
                sizes[at] = max(sizes[at], size)
                kinds[at] = kinds[at] or part.space.kinds[k]
        table = np.stack(columns, axis=1) if columns else np.empty((len(self), 0), np.int64)
        return FactorSpace(tuple(names), tuple(sizes), tuple(kinds)), table


Data = FactorDataset | Multimodal
"""What methods learn from."""


def check_data(data: Any) -> None:
    """Refuses what is no data set.

    Raises:
        TypeError: saying how to make one.
    """
    if not isinstance(data, Data):
        kind = f"the class {data.__name__}" if isinstance(data, type) else type(data).__name__
        raise TypeError(
            f"data is {kind}; expected a FactorDataset: FactorDataset.from_arrays(x, factors) "
            "makes one of arrays and tensors, from_torch of a dataset of torch, from_folder, "
            "from_npz, from_h5 and from_h5ad of files"
        )
