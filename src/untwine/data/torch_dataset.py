"""Datasets of torch: items with labels, dictionaries, pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from .arrays import channels_last, covariate_matrix, image_shape
from .dataset import FactorDataset, Index, as_index
from .factorize import factorize
from .seeds import check_seed, torch_noise
from .space import Kinds

__all__ = ["TorchDataset"]

_MODES = ("L", "RGB")


class TorchDataset(FactorDataset):
    """The items of a map-style dataset of torch or torchvision, or of anything with both
    ``len(dataset)`` and ``dataset[i]``.

    | an item | its observation | its factors |
    | --- | --- | --- |
    | ``x`` | ``x`` | none |
    | ``(x, label, ...)`` | ``x`` | ``label``, or one for each further value |
    | ``{"image": x, "digit": 3, ...}`` | the entry ``x`` names, or the only array | the values |
    | ``(x, x', ...)`` of one shape | both, as rows ``2i`` and ``2i + 1`` | of both, as above |

    Observations are tensors, arrays or pictures (PIL); bytes are divided by 255. A factor is a
    number or a text; a vector of numbers is one factor for each. All items are read once for their
    factors and covariates, unless ``factors`` or the dataset's own ``targets`` say them.

    What an item draws from torch's generator is a function of ``seed``, the item and the step, so
    that a run with random transforms goes on as if it had not been interrupted. Pairs are drawn by
    `AdjacentPairsSampler`.

    Args:
        dataset: The dataset.
        x: Of a dictionary, the entry that is the observation, or the two of a pair.
        names: The factors' names; of a dictionary, which entries are factors.
        factors: ``(N, K)`` or ``(N,)`` for the N items, where they are known without reading them.
        covariates: The entries of a dictionary that are covariates, numbers.
        layout: Whether channels come first or last; by default first in tensors, last in
            pictures, and where the shape tells in arrays.
        kinds: What each factor's values are, see `FactorSpace`.
        seed: Of what items draw.

    Raises:
        TypeError: for a dataset without length or items, and for items of another form.
        ValueError: for items of different shapes, images outside [0, 1] and names that are not
            there.

    Example:
        >>> data = TorchDataset([(torch.rand(3, 8, 8), i % 2) for i in range(6)])
        >>> data
        TorchDataset(6 observations of shape (3, 8, 8); factors: label 2)
    """

    def __init__(
        self,
        dataset: Any,
        x: str | Sequence[str] | None = None,
        names: Sequence[str] | None = None,
        *,
        factors: Any = None,
        covariates: Sequence[str] = (),
        layout: Literal["CHW", "HWC"] | None = None,
        kinds: Kinds = None,
        seed: int = 0,
    ) -> None:
        if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
            raise TypeError(
                f"dataset is a {type(dataset).__name__}; expected len(dataset) and dataset[i]: "
                "what is only iterated over goes into fit as a torch DataLoader"
            )
        if not len(dataset):
            raise ValueError("dataset has no items")
        self.dataset, self.seed, self._layout = dataset, check_seed(seed), layout
        self._covariates = list(covariates)
        first = self._item(0, 0)
        self._form(first, x, names)
        self.shape = ()
        self.shape = tuple(self._observation(first, 0, 0).shape)
        table = self._known(names) if factors is None else factors
        if table is None or self._covariates:
            read = self._read_all()
            table = {k: [row[k] for row in read] for k in self._names} if table is None else table
            if self._covariates:
                columns = [[row[name] for name in self._covariates] for row in read]
                self.covariates = covariate_matrix(columns, len(dataset))
                self.covariates = self.covariates.repeat_interleave(self._views, 0)
        named = None if isinstance(table, Mapping) else (names or None)
        table, self.space, self.values = factorize(
            table if len(table) else None, len(dataset), named, None, kinds
        )
        self._factors = table.repeat(self._views, axis=0)

    @property
    def arguments(self) -> dict[str, Any]:
        raise ValueError(
            "a dataset of torch cannot be written into a spec: give it again to whatever loads the "
            "run (data=), or keep its images in a folder or an .npz"
        )

    def __len__(self) -> int:
        return self._views * len(self.dataset)

    @property
    def factors(self) -> np.ndarray:
        return self._factors

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        rows = as_index(index, len(self))
        items = {i: self._item(i, draw) for i in np.unique(rows // self._views).tolist()}
        x = [self._observation(items[r // self._views], r, r % self._views) for r in rows.tolist()]
        return torch.stack(x) if x else torch.empty(0, *self.shape)

    def _item(self, i: int, draw: int) -> Any:
        with torch_noise(self.seed, i, draw):
            return self.dataset[i]

    def _form(self, item: Any, x: str | Sequence[str] | None, names: Sequence[str] | None) -> None:
        """Which parts of an item are observations, and what the others are called."""
        if isinstance(item, Mapping):
            arrays = [key for key, value in item.items() if _is_array(value)]
            chosen = [x] if isinstance(x, str) else arrays if x is None else list(x)
            missing = [k for k in (*chosen, *(names or ()), *self._covariates) if k not in item]
            if missing:
                raise ValueError(f"items have no {missing[0]!r}; they have {', '.join(item)}")
            if len(chosen) not in (1, 2) or (x is None and len(chosen) != 1):
                raise ValueError(
                    f"items have {len(chosen)} arrays ({', '.join(chosen) or 'none'}): name the "
                    "observation by x=, or the two of a pair"
                )
            rest = [k for k in item if k not in arrays and k not in self._covariates]
            self._places: list[Any] = chosen
            self._names = list(rest if names is None else names)
            self._views = len(chosen)
            return
        if x is not None or self._covariates:
            raise ValueError("items are no dictionaries: x= and covariates= name entries of one")
        parts = list(item) if isinstance(item, tuple | list) else [item]
        if not parts or not _is_array(parts[0]):
            raise TypeError(
                f"an item is a {type(item).__name__}; expected an observation (a tensor, an array "
                "or a picture), a tuple that begins with one, or a dictionary that holds one"
            )
        pair = len(parts) > 1 and _is_array(parts[1]) and _size(parts[0]) == _size(parts[1])
        self._views = 2 if pair else 1
        self._places = list(range(self._views))
        count = len(list(_values(parts[self._views :])))
        usual = ["label"] if count == 1 else [f"factor{k}" for k in range(count)]
        self._names = list(usual if names is None else names)
        if len(self._names) != count:
            raise ValueError(f"items have {count} factors but names has {len(self._names)}")

    def _known(self, names: Sequence[str] | None) -> Any:
        """Labels that a dataset of torchvision says without reading its items, with their names."""
        labels = getattr(self.dataset, "targets", None)
        plain = getattr(self.dataset, "target_transform", None) is None
        if self._places != [0] or len(self._names) != 1 or labels is None or not plain:
            return None
        if np.shape(labels) != (len(self.dataset),):
            return None
        import pandas as pd

        classes = getattr(self.dataset, "classes", None)
        if classes is None:
            return {self._names[0]: np.asarray(labels)}
        return {
            self._names[0]: pd.Categorical.from_codes(
                np.asarray(labels, np.int64), pd.Index(classes)
            )
        }

    def _read_all(self) -> list[dict[str, Any]]:
        """Factors and covariates of every item."""
        rows = []
        for i in range(len(self.dataset)):
            item = self._item(i, 0)
            if isinstance(item, Mapping):
                wanted = (*self._names, *self._covariates)
                rows.append({k: next(_values([item.get(k)])) for k in wanted})
                continue
            parts = list(item) if isinstance(item, tuple | list) else [item]
            values = list(_values(parts[self._views :]))
            if len(values) != len(self._names):
                raise ValueError(
                    f"item {i} has {len(values)} factors, but item 0 has {len(self._names)}"
                )
            rows.append(dict(zip(self._names, values, strict=True)))
        return rows

    def _observation(self, item: Any, row: int, view: int) -> Tensor:
        place = self._places[view]
        parts = item if isinstance(item, Mapping | tuple | list) else [item]
        try:
            x = self._tensor(parts[place])
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"item {row // self._views} of the dataset: {error}") from error
        if self.shape and tuple(x.shape) != self.shape:
            raise ValueError(
                f"item {row // self._views} of the dataset has shape {tuple(x.shape)}, but item 0 "
                f"{self.shape}: give all of them one size"
            )
        return x

    def _tensor(self, x: Any) -> Tensor:
        """An observation as floats, with channels first and images in [0, 1]."""
        layout = self._layout
        if isinstance(x, Image):
            if x.mode not in _MODES:
                raise ValueError(f"a picture of mode {x.mode}: image.convert('RGB') makes it one")
            x, layout = np.asarray(x), "HWC"
        elif isinstance(x, Tensor):
            layout = layout or "CHW"
        tensor = torch.as_tensor(np.array(x) if not isinstance(x, Tensor) else x.detach().cpu())
        image = tensor.ndim > 1
        if image:
            shape = (1, *tensor.shape)
            last = channels_last(shape, layout)
            tensor = (tensor.movedim(-1, -3) if last else tensor).reshape(image_shape(shape, last))
        scale = 255.0 if image and tensor.dtype == torch.uint8 else 1.0
        tensor = tensor.to(torch.float32) / scale
        if not torch.isfinite(tensor).all():
            raise ValueError("values are nan or infinite")
        low, high = float(tensor.min()), float(tensor.max())
        if image and not 0 <= low <= high <= 1:
            raise ValueError(
                f"an image has values from {low:g} to {high:g}; expected bytes, or floats in "
                "[0, 1]: leave out Normalize"
            )
        return tensor


def _is_array(value: Any) -> bool:
    """Whether a part of an item can be an observation: a picture, or more than one number."""
    if isinstance(value, Image):
        return True
    return isinstance(value, Tensor | np.ndarray) and bool(np.prod(value.shape) > 1)


def _size(value: Any) -> tuple[Any, ...]:
    return (value.mode, *value.size) if isinstance(value, Image) else tuple(value.shape)


def _values(parts: Sequence[Any]) -> Iterator[Any]:
    """Single values of parts: numbers and texts as they are, vectors one after the other."""
    for part in parts:
        if isinstance(part, Tensor | np.ndarray | np.generic):
            yield from np.asarray(part).reshape(-1).tolist()
        elif isinstance(part, list | tuple):
            yield from _values(part)
        elif part is None or isinstance(part, str | int | float):
            yield part
        else:
            raise TypeError(
                f"a factor is a {type(part).__name__}; expected a number or a text: name the "
                "entries that are factors by names=, or give factors="
            )
