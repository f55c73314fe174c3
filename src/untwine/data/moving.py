"""Data sets of clips of moving sprites and digits, rendered on demand."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..checks import check_size
from .dataset import FactorDataset, Index, as_index
from .seeds import check_seed
from .space import FactorSpace, Kind
from .sprites import SPACE, shared_sprites, unpack

__all__ = ["MovingDigits", "MovingSprites"]

_COMPASS = np.array([(0, -1), (1, -1), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1)])
_KINDS: tuple[Kind, ...] = ("nominal", "ordinal", "ordinal", "ordinal", "ordinal")


class MovingSprites(FactorDataset):
    """Clips of a dSprites shape that moves, bounces off the edges and turns, 64 x 64.

    All combinations of 3 shapes, 6 scales, 8 x 8 starting places, 8 starting angles, 8 directions
    and 3 ways to turn (left, not at all, right): 221,184 clips. What stays through a clip is shape
    and scale. Frames are dSprites' own images, see `DSprites`.

    Args:
        length: Frames of a clip.
        speed: Places per frame, of the 32 in each direction, along each axis that it moves on.
        turn: Steps of 9.2 degrees per frame, of those that turn.

    Raises:
        ValueError: for less than one frame, a speed outside 0 to 31 or a negative turn.

    Example:
        >>> data = MovingSprites(length=6)
        >>> data.shape, len(data), data.observations([0, 7]).shape
        ((6, 1, 64, 64), 221184, torch.Size([2, 6, 1, 64, 64]))
        >>> data.trajectory([0])[0, :3].tolist()  # posX, posY, orientation, frame by frame
        [[0, 0, 0], [0, 2, 37], [0, 4, 35]]
    """

    needs = "nothing"
    space = FactorSpace(
        ("shape", "scale", "start_x", "start_y", "start_angle", "direction", "turn"),
        (3, 6, 8, 8, 8, 8, 3),
        ("nominal", "ordinal", "ordinal", "ordinal", "ordinal", "ordinal", "ordinal"),
    )
    values = {
        "shape": ("square", "ellipse", "heart"),
        "direction": ("N", "NE", "E", "SE", "S", "SW", "W", "NW"),
        "turn": ("left", "none", "right"),
    }
    moving = ("posX", "posY", "orientation")
    """What `trajectory` returns, frame by frame."""

    def __init__(self, length: int = 12, speed: int = 2, turn: int = 2) -> None:
        if length < 1:
            raise ValueError(f"length is {length}; a clip has at least 1 frame")
        check_size("length", length)
        if not 0 <= speed <= 31 or turn < 0:
            raise ValueError(f"speed is {speed} and turn {turn}; expected 0 to 31, and at least 0")
        self.length, self.speed, self.turn = length, speed, turn
        self.shape = (length, 1, 64, 64)

    def __len__(self) -> int:
        return len(self.space)

    @cached_property
    def factors(self) -> np.ndarray:
        """The factors of every clip, ``(N, 7)`` of int64."""
        return self.space.factors(np.arange(len(self.space)))

    def trajectory(self, index: Index) -> np.ndarray:
        """The posX, posY and orientation of every frame of clips, ``(B, T, 3)`` of int64."""
        clips = self.space.factors(as_index(index, len(self)))
        t = np.arange(self.length)
        start = np.rint(np.linspace(0, 31, 8)).astype(np.int64)[clips[:, 2:4]]
        place = _reflect(start[:, None] + self.speed * t[:, None] * _COMPASS[clips[:, None, 5]], 31)
        # orientations 0 and 39 are the same angle
        angle = (5 * clips[:, 4:5] + self.turn * (clips[:, 6:7] - 1) * t) % 39
        return np.concatenate([place, angle[:, :, None]], 2)

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        numbers = as_index(index, len(self))
        path = self.trajectory(numbers)
        kind = np.broadcast_to(self.space.factors(numbers)[:, None, :2], (*path.shape[:2], 2))
        of_frames = np.concatenate([kind, path[..., 2:], path[..., :2]], 2).reshape(-1, 5)
        frames = unpack(shared_sprites().rows(SPACE.index(of_frames)))
        return torch.from_numpy(frames).to(torch.float32).reshape(len(numbers), *self.shape)


class MovingDigits(FactorDataset):
    """Clips of small images, such as digits, that move over black and bounce off the edges.

    Each clip shows one or several of the images, drawn at random; places and velocities are whole
    pixels. Where images overlap the brighter pixel is seen. A clip depends on its number and the
    seed alone, not on how many clips there are.

    The factors of a clip are, for each of its images, the class (without classes the image's
    number), the starting place ``x`` and ``y`` and the velocity ``vx`` and ``vy``; with a
    count above one ``class_1``, ``x_1`` and so on.

    Args:
        images: Grey images: a data set, or an array ``(M, h, w)`` (a run with an array cannot be
            written into a spec).
        labels: With an array, the class of each image, ``(M,)``.
        count: How many images move in a clip.
        length: Frames of a clip.
        size: Side of the canvas in pixels.
        speed: The largest velocity along each axis, in pixels per frame; the smallest is 1.
        clips: N, the number of clips.
        label: With a data set, the name of the factor that is the class; by default the first.
        seed: Of images, places and velocities.

    Raises:
        ValueError: for images that are not grey or larger than the canvas, labels of another
            length, and numbers below 1.

    References:
        Srivastava, Mansimov, Salakhutdinov, "Unsupervised Learning of Video Representations using
        LSTMs", 2015, https://arxiv.org/abs/1502.04681, section 3.1 (moving MNIST).

    Example:
        >>> digits = np.ones((10, 8, 8), np.uint8)
        >>> data = MovingDigits(digits, np.arange(10), length=5, size=24, clips=100)
        >>> len(data), data.shape, str(data.space)
        (100, (5, 1, 24, 24), 'class 10, x 17, y 17, vx 6, vy 6')
        >>> data.observations([3]).sum(dim=(-1, -2)).flatten().tolist()
        [64.0, 64.0, 64.0, 64.0, 64.0]
    """

    needs = "a data set"
    moving = ("x", "y")
    """What `trajectory` returns of each image, frame by frame."""

    def __init__(
        self,
        images: FactorDataset | Any,
        labels: Any = None,
        *,
        count: int = 1,
        length: int = 20,
        size: int = 64,
        speed: int = 3,
        clips: int = 10_000,
        label: str | None = None,
        seed: int = 0,
    ) -> None:
        if not isinstance(images, FactorDataset):
            names = None if labels is None else ["class"]
            images = FactorDataset.from_arrays(images, labels, names)
        elif labels is not None:
            raise ValueError("labels go with an array; of a data set name a factor as label=")
        numbers = {"count": count, "length": length, "speed": speed, "clips": clips}
        for name, number in numbers.items():
            if number < 1:
                raise ValueError(f"{name} is {number}; expected at least 1")
            check_size(name, number)
        if len(images.shape) != 3 or images.shape[0] != 1 or max(images.shape[1:]) > size:
            raise ValueError(
                f"images have shape {images.shape}; expected grey ones, (1, h, w), not larger than "
                f"the canvas of {size}x{size}"
            )
        self.images, self.count, self.length, self.size = images, count, length, size
        self.speed, self.clips, self.seed = speed, clips, check_seed(seed)
        self.shape = (length, 1, size, size)
        column = None
        if images.space.names:
            column = images.space.position(label) if label else 0
        elif label is not None:
            raise ValueError(f"the images have no factor {label!r}, and no factors at all")
        kinds = len(images) if column is None else images.space.sizes[column]
        _, h, w = images.shape
        self._free = np.array([size - w, size - h])
        # One row of uniform numbers per clip: a longer table begins like a shorter one.
        uniform = np.random.Generator(np.random.Philox(self.seed)).random((clips, count, 5))
        sizes = np.array([len(images), *(self._free + 1), 2 * speed, 2 * speed])
        values = np.minimum((uniform * sizes).astype(np.int64), sizes - 1)
        self._which = values[:, :, 0]
        kind = self._which if column is None else images.factors[:, column][self._which]
        table = np.concatenate([kind[:, :, None], values[:, :, 1:]], 2)
        self._factors = table.reshape(clips, -1)
        motion = ("image" if column is None else images.space.names[column], "x", "y", "vx", "vy")
        suffixes = [""] if count == 1 else [f"_{i + 1}" for i in range(count)]
        self.space = FactorSpace(
            tuple(name + suffix for suffix in suffixes for name in motion),
            (kinds, *map(int, sizes[1:])) * count,
            _KINDS * count,
        )
        velocities = [str(v) for v in _velocity(np.arange(2 * speed), speed)]
        self.values = {
            name: tuple(velocities) for name in self.space.names if name.startswith(("vx", "vy"))
        }

    def __len__(self) -> int:
        return self.clips

    @property
    def factors(self) -> np.ndarray:
        return self._factors

    def trajectory(self, index: Index) -> np.ndarray:
        """Left and upper edge of each image in every frame, ``(B, T, count, 2)`` of int64."""
        numbers = as_index(index, len(self))
        moves = self._factors[numbers].reshape(len(numbers), 1, self.count, 5)
        velocity = _velocity(moves[..., 3:], self.speed)
        t = np.arange(self.length)[None, :, None, None]
        return _reflect(moves[..., 1:3] + t * velocity, self._free)

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        numbers = as_index(index, len(self))
        path = self.trajectory(numbers)
        image_rows, inverse = np.unique(self._which[numbers], return_inverse=True)
        pictures = self.images.observations(image_rows)[:, 0].numpy()
        inverse = inverse.reshape(len(numbers), self.count)
        _, h, w = self.images.shape
        x = np.zeros((len(numbers), self.length, self.size, self.size), np.float32)
        for clip, (places, images_of_clip) in enumerate(zip(path, inverse, strict=True)):
            for t, place in enumerate(places):
                for (left, top), k in zip(place, images_of_clip, strict=True):
                    window = x[clip, t, top : top + h, left : left + w]
                    np.maximum(window, pictures[k], out=window)
        return torch.from_numpy(x)[:, :, None]


def _reflect(place: np.ndarray, last: int | np.ndarray) -> np.ndarray:
    """Places on a line without end, folded between 0 and ``last``."""
    period = np.maximum(2 * np.asarray(last), 1)
    phase = place % period
    return np.where(phase > last, period - phase, phase)


def _velocity(value: np.ndarray, speed: int) -> np.ndarray:
    """-speed to speed without 0, numbered from 0."""
    return value - speed + (value >= speed)
