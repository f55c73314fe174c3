r"""Rooms3D: 480,000 images of an object in a colored room, rendered instead of downloaded.

An image is linear in its colors before it is rounded: floor, wall and object each take one of six
levels of red, green and blue, since hues are :math:`hsv(k / 10, 1, 1)`. So there are
8 x 4 x 15 templates (scale, shape, orientation) of 21 planes (three regions at six levels, and the
sky in three colors), each cast, filtered and rounded to 1/32 of a grey level once; an image is the
sum of four planes per color.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, cached_property

import numpy as np
import torch
from torch import Tensor

from .dataset import FactorDataset, Index, as_index
from .room_scene import FLOOR, OBJECT, SIZE, SKY, WALL, Scene, cast
from .space import FactorSpace

__all__ = ["ROOMS", "Rooms3D", "Templates", "shared_templates"]

ROOMS = FactorSpace(
    ("floor_hue", "wall_hue", "object_hue", "scale", "shape", "orientation"),
    (10, 10, 10, 8, 4, 15),
    ("angle", "angle", "angle", "ordinal", "nominal", "ordinal"),
)
"""The factors of Shapes3D, in the order of its file."""

SHAPES = ("box", "cylinder", "sphere", "capsule")
_SKY_COLOR = (153, 226, 249)
_LEVELS = np.array(
    [
        (5, 0, 0),
        (5, 3, 0),
        (4, 5, 0),
        (1, 5, 0),
        (0, 5, 2),
        (0, 5, 5),
        (0, 2, 5),
        (1, 0, 5),
        (4, 0, 5),
        (5, 0, 3),
    ]
)
"""Red, green and blue of each hue, in fifths of the full color."""

_FINE = 32  # parts of a grey level in the planes
_WEIGHT = 4096  # parts of 1 in the weights of the filter


class Rooms3D(FactorDataset):
    r"""Rooms after Shapes3D (64 x 64, color): a box, cylinder, sphere or capsule, rendered here.

    The factors, their order and their 480,000 combinations are those of Shapes3D: hues of floor,
    wall and object :math:`hsv(k / 10, 1, 1)`, scale :math:`0.75 + k / 14`, shape, and orientation
    from -30 to 30 degrees. The image of a combination has the number that it has there. Camera,
    room, sizes and lights were fitted to 50 genuine images, from which renderings differ by 41 dB
    (median peak signal-to-noise ratio); hues and sky are equal. Texture of floor and wall is not
    drawn. Templates are made when they are first used and kept, 83 MB for the process.

    References:
        3D Shapes Dataset, Burgess, Kim, 2018, https://github.com/google-deepmind/3d-shapes;
        Disentangling by Factorising, Kim, Mnih, 2018, https://arxiv.org/abs/1802.05983.

    Deviations:
        It is not the published set: `Shapes3D` reads that. Scores on the two need not agree.

    Example:
        >>> data = Rooms3D()
        >>> len(data), data.shape, str(data.space)
        (480000, (3, 64, 64), 'floor_hue 10, wall_hue 10, object_hue 10, scale 8, shape 4, ...
        >>> x = data.observations([data.space.index([0, 3, 6, 7, 2, 7])])
        >>> (255 * x[0, :, 0, 0]).int().tolist(), (255 * x[0, :, 63, 0]).int().tolist()
        ([153, 226, 249], [255, 0, 0])
    """

    needs = "nothing"
    shape = (3, 64, 64)
    space = ROOMS
    values = {"shape": SHAPES}

    def __len__(self) -> int:
        return len(ROOMS)

    @cached_property
    def factors(self) -> np.ndarray:
        """The factors of every image, ``(480000, 6)`` of int64."""
        return ROOMS.factors(np.arange(len(ROOMS)))

    def observations(self, index: Index, draw: int = 0) -> Tensor:
        images = shared_templates().images(ROOMS.factors(as_index(index, len(ROOMS))))
        return torch.from_numpy(images).to(torch.float32).div_(255)

    def render(self) -> None:
        """Makes every template now, which takes seconds; without it each is made when used."""
        shared_templates().make(range(8 * 4 * 15))


class Templates:
    """Templates of a scene, made when they are first used.

    Args:
        scene: The room; by default the fitted one.
    """

    def __init__(self, scene: Scene | None = None) -> None:
        self.scene = Scene() if scene is None else scene
        self._planes = np.zeros((8 * 4 * 15, 21, 64 * 64), np.int16)
        self._made = np.zeros(8 * 4 * 15, np.bool_)

    @property
    def nbytes(self) -> int:
        """The memory that they take once all are made."""
        return self._planes.nbytes

    def images(self, factors: np.ndarray) -> np.ndarray:
        """The images of combinations.

        Shape:
            factors ``(B, 6)``; returns ``(B, 3, 64, 64)`` of int16, 0 to 255.
        """
        floor, wall, item = (_LEVELS[factors[:, k]] for k in range(3))
        template = (factors[:, 3] * 4 + factors[:, 4]) * 15 + factors[:, 5]
        self.make(template)
        planes = self._planes.reshape(-1, 64 * 64)
        first = 21 * template[:, None]
        image = planes.take(first + np.arange(18, 21), axis=0)
        for region, levels in enumerate((floor, wall, item)):
            image += planes.take(first + (6 * region + levels), axis=0)
        image += _FINE // 2
        image >>= 5
        np.maximum(image, 0, out=image)
        np.minimum(image, 255, out=image)
        return image.reshape(-1, 3, 64, 64)

    def make(self, numbers: Sequence[int] | np.ndarray) -> None:
        """Makes those templates that are not there yet."""
        templates = np.unique(np.asarray(numbers, np.int64))
        for number in templates[~self._made[templates]]:
            scale, shape, orientation = number // 60, number // 15 % 4, number % 15
            self._planes[number] = _planes(self.scene, shape, scale, orientation)
            self._made[number] = True


@cache
def shared_templates() -> Templates:
    """The one set of templates that every `Rooms3D` of the process shares."""
    return Templates()


def _planes(scene: Scene, shape: int, scale: int, orientation: int) -> np.ndarray:
    """Regions at levels, and the sky, filtered to 64 x 64, in 1/32 of a grey level."""
    layers = cast(scene, shape, 0.75 + scale / 14, -30 + 60 * orientation / 14)
    planes = np.zeros((21, SIZE, SIZE), np.float32)
    for i, region in enumerate((FLOOR, WALL, OBJECT)):
        inside = layers.region == region
        light, gloss = layers.light[inside], layers.gloss[inside]
        for level in range(6):
            color = np.minimum(light * (level / 5) + gloss, 1)
            planes[6 * i + level][inside] = np.rint(255 * color)
    sky = layers.region == SKY
    for i, color in enumerate(_SKY_COLOR):
        planes[18 + i][sky] = color
    # All numbers are whole and small enough to be exact, in whatever order they are added.
    weights = _filter()
    rows = np.rint(np.matmul(weights.astype(np.float32), planes).astype(np.float64) / 64)
    columns = np.matmul(rows, weights.T)
    return np.rint(columns / (_WEIGHT * _WEIGHT // 64 // _FINE)).astype(np.int16).reshape(21, -1)


@cache
def _filter() -> np.ndarray:
    """Weights of Lanczos' filter of three lobes from 192 to 64 pixels, whole, ``(64, 192)``."""
    step = SIZE // 64
    distance = (np.arange(SIZE) + 0.5 - (np.arange(64)[:, None] + 0.5) * step) / step
    lobes = np.where(np.abs(distance) < 3, np.sinc(distance) * np.sinc(distance / 3), 0)
    weights = np.rint(_WEIGHT * lobes / lobes.sum(axis=1, keepdims=True))
    weights[np.arange(64), np.arange(64) * step + step // 2] += _WEIGHT - weights.sum(axis=1)
    return weights
