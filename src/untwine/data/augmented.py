"""Random changes of images, and which factors they leave as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .dataset import FactorDataset, Index, as_index
from .seeds import check_seed, torch_noise

__all__ = ["Augmented"]


class Augmented(FactorDataset):
    """The images of another data set, changed at random at every step.

    Factors that the transform changes (a shift the position, a flip the side) are not what the
    table says any longer: they are named in ``changes`` and are left out, so that no sampler and no
    metric takes them for true. The others are kept, with everything that draws by them: pairs and
    groups agree in them under whatever transform.

    What the transform draws from torch's generator, as those of torchvision and kornia do, is a
    function of ``seed``, the observation and the step; measuring sees one version of each.

    Args:
        data: The data set.
        transform: Of one image ``(C, H, W)`` in [0, 1] to another.
        changes: The factors that it changes; none if ``()``.
        seed: Of what it draws.

    Raises:
        ValueError: for factors that there are none of, and for a transform whose images have other
            shapes than each other, or values outside [0, 1].

    Example:
        >>> def shift(x):
        ...     return x.roll(int(torch.randint(0, 3, ())), -1)
        >>> images = np.eye(8, dtype=np.uint8)[None].repeat(4, 0) * 255
        >>> table = [[0, 0], [0, 1], [1, 0], [1, 1]]
        >>> data = FactorDataset.from_arrays(images, table, names=["shape", "column"])
        >>> Augmented(data, shift, changes=["column"])
        Augmented(4 observations of shape (1, 8, 8); factors: shape 2)
    """

    def __init__(
        self,
        data: FactorDataset,
        transform: Callable[[Tensor], Tensor],
        changes: Sequence[str],
        *,
        seed: int = 0,
    ) -> None:
        if isinstance(changes, str):
            raise ValueError(f"changes is {changes!r}; expected a list of factors: [{changes!r}]")
        self.data, self.transform, self.seed = data, transform, check_seed(seed)
        changed = {data.space.position(name) for name in changes}
        kept = [k for k in range(len(data.space.names)) if k not in changed]
        self.space = data.space.only(kept)
        self.values = {name: data.values[name] for name in self.space.names if name in data.values}
        self.covariates = data.covariates
        self._factors = data.factors[:, kept]
        self.shape = data.shape
        self.shape = tuple(self._changed(data.observations([0])[0], 0, 0).shape)

    @property
    def arguments(self) -> dict[str, Any]:
        raise ValueError(
            "a transform cannot be written into a spec: give the data again to whatever loads the "
            "run (data=)"
        )

    def __len__(self) -> int:
        return len(self.data)

    @property
    def factors(self) -> np.ndarray:
        return self._factors

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        rows = as_index(index, len(self))
        x = self.data.observations(rows, draw)
        changed = [self._changed(*pair, draw) for pair in zip(x, rows.tolist(), strict=True)]
        if any(tuple(image.shape) != self.shape for image in changed):
            shapes = {tuple(image.shape) for image in changed}
            raise ValueError(f"transform makes images of shapes {shapes}; expected one shape")
        return torch.stack(changed) if changed else torch.empty(0, *self.shape)

    def _changed(self, x: Tensor, row: int, draw: int) -> Tensor:
        with torch_noise(self.seed, row, draw):
            image = self.transform(x)
        if not isinstance(image, Tensor):
            raise TypeError(f"transform returns a {type(image).__name__}; expected a tensor")
        low, high = float(image.min()), float(image.max())
        if not 0 <= low <= high <= 1:
            raise ValueError(
                f"transform makes an image with values from {low:g} to {high:g}; expected [0, 1]: "
                "leave out Normalize, or end with clamp(0, 1)"
            )
        return image.to(torch.float32)
