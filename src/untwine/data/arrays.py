"""Data sets of arrays in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from .dataset import FactorDataset, Index, as_index
from .factorize import factorize
from .space import Kinds

__all__ = ["ArrayDataset", "Arrays", "channels_last", "covariate_matrix", "image_shape"]

Layout = Literal["CHW", "HWC"]
_CHANNELS = (1, 3, 4)
_LARGEST = float(np.finfo(np.float32).max)
_CHUNK = 1 << 24  # values looked at together, so that a check takes little memory


class ArrayDataset(FactorDataset):
    """Observations that are the rows of an array, kept as they came until they are used.

    The classes that read files derive from it; `Arrays` says what it accepts.
    """

    def __init__(
        self,
        x: Any,
        factors: Any = None,
        names: Sequence[str] | None = None,
        sizes: Sequence[int] | None = None,
        covariates: Any = None,
        layout: Layout | None = None,
        *,
        kinds: Kinds = None,
    ) -> None:
        self._x = _array(x, "x")
        if len(self._x.shape) < 2 or 0 in self._x.shape:
            raise ValueError(
                f"x has shape {tuple(self._x.shape)}; expected vectors (N, F), images (N, H, W), "
                "(N, C, H, W) or (N, H, W, C), or clips of images (N, T, ...)"
            )
        n = self._x.shape[0]
        _check_finite(self._x, "x")
        self._last = False
        self._scale = 1.0
        if len(self._x.shape) == 2:
            self.shape = (int(self._x.shape[1]),)
        else:
            self._last = channels_last(self._x.shape, layout)
            self.shape = image_shape(self._x.shape, self._last)
            self._scale = _scale(self._x)
        self._factors, self.space, self.values = factorize(factors, n, names, sizes, kinds)
        if covariates is not None:
            self.covariates = covariate_matrix(covariates, n)

    def arrays(self) -> list[np.ndarray]:
        """The observations as they are kept: an array, or the three of a sparse matrix."""
        sparse = hasattr(self._x, "indptr")
        return [self._x.data, self._x.indices, self._x.indptr] if sparse else [self._x]

    def __len__(self) -> int:
        return int(self._x.shape[0])

    @property
    def factors(self) -> np.ndarray:
        return self._factors

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        rows = self._x[as_index(index, len(self))]
        if hasattr(rows, "toarray"):
            rows = rows.toarray()
        if self._last:
            rows = np.moveaxis(rows, -1, -3)
        x = torch.from_numpy(np.ascontiguousarray(rows)).to(torch.float32)
        if self._scale != 1:
            x = x.div_(self._scale)
        return x.reshape(len(x), *self.shape)


class Arrays(ArrayDataset):
    """A data set of arrays in memory.

    Images are kept as they are given and become float32 in [0, 1] when a batch is made: bytes are
    divided by 255, or by 1 where no byte of the set is larger than 1. A value that is missing (nan,
    None, ``pandas.NA``) is refused in observations and covariates: what stands for it is yours to
    say. In factors it is unknown.

    Args:
        x: The observations: images of bytes, of booleans, or of floats in [0, 1]; or vectors of
            any numbers, of which a SciPy sparse matrix is kept sparse; or a DataFrame of numbers
            and booleans.
        factors: ``(N, K)`` or ``(N,)``: an array, a tensor, a DataFrame or a Series; -1, nan, None
            and ``pandas.NA`` mean unknown. Text and fractions are numbered in sorted order,
            categories in theirs.
        names: The factors' names.
        sizes: How many values each factor has; by default the largest value plus one.
        kinds: What each factor's values are, in order or by name: ``"nominal"``, ``"ordinal"``,
            ``"real"`` or ``"angle"``, see `FactorSpace`.
        covariates: ``(N, C)`` or ``(N,)`` numbers, such as the batch of a cell, one-hot.
        layout: Whether channels come first or last; needed only where the shape does not tell.

    Shape:
        x ``(N, F)``, ``(N, H, W)``, ``(N, C, H, W)`` or ``(N, H, W, C)``, or clips of images with
        an axis for time after the first.

    Raises:
        ValueError: for lengths, columns and names that do not match, values that are missing or
            not finite, columns of a DataFrame that are no numbers, and images of floats outside
            [0, 1].

    Example:
        >>> data = Arrays(np.zeros((4, 16, 16, 3), np.uint8), [0, 0, 1, -1], names=["side"])
        >>> data.shape, data.observations([2]).dtype
        ((3, 16, 16), torch.float32)
    """

    needs = "arrays"

    def __init__(
        self,
        x: Any,
        factors: Any = None,
        names: Sequence[str] | None = None,
        sizes: Sequence[int] | None = None,
        covariates: Any = None,
        *,
        layout: Layout | None = None,
        kinds: Kinds = None,
    ) -> None:
        super().__init__(x, factors, names, sizes, covariates, layout, kinds=kinds)

    @property
    def arguments(self) -> dict[str, Any]:
        raise ValueError(
            "a data set of arrays in memory cannot be written into a spec: save them with "
            "np.savez(path, x=..., factors=..., factor_names=...) and use Npz(path)"
        )


def _array(values: Any, name: str) -> Any:
    """A NumPy array, or a sparse matrix by rows."""
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        array = (values.float() if values.dtype == torch.bfloat16 else values).numpy()
    elif hasattr(values, "tocsr"):
        array = values.tocsr()
    elif hasattr(values, "columns") and hasattr(values, "iloc"):
        array = _table(values, name)
    else:
        try:
            array = np.asarray(values)
        except ValueError as error:
            shapes = [np.shape(part) for part in values]
            wrong = next(i for i, shape in enumerate(shapes) if shape != shapes[0])
            raise ValueError(
                f"{name} is a {type(values).__name__} whose part {wrong} has shape "
                f"{shapes[wrong]} and part 0 {shapes[0]}: one array is needed; clips of unequal "
                "lengths go into data.Scenes"
            ) from error
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} holds {array.dtype}; expected numbers, none of them missing")
    return array


def _table(frame: Any, name: str) -> np.ndarray:
    """The numbers and booleans of a DataFrame."""
    from pandas.api.types import is_numeric_dtype

    columns = [frame.iloc[:, k] for k in range(frame.shape[1])]
    for label, column in zip(frame.columns, columns, strict=True):
        if not is_numeric_dtype(column.dtype):
            raise ValueError(
                f"column {label!r} of {name} holds {column.dtype}; expected numbers or booleans: "
                "leave it out, give it as a factor, or code it (pandas.get_dummies)"
            )
        missing = column.isna().to_numpy()
        if missing.any():
            raise ValueError(
                f"column {label!r} of {name} is missing in row {missing.argmax()} "
                f"({missing.sum()} of {len(frame)} rows in all): drop those rows, or fill in what "
                "stands for it (fillna), perhaps with a column that says where"
            )
    return np.column_stack(
        [column.to_numpy(getattr(column.dtype, "numpy_dtype", column.dtype)) for column in columns]
    )


def _check_finite(x: Any, name: str) -> None:
    """Refuses what is not finite, in the single precision that batches have."""
    if x.dtype.kind != "f":
        return
    if hasattr(x, "indptr"):
        wrong = np.flatnonzero(~_is_finite(x.data))
        rows = np.unique(np.searchsorted(x.indptr, wrong, side="right") - 1)
    else:
        step = max(1, _CHUNK // max(1, x[0].size))
        axes = tuple(range(1, x.ndim))
        parts = (x[i : i + step] for i in range(0, len(x), step))
        finite = np.concatenate([_is_finite(part).all(axis=axes) for part in parts])
        rows = np.flatnonzero(~finite)
    if len(rows):
        raise ValueError(
            f"{name} has values that are nan or infinite in row {rows[0]} ({len(rows)} of "
            f"{x.shape[0]} rows in all), in single precision, which ends at {_LARGEST:.2g}: drop "
            "those rows, or replace or scale the values"
        )


def _is_finite(values: np.ndarray) -> np.ndarray:
    return np.abs(values) <= _LARGEST


def channels_last(shape: tuple[int, ...], layout: Layout | None) -> bool:
    """Whether images ``(N, ...)`` have their channels at the end."""
    if layout not in (None, "CHW", "HWC"):
        raise ValueError(f"layout is {layout!r}; expected 'CHW', 'HWC' or None")
    if len(shape) == 3:
        return False
    if layout is not None:
        return layout == "HWC"
    first, last = shape[-3] in _CHANNELS, shape[-1] in _CHANNELS
    if first == last:
        raise ValueError(
            f"x has shape {shape}, which does not tell whether the channels come first or last "
            f"(a number of channels is one of {_CHANNELS}): pass layout='CHW' or layout='HWC'"
        )
    return last


def image_shape(shape: tuple[int, ...], last: bool) -> tuple[int, ...]:
    """Of one image ``(C, H, W)`` or clip, from the shape of ``N`` of them."""
    if len(shape) == 3:
        return (1, *shape[1:])
    return (*shape[1:-3], shape[-1], *shape[-3:-1]) if last else tuple(shape[1:])


def _scale(x: np.ndarray) -> float:
    """What images are divided by."""
    low, high = x.min(), x.max()
    if x.dtype == np.uint8:
        return 255.0 if high > 1 else 1.0
    if low < 0 or high > 1:
        raise ValueError(
            f"x has shape {x.shape}, so it holds images, but its {x.dtype} values go from {low} "
            f"to {high}: give bytes (x.astype('uint8')) of 0 to 255 or floats in [0, 1], "
            "or flatten it to (N, F) if these are vectors"
        )
    return 1.0


def covariate_matrix(values: Any, n: int) -> Tensor:
    """Covariates ``(N, C)`` as floats, refused where they are missing or not finite."""
    array = _array(values, "covariates")
    if hasattr(array, "toarray"):
        array = array.toarray()
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or len(array) != n:
        raise ValueError(f"x has {n} rows but covariates has shape {array.shape}; expected (N, C)")
    _check_finite(array, "covariates")
    return torch.from_numpy(array.astype(np.float32))
