"""Data sets of clips: clips as single frames, and scenes of unequal lengths."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Literal

import numpy as np
from torch import Tensor

from .arrays import ArrayDataset
from .dataset import FactorDataset, Index, as_index
from .space import FactorSpace

__all__ = ["Frames", "Scenes"]


class Frames(FactorDataset):
    """The frames of a data set of clips, one observation each, clip after clip.

    Its factors are those of the clip and ``frame``, the place in it.

    Args:
        data: Clips, ``(T, C, H, W)`` or ``(T, F)`` each.

    Raises:
        ValueError: for a data set of anything else.

    Example:
        >>> from untwine.data import MovingSprites
        >>> frames = Frames(MovingSprites(length=6))
        >>> frames.shape, len(frames), frames.space.names[-1]
        ((1, 64, 64), 1327104, 'frame')
    """

    needs = "a data set"

    def __init__(self, data: FactorDataset) -> None:
        if len(data.shape) not in (2, 4):
            raise ValueError(
                f"observations of data have shape {data.shape}, which is no clip (T, F) or "
                "(T, C, H, W)"
            )
        self.data = data
        self.length, self.shape = data.shape[0], data.shape[1:]
        self.space = FactorSpace(
            (*data.space.names, "frame"),
            (*data.space.sizes, data.shape[0]),
            (*data.space.kinds, "ordinal"),
        )
        self.values = data.values

    def __len__(self) -> int:
        return len(self.data) * self.length

    @cached_property
    def factors(self) -> np.ndarray:
        """The clip's factors and the frame, ``(N T, K + 1)``."""
        clips = np.repeat(self.data.factors, self.length, 0)
        return np.column_stack([clips, np.tile(np.arange(self.length), len(self.data))])

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        numbers = as_index(index, len(self))
        clips, inverse = np.unique(numbers // self.length, return_inverse=True)
        return self.data.observations(clips, draw)[inverse, numbers % self.length]


class Scenes(ArrayDataset):
    """The frames of scenes of any lengths, from which a `ClipsSampler` cuts clips of one length.

    Its factors are ``scene``, those given for the scenes, and ``frame``, the place in the scene:
    ``ClipsSampler("frame", 8)`` draws eight successive frames of one scene, every possible
    beginning with the same chance, so that long scenes are drawn more often and those of less than
    eight frames never.

    Args:
        scenes: An array per scene: images ``(T, H, W)``, ``(T, C, H, W)`` or ``(T, H, W, C)``, or
            vectors ``(T, F)``; T may differ.
        factors: What is known of the scenes, ``(number of scenes, K)``, -1 where unknown.
        names: The factors' names.
        layout: Whether channels come first or last; needed only where the shape does not tell.

    Raises:
        ValueError: for no scenes, frames of different shapes, factors of another length, and what
            `Arrays` refuses.

    Example:
        >>> from untwine.data import ClipsSampler
        >>> data = Scenes([np.zeros((9, 16, 16)), np.ones((5, 16, 16))])
        >>> data
        Scenes(14 observations of shape (1, 16, 16); factors: scene 2, frame 9)
        >>> clips = ClipsSampler("frame", 6)(data.space, data.factors, 3, np.random.default_rng(0))
        >>> clips.shape, int(data.factors[clips, 0].max())
        ((3, 6), 0)
    """

    needs = "arrays"

    def __init__(
        self,
        scenes: Sequence[Any],
        factors: Any = None,
        names: Sequence[str] | None = None,
        *,
        layout: Literal["CHW", "HWC"] | None = None,
    ) -> None:
        arrays = [np.asarray(scene) for scene in scenes]
        if not arrays:
            raise ValueError("scenes is empty; expected an array per scene")
        for i, scene in enumerate(arrays):
            if scene.ndim < 2 or scene.shape[1:] != arrays[0].shape[1:] or not len(scene):
                raise ValueError(
                    f"scene {i} has shape {scene.shape} and scene 0 {arrays[0].shape}: expected "
                    "(T, ...) with T at least 1 and frames of one shape"
                )
        lengths = [len(scene) for scene in arrays]
        place = np.concatenate([np.arange(n) for n in lengths])
        scene = np.repeat(np.arange(len(arrays)), lengths)
        columns = [scene]
        labels: list[str] = []
        if factors is not None:
            table = np.asarray(factors)
            table = table[:, None] if table.ndim == 1 else table
            if len(table) != len(arrays):
                raise ValueError(f"there are {len(arrays)} scenes but factors of {len(table)}")
            labels = [f"factor_{k}" for k in range(table.shape[1])] if names is None else [*names]
            columns += list(table[scene].T)
        super().__init__(
            np.concatenate(arrays),
            np.column_stack([*columns, place]),
            ["scene", *labels, "frame"],
            layout=layout,
            kinds={"scene": "nominal", "frame": "ordinal"},
        )

    @property
    def arguments(self) -> dict[str, Any]:
        raise ValueError(
            "scenes in memory cannot be written into a spec: save frames and factors with "
            "np.savez(path, x=..., factors=..., labels=...) and use Npz(path)"
        )
